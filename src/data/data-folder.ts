// Finds a data set's files: in the folder the user named, in HEBB_DATA, or in the cache, where they are downloaded to.

import { FormatError } from "../graph/format-error.ts";
import { checksumError } from "./checksum.ts";
import { type DownloadOptions, fetchBytes, type Remote, writeWhole } from "./download.ts";

/** Where a set's files are taken from. */
export interface DataOptions extends DownloadOptions {
  /** Folder with the files, as DIR/mnist/*.gz or DIR/*.gz, compressed or not. Default: HEBB_DATA, else the cache folder. */
  dir?: string;
  /** Refuse files whose SHA-256 is not the published one. Default true. */
  verify?: boolean;
  /**
   * Fetch files that are missing into the folder, and those whose SHA-256 differs, which stay beside as NAME.damaged.
   * Default: only in the cache folder, never in one the user named.
   */
  download?: boolean;
}

/** A file of a data set: a remote one, with the checksum of its inflated form when it is a .gz. */
export interface DataFile extends Remote {
  plainSha256?: string;
}

/** A folder that may hold data sets, and who named it: the user as `dir` or in HEBB_DATA, or nobody. */
export interface DataFolder {
  path: string;
  from: "dir" | "HEBB_DATA" | "cache";
}

/** A file's bytes and the path or address that errors about it should name. */
export interface OpenedFile {
  bytes: Uint8Array;
  path: string;
}

const inNode = (): boolean => typeof process !== "undefined" && process.versions?.node !== undefined;

/** The data folder: `dir`, else the environment variable HEBB_DATA, else $XDG_CACHE_HOME/hebb or ~/.cache/hebb (Node only). */
export async function dataFolder(dir?: string): Promise<DataFolder> {
  if (!inNode()) throw new Error("data folders need Node; in the browser, pass samples to new Dataset()");
  if (dir !== undefined) return { path: dir, from: "dir" };
  if (process.env.HEBB_DATA) return { path: process.env.HEBB_DATA, from: "HEBB_DATA" };
  return { path: await cacheFolder(), from: "cache" };
}

async function cacheFolder(): Promise<string> {
  const { homedir } = await import("node:os");
  const { join } = await import("node:path");
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "hebb");
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
  const { access } = await import("node:fs/promises");
  const { join } = await import("node:path");
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
 * Reads a set's file and checks its SHA-256. `subfolders` are where it may lie; it is downloaded into the first, or by
 * `fetch` where that is no file of its own. Throws an Error when it is not there and may not be downloaded, FormatError when
 * the checksum differs and that may not be either. In the browser the file is always fetched.
 */
export async function openDataFile(
  file: DataFile,
  subfolders: readonly string[],
  options: DataOptions = {},
  fetch: (target: string) => Promise<Uint8Array> = (target) =>
    fetchBytes(file, options, `save it as ${target}, or ${nameAnother}`),
): Promise<OpenedFile> {
  if (!inNode()) return { bytes: await fetchBytes(file, options), path: file.name };
  const { join } = await import("node:path");
  const { rename } = await import("node:fs/promises");
  const folder = await dataFolder(options.dir);
  const path = await findFile(folder.path, subfolders, file.name);
  const fetchable = mayDownload(folder, options);
  if (path === undefined && !fetchable) throw new Error(await missing(file.name, folder, subfolders));
  if (path !== undefined) {
    const bytes = await readWhole(path);
    const wrong = await mismatch(bytes, path, file, options);
    if (wrong === undefined) return { bytes, path };
    if (!fetchable) throw wrong;
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

/** The advice for a file that lies elsewhere. */
export const nameAnother = "name the folder that has it with --data-dir or HEBB_DATA (in code, dir)";

export const mayDownload = ({ from }: DataFolder, { download = from === "cache" }: DataOptions): boolean => download;

/** The folder for people: its path, that HEBB_DATA named it, and that it does not exist. */
export async function describeFolder({ path, from }: DataFolder): Promise<string> {
  const { isFolder } = await import("../io/folder.ts");
  const notes = [from === "HEBB_DATA" ? "from HEBB_DATA" : "", (await isFolder(path)) ? "" : "no such folder"];
  const text = notes.filter((note) => note !== "").join(", ");
  return text === "" ? path : `${path} (${text})`;
}

/** What to say when a file is not in the data folder and may not be downloaded there; for callers and for the command line. */
export async function missing(name: string, folder: DataFolder, subfolders: readonly string[]): Promise<string> {
  const places = subfolders.filter((subfolder) => subfolder !== "").map((subfolder) => `${folder.path}/${subfolder}`);
  const where = [...places, await describeFolder(folder)].join(" or ");
  return `${name} is not in ${where}; put it there, fetch it there with --download (in code, download: true), or ${nameAnother}`;
}

async function readWhole(path: string): Promise<Uint8Array> {
  const { readFile } = await import("node:fs/promises");
  return readFile(path).catch((error: Error) => {
    throw new FormatError(`cannot be read (${error.message}); check its permissions`, { file: path });
  });
}

/** The error of a file that is not the published one, unless that does not matter. */
async function mismatch(
  bytes: Uint8Array,
  path: string,
  { sha256, plainSha256 = sha256 }: DataFile,
  { verify = true }: DataOptions,
): Promise<FormatError | undefined> {
  if (!verify) return undefined;
  const remedy = `--download replaces it and keeps this one as ${path}.damaged; in code, so does download: true, and verify: false takes it as it is`;
  return checksumError(bytes, path.endsWith(".gz") ? sha256 : plainSha256, { file: path, remedy });
}
