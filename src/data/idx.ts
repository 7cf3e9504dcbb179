// IDX files (the format of MNIST), plain or gzip: a big-endian header of type, rank and sizes, then the values.

import { FormatError } from "../graph/format-error.ts";
import { type FileSource, readSource } from "../io/source.ts";
import { ByteReader } from "./byte-reader.ts";

/** Values of an IDX file, in the host's byte order. */
export type IdxArray = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

/** Content of an IDX file: data in row-major order, its length the product of shape. */
export interface Idx {
  shape: number[];
  data: IdxArray;
}

const types: Record<number, new (buffer: ArrayBuffer) => IdxArray> = {
  8: Uint8Array,
  9: Int8Array,
  11: Int16Array,
  12: Int32Array,
  13: Float32Array,
  14: Float64Array,
};

/** Name of the file in errors; limit on the inflated bytes, by default twice the file's size plus 28 MiB. */
export interface IdxOptions {
  file?: string;
  limit?: number;
}

/**
 * Reads an IDX file from memory, plain or gzip. The header is checked against the actual size before its counts are
 * believed, so hostile input costs at most `limit` bytes.
 * Throws FormatError when the type is unknown, the counts and the size disagree, or the gzip stream is damaged.
 */
export async function decodeIdx(bytes: Uint8Array, options: IdxOptions = {}): Promise<Idx> {
  const { file = "IDX data", limit = 2 * bytes.length + 28 * 2 ** 20 } = options;
  const reader = new ByteReader(bytes, file);
  try {
    const { type, shape, count } = await readHeader(reader);
    const width = bytesPerElement(type);
    const expected = reader.offset + count * width;
    if (expected !== reader.size)
      throw new FormatError(
        `sizes [${shape}] of ${width}-byte values need ${expected} bytes in all, ${reader.compressed ? "the gzip stream ends with another size" : `the file has ${reader.size}`}; it is cut short, followed by more, or not IDX: download it again`,
        { file, offset: 4 },
      );
    if (expected > limit)
      throw new FormatError(
        `inflates to ${expected} bytes, more than the limit of ${limit}; if you trust it, raise \`limit\``,
        {
          file,
          offset: 4,
        },
      );
    const data = new Uint8Array(count * width);
    const found = await reader.read(data);
    if (found < data.length)
      throw new FormatError(`expected ${data.length} bytes of values, found ${found}; download the file again`, {
        file,
        offset: reader.offset,
      });
    await reader.expectEnd();
    return { shape, data: new type(toHostOrder(data, width).buffer) };
  } finally {
    await reader.close();
  }
}

/**
 * Reads an IDX file from a path (an address in a browser) or a Blob. Throws as decodeIdx does, and one line for a file that
 * cannot be read.
 */
export async function readIdx(source: FileSource, options: IdxOptions = {}): Promise<Idx> {
  const { bytes, file } = await readSource(source);
  return decodeIdx(bytes, { file, ...options });
}

/** The bytes of a plain IDX file. Throws RangeError when the shape does not hold the data, or the format has no such type. */
export function encodeIdx({ shape, data }: Idx): Uint8Array<ArrayBuffer> {
  if (product(shape) !== data.length || shape.length > 255 || shape.some((size) => !(size >= 0 && size < 2 ** 32)))
    throw new RangeError(`encodeIdx: shape [${shape}] does not hold ${data.length} values`);
  const code = Number(Object.keys(types).find((key) => data instanceof types[Number(key)]) ?? 0);
  if (code === 0) throw new RangeError(`encodeIdx: IDX has no type for ${(data as object).constructor.name}`);
  const header = 4 + 4 * shape.length;
  const bytes = new Uint8Array(header + data.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, (code << 8) | shape.length);
  for (const [axis, size] of shape.entries()) view.setUint32(4 + 4 * axis, size);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), header);
  toHostOrder(bytes.subarray(header), data.BYTES_PER_ELEMENT);
  return bytes;
}

interface Header {
  type: new (buffer: ArrayBuffer) => IdxArray;
  shape: number[];
  count: number;
}

async function readHeader(reader: ByteReader): Promise<Header> {
  const { file } = reader;
  const magic = new Uint8Array(4);
  const sizes = async (target: Uint8Array<ArrayBuffer>): Promise<DataView> => {
    if ((await reader.read(target)) < target.length)
      throw new FormatError(`the file ends inside its header; download it again`, { file, offset: reader.offset });
    return new DataView(target.buffer);
  };
  const head = await sizes(magic);
  const type = types[magic[2]];
  if (magic[0] !== 0 || magic[1] !== 0 || !type)
    throw new FormatError(
      `expected the IDX magic 00 00, a type of 08, 09 or 0b to 0e, and a rank, found ${hex(head.getUint32(0))}; this is not an IDX file`,
      { file, offset: 0 },
    );
  const view = await sizes(new Uint8Array(4 * magic[3]));
  const shape = Array.from({ length: magic[3] }, (_, axis) => view.getUint32(4 * axis));
  return { type, shape, count: product(shape) };
}

// A zero first, lest 0 · ∞ become NaN.
const product = (shape: readonly number[]): number =>
  shape.includes(0) ? 0 : shape.reduce((count, size) => count * size, 1);

const hex = (word: number): string =>
  word
    .toString(16)
    .padStart(8, "0")
    .replace(/..(?!$)/g, "$& ");

const bytesPerElement = (type: Header["type"]): number =>
  (type as unknown as { BYTES_PER_ELEMENT: number }).BYTES_PER_ELEMENT;

// Every JavaScript engine in use is little-endian, so big-endian values are reversed byte by byte.
function toHostOrder(bytes: Uint8Array<ArrayBuffer>, width: number): Uint8Array<ArrayBuffer> {
  if (width > 1) for (let at = 0; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse();
  return bytes;
}
