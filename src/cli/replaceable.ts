// Files that a command writes: what is there already is replaced only if the same command made it.
import { readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { isFolder } from "../io/folder.ts";
import { UsageError } from "./command.ts";

/** Throws a UsageError where `out` cannot be put, or where a file is whose content is not such as the maker, e.g. hebb inspect, writes. */
export async function refuseOthers(out: string, maker: string, isSuch: (content: Buffer) => boolean): Promise<void> {
  const found = await stat(out).catch(() => undefined);
  if (found === undefined && (await isFolder(dirname(out)))) return;
  const other = "choose another --out";
  if (found === undefined) throw new UsageError(`${out}: there is no folder ${dirname(out)}; make it, or ${other}`);
  if (!found.isFile()) throw new UsageError(`${out} is no file; ${other}`);
  const content = await readFile(out).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${out} is there and cannot be read (${error.code}); ${other}`);
  });
  if (!isSuch(content)) throw new UsageError(`${out} was not made by ${maker}, so it is left as it is; ${other}`);
}
