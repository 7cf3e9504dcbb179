// Elementary functions of doubles to some hundred digits, in integers: the reference of math.test.ts.
import type { Elementary } from "../src/graph/elementary.ts";

/** The value m·2^e. */
export interface Exact {
  m: bigint;
  e: number;
}

// Fixed-point numbers: integers that stand for multiples of 2^−bits.
const bits = 400;
const one = 1n << BigInt(bits);
const shift = (a: bigint, by: number): bigint => (by >= 0 ? a << BigInt(by) : a >> BigInt(-by));
const mul = (a: bigint, b: bigint): bigint => (a * b) >> BigInt(bits);
const div = (a: bigint, b: bigint): bigint => (a << BigInt(bits)) / b;
const fixed = ({ m, e }: Exact): bigint => shift(m, e + bits);
const unfixed = (m: bigint): Exact => ({ m, e: -bits });

function ofDouble(x: number): Exact {
  if (!Number.isFinite(x)) return { m: BigInt(Math.sign(x)), e: 1024 };
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, Math.abs(x));
  const word = view.getBigUint64(0);
  const exponent = Number(word >> 52n);
  const fraction = word & ((1n << 52n) - 1n);
  const m = exponent === 0 ? fraction : fraction | (1n << 52n);
  return { m: x < 0 ? -m : m, e: Math.max(exponent, 1) - 1075 };
}

/** first + t₁ + t₂ + … where tₖ = next(tₖ₋₁, k), until a term vanishes. */
function series(first: bigint, next: (term: bigint, k: bigint) => bigint): bigint {
  let [sum, term] = [first, first];
  for (let k = 1n; (term = next(term, k)) !== 0n; k++) sum += term;
  return sum;
}

/** 1/n + σ/3n³ + 1/5n⁵ + … : artanh 1/n for σ = 1, arctan 1/n for σ = −1. */
function inverseTangent(n: bigint, sign: bigint, unit = one): bigint {
  let power = unit / n;
  return series(power, (_, k) => {
    power = (sign * power) / (n * n);
    return power / (2n * k + 1n);
  });
}
const halfPiIn = (unit: bigint): bigint => 2n * (4n * inverseTangent(5n, -1n, unit) - inverseTangent(239n, -1n, unit)); // Machin's formula
const halfPi = halfPiIn(one);
/** 2^1100 as precise, so that its multiples up to 2¹⁰²⁴ are as precise as other numbers here. */
const finerBits = bits + 1100;
const finerHalfPi = halfPiIn(1n << BigInt(finerBits));
const ln2 = 2n * inverseTangent(3n, 1n);

function squareRoot(a: bigint): bigint {
  let x = one + a;
  for (let better = x; ; x = better) {
    better = (x + div(a, x)) / 2n;
    if (better >= x) return x;
  }
}
const rootPi = squareRoot(2n * halfPi);

function exp(x: bigint): Exact {
  const n = x / ln2;
  const r = x - n * ln2;
  return { m: series(one, (term, k) => (term * r) / (one * k)), e: Number(n) - bits };
}

/** The logarithm of a from a guess y, as y + ln(1 + δ) with 1 + δ = a·e⁻ʸ. */
function log(a: Exact, guess: number): bigint {
  const y = fixed(ofDouble(guess));
  const inverse = exp(-y);
  const delta = shift(a.m * inverse.m, a.e + inverse.e + bits) - one;
  let power = delta;
  return (
    y +
    series(delta, (_, k) => {
      power = (-power * delta) / one;
      return power / (k + 1n);
    })
  );
}

/** sin(x + quarters·π/2). */
function sin(x: Exact, quarters: bigint): bigint {
  const finer = shift(x.m, x.e + finerBits);
  const n = (2n * finer + finerHalfPi * (finer < 0n ? -1n : 1n)) / (2n * finerHalfPi);
  const r = shift(finer - n * finerHalfPi, bits - finerBits);
  const quadrant = (n + quarters) & 3n;
  const square = mul(r, r);
  const odd = quadrant & 1n;
  const value = series(odd ? one : r, (term, k) => (-term * square) / (one * (2n * k) * (2n * k + (odd ? -1n : 1n))));
  return quadrant & 2n ? -value : value;
}

/** From |x| ≤ 1 by halving the angle thrice: atan x = 2·atan(x / (1 + √(1 + x²))). */
function atan(x: bigint): bigint {
  if (x < 0n) return -atan(-x);
  if (x > one) return halfPi - atan(div(one, x));
  let t = x;
  for (let i = 0; i < 3; i++) t = div(t, one + squareRoot(one + mul(t, t)));
  const square = mul(t, t);
  let power = t;
  const value = series(t, (_, k) => {
    power = -mul(power, square);
    return power / (2n * k + 1n);
  });
  return 8n * value;
}
const asin = (x: bigint): bigint => atan(div(x, squareRoot(one - mul(x, x))));

