// Reductions beyond sums and maxima: variances, norms, logarithms of sums of exponentials, truths.
import { iota, where } from "./creators.ts";
import { asFloat, checkNumber, reversed } from "./operands.ts";
import { axesOf, axisOf } from "./shape.ts";
import type { Axes, Tensor } from "./tensor.ts";

export interface ReduceOptions {
  /** Whether the reduced axes stay, with size 1. */
  keepDims?: boolean;
}
export interface VarianceOptions extends ReduceOptions {
  /** What the number of elements is lessened by in the divisor: 0 for the variance of these elements, 1 for an unbiased estimate. */
  correction?: number;
}
export interface NormOptions extends ReduceOptions {
  /** Any number, ∞ and −∞ too. */
  p?: number;
}

/** f(x), and 0 where x is 0, with derivative 0 there: f's own may be infinite. */
const zeroAtZero = (x: Tensor, f: (x: Tensor) => Tensor): Tensor => {
  const zero = x.eq(0);
  return where(zero, 0, f(where(zero, 1, x)));
};

/** See Tensor.variance. */
export function variance(
  x: Tensor,
  axes: Axes | undefined,
  { keepDims = false, correction = 0 }: VarianceOptions,
): Tensor {
  checkNumber("variance", "correction", correction);
  if (!(correction >= 0 && correction < Number.POSITIVE_INFINITY))
    throw new RangeError(`variance: correction must be finite and ≥ 0, got ${correction}`);
  const squares = x.sub(x.mean(axes, { keepDims: true })).square();
  if (correction === 0) return squares.mean(axes, { keepDims });
  const total = squares.sum(axes, { keepDims });
  return total.div(Math.max(0, x.size / total.size - correction));
}

/** See Tensor.std. */
export const standardDeviation = (x: Tensor, axes: Axes | undefined, options: VarianceOptions): Tensor =>
  zeroAtZero(variance(x, axes, options), (v) => v.sqrt());

/** See Tensor.norm. */
export function norm(value: Tensor, axes: Axes | undefined, { keepDims = false, p = 2 }: NormOptions): Tensor {
  checkNumber("norm", "p", p);
  if (Number.isNaN(p)) throw new RangeError("norm: p must be a number, got NaN");
  const x = asFloat(value);
  if (p === 2) return zeroAtZero(x.square().sum(axes, { keepDims }), (sum) => sum.sqrt());
  const size = x.abs();
  if (p === 1) return size.sum(axes, { keepDims });
  if (p === 0) return size.ne(0).cast(x.dtype).sum(axes, { keepDims });
  if (p === Number.POSITIVE_INFINITY) return size.max(axes, { keepDims });
  if (p === Number.NEGATIVE_INFINITY) return size.min(axes, { keepDims });
  const powers = p > 0 ? zeroAtZero(size, (s) => s.pow(p)) : size.pow(p);
  return zeroAtZero(powers.sum(axes, { keepDims }), (sum) => sum.pow(1 / p));
}

/** See Tensor.logsumexp. */
export function logSumExp(value: Tensor, axes: Axes | undefined, { keepDims = false }: ReduceOptions): Tensor {
  const x = asFloat(value);
  const none = axesOf("logsumexp", axes, x.rank).some((i) => x.shape[i] === 0);
  if (none) return x.sum(axes, { keepDims }).log();
  const largest = x.max(axes, { keepDims: true }).detach();
  const shift = where(largest.abs().lt(Number.POSITIVE_INFINITY), largest, 0); // ∞ − ∞ is no number
  const sum = x.sub(shift).exp().sum(axes, { keepDims });
  return sum.log().add(shift.reshape(sum.shape));
}

/** See Tensor.any. */
export const any = (x: Tensor, axes: Axes | undefined, { keepDims = false }: ReduceOptions): Tensor =>
  x.cast("bool").sum(axes, { keepDims }).ne(0); // at most 2³¹ ones, which are no multiple of 2³²

/** See Tensor.all. */
export const all = (x: Tensor, axes: Axes | undefined, options: ReduceOptions): Tensor =>
  any(x.cast("bool").not(), axes, options).not();

/** See Tensor.argmax. */
export function argmax(x: Tensor, axis: number, { keepDims = false }: ReduceOptions, op = "argmax"): Tensor {
  const a = axisOf(op, axis, x.rank);
  const n = x.shape[a];
  const fromEnd = iota(x.shape, a).neg().add(n); // n − i, so that the first index is the largest
  const numbers = x.dtype === "bool" ? x.cast("i32") : x;
  const hit = x.eq(numbers.max(a, { keepDims: true })).or(x.ne(x)); // nothing equals the maximum where that is NaN
  return where(hit, fromEnd, 0).max(a, { keepDims }).neg().add(n);
}

/** See Tensor.argmin. */
export const argmin = (x: Tensor, axis: number, options: ReduceOptions): Tensor =>
  argmax(x.dtype === "bool" ? x.not() : reversed(x), axis, options, "argmin");
