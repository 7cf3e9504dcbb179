// Elementary functions from basic operations, for the emitters and evaluators that implement Scalars (graph/scalars.ts).
//
// Each function gives the same bits on every backend: no fused multiply-add.
// Signed zeros, infinities, NaN, subnormal inputs and subnormal results are those of Math.exp and its like.
// Error bounds in ULP, f32 (over all inputs) and f64: exp, exp2, log 1.5, 2; sigmoid 2.5, 2; asin 3, 2.5;
// all others 3, 2.
// The polynomials are minimax fits, their coefficients rounded to the dtype and written from the highest power down.
import { acos, asin, atan } from "./arc.ts";
import { exactSum, polynomial, reduce, type Sum, sumOfThree } from "./scalar-sums.ts";
import type { Scalars } from "./scalars.ts";
import { cos, sin } from "./sine.ts";

/** Functions of one argument beyond arithmetic; erf x = 2/√π ∫₀ˣ e^−t² dt, sigmoid x = 1 / (1 + e⁻ˣ). */
export type Elementary =
  | "exp"
  | "exp2"
  | "expm1"
  | "log"
  | "log2"
  | "log1p"
  | "sin"
  | "cos"
  | "asin"
  | "acos"
  | "atan"
  | "sinh"
  | "cosh"
  | "tanh"
  | "sigmoid"
  | "erf";

/** The smaller of x and a constant; NaN stays NaN. */
function atMost<E>(s: Scalars<E>, x: E, limit: number): E {
  const bound = s.constant(limit);
  return s.select(s.lt(bound, x), bound, x);
}

/** The larger of x and a constant; NaN stays NaN. */
function atLeast<E>(s: Scalars<E>, x: E, limit: number): E {
  const bound = s.constant(limit);
  return s.select(s.lt(x, bound), bound, x);
}

const exponential = {
  f32: {
    // ln 2 in parts: a multiple of the first by any exponent is exact
    ln2: [0.693145751953125, 1.428606765330187e-6],
    // eʳ = 1 + r + r²·p(r) for |r| ≤ ½ ln 2
    p: [0.00138403894379735, 0.00836934894323349, 0.041668083518743515, 0.16666515171527863, 0.4999999403953552],
    // eˣ rounds to 0 below the lowest, to Infinity above the highest; eˣ − 1 to −1 below −saturation, tanh ½x to ±1 beyond it
    lowest: -104,
    highest: 89,
    saturation: 20,
  },
  f64: {
    ln2: [0.6931471805598903, 5.497923018708371e-14],
    p: [
      2.089091107523652e-9, 2.5108756086522968e-8, 2.7557343414306766e-7, 2.755724518653546e-6, 2.4801587265287047e-5,
      0.00019841269885203247, 0.0013888888888896021, 0.008333333333321827, 0.041666666666666685, 0.16666666666666677,
      0.5,
    ],
    lowest: -746,
    highest: 710,
    saturation: 40,
  },
} as const;

/** For x = n·ln 2 + r with |r| ≤ ½ ln 2: the integer n, r and the rest of eʳ = 1 + r + rest, so that eˣ = 2ⁿ·(1 + r + rest). */
function splitExp<E>(s: Scalars<E>, x: E): { n: E; r: E; rest: E } {
  const { ln2, p } = exponential[s.dtype];
  const n = s.round(s.mul(x, s.constant(Math.LOG2E)));
  const r = reduce(s, x, s.toFloat(n), ln2);
  return { n, r, rest: s.mul(s.mul(r, r), polynomial(s, r, p)) };
}

/** a·2ⁿ in two steps, since 2ⁿ itself may overflow or be subnormal. */
function scale<E>(s: Scalars<E>, a: E, n: E): E {
  const half = s.ishr(n, 1);
  return s.mul(s.mul(a, s.pow2(half)), s.pow2(s.isub(n, half)));
}

