// Fetches public data files: mirrors in turn, a checksum, and a file that appears whole or not at all.
import { inNode } from "../io/source.ts";
import { difference, sha256 } from "./checksum.ts";

/** Told how far a download is: bytes so far, bytes in all, the file's name. */
export type Progress = (done: number, total: number, name: string) => void;

/** A file to be had from any of some addresses, known by its size and SHA-256. */
export interface Remote {
  name: string;
  bytes: number;
  sha256: string;
  /** None where it has to be made by hand, which `made` says how. */
  urls: readonly string[];
  made?: string;
}

export interface DownloadOptions {
  /** Where progress goes. Default: standard error; nowhere in a browser. */
  onProgress?: Progress;
  /** How many milliseconds without a byte count as a failure. */
  stallTimeout?: number;
  /** Refuse files whose size or SHA-256 is not the published one. Default true. */
  verify?: boolean;
}

/**
 * Fetches the file from the first address that delivers exactly its bytes, or unverified, whatever it delivers.
 * Throws an Error that lists why each address failed, and where the file goes when it is fetched `byHand`.
 */
export async function fetchBytes(
  remote: Remote,
  options: DownloadOptions = {},
  byHand = "",
): Promise<Uint8Array<ArrayBuffer>> {
  const { name, urls, made } = remote;
  if (urls.length === 0)
    throw new Error(`${name} has no address to fetch it from; take ${made ?? "it"}${byHand && ` and ${byHand}`}`);
  const failures: string[] = [];
  for (const url of urls) {
    try {
      return await fetchFrom(url, remote, options);
    } catch (error) {
      failures.push(`${url}: ${reasonOf(error)}`);
    }
  }
  throw new Error(
    `cannot download ${name} (${failures.join("; ")}); check the network or fetch it by hand${byHand && ` and ${byHand}`}`,
  );
}

/**
 * Downloads the file to the path (Node only), through a temporary file beside it that is synced and renamed, so that an
 * interrupted download leaves nothing. Returns the bytes; errors as fetchBytes.
 */
export async function download(
  remote: Remote,
  path: string,
  options: DownloadOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await fetchBytes(remote, options, `save it as ${path}`);
  await writeWhole(path, bytes);
  return bytes;
}

/** Writes the file through a synced temporary file and a rename, making its folder (Node only). */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  if (!inNode) throw new Error(`cannot write ${path}: a browser has no paths; fetch() the file and keep its bytes`);
  const { open, rename, rm, dirname, makeFolder } = await import("../io/node-files.ts");
  const temporary = `${path}.${process.pid}.${crypto.randomUUID()}.part`;
  try {
    await makeFolder(dirname(path));
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new Error(`cannot write ${path} (${reasonOf(error)}); free some space there or choose another data folder`);
  }
}

/** Progress on standard error: a line that counts up on a terminal, one line a file elsewhere. Silent in the browser. */
export const stderrProgress: Progress = (done, total, name) => {
  if (typeof process === "undefined" || !process.stderr) return;
  const { stderr } = process;
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  if (stderr.isTTY) stderr.write(`\r${name}  ${megabytes(done)} / ${megabytes(total)} MB${done >= total ? "\n" : ""}`);
  else if (done >= total) stderr.write(`downloaded ${name} (${megabytes(total)} MB)\n`);
};

async function fetchFrom(url: string, remote: Remote, options: DownloadOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { onProgress = stderrProgress, stallTimeout = 30_000, verify = true } = options;
  const stall = new AbortController();
  const stalled = () => stall.abort(new Error(`no data for ${stallTimeout / 1000} s`));
  let timer = setTimeout(stalled, stallTimeout);
  try {
    const response = await fetch(url, { signal: stall.signal });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    if (!response.body) throw new Error("an empty answer");
    const reader = response.body.getReader();
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let done = 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      clearTimeout(timer);
      timer = setTimeout(stalled, stallTimeout);
      done += part.value.length;
      if (verify && done > remote.bytes) throw new Error(`more than the expected ${remote.bytes} bytes`);
      parts.push(part.value);
      if (done < remote.bytes) onProgress(done, remote.bytes, remote.name);
    }
    if (verify && done < remote.bytes) throw new Error(`ended after ${done} of ${remote.bytes} bytes`);
    const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    const differs = verify ? difference(remote.sha256, await sha256(bytes)) : undefined;
    if (differs !== undefined) throw new Error(differs);
    onProgress(done, done, remote.name);
    return bytes;
  } catch (error) {
    stall.abort();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