/** ½·(eˣ + sign·e⁻ˣ). */
const hyperbolic = (x: bigint, sign: bigint): bigint => (fixed(exp(x)) + sign * fixed(exp(-x))) / 2n;

function erf(x: bigint): bigint {
  const square = mul(x, x);
  const first = div(2n * mul(x, fixed(exp(-square))), rootPi);
  return series(first, (term, k) => (2n * term * square) / (one * (2n * k + 1n)));
}

function sigmoid(x: bigint): Exact {
  if (x >= 0n) return unfixed(div(one, one + fixed(exp(-x))));
  const { m, e } = exp(x);
  return { m: div(m, one + fixed({ m, e })), e };
}

/** f(x) to more than 200 bits; all but exp and log take |x| ≥ 2⁻¹⁰⁰ only. */
export const exact: Record<Elementary, (x: number) => Exact> = {
  exp: (x) => exp(fixed(ofDouble(x))),
  log: (x) => unfixed(log(ofDouble(x), Math.log(x))),
  exp2: (x) => exp(mul(fixed(ofDouble(x)), ln2)),
  log2: (x) => unfixed(div(log(ofDouble(x), Math.log(x)), ln2)),
  asin: (x) => unfixed(asin(fixed(ofDouble(x)))),
  acos: (x) => unfixed(halfPi - asin(fixed(ofDouble(x)))),
  atan: (x) => unfixed(atan(fixed(ofDouble(x)))),
  sinh: (x) => unfixed(hyperbolic(fixed(ofDouble(x)), -1n)),
  cosh: (x) => unfixed(hyperbolic(fixed(ofDouble(x)), 1n)),
  sin: (x) => unfixed(sin(ofDouble(x), 0n)),
  cos: (x) => unfixed(sin(ofDouble(x), 1n)),
  tanh: (x) => {
    const e = fixed(exp(2n * fixed(ofDouble(x))));
    return unfixed(div(e - one, e + one));
  },
  sigmoid: (x) => sigmoid(fixed(ofDouble(x))),
  erf: (x) => unfixed(erf(fixed(ofDouble(x)))),
  expm1: (x) => unfixed(fixed(exp(fixed(ofDouble(x)))) - one),
  log1p: (x) => unfixed(log(unfixed(one + fixed(ofDouble(x))), Math.log1p(x))),
};

/** x mod y with the sign of y, its exact value rounded once; the sum with y is what may have to be. */
export function exactModulo(x: number, y: number, round: (v: number) => number): number {
  if (Number.isNaN(x) || Number.isNaN(y) || !Number.isFinite(x) || y === 0) return Number.NaN;
  const negative = y < 0;
  if (x === 0) return negative ? -0 : 0;
  if (!Number.isFinite(y)) return x < 0 === negative ? x : y;
  const [a, b] = [ofDouble(x), ofDouble(y)];
  const e = Math.min(a.e, b.e);
  const divisor = shift(b.m, b.e - e);
  const rest = shift(a.m, a.e - e) % divisor;
  if (rest === 0n) return negative ? -0 : 0;
  const m = rest < 0n === negative ? rest : rest + divisor;
  return round(nearest({ m, e }));
}

/** The nearest double, ties to even; for values that are a multiple of 2⁻¹⁰⁷⁴. */
function nearest({ m, e }: Exact): number {
  const size = (m < 0n ? -m : m).toString(2).length;
  const excess = Math.max(0, size - 53);
  const [low, half] = [m & ((1n << BigInt(excess)) - 1n), excess === 0 ? 0n : 1n << BigInt(excess - 1)];
  let whole = m >> BigInt(excess);
  if (low > half || (low === half && excess > 0 && (whole & 1n) === 1n)) whole += 1n;
  const upper = Math.max(e + excess, -1000);
  return Number(whole) * 2 ** (e + excess - upper) * 2 ** upper;
}

/** |y − reference| in units of the last place of a double with the value of the reference; infinity stands for 2¹⁰²⁴. */
export function ulpsFrom(reference: Exact, y: number): number {
  if (Number.isNaN(y)) return Number.POSITIVE_INFINITY;
  const { m, e } = reference;
  const exponent = (m < 0n ? -m : m).toString(2).length - 1 + e;
  const unit = Math.max(exponent, -1022) - 52 - 30;
  const value = ofDouble(y);
  return Math.abs(Number(shift(m, e - unit) - shift(value.m, value.e - unit))) / 2 ** 30;
}