/** eˣ for x from the lowest to the highest of its table. */
function expInRange<E>(s: Scalars<E>, x: E): E {
  const { n, r, rest } = splitExp(s, x);
  return scale(s, s.add(s.add(r, rest), s.constant(1)), n);
}

function exp<E>(s: Scalars<E>, x: E): E {
  const { lowest, highest } = exponential[s.dtype];
  return expInRange(s, atMost(s, atLeast(s, x, lowest), highest));
}

/** 2ˣ = 2ⁿ·e^(r·ln 2) for x = n + r with |r| ≤ ½; exact for whole x. */
function exp2<E>(s: Scalars<E>, x: E): E {
  const [lowest, highest] = s.dtype === "f32" ? [-151, 129] : [-1077, 1025];
  const bounded = atMost(s, atLeast(s, x, lowest), highest);
  const n = s.round(bounded);
  const r = s.mul(s.sub(bounded, s.toFloat(n)), s.constant(Math.LN2));
  const rest = s.mul(s.mul(r, r), polynomial(s, r, exponential[s.dtype].p));
  return scale(s, s.add(s.add(r, rest), s.constant(1)), n);
}

/**
 * eˣ − 1 = 2ⁿ·(eʳ − 1) + (2ⁿ − 1), at half scale since 2ⁿ may overflow where eˣ does not.
 * For n = 0 the plain eʳ − 1 keeps the last bit of subnormal results.
 */
function expm1<E>(s: Scalars<E>, x: E): E {
  const { saturation, highest } = exponential[s.dtype];
  const { n, r, rest } = splitExp(s, atMost(s, atLeast(s, x, -saturation), highest));
  const fraction = s.add(r, rest);
  const power = s.pow2(s.isub(n, s.integer(1)));
  const half = s.add(s.mul(fraction, power), s.sub(power, s.constant(0.5)));
  return s.copySign(s.select(s.ieq(n, s.integer(0)), fraction, s.add(half, half)), x);
}

/** Beyond it, sinh and cosh are infinite. */
const hyperbolicLimit = { f32: 89.5, f64: 710.6 } as const;

/** 2·(q + q / (4q + 1)) with q = ¼·(e^|x| − 1), which is finite where sinh is, with the sign of x. */
function sinh<E>(s: Scalars<E>, x: E): E {
  const [quarter, one] = [s.constant(0.25), s.constant(1)];
  const { n, r, rest } = splitExp(s, atMost(s, s.abs(x), hyperbolicLimit[s.dtype]));
  const power = s.pow2(s.isub(n, s.integer(2)));
  const q = s.add(s.mul(s.add(r, rest), power), s.sub(power, quarter));
  const half = s.add(q, s.div(q, s.add(s.mul(q, s.constant(4)), one)));
  const tiny = s.lt(s.abs(x), s.constant(s.dtype === "f32" ? 2 ** -13 : 2 ** -27)); // q would lose bits of subnormal x
  return s.select(tiny, x, s.copySign(s.add(half, half), x));
}

/** a + ¼ / a with a = ½·e^|x|. */
function cosh<E>(s: Scalars<E>, x: E): E {
  const { n, r, rest } = splitExp(s, atMost(s, s.abs(x), hyperbolicLimit[s.dtype]));
  const a = scale(s, s.add(s.add(r, rest), s.constant(1)), s.isub(n, s.integer(1)));
  return s.add(a, s.div(s.constant(0.25), a));
}

/** f32: n, h and c = h·coth h for x = n·½ ln 2 + h with |h| ≤ ¼ ln 2, so that e²ˣ = 2ⁿ·(c + h) / (c − h). */
function splitExpOfDouble<E>(s: Scalars<E>, x: E, halfLn2: readonly number[]): { n: E; h: E; c: E } {
  const n = s.round(s.mul(x, s.constant(2 * Math.LOG2E)));
  const h = reduce(s, x, s.toFloat(n), halfLn2);
  return { n, h, c: polynomial(s, s.mul(h, h), [-0.02213364653289318, 0.33333250880241394, 1]) };
}

