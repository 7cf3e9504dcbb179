// NumPy's .npy files: one array, a header in Python's literal syntax, the elements. Arrays of Python objects are refused, never run.
import { FormatError } from "../graph/format-error.ts";
import { byteSize, bytesOfTensor, type RawDType, type RawTensor, viewTensor } from "./raw-tensor.ts";
import { readFailure } from "./read-failure.ts";

/** NumPy's kind and bytes an element, for the dtypes that NumPy has. */
const codes: Partial<Record<RawDType, string>> = {
  bool: "b1",
  u8: "u1",
  i8: "i1",
  u16: "u2",
  i16: "i2",
  f16: "f2",
  u32: "u4",
  i32: "i4",
  f32: "f4",
  c64: "c8",
  u64: "u8",
  i64: "i8",
  f64: "f8",
};
const dtypes = new Map(Object.entries(codes).map(([dtype, code]) => [code, dtype as RawDType]));

/**
 * Reads a .npy file held in memory (format 1 to 3), in C order and little-endian whatever the file has; a view of `bytes`
 * where nothing has to move. Throws a FormatError naming `file` and the byte.
 */
export function parseNpy(bytes: Uint8Array, { file = "npy" }: { file?: string } = {}): RawTensor {
  const fail = (message: string, offset: number): never => {
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
  const header = String.fromCharCode(...bytes.subarray(start, start + Math.min(length, 4096)));
  const match =
    /^\{\s*((?:'(?:descr|fortran_order|shape)'\s*:\s*(?:'[^']*'|True|False|\([\d\s,]*\))\s*(?:,\s*)?){3})\}\s*$/.exec(
      header,
    );
  const descr = /'descr'\s*:\s*'([<>|=]?)([a-zA-Z]\d*)'/.exec(match?.[1] ?? "");
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(match?.[1] ?? "");
  const axes = /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(match?.[1] ?? "");
  if (!match || !descr || !order || !axes)
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
  const shape = axes[1].split(",").flatMap((axis) => (axis.trim() === "" ? [] : [Number(axis)]));
  const size = byteSize(dtype, shape);
  if (typeof size === "string") return fail(size, start);
  const body = bytes.subarray(start + length);
  if (body.length !== size)
    return fail(`${dtype} [${shape.join(", ")}] takes ${size} bytes, ${body.length} follow the header`, start + length);
  const native = descr[1] === ">" ? swapped(body, dtype === "c64" ? 4 : size / Math.max(1, product(shape))) : body;
  return order[1] === "True" && shape.length > 1 ? fromFortran(dtype, shape, native) : viewTensor(dtype, shape, native);
}

/** A .npy file (format 1, C order, little-endian). Throws a TypeError for a dtype that NumPy lacks. */
export function serializeNpy(tensor: RawTensor): Uint8Array {
  const code = codes[tensor.dtype];
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

/** Reads a .npy file. Throws as parseNpy does, and one line for a file that cannot be read. */
export async function readNpy(path: string): Promise<RawTensor> {
  const { readFile } = await import("node:fs/promises");
  const bytes = await readFile(path).catch((error) => {
    throw readFailure(path, error);
  });
  return parseNpy(bytes, { file: path });
}

/** Writes a .npy file atomically. */
export async function writeNpy(path: string, tensor: RawTensor): Promise<void> {
  const { writeAtomic } = await import("./atomic.ts");
  await writeAtomic(path, serializeNpy(tensor));
}

const product = (shape: readonly number[]) => shape.reduce((size, axis) => size * axis, 1);

function swapped(bytes: Uint8Array, width: number): Uint8Array {
  const copy = bytes.slice();
  for (let i = 0; i < copy.length; i += width) copy.subarray(i, i + width).reverse();
  return copy;
}

/** Elements stored first axis fastest, laid out last axis fastest. */
function fromFortran(dtype: RawDType, shape: readonly number[], bytes: Uint8Array): RawTensor {
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
  return viewTensor(dtype, shape, copy);
}
