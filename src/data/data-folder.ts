// Data sets' files in Node: in the folder the user named, in HEBB_DATA, or in the cache, where they are downloaded to.
import { access, readFile, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { FormatError } from "../graph/format-error.ts";
import { isFolder } from "../io/folder.ts";
import { type DataFile, type DataOptions, mismatch, nameAnother, type OpenedFile } from "./data-file.ts";
import { writeWhole } from "./download.ts";

/** A folder that may hold data sets, and who named it: the user as `dir` or in HEBB_DATA, or nobody. */
export interface DataFolder {
  path: string;
  from: "dir" | "HEBB_DATA" | "cache";
}

/** The data folder: `dir`, else the environment variable HEBB_DATA, else $XDG_CACHE_HOME/hebb or ~/.cache/hebb. */
export async function dataFolder(dir?: string): Promise<DataFolder> {
  if (dir !== undefined) return { path: dir, from: "dir" };
  if (process.env.HEBB_DATA) return { path: process.env.HEBB_DATA, from: "HEBB_DATA" };
  return { path: join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "hebb"), from: "cache" };
}

/**
 * The file of the name in the data folder, as it is or without ".gz", in the first of the subfolders that has it.
 * Returns undefined when none does.
 */
export async function findFile(
  folder: string,
  subfolders: readonly string[],
  name: string,
): Promise<string | undefined> {
  const names = name.endsWith(".gz") ? [name, name.slice(0, -3)] : [name];
  for (const path of subfolders.flatMap((subfolder) => names.map((each) => join(folder, subfolder, each))))
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  return undefined;
}

/**
 * Reads a set's file and checks its SHA-256. `subfolders` are where it may lie; what `fetch` gives goes into the first.
 * Throws as openDataFile.
 */
export async function openInFolder(
  file: DataFile,
  subfolders: readonly string[],
  options: DataOptions,
  fetch: (target: string) => Promise<Uint8Array>,
): Promise<OpenedFile> {
  const folder = await dataFolder(options.dir);
  const path = await findFile(folder.path, subfolders, file.name);
  const fetchable = mayDownload(folder, options);
  const made = options.url === undefined ? file.made : undefined;
  if (path === undefined && !fetchable) throw new Error(await missing({ name: file.name, made }, folder, subfolders));
  if (path !== undefined) {
    const bytes = await readWhole(path);
    const remedy =
      made === undefined
        ? `--download replaces it and keeps this one as ${path}.damaged; in code, so does download: true, and verify: false takes it as it is`
        : `put in its place ${made} or in code verify: false, which takes it as it is`;
    const wrong = await mismatch(bytes, path, file, options, remedy);
    if (wrong === undefined) return { bytes, path };
    if (!fetchable || made !== undefined) throw wrong;
    process.stderr.write(
      `${path} is damaged or another version: fetching it, and keeping this one as ${path}.damaged\n`,
    );
  }
  const target = join(folder.path, subfolders[0], file.name);
  const bytes = await fetch(target);
  if (path !== undefined) await rename(path, `${path}.damaged`);
  await writeWhole(target, bytes);
  return { bytes, path: target };
}

/**
 * Those of the files that are to be read: all where they are there or may be fetched, else those that are there. Throws as
 * openDataFile where none is, or `all` are needed.
 */
export async function availableInFolder(
  names: readonly string[],
  subfolders: readonly string[],
  options: DataOptions,
  { set, all }: { set: string; all: boolean },
): Promise<readonly string[]> {
  const folder = await dataFolder(options.dir);
  const present: string[] = [];
  for (const name of names) if (await findFile(folder.path, subfolders, name)) present.push(name);
  if (present.length === names.length || mayDownload(folder, options)) return names;
  const absent = names.filter((name) => !present.includes(name));
  if (present.length === 0 || all) throw new Error(await missing({ name: absent[0] }, folder, subfolders));
  process.stderr.write(
    `${set}: ${absent.join(", ")} missing in ${folder.path}, training on ${present.length} of ${names.length} files\n`,
  );
  return present;
}

/** Puts a file that came along with another into the first of the subfolders, unless one of them has it. */
export async function keepInFolder(
  name: string,
  subfolders: readonly string[],
  options: DataOptions,
  bytes: Uint8Array,
): Promise<void> {
  const { path } = await dataFolder(options.dir);
  if (!(await findFile(path, subfolders, name))) await writeWhole(join(path, subfolders[0], name), bytes);
}

export const mayDownload = ({ from }: DataFolder, { download = from === "cache" }: DataOptions): boolean => download;

/** The folder for people: its path, that HEBB_DATA named it, and that it does not exist. */
export async function describeFolder({ path, from }: DataFolder): Promise<string> {
  const notes = [from === "HEBB_DATA" ? "from HEBB_DATA" : "", (await isFolder(path)) ? "" : "no such folder"];
  const text = notes.filter((note) => note !== "").join(", ");
  return text === "" ? path : `${path} (${text})`;
}

/** What to say when a file is not in the data folder and may not be downloaded there; for callers and for the command line. */
export async function missing(
  { name, made }: Pick<DataFile, "name" | "made">,
  folder: DataFolder,
  subfolders: readonly string[],
): Promise<string> {
  const places = subfolders.filter((subfolder) => subfolder !== "").map((subfolder) => `${folder.path}/${subfolder}`);
  const where = [...places, await describeFolder(folder)].join(" or ");
  const remedy = made === undefined ? ", fetch it there with --download (in code, download: true)," : `: ${made}`;
  return `${name} is not in ${where}; put it there${remedy} or ${nameAnother}`;
}

async function readWhole(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error: Error) => {
    throw new FormatError(`cannot be read (${error.message}); check its permissions`, { file: path });
  });
}