/** c + a for a positive constant c; where a > c the difference in exactSum is exact all the same, up to a = 2⁵³·c. */
function plus<E>(s: Scalars<E>, c: number, a: Sum<E>): Sum<E> {
  const { value, error } = exactSum(s, s.constant(c), a.value);
  return { value, error: s.add(error, a.error) };
}

/** a / b to little more than 1 ULP: the quotient q of the values, put right by (δa − q·δb) / b. */
function quotient<E>(s: Scalars<E>, a: Sum<E>, b: Sum<E>): E {
  const q = s.div(a.value, b.value);
  return s.add(q, s.div(s.sub(a.error, s.mul(q, b.error)), b.value));
}

/** From e^−|x|, so that nothing overflows: e^−|x| / (1 + e^−|x|) for negative x, 1 / (1 + e^−|x|) for others. */
function sigmoid<E>(s: Scalars<E>, x: E): E {
  const { ln2, lowest } = exponential[s.dtype];
  const [zero, one] = [s.constant(0), s.constant(1)];
  const negative = s.lt(x, zero);
  if (s.dtype === "f32") {
    const bounded = atLeast(s, s.mul(s.abs(x), s.constant(-0.5)), lowest / 2);
    const { n, h, c } = splitExpOfDouble(s, bounded, [ln2[0] / 2, ln2[1] / 2]);
    const a = scale(s, s.add(c, h), n);
    const b = s.sub(c, h);
    return s.div(s.select(negative, a, b), s.add(a, b));
  }
  const { n, r, rest } = splitExp(s, atLeast(s, s.neg(s.abs(x)), lowest));
  const sum = sumOfThree(s, one, r, rest);
  const e = { value: scale(s, sum.value, n), error: scale(s, sum.error, n) };
  const above = { value: s.select(negative, e.value, one), error: s.select(negative, e.error, zero) };
  return quotient(s, above, plus(s, 1, e));
}

/** (e²ˣ − 1) / (e²ˣ + 1) of |x|, with the sign of x. */
function tanh<E>(s: Scalars<E>, x: E): E {
  const magnitude = atMost(s, s.abs(x), exponential[s.dtype].saturation / 2);
  if (s.dtype === "f32") {
    // Both times ½·(c − h) = ½·d. One part for ½ ln 2 is enough: its error matters for large powers only, and cancels there.
    const { n, h, c } = splitExpOfDouble(s, magnitude, [Math.LN2 / 2]);
    const [power, half, d] = [s.pow2(n), s.constant(0.5), s.sub(c, h)];
    const t = s.add(s.mul(power, h), s.mul(s.sub(s.mul(power, half), half), d));
    return s.copySign(s.div(t, s.add(t, d)), x);
  }
  const { n, r, rest } = splitExp(s, s.add(magnitude, magnitude));
  const power = s.pow2(n);
  const t = sumOfThree(s, s.sub(power, s.constant(1)), s.mul(power, r), s.mul(power, rest));
  return s.copySign(quotient(s, t, plus(s, 2, t)), x);
}

const logOf = {
  // p(z): see logSum; |s| ≤ 0.1716. Arguments below the tiny one are multiplied by 2^rescale.
  f32: { p: [0.29871073365211487, 0.39977577328681946, 0.6666677594184875], tiny: 2 ** -100, rescale: 40 },
  f64: {
    p: [
      0.13235555037617205, 0.1325206627390479, 0.15386992263133958, 0.18181778283987995, 0.2222222260774681,
      0.28571428569407026, 0.4000000000000493, 0.6666666666666666,
    ],
    tiny: 2 ** -1000,
    rescale: 80,
  },
} as const;

