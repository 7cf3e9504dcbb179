// Constraints: what is made to hold of the parameters after each move of an optimizer.
import type { Tensor } from "../graph/index.ts";

/** A pure function of a parameter's name and its value after a move, to the value that it gets. */
export type Constraint = (name: string, p: Tensor) => Tensor;

/**
 * The weights of a unit times min(1, c / ‖w‖₂): no unit's weights are longer than c (Srebro & Shraibman, 2005; with dropout, where
 * c is 3 to 4, Srivastava et al., 2014). A unit is an index of the first axis, as in Linear and in convolutions; `mask` says which
 * parameters, by default those of two axes or more. Throws where c is not positive.
 */
export function maxNorm(
  c = 3,
  { mask = (_, p) => p.rank > 1 }: { mask?: (name: string, p: Tensor) => boolean } = {},
): Constraint {
  if (!(c > 0)) throw new RangeError(`maxNorm: c must be > 0, got ${c}`);
  return (name, p) => {
    if (!mask(name, p)) return p;
    if (p.rank < 2)
      throw new Error(`maxNorm: parameter "${name}" has ${p.rank} axes, so no units (leave it out by mask)`);
    const axes = p.shape.slice(1).map((_, i) => i + 1);
    const norm = p.cast("f64").square().sum(axes, { keepDims: true }).sqrt();
    return p.mul(norm.recip().mul(c).minimum(1).cast(p.dtype));
  };
}
