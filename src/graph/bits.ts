// Shifts of bits by counts that are elements of a tensor.
import { where } from "./creators.ts";
import { checkTensors, make } from "./operands.ts";
import { fail } from "./shape.ts";
import type { Operand, Tensor } from "./tensor.ts";

/** See Tensor.shift: by 16, 8, 4, 2 and 1, where the count has that bit. */
export function shift(x: Tensor, by: Operand): Tensor {
  if (typeof by === "number") return make("shift", [x], { by });
  checkTensors("shift", [by]);
  if (by.dtype !== "i32") fail("shift", `by must be whole numbers, i32, got ${by.dtype}`);
  const right = by.lt(0);
  const count = where(right, by.neg(), by); // −2³¹ stays
  let [up, down] = [x, x];
  for (const bits of [16, 8, 4, 2, 1]) {
    const holds = count.and(bits).ne(0);
    up = where(holds, up.shift(bits), up);
    down = where(holds, down.shift(-bits), down);
  }
  return where(count.and(~31).eq(0), where(right, down, up), 0);
}
