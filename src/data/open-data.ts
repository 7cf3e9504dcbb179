// Opens a data set's file, wherever it is: among those the user gave, in a folder (Node), in the browser's cache, at its address.
import { inNode, readSource } from "../io/source.ts";
import { keepInCache, openInCache } from "./cache.ts";
import { type DataFile, type DataOptions, mismatch, nameAnother, type OpenedFile } from "./data-file.ts";
import { fetchBytes } from "./download.ts";

/**
 * Reads a set's file and checks its SHA-256. `subfolders` are where it may lie; it is downloaded into the first, or by
 * `fetch` where that is no file of its own. Throws an Error when it is not there and may not be downloaded, FormatError when
 * the checksum differs and that may not be either.
 */
export async function openDataFile(
  file: DataFile,
  subfolders: readonly string[],
  options: DataOptions = {},
  fetch?: (target: string) => Promise<Uint8Array>,
): Promise<OpenedFile> {
  const { url, files } = options;
  if (files !== undefined) return openGiven(file, files, options);
  const remote = url === undefined ? file : { ...file, urls: [url.replace(/\/?$/, "/") + file.name] };
  const { verify = true } = options; // what comes from a public address is checked in any case
  const fetchOwn = (target: string) =>
    fetchBytes(
      remote,
      { ...options, verify: verify || url === undefined },
      target === "" ? nameAnother : `save it as ${target}, or ${nameAnother}`,
    );
  const fetchIt = url === undefined && fetch !== undefined ? fetch : fetchOwn;
  if (!inNode) return openInCache(file, subfolders[0], options, () => fetchIt(""));
  const { openInFolder } = await import("./data-folder.ts");
  return openInFolder(file, subfolders, options, fetchIt);
}

async function openGiven(file: DataFile, files: Iterable<File>, options: DataOptions): Promise<OpenedFile> {
  const given = [...files];
  const names = [file.name, file.name.replace(/\.gz$/, "")];
  const found = given.find(({ name }) => names.includes(name));
  if (found === undefined)
    throw new Error(`${file.name} is not one of files (${given.map(({ name }) => name).join(", ") || "none"}); add it`);
  const { bytes } = await readSource(found);
  const wrong = await mismatch(
    bytes,
    found.name,
    file,
    options,
    "take the published one; verify: false takes it as it is",
  );
  if (wrong !== undefined) throw wrong;
  return { bytes, path: found.name };
}

/**
 * Those of the files that are to be read: all where they are there or may be fetched, else those that are there. Throws an
 * Error where none is, or `all` are needed.
 */
export async function availableFiles(
  names: readonly string[],
  subfolders: readonly string[],
  options: DataOptions,
  needed: { set: string; all: boolean },
): Promise<readonly string[]> {
  if (options.files !== undefined) {
    const given = new Set(Array.from(options.files, ({ name }) => name));
    const present = names.filter((name) => given.has(name));
    return needed.all || present.length === 0 ? names : present; // openDataFile tells which one is missing
  }
  if (!inNode) return names;
  const { availableInFolder } = await import("./data-folder.ts");
  return availableInFolder(names, subfolders, options, needed);
}

/** Keeps a file that came along with another where openDataFile finds it. */
export async function keepDataFile(
  name: string,
  subfolders: readonly string[],
  options: DataOptions,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  if (!inNode) return keepInCache(name, subfolders[0], bytes);
  const { keepInFolder } = await import("./data-folder.ts");
  await keepInFolder(name, subfolders, options, bytes);
}
