// Files of Node by their paths; reached by import() behind `inNode` alone, and empty in a bundle for browsers.
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { FormatError } from "../graph/format-error.ts";
import { readFailure } from "./read-failure.ts";
import type { OpenFile } from "./source.ts";

export { writeAtomic } from "./atomic.ts";
export { makeFolder } from "./folder.ts";
export { dirname, open, rename, rm };

/** Opens the file at the path. Throws one line where there is none, or it cannot be read. */
export async function openPath(path: string): Promise<OpenFile> {
  const failed = (error: unknown): never => {
    throw readFailure(path, error);
  };
  const handle = await open(path, "r").catch(failed);
  const read = async (position: number, length: number): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const most = Math.min(length - done, 1 << 30);
      const { bytesRead } = await handle.read(bytes, done, most, position + done).catch(failed);
      if (bytesRead === 0)
        throw new FormatError("the file ended while it was read", { file: path, offset: position + done });
      done += bytesRead;
    }
    return bytes;
  };
  try {
    const found = await handle.stat();
    if (found.isDirectory()) failed({ code: "EISDIR" });
    return { file: path, size: found.size, read, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
