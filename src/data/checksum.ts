// SHA-256 of what was read, against the figure the source states.
import { FormatError } from "../graph/format-error.ts";

/** SHA-256 of the bytes, in hexadecimal. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Throws a FormatError naming file, expected and found when the bytes are not those of the checksum. */
export async function verifyChecksum(bytes: Uint8Array, expected: string, file: string): Promise<void> {
  const found = await sha256(bytes);
  if (found !== expected)
    throw new FormatError(
      `SHA-256 differs, expected ${expected}, found ${found}; it is damaged or another version: delete it and download it again, or, in code, pass { verify: false } to use it as it is`,
      { file },
    );
}
