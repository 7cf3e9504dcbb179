// A step divided by a root of squared gradients, as all adaptive rules do.
import { type Tensor, where } from "../graph/index.ts";

/** The smallest numbers that are not subnormal: 1 / ε is finite from there on. */
const smallest = { f32: 2 ** -126, f64: 2 ** -1022 };

/** step / (root + ε), and 0 where both are as good as 0: a parameter that nothing has moved stays. */
export function over(step: Tensor, root: Tensor, eps: number): Tensor {
  const quotient = step.div(root.add(eps));
  const vanishes = eps < smallest[step.dtype === "f64" ? "f64" : "f32"]; // then the root is all that can be divided by
  return vanishes ? where(root.gt(0), quotient, 0) : quotient;
}
