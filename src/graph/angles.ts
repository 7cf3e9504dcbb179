// The angle of a point.
import { full, where } from "./creators.ts";
import { promote } from "./dtype.ts";
import { as, asFloat, lift } from "./operands.ts";
import type { Operand, Tensor } from "./tensor.ts";

/** Whether a float has its sign set; −0 does. */
const negative = (x: Tensor): Tensor => x.lt(0).or(x.eq(0).and(x.recip().lt(0)));

/**
 * See Tensor.atan2. With a = atan of the smaller coordinate by the larger, the angle is a, a ± π or ±½π − a. At the origin and
 * where both are infinite, ±1 stand for the coordinates.
 */
export function angle(first: Tensor, second: Operand): Tensor {
  const other = asFloat(lift("atan2", second, asFloat(first)));
  const dtype = promote(asFloat(first).dtype, other.dtype);
  const [down, across] = [as(dtype, first), as(dtype, other)];
  const sign = where(negative(down.detach()), full([], -1, dtype), 1);
  const left = negative(across.detach());
  const origin = down.eq(0).and(across.eq(0));
  const infinity = Number.POSITIVE_INFINITY;
  const far = down.abs().eq(infinity).and(across.abs().eq(infinity));
  const y = where(far, sign, where(origin, down.detach(), down));
  const x = where(far.or(origin), where(left, full([], -1, dtype), 1), across);
  const steep = x.abs().lt(y.abs());
  const a = where(steep, x, y)
    .div(where(steep, y, x))
    .atan();
  const flat = where(left, sign.mul(Math.PI), -0); // a + −0 is a
  return where(steep, a.neg(), a).add(where(steep, sign.mul(Math.PI / 2), flat));
}
