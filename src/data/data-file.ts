// What a data set's file is: where it may be taken from, and what tells that it is the published one.
import type { FormatError } from "../graph/format-error.ts";
import { inNode } from "../io/source.ts";
import { checksumError } from "./checksum.ts";
import type { DownloadOptions, Remote } from "./download.ts";

/** Where a set's files are taken from. */
export interface DataOptions extends DownloadOptions {
  /** Files to take the set's from, by their names, compressed or not, as those of an `<input type="file" multiple>`. */
  files?: Iterable<File>;
  /**
   * Address of a folder with the set's files under their own names, to fetch them from instead of the public addresses; with
   * verify: false they may be other versions.
   */
  url?: string;
  /** Folder with the files (Node only), as DIR/mnist/*.gz or DIR/*.gz, compressed or not. Default: HEBB_DATA, else the cache folder. */
  dir?: string;
  /**
   * Fetch files that are missing into the folder, and those whose SHA-256 differs, which stay beside as NAME.damaged.
   * Default: only in the cache folder, never in one the user named; in a browser, into the cache of the page's origin.
   */
  download?: boolean;
}

/** A file of a data set: a remote one, with the checksum of its inflated form when it is a .gz. */
export interface DataFile extends Remote {
  plainSha256?: string;
}

/** A file's bytes and the path or address that errors about it should name. */
export interface OpenedFile {
  bytes: Uint8Array;
  path: string;
}

/** The advice for a file that lies elsewhere. */
export const nameAnother: string = inNode
  ? "name the folder that has it with --data-dir or HEBB_DATA (in code, dir)"
  : "name the address of a folder that has it (url), or give it as one of files";

/** The error, with its `remedy`, of a file that is not the published one, unless that does not matter. */
export async function mismatch(
  bytes: Uint8Array,
  path: string,
  { sha256, plainSha256 = sha256 }: DataFile,
  { verify = true }: DataOptions,
  remedy: string,
): Promise<FormatError | undefined> {
  if (!verify) return undefined;
  return checksumError(bytes, path.endsWith(".gz") ? sha256 : plainSha256, { file: path, remedy });
}
