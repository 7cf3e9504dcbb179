// What readers read from: a path in Node, an address in a browser, a Blob in both; opened in one way.
import { FormatError } from "../graph/format-error.ts";
import { kindOf } from "../graph/kind.ts";
import type { FileContent } from "./atomic.ts";

/** A path in Node, an address in a browser, or in both a Blob, such as a File of an `<input type="file">`. */
export type FileSource = string | Blob;

/** An open file, read in parts. */
export interface OpenFile {
  /** What errors call it. */
  readonly file: string;
  readonly size: number;
  /** The bytes from `position` on. Throws a FormatError where there are fewer. */
  read(position: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** Whether this is Node, or what has its files; bundles for browsers leave out what is reached behind it. */
export const inNode: boolean = globalThis.process?.versions?.node !== undefined;

/** Opens what readers are given. Throws one line for what is not there or cannot be read. */
export async function openSource(source: FileSource): Promise<OpenFile> {
  if (typeof source !== "string" && typeof source?.arrayBuffer !== "function")
    throw new TypeError(`cannot read from ${kindOf(source)}; name a path or give a Blob`);
  if (typeof source !== "string") return openBlob(source, (source as File).name ?? "Blob");
  if (!inNode) return openBlob(await fetchBlob(source), source);
  const { openPath } = await import("./node-files.ts");
  return openPath(source);
}

/** All bytes of what readers are given. Throws as openSource does. */
export async function readSource(source: FileSource): Promise<{ bytes: Uint8Array<ArrayBuffer>; file: string }> {
  const opened = await openSource(source);
  try {
    return { bytes: await opened.read(0, opened.size), file: opened.file };
  } finally {
    await opened.close();
  }
}

/** Writes a file, whole or not at all (atomic.ts). Throws in a browser, where `bytes` is the function that makes its content. */
export async function writePath(path: string, bytes: string, content: () => FileContent): Promise<void> {
  if (!inNode)
    throw new Error(`cannot write ${path}: a browser has no paths; take ${bytes}() and offer its bytes as a download`);
  const { writeAtomic } = await import("./node-files.ts");
  await writeAtomic(path, content());
}

function openBlob(blob: Blob, file: string): OpenFile {
  const read = async (position: number, length: number): Promise<Uint8Array<ArrayBuffer>> => {
    if (position + length > blob.size)
      throw new FormatError("the file ended while it was read", { file, offset: blob.size });
    const buffer = await blob
      .slice(position, position + length)
      .arrayBuffer()
      .catch((error: Error) => {
        throw new Error(`${file} cannot be read (${error.message}); choose it again`, { cause: error });
      });
    return new Uint8Array(buffer);
  };
  return { file, size: blob.size, read, close: async () => {} };
}

async function fetchBlob(address: string): Promise<Blob> {
  const failed = (why: string, cause?: unknown) =>
    new Error(`${address} cannot be fetched (${why}); check the address, and its server's leave for other origins`, {
      cause,
    });
  const response = await fetch(address).catch((error: Error) => {
    throw failed(error.message, error);
  });
  if (!response.ok) throw failed(`HTTP ${response.status}`);
  return response.blob().catch((error: Error) => {
    throw failed(error.message, error);
  });
}
