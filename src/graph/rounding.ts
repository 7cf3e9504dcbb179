// Rounding to whole numbers, and the whole quotient; derivatives are zero.
import { where } from "./creators.ts";
import { isFloat, promote } from "./dtype.ts";
import { as, lift, make } from "./operands.ts";
import type { Operand, Tensor } from "./tensor.ts";

/** See Tensor.floor; whole numbers and bools are their own. */
export const floor = (x: Tensor): Tensor => (isFloat(x.dtype) ? make("floor", [x], {}) : x.cast(x.dtype));

/** See Tensor.ceil. */
export const ceil = (x: Tensor): Tensor => (isFloat(x.dtype) ? floor(x.neg()).neg() : floor(x));

/** See Tensor.trunc. */
export const trunc = (x: Tensor): Tensor => (isFloat(x.dtype) ? where(x.lt(0), ceil(x), floor(x)) : floor(x));

/** See Tensor.round. */
export function round(x: Tensor): Tensor {
  if (!isFloat(x.dtype)) return floor(x);
  const value = x.detach();
  const size = value.abs();
  const unit = x.dtype === "f32" ? 2 ** 23 : 2 ** 52; // from here on there are only whole numbers, to which sums round
  const whole = size.add(unit).sub(unit);
  return where(size.lt(unit).and(value.ne(0)), where(value.lt(0), whole.neg(), whole), value);
}

/** See Tensor.floorDiv. */
export function floorDivide(x: Tensor, divisor: Operand): Tensor {
  const other = lift("floorDiv", divisor, x);
  const dtype = promote(promote(x.dtype, other.dtype), "i32");
  const [a, b] = [as(dtype, x).detach(), as(dtype, other).detach()];
  if (dtype === "i32") {
    const quotient = a.cast("f64").div(b.cast("f64")).floor(); // exact: it lies 1 / |b| or more from other whole numbers
    return where(b.eq(0), 0, quotient.cast("i32"));
  }
  const plain = a.div(b);
  const whole = a.sub(a.mod(b)).div(b).add(0.5).floor(); // a whole number but for rounding
  const below = where(plain.lt(0), where(a.abs().lt(Number.POSITIVE_INFINITY), -1, Number.NaN), 0); // by ±∞
  const finite = b.abs().lt(Number.POSITIVE_INFINITY);
  const quotient = where(finite.or(b.ne(b)), whole, below);
  return where(a.eq(0).or(b.eq(0)), plain, where(quotient.eq(0), 0, quotient)); // 0 for −0
}
