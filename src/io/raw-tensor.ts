// A tensor as files hold it: dtype, shape and the typed array of its elements. What every reader returns and every writer takes.

import { kindOf } from "../graph/kind.ts";

export type TypedArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/**
 * Storage formats, in the alignment order of safetensors. Those JavaScript has no numbers for keep their bits: f16 and
 * bf16 in a Uint16Array, 8-bit and smaller floats in a Uint8Array, c64 as real and imaginary parts in turn.
 */
export type RawDType =
  | "bool"
  | "f4"
  | "f6_e2m3"
  | "f6_e3m2"
  | "u8"
  | "i8"
  | "f8_e5m2"
  | "f8_e4m3"
  | "f8_e8m0"
  | "f8_e4m3fnuz"
  | "f8_e5m2fnuz"
  | "i16"
  | "u16"
  | "f16"
  | "bf16"
  | "i32"
  | "u32"
  | "f32"
  | "c64"
  | "f64"
  | "i64"
  | "u64";

export interface RawTensor {
  readonly dtype: RawDType;
  readonly shape: readonly number[];
  readonly data: TypedArray;
}

interface ArrayKind {
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): TypedArray;
}

/** Bits an element takes and the array that holds it, for each dtype in the alignment order of safetensors. */
export const rawDTypes: Readonly<Record<RawDType, { readonly bits: number; readonly array: ArrayKind }>> = {
  bool: { bits: 8, array: Uint8Array },
  f4: { bits: 4, array: Uint8Array },
  f6_e2m3: { bits: 6, array: Uint8Array },
  f6_e3m2: { bits: 6, array: Uint8Array },
  u8: { bits: 8, array: Uint8Array },
  i8: { bits: 8, array: Int8Array },
  f8_e5m2: { bits: 8, array: Uint8Array },
  f8_e4m3: { bits: 8, array: Uint8Array },
  f8_e8m0: { bits: 8, array: Uint8Array },
  f8_e4m3fnuz: { bits: 8, array: Uint8Array },
  f8_e5m2fnuz: { bits: 8, array: Uint8Array },
  i16: { bits: 16, array: Int16Array },
  u16: { bits: 16, array: Uint16Array },
  f16: { bits: 16, array: Uint16Array },
  bf16: { bits: 16, array: Uint16Array },
  i32: { bits: 32, array: Int32Array },
  u32: { bits: 32, array: Uint32Array },
  f32: { bits: 32, array: Float32Array },
  c64: { bits: 64, array: Float32Array },
  f64: { bits: 64, array: Float64Array },
  i64: { bits: 64, array: BigInt64Array },
  u64: { bits: 64, array: BigUint64Array },
};

/** Bytes that `shape` takes in `dtype`, or the sentence that says why there is no such tensor. */
export function byteSize(dtype: RawDType, shape: readonly number[]): number | string {
  let elements = 1;
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0)
      return `shape [${shape.join(", ")}] has an axis of length ${length}`;
    if (!Number.isSafeInteger((elements *= length))) return `shape [${shape.join(", ")}] overflows`;
  }
  const bits = elements * rawDTypes[dtype].bits;
  if (!Number.isSafeInteger(bits)) return `shape [${shape.join(", ")}] overflows`;
  return bits % 8 === 0 ? bits / 8 : `${elements} elements of ${dtype} do not end at a byte`;
}

/** A copy in memory of its own, aligned for any element. A Buffer's own `slice` shares its memory. */
export const copyOf = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

/** The tensor whose memory `bytes` are, from the beginning of their buffer. */
export function tensorOf(dtype: RawDType, shape: readonly number[], bytes: Uint8Array): RawTensor {
  const { array } = rawDTypes[dtype];
  const data = new array(bytes.buffer, bytes.byteOffset, bytes.byteLength / array.BYTES_PER_ELEMENT);
  return { dtype, shape, data };
}

/** Refuses what callers without types may pass, such as a Tensor, whose values are not on the host. */
export function checkRaw(name: string, value: unknown): void {
  const { dtype, shape, data } = (value ?? {}) as Partial<Record<keyof RawTensor, unknown>>;
  if (typeof dtype === "string" && Array.isArray(shape) && ArrayBuffer.isView(data)) return;
  const advice = typeof data === "function" ? " (take await stateDict(model))" : "";
  throw new TypeError(`tensor "${name}": takes { dtype, shape, data }, got ${kindOf(value)}${advice}`);
}

/** The bytes of a tensor about to be written, as a view. Throws, naming it, where dtype, shape and data disagree. */
export function bytesOfTensor(name: string, tensor: RawTensor): Uint8Array {
  checkRaw(name, tensor);
  const { dtype, shape, data } = tensor;
  if (!Object.hasOwn(rawDTypes, dtype)) throw new TypeError(`tensor "${name}": there is no dtype "${dtype}"`);
  const expected = rawDTypes[dtype].array;
  const found = data.constructor.name;
  if (!(data instanceof expected))
    throw new TypeError(`tensor "${name}": ${dtype} is held in ${expected.name}, not in ${found}`);
  const size = byteSize(dtype, shape);
  if (typeof size === "string") throw new TypeError(`tensor "${name}": ${size}`);
  if (size !== data.byteLength)
    throw new TypeError(
      `tensor "${name}": ${dtype} [${shape.join(", ")}] takes ${size} bytes, its data has ${data.byteLength}`,
    );
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * The elements as f32, exact for f16, bf16 and integers up to 2²⁴ and rounded beyond; of an f32 tensor the array itself.
 * Throws for c64, for floats of 8 bits and fewer, and for a number beyond the range of f32.
 */
export function toFloat32({ dtype, data }: RawTensor): Float32Array {
  if (data instanceof Float32Array && dtype === "f32") return data;
  if (/^(c64|f4|f6_.*|f8_.*)$/.test(dtype))
    throw new TypeError(`toFloat32: ${dtype} has no conversion to f32; take its bits from .data`);
  const values = new Float32Array(data.length);
  if (dtype === "bf16") {
    const bits = new Uint32Array(values.buffer);
    for (let i = 0; i < bits.length; i++) bits[i] = (data[i] as number) << 16;
  } else if (dtype === "f16") {
    const bits = new Uint32Array(values.buffer);
    for (let i = 0; i < bits.length; i++) bits[i] = widenHalf(data[i] as number);
  } else {
    for (let i = 0; i < values.length; i++) {
      values[i] = Number(data[i]);
      if (Math.abs(values[i]) === Number.POSITIVE_INFINITY && values[i] !== data[i])
        throw new RangeError(`toFloat32: element ${i} is ${data[i]}, beyond the range of f32; take it from .data`);
    }
  }
  return values;
}

/** Bits of an f16 (1 sign, 5 exponent, 10 mantissa) to the bits of the f32 of the same value. */
function widenHalf(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 31;
  const mantissa = half & 1023;
  if (exponent === 31) return sign | 0x7f800000 | (mantissa << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (mantissa << 13);
  if (mantissa === 0) return sign;
  const shift = Math.clz32(mantissa) - 21; // a subnormal half is a normal f32: bring its leading bit to bit 10
  return sign | ((113 - shift) << 23) | (((mantissa << shift) & 1023) << 13);
}
