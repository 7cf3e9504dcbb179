// Element types: their sizes, the typed arrays that hold them on the host, which numbers they have, and which one two of them combine into.
import { kindOf } from "./kind.ts";
import { currentModule } from "./scope.ts";
import { failKind } from "./shape.ts";

export type DType = "f32" | "f64" | "i32" | "bool";

/** Host data of a tensor: bool is one byte an element here, four on the devices. */
export type Data = Float32Array | Float64Array | Int32Array | Uint8Array;

/** Bytes an element takes on a device. A bool is stored as an i32 of 0 or 1, so that one vector width serves a kernel. */
export const bytesOf: Record<DType, number> = { f32: 4, f64: 8, i32: 4, bool: 4 };

const order: Record<DType, number> = { bool: 0, i32: 1, f32: 2, f64: 3 };

/** The dtype, if there is such a one. Throws a TypeError that names the operation for what callers without types may pass. */
export function checkDType(op: string, dtype: DType): DType {
  if (Object.hasOwn(order, dtype)) return dtype;
  const got = typeof dtype === "string" ? `"${dtype}"` : `that is ${kindOf(dtype)}`;
  return failKind(op, `there is no dtype ${got}; there are f32, f64, i32 and bool`);
}

/** The dtype that both operands of an arithmetic operation are cast to: bool < i32 < f32 < f64. */
export const promote = (a: DType, b: DType): DType => (order[a] >= order[b] ? a : b);

export const isFloat = (dtype: DType): boolean => dtype === "f32" || dtype === "f64";

/** What stands where a table has no such row: NaN, −2³¹ as i32, false. */
export const missing = (dtype: DType): number => (isFloat(dtype) ? Number.NaN : dtype === "i32" ? -(2 ** 31) : 0);

/** A zeroed host array of the dtype. */
export function allocate(dtype: DType, size: number): Data {
  if (dtype === "f32") return new Float32Array(size);
  if (dtype === "f64") return new Float64Array(size);
  return dtype === "i32" ? new Int32Array(size) : new Uint8Array(size);
}

export function dtypeOf(data: Data): DType {
  if (data instanceof Float32Array) return "f32";
  if (data instanceof Float64Array) return "f64";
  return data instanceof Uint8Array ? "bool" : "i32"; // other arrays of whole numbers are converted
}

/** The number as the dtype holds it. Throws a RangeError that names the operation where i32 has no such number. */
export function represent(op: string, value: number, dtype: DType): number {
  if (dtype === "f32") return Math.fround(value);
  if (dtype === "bool") return Number(value !== 0);
  if (dtype === "f64") return value;
  if (value === (value | 0)) return value | 0; // no −0
  const place = currentModule() === "" ? "" : `, in ${currentModule()}`;
  throw new RangeError(`${op}: ${value} is no i32, a whole number from −2³¹ to 2³¹ − 1 (take f32 or f64)${place}`);
}

/** The elements as a host array of the dtype. Throws a RangeError that names the operation where i32 lacks one. */
export function copyOf(op: string, values: Data | readonly number[], dtype: DType): Data {
  const copy = allocate(dtype, values.length);
  if (isFloat(dtype) || (dtype === "i32" && values instanceof Int32Array)) copy.set(values);
  else for (let i = 0; i < copy.length; i++) copy[i] = represent(op, values[i], dtype);
  return copy;
}
