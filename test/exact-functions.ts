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
function inverseTangent(n: bigint, sign: bigint): bigint {
  let power = one / n;
  return series(power, (_, k) => {
    power = (sign * power) / (n * n);
    return power / (2n * k + 1n);
  });
}
const halfPi = 2n * (4n * inverseTangent(5n, -1n) - inverseTangent(239n, -1n)); // Machin's formula
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
function sin(x: bigint, quarters: bigint): bigint {
  const n = (2n * x + halfPi * (x < 0n ? -1n : 1n)) / (2n * halfPi);
  const r = x - n * halfPi;
  const quadrant = (n + quarters) & 3n;
  const square = mul(r, r);
  const odd = quadrant & 1n;
  const value = series(odd ? one : r, (term, k) => (-term * square) / (one * (2n * k) * (2n * k + (odd ? -1n : 1n))));
  return quadrant & 2n ? -value : value;
}

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
  sin: (x) => unfixed(sin(fixed(ofDouble(x)), 0n)),
  cos: (x) => unfixed(sin(fixed(ofDouble(x)), 1n)),
  tanh: (x) => {
    const e = fixed(exp(2n * fixed(ofDouble(x))));
    return unfixed(div(e - one, e + one));
  },
  sigmoid: (x) => sigmoid(fixed(ofDouble(x))),
  erf: (x) => unfixed(erf(fixed(ofDouble(x)))),
  expm1: (x) => unfixed(fixed(exp(fixed(ofDouble(x)))) - one),
  log1p: (x) => unfixed(log(unfixed(one + fixed(ofDouble(x))), Math.log1p(x))),
};

/** |y − reference| in units of the last place of a double with the value of the reference; infinity stands for 2¹⁰²⁴. */
export function ulpsFrom(reference: Exact, y: number): number {
  if (Number.isNaN(y)) return Number.POSITIVE_INFINITY;
  const { m, e } = reference;
  const exponent = (m < 0n ? -m : m).toString(2).length - 1 + e;
  const unit = Math.max(exponent, -1022) - 52 - 30;
  const value = ofDouble(y);
  return Math.abs(Number(shift(m, e - unit) - shift(value.m, value.e - unit))) / 2 ** 30;
}
