// Safetensors files: named tensors and nothing that runs. u64 header length, JSON header, the tensors' bytes; as the reference writes them.
import { kindOf } from "../graph/kind.ts";
import { bytesOfTensor, checkRaw, copyOf, type RawDType, type RawTensor, rawDTypes, tensorOf } from "./raw-tensor.ts";
import { headerLength, parseHeader } from "./safetensors-header.ts";
import { type FileSource, openSource, writePath } from "./source.ts";

export interface Safetensors {
  readonly tensors: Map<string, RawTensor>;
  readonly metadata: Map<string, string>;
}

export interface SafetensorsOptions {
  /** Free text kept in the header. */
  metadata?: Readonly<Record<string, string>> | ReadonlyMap<string, string>;
}

export type NamedTensors = ReadonlyMap<string, RawTensor> | Readonly<Record<string, RawTensor>>;

/**
 * Reads a safetensors file held in memory, each tensor into memory of its own.
 * Throws a FormatError, naming `file` and the byte, for whatever is not exactly the format.
 */
export function parseSafetensors(bytes: Uint8Array, { file = "safetensors" }: { file?: string } = {}): Safetensors {
  const start = 8 + headerLength(bytes, bytes.length, file);
  const { entries, metadata } = parseHeader(bytes.subarray(8, start), bytes.length - start, file);
  const tensors = new Map<string, RawTensor>();
  for (const [name, { dtype, shape, begin, end }] of entries)
    tensors.set(name, tensorOf(dtype, shape, copyOf(bytes.subarray(start + begin, start + end))));
  return { tensors, metadata };
}

/**
 * Reads a safetensors file from a path (an address in a browser) or a Blob, each tensor into memory of its own. Throws as
 * parseSafetensors does, and one line for a file that cannot be read.
 */
export async function readSafetensors(source: FileSource): Promise<Safetensors> {
  const opened = await openSource(source);
  const { file, size } = opened;
  try {
    const start = 8 + headerLength(await opened.read(0, Math.min(8, size)), size, file);
    const { entries, metadata } = parseHeader(await opened.read(8, start - 8), size - start, file);
    const tensors = new Map<string, RawTensor>();
    for (const [name, { dtype, shape, begin, end }] of entries)
      tensors.set(name, tensorOf(dtype, shape, await opened.read(start + begin, end - begin)));
    return { tensors, metadata };
  } finally {
    await opened.close();
  }
}

/**
 * The pieces of a safetensors file in order: header length, header, each tensor's bytes as a view, sorted by descending
 * alignment and then by name. Equal tensors give equal bytes. Throws a TypeError where dtype, shape and data disagree.
 */
export function safetensorsChunks(tensors: NamedTensors, { metadata = {} }: SafetensorsOptions = {}): Uint8Array[] {
  const named = pairs("tensors", tensors);
  for (const [name, tensor] of named) checkRaw(name, tensor);
  const rank = new Map<RawDType, number>((Object.keys(rawDTypes) as RawDType[]).map((dtype, i) => [dtype, i]));
  const sorted = named.sort(([a, x], [b, y]) => rank.get(y.dtype)! - rank.get(x.dtype)! || compareCodePoints(a, b));
  const fields: string[] = [];
  const notes = pairs("metadata", metadata).sort(([a], [b]) => compareCodePoints(a, b));
  for (const [key, value] of notes) {
    checkText(key);
    checkText(value);
  }
  if (notes.length > 0)
    fields.push(
      `"__metadata__":{${notes.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`,
    );
  const data: Uint8Array[] = [];
  let offset = 0;
  for (const [name, tensor] of sorted) {
    checkText(name);
    if (name === "__metadata__") throw new TypeError('safetensors: "__metadata__" is no name for a tensor; rename it');
    const bytes = bytesOfTensor(name, tensor);
    const info = {
      dtype: tensor.dtype.toUpperCase(),
      shape: tensor.shape,
      data_offsets: [offset, (offset += bytes.length)],
    };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(info)}`);
    data.push(bytes);
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const header = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(32);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(json, 8);
  return [header, ...data];
}

/** A safetensors file in memory. Throws a TypeError where a tensor's dtype, shape and data disagree. */
export function serializeSafetensors(tensors: NamedTensors, options: SafetensorsOptions = {}): Uint8Array {
  const chunks = safetensorsChunks(tensors, options);
  const file = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    file.set(chunk, offset);
    offset += chunk.length;
  }
  return file;
}

/** Writes a safetensors file atomically (Node only): the path holds the old file or the whole new one, never a part. */
export const writeSafetensors = (
  path: string,
  tensors: NamedTensors,
  options: SafetensorsOptions = {},
): Promise<void> => writePath(path, "serializeSafetensors", () => safetensorsChunks(tensors, options));

/** The entries of a Map or a plain object. Throws a TypeError for all else, which might have none that are seen: a Promise, a model. */
function pairs<T>(what: string, named: ReadonlyMap<string, T> | Readonly<Record<string, T>>): [string, T][] {
  if (named instanceof Map) return [...named];
  const prototype = typeof named === "object" && named !== null ? Object.getPrototypeOf(named) : undefined;
  if (prototype === null || (prototype !== undefined && Object.getPrototypeOf(prototype) === null))
    return Object.entries(named);
  const advice = named instanceof Promise ? " (await it)" : what === "tensors" ? " (take await stateDict(model))" : "";
  throw new TypeError(`safetensors: ${what} must be a Map or a plain object, got ${kindOf(named)}${advice}`);
}

function checkText(text: unknown): void {
  if (typeof text !== "string" || /\p{Surrogate}/u.test(text))
    throw new TypeError(`safetensors: names and metadata are Unicode text, not ${JSON.stringify(text)}`);
}

/** The order of UTF-8 bytes, which JavaScript's < is not: it puts surrogates, of characters beyond U+FFFF, before U+E000. */
function compareCodePoints(a: string, b: string): number {
  const rank = (unit: number) => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800);
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}
