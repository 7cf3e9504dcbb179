// Vectors of words in the files of the word2vec program, text and binary: a line "words features", then each word and its numbers.
import { FormatError } from "../graph/format-error.ts";
import { type FileSource, readSource, writePath } from "./source.ts";

export interface WordVectorTable {
  readonly words: readonly string[];
  readonly features: number;
  /** Row by row, words × features. */
  readonly values: Float32Array;
}

/** "text" has numbers as digits, every float of f32 to the bit; "binary" has their four bytes. */
export type WordVectorFormat = "text" | "binary";

const newline = 0x0a;
const space = 0x20;

/** The bytes of a file. Throws a RangeError where a word is empty or has a space, or the values are not words × features. */
export function serializeWordVectors(table: WordVectorTable, format: WordVectorFormat): Uint8Array {
  const { words, features, values } = table;
  if (format !== "text" && format !== "binary")
    throw new RangeError(`word vectors: the format is "text" or "binary", not ${JSON.stringify(format)}`);
  if (values.length !== words.length * features)
    throw new RangeError(`word vectors: ${words.length} words of ${features} values, got ${values.length} values`);
  const broken = words.find((word) => word === "" || /[\s\0]/.test(word));
  if (broken !== undefined)
    throw new RangeError(
      `word vectors: the word ${JSON.stringify(broken)} is empty or has a space; a file ends it there`,
    );
  const encoder = new TextEncoder();
  const head = `${words.length} ${features}\n`;
  if (format === "text") {
    const row = (word: string, i: number): string =>
      `${word} ${Array.from(values.subarray(i * features, (i + 1) * features), shortest).join(" ")}\n`;
    return encoder.encode(head + words.map(row).join(""));
  }
  const names = words.map((word) => encoder.encode(word));
  const start = encoder.encode(head);
  const size = names.reduce((sum, name) => sum + name.length + 2 + 4 * features, start.length);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  bytes.set(start);
  let at = start.length;
  names.forEach((name, i) => {
    bytes.set(name, at);
    at += name.length;
    bytes[at++] = space;
    for (let j = 0; j < features; j++, at += 4) view.setFloat32(at, values[i * features + j], true);
    bytes[at++] = newline;
  });
  return bytes;
}

/** Digits that give the f32 back: nine do. */
const shortest = (value: number): string => String(Number(value.toPrecision(9)));

/**
 * Reads a file of either format held in memory; the newline after a binary row may be missing. Throws a FormatError, which names `file`
 * and the byte, for what is neither, is cut short, goes on after its last word, or has a word twice.
 */
export function parseWordVectors(
  bytes: Uint8Array,
  format: WordVectorFormat,
  { file = "word vectors" }: { file?: string } = {},
): WordVectorTable {
  if (format !== "text" && format !== "binary")
    throw new RangeError(`word vectors: the format is "text" or "binary", not ${JSON.stringify(format)}`);
  const reader = new Reader(bytes, file);
  const head = /^(\d+) (\d+)\s*$/.exec(reader.until(newline, "a first line"));
  if (head === null) reader.fail('expected a first line "words features"', 0);
  const [count, features] = [Number(head![1]), Number(head![2])];
  const least = format === "binary" ? 4 * features + 2 : 2 * features + 1;
  if (count * least > bytes.length) reader.fail(`${count} words of ${features} values do not fit in the file`, 0);
  const values = new Float32Array(count * features);
  const known = new Set<string>();
  for (let i = 0; i < count; i++) {
    const start = reader.at;
    const row = values.subarray(i * features, (i + 1) * features);
    const word = format === "text" ? reader.textRow(row) : reader.binaryRow(row);
    if (word === "" || known.has(word)) reader.fail(`the word ${JSON.stringify(word)} is empty or comes twice`, start);
    known.add(word);
  }
  reader.end();
  return { words: [...known], features, values };
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #file: string;
  readonly #decoder = new TextDecoder();

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
  }

  fail(message: string, offset: number): never {
    throw new FormatError(message, { file: this.#file, offset });
  }

  /** The text before the next `mark`, which is passed over. */
  until(mark: number, what: string): string {
    const end = this.#bytes.indexOf(mark, this.at);
    if (end < 0) this.fail(`expected ${what}, the file is cut short`, this.at);
    const text = this.#decoder.decode(this.#bytes.subarray(this.at, end));
    this.at = end + 1;
    return text;
  }

  textRow(row: Float32Array): string {
    const start = this.at;
    const [word, ...numbers] = this.until(newline, "a word and its values").trimEnd().split(" ");
    if (numbers.length !== row.length)
      this.fail(`expected ${row.length} values after ${JSON.stringify(word)}, found ${numbers.length}`, start);
    numbers.forEach((text, j) => {
      row[j] = Number(text);
      if (text === "" || (Number.isNaN(row[j]) && text !== "NaN"))
        this.fail(`expected a number, found ${JSON.stringify(text)}`, start);
    });
    return word;
  }

  binaryRow(row: Float32Array): string {
    if (this.#bytes[this.at] === newline) this.at++;
    const word = this.until(space, "a word");
    if (this.at + 4 * row.length > this.#bytes.length)
      this.fail(`expected ${row.length} values after ${JSON.stringify(word)}, the file is cut short`, this.at);
    for (let j = 0; j < row.length; j++, this.at += 4) row[j] = this.#view.getFloat32(this.at, true);
    return word;
  }

  end(): void {
    while (this.#bytes[this.at] === newline) this.at++;
    if (this.at < this.#bytes.length) this.fail("the file goes on after its last word", this.at);
  }
}

/** Reads a file. Throws as parseWordVectors, and as openSource for what cannot be read. */
export async function readWordVectors(source: FileSource, format: WordVectorFormat): Promise<WordVectorTable> {
  const { bytes, file } = await readSource(source);
  return parseWordVectors(bytes, format, { file });
}

/** Writes a file, whole or not at all. Throws as serializeWordVectors, and for what cannot be written. */
export const writeWordVectors = (path: string, table: WordVectorTable, format: WordVectorFormat): Promise<void> =>
  writePath(path, "serializeWordVectors", () => serializeWordVectors(table, format));
