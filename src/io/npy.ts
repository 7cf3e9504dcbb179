// NumPy's .npy files: one array, a header in Python's literal syntax, the elements. Arrays of Python objects are refused, never run.
import { FormatError } from "../graph/format-error.ts";
import { byteSize, bytesOfTensor, copyOf, type RawDType, type RawTensor, tensorOf } from "./raw-tensor.ts";
import { type FileSource, readSource, writePath } from "./source.ts";

/** For the dtypes that NumPy has, its names for them without the byte order: the one that is written, then others that it reads. */
const codes: Partial<Record<RawDType, readonly [string, ...string[]]>> = {
  bool: ["b1", "?", "bool"],
  u8: ["u1", "B", "uint8"],
  i8: ["i1", "b", "int8"],
  u16: ["u2", "H", "uint16"],
  i16: ["i2", "h", "int16"],
  f16: ["f2", "e", "float16"],
  u32: ["u4", "I", "uint32"],
  i32: ["i4", "i", "int32"],
  f32: ["f4", "f", "float32"],
  c64: ["c8", "F", "complex64"],
  u64: ["u8", "Q", "uint64"],
  i64: ["i8", "q", "int64"],
  f64: ["f8", "d", "float64"],
};
const dtypes = new Map(Object.entries(codes).flatMap(([dtype, names]) => names.map((n) => [n, dtype as RawDType])));

type Fail = (message: string, offset: number) => never;

/**
 * Reads a .npy file held in memory (format 1 to 3), in C order and little-endian whatever the file has, into memory of its
 * own. Headers are read as NumPy reads them, those written by Python 2 too. Throws a FormatError naming `file` and the byte.
 */
export function parseNpy(bytes: Uint8Array, { file = "npy" }: { file?: string } = {}): RawTensor {
  const fail: Fail = (message, offset) => {
    throw new FormatError(message, { file, offset });
  };
  if (bytes.length < 10 || String.fromCharCode(...bytes.subarray(0, 6)) !== "\x93NUMPY")
    return fail("this is not a .npy file", 0);
  const version = bytes[6];
  if (version < 1 || version > 3) return fail(`format version ${version} is unknown (1, 2 and 3 are read)`, 6);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) return fail("the file is cut short", bytes.length);
  const length = bytes[8] + bytes[9] * 256 + (version === 1 ? 0 : bytes[10] * 65536 + bytes[11] * 16777216);
  if (length > Math.min(1 << 20, bytes.length - start))
    return fail(`a header of ${length} bytes does not fit in the file`, 8);
  const { dtype, bigEndian, fortran, shape } = parseHeader(bytes.subarray(start, start + length), start, fail);
  const size = byteSize(dtype, shape);
  if (typeof size === "string") return fail(size, start);
  const body = bytes.subarray(start + length);
  if (body.length !== size)
    return fail(`${dtype} [${shape.join(", ")}] takes ${size} bytes, ${body.length} follow the header`, start + length);
  const own = copyOf(body);
  if (bigEndian) swap(own, dtype === "c64" ? 4 : size / Math.max(1, product(shape)));
  return tensorOf(dtype, shape, fortran && shape.length > 1 ? fromFortran(shape, own) : own);
}

interface Header {
  readonly dtype: RawDType;
  readonly bigEndian: boolean;
  readonly fortran: boolean;
  readonly shape: number[];
}

