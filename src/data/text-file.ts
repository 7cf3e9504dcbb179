// Reads a data set's text: a file's characters or lines, plain or gzip, with one clear error where it is no text.
import { FormatError } from "../graph/format-error.ts";
import { type FileSource, openSource } from "../io/source.ts";
import { ByteReader } from "./byte-reader.ts";
import type { DataFile, DataOptions } from "./data-file.ts";
import { openDataFile } from "./open-data.ts";

/** A file's text, and the path or address that errors about it should name. */
export interface OpenedText {
  readonly text: string;
  readonly path: string;
}

const largestFile = 64 * 2 ** 20;
/** Characters of V8's longest string, which UTF-8 writes with a byte each or more. */
const longestString = 2 ** 29 - 24;

/**
 * Reads a set's file as text. Throws as openDataFile does, and FormatError where it is empty, larger than 64 MiB or no text of that
 * encoding; of "latin1" every byte is a character.
 */
export async function readText(
  file: DataFile,
  folders: readonly string[],
  options: DataOptions,
  encoding: "utf-8" | "latin1" = "utf-8",
): Promise<OpenedText> {
  const { bytes, path } = await openDataFile(file, folders, options);
  return { text: decodeText(await inflated(bytes, path), path, encoding), path };
}

/** A file of the user's as text, plain or gzip. Throws as readText, but for a size: here more than 2²⁹ − 24 bytes are too large. */
export async function readOwnText(source: FileSource): Promise<OpenedText> {
  const opened = await openSource(source);
  const { file, size } = opened;
  try {
    checkSize(size, longestString, file);
    const bytes = await opened.read(0, size);
    return { text: decodeText(await inflated(bytes, file, longestString), file, "utf-8"), path: file };
  } finally {
    await opened.close();
  }
}

/** The lines of readText without their ends; the last one may lack it. */
export async function readLines(
  ...args: Parameters<typeof readText>
): Promise<{ readonly lines: string[]; readonly path: string }> {
  const { text, path } = await readText(...args);
  const lines = text.split(/\r?\n/);
  if (lines[lines.length - 1] === "") lines.pop();
  return { lines, path };
}

function checkSize(size: number, largest: number, file: string): void {
  if (size > largest)
    throw new FormatError(`expected at most ${largest} bytes of text, found ${size}; take a part of it`, { file });
}

async function inflated(bytes: Uint8Array, path: string, largest = largestFile): Promise<Uint8Array> {
  const reader = new ByteReader(bytes, path);
  try {
    checkSize(reader.size, largest, path);
    if (!reader.compressed) return bytes;
    const text = new Uint8Array(reader.size);
    const found = await reader.read(text);
    if (found < text.length)
      throw new FormatError(`expected ${text.length} bytes of text, found ${found}; download the file again`, {
        file: path,
        offset: found,
      });
    await reader.expectEnd();
    return text;
  } finally {
    await reader.close();
  }
}

function decodeText(bytes: Uint8Array, path: string, encoding: "utf-8" | "latin1"): string {
  if (bytes.length === 0) throw new FormatError("expected lines of text, found none", { file: path });
  const zero = bytes.indexOf(0);
  if (zero >= 0)
    throw new FormatError("expected text, found a zero byte; take a file of text", { file: path, offset: zero });
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new FormatError("expected UTF-8 text, found bytes that are none; save the file as UTF-8", {
      file: path,
      offset: firstInvalid(bytes),
    });
  }
}

/** The byte at which text stops to be UTF-8: the longest prefix that can still go on is found by bisection. */
function firstInvalid(bytes: Uint8Array): number {
  let [valid, invalid] = [0, bytes.length + 1]; // lengths of prefixes; a character that the end cuts off is invalid too
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1;
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, middle), { stream: true });
      valid = middle;
    } catch {
      invalid = middle;
    }
  }
  return valid;
}
