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
  const below = size.floor();
  const rest = size.sub(below); // exact
  const up = rest.gt(0.5).or(rest.eq(0.5).and(below.mod(2).eq(1)));
  const whole = where(up, below.add(1), below);
  return where(value.lt(0), whole.neg(), where(value.eq(0), value, whole));
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
  const whole = round(a.sub(a.mod(b)).div(b)); // whole already but for rounding errors
  const infinite = b.abs().eq(Number.POSITIVE_INFINITY).and(a.isFinite());
  const quotient = where(infinite, where(a.lt(0).xor(b.lt(0)), -1, 0), whole);
  return where(a.eq(0).or(b.eq(0)), plain, where(quotient.eq(0), 0, quotient)); // 0 for −0
}
