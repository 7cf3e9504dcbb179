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

/** A folder that may hold data sets, and whether the user named it. */
export interface DataFolder {
  path: string;
  named: boolean;
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
  const named = dir ?? (process.env.HEBB_DATA || undefined);
  if (named !== undefined) return { path: named, named: true };
  const { homedir } = await import("node:os");
  const { join } = await import("node:path");
  return { path: join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "hebb"), named: false };
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
  if (!(options.download ?? !folder.named)) throw new Error(missing(file.name, folder.path, subfolders));
  const target = join(folder.path, subfolders[0], file.name);
  return { bytes: await download(file, target, options), path: target };
}

/** What to say when a file is not in a folder the user named. */
export function missing(name: string, folder: string, subfolders: readonly string[]): string {
  const places = subfolders.map((subfolder) => (subfolder ? `${folder}/${subfolder}` : folder)).join(" or ");
  return `${name} is not in ${places}; put it there, pass { download: true } to fetch it, or leave \`dir\` and HEBB_DATA unset to use the cache folder`;
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
