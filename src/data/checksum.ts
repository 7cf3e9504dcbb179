// SHA-256 of what was read, against the figure the source states.
import { FormatError } from "../graph/format-error.ts";

/** SHA-256 of the bytes, in hexadecimal. Throws on a page that is not secure, where browsers compute none. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  if (globalThis.crypto?.subtle === undefined)
    throw new Error("SHA-256 is for secure pages only (https or localhost); serve the page so, or pass verify: false");
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The FormatError naming file, expected, found and the `remedy` where the bytes are not those of the checksum. */
export async function checksumError(
  bytes: Uint8Array,
  expected: string,
  { file, remedy }: { file: string; remedy: string },
): Promise<FormatError | undefined> {
  const differs = difference(expected, await sha256(bytes));
  return differs === undefined
    ? undefined
    : new FormatError(`${differs}: it is damaged or another version; ${remedy}`, { file });
}

/** How two SHA-256 differ, by their first digits as people compare them; undefined where they are equal. */
export function difference(expected: string, found: string): string | undefined {
  if (found === expected) return undefined;
  return `SHA-256 differs (expected ${expected.slice(0, 8)}…, found ${found.slice(0, 8)}…)`;
}