/** For u > 0 with u·√⅛ normal: the integer k − 2 and 2^−k such that u·2^−k lies in [√½, √2). u·√2 might overflow. */
function splitLog<E>(s: Scalars<E>, u: E): { kLess2: E; factor: E } {
  const kLess2 = s.exponent(s.mul(u, s.constant(Math.SQRT1_2 / 2)));
  return { kLess2, factor: s.mul(s.pow2(s.isub(s.integer(0), kLess2)), s.constant(0.25)) };
}

/** ln(1 + f) + k·ln 2 for √½ ≤ 1 + f < √2; with s = f / (2 + f) and z = s², ln(1 + f) = 2s + s·z·p(z) = f − s·(f − z·p(z)). */
function logSum<E>(s: Scalars<E>, f: E, k: E): E {
  const { ln2 } = exponential[s.dtype];
  const ratio = s.div(f, s.add(f, s.constant(2)));
  const z = s.mul(ratio, ratio);
  const rest = s.mul(ratio, s.sub(f, s.mul(z, polynomial(s, z, logOf[s.dtype].p))));
  const small = s.sub(f, s.sub(rest, s.mul(k, s.constant(ln2[1]))));
  return s.add(s.mul(k, s.constant(ln2[0])), small);
}

/** A logarithm of u that is right for positive finite u, put right for all u. */
function logEdges<E>(s: Scalars<E>, u: E, value: E): E {
  const [zero, infinity] = [s.constant(0), s.constant(Infinity)];
  const outside = s.select(s.eq(u, zero), s.constant(-Infinity), s.constant(NaN));
  return s.select(s.lt(zero, u), s.select(s.lt(u, infinity), value, infinity), outside);
}

/** For positive finite x, subnormal too: k, as a float, and f with x = 2ᵏ·(1 + f) and √½ ≤ 1 + f < √2. */
function splitLogOfAny<E>(s: Scalars<E>, x: E): { k: E; f: E } {
  const { tiny, rescale } = logOf[s.dtype];
  const isTiny = s.lt(x, s.constant(tiny)); // subnormal, or x·√⅛ is
  const u = s.select(isTiny, s.mul(x, s.constant(2 ** rescale)), x);
  const { kLess2, factor } = splitLog(s, u);
  const k = s.add(s.toFloat(kLess2), s.select(isTiny, s.constant(2 - rescale), s.constant(2)));
  return { k, f: s.sub(s.mul(u, factor), s.constant(1)) };
}

function log<E>(s: Scalars<E>, x: E): E {
  const { k, f } = splitLogOfAny(s, x);
  return logEdges(s, x, logSum(s, f, k));
}

/** k + ln(1 + f) / ln 2, exact for powers of 2. */
function log2<E>(s: Scalars<E>, x: E): E {
  const { k, f } = splitLogOfAny(s, x);
  return logEdges(s, x, s.add(k, s.mul(logSum(s, f, s.constant(0)), s.constant(Math.LOG2E))));
}

/** As the logarithm of u = 1 + x, but from f = x·2^−k + (2^−k − 1), which is free of the rounding error of u. */
function log1p<E>(s: Scalars<E>, x: E): E {
  const u = s.add(x, s.constant(1));
  const { kLess2, factor } = splitLog(s, u);
  const f = s.add(s.mul(x, factor), s.sub(factor, s.constant(1)));
  return s.copySign(logEdges(s, u, logSum(s, f, s.add(s.toFloat(kLess2), s.constant(2)))), x);
}

