// The JSON header of a safetensors file, read by hand: JSON.parse would keep the last of two equal keys, and would nest.
import { FormatError } from "../graph/format-error.ts";
import { byteSize, type RawDType, rawDTypes } from "./raw-tensor.ts";

export interface HeaderEntry {
  readonly dtype: RawDType;
  readonly shape: readonly number[];
  /** Where the name stands in the header's text. */
  readonly at: number;
  /** First byte and the one past the last, counted from the start of the data. */
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  readonly entries: Map<string, HeaderEntry>;
  readonly metadata: Map<string, string>;
}

const maxHeader = 100_000_000;
const maxRank = 64;
const maxDepth = 128;
const char = { quote: 34, comma: 44, colon: 58, open: 91, backslash: 92, close: 93, begin: 123, end: 125 };

/** Length of the header from the first 8 bytes (u64, little-endian); throws a FormatError past 100 MB or the file's end. */
export function headerLength(start: Uint8Array, fileSize: number, file: string): number {
  if (fileSize < 8)
    throw new FormatError(`the file has ${fileSize} bytes, fewer than the 8 of a header length`, { file, offset: 0 });
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  if (length > maxHeader)
    throw new FormatError(`the header length ${length} is above ${maxHeader}: not a safetensors file`, {
      file,
      offset: 0,
    });
  if (Number(length) > fileSize - 8)
    throw new FormatError(`the header of ${length} bytes does not fit in a file of ${fileSize}: it is cut short`, {
      file,
      offset: 0,
    });
  return Number(length);
}

/**
 * Reads and checks a header whose data section has `dataSize` bytes. Throws a FormatError for anything but one JSON object
 * of distinct names whose tensors, in order of their offsets, cover the data section without a hole or an overlap.
 */
export function parseHeader(header: Uint8Array, dataSize: number, file: string): Header {
  const reader = new Reader(decodeHeader(header, file), file);
  const entries = new Map<string, HeaderEntry>();
  let metadata: Map<string, string> | undefined; // null is none, as it is to the reference reader
  reader.object((name, at) => {
    if (name === "__metadata__") {
      if (metadata) reader.fail("__metadata__ is there twice", at);
      metadata = reader.word("null") ? new Map() : reader.strings();
    } else {
      if (entries.has(name)) reader.fail(`tensor ${show(name)} is there twice`, at);
      entries.set(name, reader.entry(name, at));
    }
  });
  reader.finish();
  checkCover(entries, dataSize, (message, at) => reader.fail(message, at));
  return { entries, metadata: metadata ?? new Map() };
}

function decodeHeader(header: Uint8Array, file: string): string {
  if (header[0] !== char.begin) throw new FormatError("the header does not begin with {", { file, offset: 8 });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(header);
  } catch {
    throw new FormatError("the header is not valid UTF-8", { file, offset: 8 });
  }
}

function checkCover(
  entries: Map<string, HeaderEntry>,
  size: number,
  fail: (message: string, at: number) => never,
): void {
  let covered = 0;
  for (const [name, { begin, end, at }] of [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (end > size)
      fail(`tensor ${show(name)} ends at byte ${end} of a data section of ${size}: the file is cut short`, at);
    if (begin < covered) fail(`tensor ${show(name)} begins at ${begin}, inside the tensor before it`, at);
    if (begin > covered) fail(`bytes ${covered} to ${begin}, before tensor ${show(name)}, belong to no tensor`, at);
    covered = end;
  }
  if (covered !== size) fail(`the tensors end at byte ${covered}, the data section at ${size}`, 0);
}

const show = (name: string) => JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);