const token = /\s*(?:[uU]?(?:'([^'"\\]*)'|"([^'"\\]*)")|(0|[1-9]\d*)L?|(True|False|[{}():,])|\S)/g;
const member = String.raw`'(?:descr|fortran_order|shape)' : (?:'[^']*'|True|False|\( (?:(?:\d+ , )+(?:\d+ )?)?\)) `;
const dictionary = new RegExp(String.raw`^\{ ${member}, ${member}, ${member}(?:, )?\}$`);

/** Reads the header's dictionary of three members in any order; numbers may end with the L of Python 2. */
function parseHeader(bytes: Uint8Array, start: number, fail: Fail): Header {
  const text = String.fromCharCode(...bytes.subarray(0, 4096)).trimEnd();
  const tokens = Array.from(text.matchAll(token), ([, single, double, number, mark]) =>
    single === undefined && double === undefined ? (number ?? mark ?? "?") : `'${single ?? double}'`,
  );
  const header = tokens.join(" ");
  const plain = dictionary.test(header) ? header : "";
  const descr = /'descr' : '([<>|=]?)([^']*)'/.exec(plain);
  const order = /'fortran_order' : (True|False)/.exec(plain);
  const axes = /'shape' : \(([\d ,]*)\)/.exec(plain);
  if (!descr || !order || !axes)
    return fail(
      "the header is not that of a plain array; save it in Python as a.astype('float32') with allow_pickle=False",
      start,
    );
  const dtype = dtypes.get(descr[2]);
  if (!dtype)
    return fail(
      `there is no dtype for '${descr[1]}${descr[2]}'; convert it first, for example a.astype('float32')`,
      start,
    );
  const shape = [...axes[1].matchAll(/\d+/g)].map(([axis]) => Number(axis));
  return { dtype, bigEndian: descr[1] === ">", fortran: order[1] === "True", shape };
}

/** A .npy file (format 1, C order, little-endian). Throws a TypeError for a dtype that NumPy lacks. */
export function serializeNpy(tensor: RawTensor): Uint8Array {
  const code = codes[tensor.dtype]?.[0];
  if (!code) throw new TypeError(`npy: NumPy has no ${tensor.dtype}; convert it to f32 first`);
  const data = bytesOfTensor("npy", tensor);
  const shape = tensor.shape.length === 1 ? `${tensor.shape[0]},` : tensor.shape.join(", ");
  const text = `{'descr': '${code.endsWith("1") ? "|" : "<"}${code}', 'fortran_order': False, 'shape': (${shape}), }`;
  const start = Math.ceil((10 + text.length + 1) / 64) * 64; // NumPy aligns the data to 64 bytes
  const file = new Uint8Array(start + data.length).fill(32, 10, start);
  file.set([0x93, 78, 85, 77, 80, 89, 1, 0, (start - 10) & 255, (start - 10) >> 8]);
  file.set(new TextEncoder().encode(text), 10);
  file[start - 1] = 10;
  file.set(data, start);
  return file;
}

/** Reads a .npy file from a path (an address in a browser) or a Blob. Throws as parseNpy does, and one line where it cannot be read. */
export async function readNpy(source: FileSource): Promise<RawTensor> {
  const { bytes, file } = await readSource(source);
  return parseNpy(bytes, { file });
}

/** Writes a .npy file atomically (Node only). */
export const writeNpy = (path: string, tensor: RawTensor): Promise<void> =>
  writePath(path, "serializeNpy", () => serializeNpy(tensor));

const product = (shape: readonly number[]) => shape.reduce((size, axis) => size * axis, 1);

/** Turns the bytes of each element around, in place. */
function swap(bytes: Uint8Array, width: number): void {
  for (let i = 0; i < bytes.length; i += width) bytes.subarray(i, i + width).reverse();
}

/** Elements stored first axis fastest, laid out last axis fastest. */
function fromFortran(shape: readonly number[], bytes: Uint8Array): Uint8Array {
  const size = product(shape);
  const width = bytes.length / Math.max(1, size);
  const copy = new Uint8Array(bytes.length);
  for (let i = 0; i < size; i++) {
    let rest = i;
    let source = 0;
    let stride = size;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      stride /= shape[axis];
      source += (rest % shape[axis]) * stride;
      rest = Math.floor(rest / shape[axis]);
    }
    for (let b = 0; b < width; b++) copy[i * width + b] = bytes[source * width + b];
  }
  return copy;
}