const errorFunction = {
  // Below the middle erf x = x + x·near(x²). Above, 1 − erf x is 1 / far(x)⁸ in f32, and in f64
  // e^−x²·numerator(x) / denominator(x) up to the limit, where erf x has reached 1.
  f32: {
    middle: 1,
    near: [
      -0.0005619421717710793, 0.0049148257821798325, -0.026709171012043953, 0.11280112713575363, -0.37612318992614746,
      0.12837912142276764,
    ],
    far: [
      0.0005437005893327296, -0.004002546425908804, 0.01775260828435421, -0.03303593024611473, 0.0737437978386879,
      0.049410197883844376, 0.15921401977539062, 0.996486246585846,
    ],
  },
  f64: {
    middle: 0.9,
    near: [
      -1.0825701077450984e-9, 1.509858652324753e-8, -1.6479754096045144e-7, 1.6477640674879339e-6,
      -1.4926830338366382e-5, 0.00012055388239083929, -0.0008548328652647629, 0.00522397765508284,
      -0.026866170648260995, 0.1128379167097204, -0.3761263890318411, 0.1283791670955126,
    ],
    limit: 5.95,
    numerator: [
      0.5641839936804988, 5.415993887782141, 24.260030573267098, 62.23457416920606, 91.88149108604442,
      66.72743491811573,
    ],
    denominator: [
      1, 9.59929201996273, 43.504340466580715, 115.06464429320292, 184.14449865101503, 167.1752976364683,
      66.72743900988449,
    ],
  },
} as const;

/** 1 − erf x for x from the middle on. */
function erfComplement<E>(s: Scalars<E>, x: E): E {
  if (s.dtype === "f32") {
    const square = (a: E) => s.mul(a, a);
    return s.div(s.constant(1), square(square(square(polynomial(s, x, errorFunction.f32.far)))));
  }
  const { limit, numerator, denominator } = errorFunction.f64;
  const bounded = atMost(s, x, limit);
  const ratio = s.div(polynomial(s, bounded, numerator), polynomial(s, bounded, denominator));
  return s.mul(expInRange(s, s.neg(s.mul(bounded, bounded))), ratio);
}

function erf<E>(s: Scalars<E>, x: E): E {
  const { middle, near } = errorFunction[s.dtype];
  const magnitude = s.abs(x);
  const small = s.add(magnitude, s.mul(magnitude, polynomial(s, s.mul(magnitude, magnitude), near)));
  const large = s.sub(s.constant(1), erfComplement(s, magnitude));
  return s.copySign(s.select(s.lt(magnitude, s.constant(middle)), small, large), x);
}

export interface ElementaryFunction {
  of<E>(s: Scalars<E>, x: E): E;
  /** What one element costs to compute, in simple instructions, roughly. */
  readonly cost: number;
  /** How far a result may be from the exact one, in units in the last place of f32. */
  readonly ulps: number;
}

/** The elementary functions, written once for every backend and for both dtypes; each is a primitive of its name. */
export const elementary: Readonly<Record<Elementary, ElementaryFunction>> = {
  exp: { of: exp, cost: 14, ulps: 1.5 },
  exp2: { of: exp2, cost: 14, ulps: 1.5 },
  log: { of: log, cost: 18, ulps: 1.5 },
  log2: { of: log2, cost: 18, ulps: 3 },
  sin: { of: sin, cost: 25, ulps: 3 },
  cos: { of: cos, cost: 25, ulps: 3 },
  asin: { of: asin, cost: 30, ulps: 3 },
  acos: { of: acos, cost: 30, ulps: 3 },
  atan: { of: atan, cost: 20, ulps: 3 },
  sinh: { of: sinh, cost: 20, ulps: 3 },
  cosh: { of: cosh, cost: 20, ulps: 3 },
  tanh: { of: tanh, cost: 25, ulps: 3 },
  sigmoid: { of: sigmoid, cost: 20, ulps: 2.5 },
  erf: { of: erf, cost: 30, ulps: 3 },
  expm1: { of: expm1, cost: 20, ulps: 3 },
  log1p: { of: log1p, cost: 20, ulps: 3 },
};

/** Their names. */
export const elementaryNames: readonly Elementary[] = Object.keys(elementary) as Elementary[];

/** A table with an entry for each of them. */
export const forElementary = <T>(entry: (name: Elementary) => T): Record<Elementary, T> =>
  Object.fromEntries(elementaryNames.map((name) => [name, entry(name)])) as Record<Elementary, T>;