/** A cursor over the header; each method reads one thing and leaves the cursor behind it. */
class Reader {
  #at = 0;
  readonly #text: string;
  readonly #file: string;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  fail(message: string, at: number = this.#at): never {
    const offset = 8 + new TextEncoder().encode(this.#text.slice(0, at)).length;
    throw new FormatError(message, { file: this.#file, offset });
  }

  /** The next character that is not white space, not consumed; NaN at the end. */
  #peek(): number {
    let c = this.#text.charCodeAt(this.#at);
    while (c === 32 || c === 10 || c === 13 || c === 9) c = this.#text.charCodeAt(++this.#at);
    return c;
  }

  #take(c: number): boolean {
    if (this.#peek() !== c) return false;
    this.#at++;
    return true;
  }

  #expect(c: number): void {
    if (!this.#take(c)) this.fail(`the header is not JSON: ${String.fromCharCode(c)} is missing here`);
  }

  /** Whether a literal, such as null, comes next; it is then consumed. */
  word(word: string): boolean {
    this.#peek();
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  finish(): void {
    if (!Number.isNaN(this.#peek())) this.fail("something other than spaces follows the header's object");
  }

  object(member: (key: string, at: number) => void): void {
    this.#expect(char.begin);
    if (this.#take(char.end)) return;
    do {
      this.#peek();
      const at = this.#at;
      const key = this.string();
      this.#expect(char.colon);
      member(key, at);
    } while (this.#take(char.comma));
    this.#expect(char.end);
  }

  string(): string {
    this.#expect(char.quote);
    const start = this.#at;
    let escaped = false;
    for (let c = this.#text.charCodeAt(start); c !== char.quote; c = this.#text.charCodeAt(++this.#at)) {
      if (Number.isNaN(c)) this.fail("the header ends inside a string", start);
      if (c < 32) this.fail("a string holds a control character");
      if (c === char.backslash) {
        escaped = true;
        this.#at++;
      }
    }
    const text = this.#text.slice(start, this.#at++);
    return escaped ? this.#unescape(text, start) : text;
  }

  #unescape(written: string, at: number): string {
    let text: string;
    try {
      text = JSON.parse(`"${written}"`);
    } catch {
      this.fail("a string has an escape that JSON does not know", at);
    }
    if (/\p{Surrogate}/u.test(text)) this.fail("a string holds half of a surrogate pair", at);
    return text;
  }

  #integer(): number {
    this.#peek();
    const start = this.#at;
    let value = 0;
    for (let c = this.#text.charCodeAt(start); c >= 48 && c <= 57; c = this.#text.charCodeAt(++this.#at))
      value = value * 10 + c - 48;
    const digits = this.#at - start;
    if (digits === 0 || (digits > 1 && this.#text.charCodeAt(start) === 48))
      this.fail("a whole number ≥ 0 is missing here", start);
    if (!Number.isSafeInteger(value)) this.fail("a number is above 2⁵³ − 1", start);
    return value;
  }

  #integers(most: number): number[] {
    const values: number[] = [];
    this.#expect(char.open);
    if (this.#take(char.close)) return values;
    do {
      if (values.length === most) this.fail(`an array has more than ${most} numbers`);
      values.push(this.#integer());
    } while (this.#take(char.comma));
    this.#expect(char.close);
    return values;
  }

  /** Passes over any value, nested at most as deep as the reference reader goes. */
  #skip(depth = 0): void {
    if (depth > maxDepth) this.fail(`a value is nested more than ${maxDepth} deep`);
    const next = this.#peek();
    if (next === char.begin) this.object(() => this.#skip(depth + 1));
    else if (next === char.quote) this.string();
    else if (this.#take(char.open)) {
      if (this.#take(char.close)) return;
      do this.#skip(depth + 1);
      while (this.#take(char.comma));
      this.#expect(char.close);
    } else {
      const literal = /(?:null|true|false|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y;
      literal.lastIndex = this.#at;
      if (!literal.test(this.#text)) this.fail("the header is not JSON: a value is missing here");
      this.#at = literal.lastIndex;
    }
  }

  strings(): Map<string, string> {
    const map = new Map<string, string>();
    this.object((key, at) => {
      if (map.has(key)) this.fail(`metadata ${show(key)} is there twice`, at);
      map.set(key, this.string());
    });
    return map;
  }

  entry(name: string, at: number): HeaderEntry {
    let dtype: RawDType | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    const fail = (message: string) => this.fail(`tensor ${show(name)} ${message}`, at);
    this.object((key) => {
      if ({ dtype, shape, data_offsets: offsets }[key] !== undefined) fail(`has the field ${show(key)} twice`);
      if (key === "dtype") {
        const written = this.string();
        dtype = written === written.toUpperCase() ? (written.toLowerCase() as RawDType) : undefined;
        if (dtype === undefined || !Object.hasOwn(rawDTypes, dtype)) fail(`has the unknown dtype ${show(written)}`);
      } else if (key === "shape") shape = this.#integers(maxRank);
      else if (key === "data_offsets") offsets = this.#integers(2);
      else this.#skip(); // a field of a later version of the format
    });
    if (dtype === undefined || shape === undefined || offsets?.length !== 2)
      return fail("lacks dtype, shape or two data_offsets");
    const [begin, end] = offsets;
    const size = byteSize(dtype, shape);
    if (typeof size === "string") return fail(`cannot be: ${size}`);
    if (end - begin !== size)
      return fail(`takes ${size} bytes as ${dtype} [${shape.join(", ")}], its offsets hold ${end - begin}`);
    return { dtype, shape, at, begin, end };
  }
}
