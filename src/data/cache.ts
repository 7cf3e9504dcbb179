// Data sets' files in a browser: in the cache of the page's origin (the Cache API), where they are fetched to.
import { type DataFile, type DataOptions, mismatch, nameAnother, type OpenedFile } from "./data-file.ts";

/** The origin's cache of data sets; none on a page that is not secure, or where the browser keeps nothing. */
const openCache = async (): Promise<Cache | undefined> => globalThis.caches?.open("hebb").catch(() => undefined);

/** A key has to look like an address; the domain is one that nobody can own. */
const keyOf = (name: string, folder: string): string => `https://hebb.invalid/${folder}/${name}`;

/** Reads a set's file from the cache, or has it fetched into it. Throws an Error where it is not there and may not be fetched. */
export async function openInCache(
  file: DataFile,
  folder: string,
  options: DataOptions,
  fetch: () => Promise<Uint8Array>,
): Promise<OpenedFile> {
  const { name } = file;
  if (options.dir !== undefined) throw new Error(`dir: a browser has no folder ${options.dir}; ${nameAnother}`);
  const kept = await (await openCache())?.match(keyOf(name, folder));
  if (kept !== undefined) {
    const bytes = new Uint8Array(await kept.arrayBuffer());
    if ((await mismatch(bytes, name, file, options, "")) === undefined) return { bytes, path: name };
  }
  if (options.download === false)
    throw new Error(`${name} is not in the browser's cache; allow download, or ${nameAnother}`);
  const bytes = await fetch();
  await keepInCache(name, folder, bytes);
  return { bytes, path: name };
}

/** Keeps a file for openInCache. One that finds no room is fetched again the next time. */
export async function keepInCache(name: string, folder: string, bytes: Uint8Array): Promise<void> {
  const cache = await openCache();
  await cache?.put(keyOf(name, folder), new Response(bytes as Uint8Array<ArrayBuffer>)).catch(() => {});
}
