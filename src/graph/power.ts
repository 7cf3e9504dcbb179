// Powers: products, a root, or exp(y·log |x|) around the places where that has no value or no derivative.

import { where } from "./creators.ts";
import { isFloat, promote } from "./dtype.ts";
import type { Operand, Tensor } from "./tensor.ts";

/** The largest whole exponent that is multiplied out. */
const mostFactors = 16;

/** xʸ, see Tensor.pow. */
export function power(x: Tensor, exponent: Operand): Tensor {
  if (typeof exponent !== "number") return general(x.float(), exponent);
  if (exponent === 1) return x.reshape(x.shape); // a value of its own
  if (exponent === 0.5) return x.sqrt();
  if (!Number.isFinite(exponent)) return general(x.float(), x.float().full(exponent));
  if (!Number.isInteger(exponent)) return root(x.float(), exponent);
  if (exponent < 0) return power(x.float(), -exponent).recip();
  return exponent <= mostFactors || !isFloat(x.dtype) ? product(x, exponent) : whole(x, exponent);
}

function product(x: Tensor, n: number): Tensor {
  if (n === 0) return x.full(1);
  const half = product(x, Math.floor(n / 2));
  return n === 1 ? x : n % 2 === 0 ? half.mul(half) : half.mul(half).mul(x);
}

/** |x|, and 1 for 0, so that its logarithm and the derivative of that are finite. */
const positive = (x: Tensor): Tensor => where(x.lt(0), x.neg(), where(x.eq(0), 1, x));

/** exp(y·log x) for x > 0, in double precision, so that f32 loses no bits where y·log x is large. */
const exponential = (x: Tensor, y: number): Tensor => x.cast("f64").log().mul(y).exp().cast(x.dtype);

/** xⁿ of a float for a large whole n. */
function whole(x: Tensor, n: number): Tensor {
  const size = exponential(positive(x), n);
  return n % 2 === 0 ? where(x.eq(0), 0, size) : where(x.eq(0), x.detach(), where(x.lt(0), size.neg(), size));
}

/** xʸ for a y that is not whole. */
function root(x: Tensor, y: number): Tensor {
  if (y < 0) return exponential(x, y);
  const zero = x.eq(0);
  const atZero = y < 1 ? where(zero, x, 1).sqrt() : 0; // √x stands in for what starts at 0 with an infinite slope
  return where(zero, atZero, exponential(where(zero, 1, x), y));
}

/** xʸ for any y. */
function general(x: Tensor, y: Tensor): Tensor {
  const size = positive(x);
  const exponent = size.cast("f64").log().mul(y);
  const one = y.eq(0).or(size.eq(1)).and(exponent.ne(exponent)); // ∞⁰, NaN⁰, 1^±∞
  const value = where(one, 0, exponent).exp().cast(promote(x.dtype, y.dtype));
  const odd = y.mod(2).eq(1);
  const sign = where(x.lt(0), where(odd, -1, where(y.floor().eq(y), 1, Number.NaN)), 1); // a factor: NaN to derivatives too
  // ±0ʸ is ±0 or ±∞ where y is odd, else 0 or ∞; at y = 1 x stands for it, as its slope is 1
  const zero = x.detach();
  const signed = where(y.gt(0), zero, where(y.lt(0), zero.recip(), Number.NaN));
  const atZero = where(y.eq(1), x, where(y.eq(0), 1, where(odd, signed, signed.square())));
  return where(x.eq(0), atZero, value.mul(sign));
}
