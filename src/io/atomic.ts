// Files that are there whole or not at all: written beside the target, synced, renamed over it, the folder synced.
import { type FileHandle, open, readlink, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { WriteError } from "./write-error.ts";

export type FileContent = string | Uint8Array | readonly Uint8Array[];

/**
 * Replaces `path`, or the file it links to, by `content` so that, whatever happens on the way, it holds the old file or the
 * whole new one. On a failure the temporary file is removed and one line says what happened; whatever is there and is no
 * file, such as a folder, device or pipe, is refused and left as it is.
 */
export async function writeAtomic(path: string, content: FileContent): Promise<void> {
  const file = await linkedFile(path).catch((error) => {
    throw error instanceof WriteError ? error : writeFailure(path, error);
  });
  const temporary = temporaryBeside(file);
  try {
    await writeSynced(temporary, content);
    await rename(temporary, file);
    await syncFolder(dirname(file));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // the first error is the one to tell
    throw writeFailure(path, error);
  }
}

/** The path of the file behind all symbolic links, which may have to be made yet. Throws where something else is there. */
async function linkedFile(path: string): Promise<string> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (found?.isFile()) return realpath(path);
  if (found !== undefined) {
    const kind = found.isDirectory()
      ? "a folder"
      : found.isFIFO()
        ? "a pipe"
        : found.isSocket()
          ? "a socket"
          : "a device";
    throw new WriteError(`cannot write ${path}, which is ${kind}; name a file`);
  }
  const link = await readlink(path).catch(() => undefined);
  return link === undefined ? path : linkedFile(resolve(await realpath(dirname(path)), link));
}

/** A name in the folder of `path` that no listing takes for a file of its own: ".model.safetensors-1f3a9c02.tmp". */
export const temporaryBeside = (path: string): string =>
  join(dirname(path), `.${basename(path)}-${crypto.randomUUID().slice(0, 8)}.tmp`);

export const isTemporary = (name: string): boolean => name.startsWith(".") && name.endsWith(".tmp");

/** Writes a new file and waits until the disk has it. Throws the system's error; the file must not be there yet. */
export async function writeSynced(path: string, content: FileContent): Promise<void> {
  const handle = await open(path, "wx");
  try {
    for (const chunk of chunksOf(content)) await writeAll(handle, chunk);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Waits until the disk has the folder's list of names; a rename is lost in a power cut until then. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return; // Windows opens no folders, and its renames are journalled
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** One line for a write that failed: that nothing is lost, and what to do before the next try. */
export function writeFailure(path: string, cause: unknown): WriteError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT")
    return new WriteError(`cannot write ${path}: there is no folder ${dirname(path)}; make it first`, { cause });
  const what =
    code === "ENOSPC" || code === "EDQUOT"
      ? [`disk is full while writing ${path}`, "free some space"]
      : [`cannot write ${path} (${message ?? String(cause)})`, "see to its disk and permissions"];
  return new WriteError(what.join(", nothing that was there is lost; "), { cause });
}

export const chunksOf = (content: FileContent): readonly Uint8Array[] => {
  if (typeof content === "string") return [new TextEncoder().encode(content)];
  return content instanceof Uint8Array ? [content] : content;
};

/** A write may take fewer bytes than it was given, so it is repeated until all are taken. */
async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.length - done, 1 << 30));
    if (bytesWritten === 0) throw new Error("the disk took no bytes");
    done += bytesWritten;
  }
}
