// Finds a data set's files: in the folder the user named, in HEBB_DATA, or in the cache, where they are downloaded to.

import { FormatError } from "../graph/format-error.ts";
import { verifyChecksum } from "./checksum.ts";
import { type DownloadOptions, download, fetchBytes, type Remote } from "./download.ts";

/** Where a set's files are taken from. */
export interface DataOptions extends DownloadOptions {
  /** Folder with the files, as DIR/mnist/*.gz or DIR/*.gz, compressed or not. Default: HEBB_DATA, else the cache folder. */
  dir?: string;
  /** Refuse files whose SHA-256 is not the published one. Default true. */
  verify?: boolean;
  /** Fetch missing files into the folder. Default: only into the cache folder, never into one the user named. */
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
 * Reads a set's file and checks its SHA-256. `subfolders` are where it may lie; it is downloaded into the first.
 * Throws an Error when it is not there and may not be downloaded, FormatError when the checksum differs.
 * In the browser the file is always fetched.
 */
export async function openDataFile(
  file: DataFile,
  subfolders: readonly string[],
  options: DataOptions = {},
): Promise<OpenedFile> {
  if (!inNode()) return { bytes: await fetchBytes(file, options), path: file.name };
  const { join } = await import("node:path");
  const folder = await dataFolder(options.dir);
  const path = await findFile(folder.path, subfolders, file.name);
  if (path !== undefined) return { bytes: await readVerified(path, file, options), path };
  if (!mayDownload(folder, options)) throw new Error(await missing(file.name, folder, subfolders));
  const target = join(folder.path, subfolders[0], file.name);
  return { bytes: await download(file, target, options), path: target };
}

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
  const named = [
    folder.from === "dir" ? "leave out --data-dir (in code, dir)" : "",
    process.env.HEBB_DATA ? "unset HEBB_DATA" : "",
  ].filter((text) => text !== "");
  const cache = named.length === 0 ? "" : `, or ${named.join(" and ")} to have it fetched into ${await cacheFolder()}`;
  return `${name} is not in ${where}; put it there, or fetch it there with --download (in code, download: true)${cache}`;
}

async function readVerified(path: string, file: DataFile, { verify = true }: DataOptions): Promise<Uint8Array> {
  const { readFile } = await import("node:fs/promises");
  const bytes = await readFile(path).catch((error: Error) => {
    throw new FormatError(`cannot be read (${error.message}); check its permissions`, { file: path });
  });
  const expected = path.endsWith(".gz") ? file.sha256 : (file.plainSha256 ?? file.sha256);
  if (verify) await verifyChecksum(bytes, expected, path);
  return bytes;
}
