// Evaluates scalar operations (graph/scalars.ts) on numbers, bit for bit as compiled code does: in f32 and in f64.
import type { Scalars } from "./scalars.ts";
import { farFrom, farSine, type Quarters, twoOverPi } from "./sine.ts";

const { abs, floor, fround, sqrt } = Math;

const float32 = new Float32Array(1);
const bits32 = new Int32Array(float32.buffer);
const float64 = new Float64Array(1);
const words64 = new Int32Array(float64.buffer);
float64[0] = 1;
const upper = words64[0] === 0 ? 1 : 0; // which word holds a double's sign and exponent
const lower = 1 - upper;

function bitsOf32(a: number): number {
  float32[0] = a;
  return bits32[0];
}

function fromBits32(bits: number): number {
  bits32[0] = bits;
  return float32[0];
}

function upperWordOf64(a: number): number {
  float64[0] = a;
  return words64[upper];
}

/** The double in `float64` after its upper word is replaced, and its lower word masked. */
function rebuild64(upperWord: number, lowerMask: number): number {
  words64[upper] = upperWord;
  words64[lower] &= lowerMask;
  return float64[0];
}

/** What the two dtypes have in common; integers have 32 bits, conditions are 0 and 1. */
const common = {
  neg: (a: number): number => -a,
  abs,
  floor,
  copySign: (a: number, b: number): number => (b < 0 || Object.is(b, -0) ? -abs(a) : abs(a)),
  lt: (a: number, b: number): number => Number(a < b),
  le: (a: number, b: number): number => Number(a <= b),
  eq: (a: number, b: number): number => Number(a === b),
  select: (condition: number, a: number, b: number): number => (condition ? a : b),
  toFloat: (i: number): number => i,
  integer: (value: number): number => value | 0,
  iadd: (a: number, b: number): number => (a + b) | 0,
  isub: (a: number, b: number): number => (a - b) | 0,
  iand: (a: number, b: number): number => a & b,
  ishr: (a: number, bits: number): number => a >> bits,
  ieq: (a: number, b: number): number => Number(a === b),
};

const farSine64 = (near: number, x: number, quarters: Quarters): number =>
  abs(x) >= farFrom ? farSine(f64Scalars, x, quarters, (i) => twoOverPi[i]) : near;

// Adding and subtracting these leaves the nearest integer, ties to even.
const rounder32 = 1.5 * 2 ** 23;
export const rounder64: number = 1.5 * 2 ** 52;

/** float32 arithmetic: every result is rounded to the nearest float32. */
export const f32Scalars: Scalars<number> = {
  ...common,
  dtype: "f32",
  constant: fround,
  add: (a, b) => fround(a + b),
  sub: (a, b) => fround(a - b),
  mul: (a, b) => fround(a * b),
  div: (a, b) => fround(a / b),
  sqrt: (a) => fround(sqrt(a)),
  round: (a) => (fround(a + rounder32) - rounder32) | 0,
  pow2: (n) => fromBits32((n + 127) << 23),
  exponent: (a) => ((bitsOf32(a) >>> 23) & 0xff) - 127,
  mantissa: (a) => fromBits32((bitsOf32(a) & 0x807fffff) | 0x3f800000),
  high: (a) => fromBits32(bitsOf32(a) & 0xfffff000),
  farSine: (near, x, quarters) => fround(farSine64(near, x, quarters)),
};

/** float64 arithmetic. */
export const f64Scalars: Scalars<number> = {
  ...common,
  dtype: "f64",
  constant: (value) => value,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  sqrt,
  round: (a) => (a + rounder64 - rounder64) | 0,
  pow2: (n) => rebuild64((n + 1023) << 20, 0),
  exponent: (a) => ((upperWordOf64(a) >>> 20) & 0x7ff) - 1023,
  mantissa: (a) => rebuild64((upperWordOf64(a) & 0x800fffff) | 0x3ff00000, -1),
  high: (a) => rebuild64(upperWordOf64(a), 0xf8000000),
  farSine: farSine64,
};
