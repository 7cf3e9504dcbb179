// Newton's method, with the exact Hessian.
import { denseMatrix } from "./curvature.ts";
import { dampedSolve } from "./damped-solve.ts";
import { nothingLower } from "./descent.ts";
import { backtrack } from "./line-search.ts";
import type { Labelled, Loss } from "./loss.ts";
import type { Schedule } from "./schedule.ts";
import { type Iterate, type Next, type SecondOrder, secondOrder } from "./second-order.ts";
import { dot, plus, scaled } from "./vector.ts";

export interface NewtonOptions {
  /** The α tried first. Default 1. */
  lr?: number | Schedule;
  /** λ, added to the Hessian's diagonal. Default 0. */
  damping?: number;
}

/** n products a step, and n³ / 3 operations on the host. */
const most = 2000;

/**
 * Newton's method: x ← x − α·(H + λI)⁻¹·g with the exact Hessian H, and α = 1, ½, ¼, … the first with sufficient decrease. Where H + λI
 * is not positive definite, λ is raised for this step until it is (Levenberg, 1944). Takes n products a step: throws for
 * more than 2000 parameters, and for a negative λ.
 */
export function newton<B = Labelled>(
  model: object,
  loss: Loss<B>,
  { lr = 1, damping = 0 }: NewtonOptions = {},
): SecondOrder<B> {
  checkDamping("newton", damping);
  const method = {
    slots: (n: number) => checkSmall("newton", n),
    step: async (at: Iterate<B>) => solvedStep(at, await denseMatrix(at.hessianProduct, at.x.length), damping),
  };
  return secondOrder(model, loss, method, lr);
}

/** x − α·(A + λI)⁻¹·g with back-tracking, for a curvature A [n, n]. */
export async function solvedStep<B>(at: Iterate<B>, curvature: Float64Array, damping: number): Promise<Next> {
  const { x, loss: value, gradient, rate } = at;
  const solved = dampedSolve(curvature, gradient, damping);
  if (solved === undefined) return { stopped: "the curvature is not finite" };
  const d = scaled(-1, solved.x);
  const slope = dot(gradient, d);
  if (!(slope < 0)) return { stopped: "the step is smaller than the numbers can tell" };
  const found = await backtrack((alpha) => at.value(plus(x, alpha, d)), { value, slope }, { first: rate });
  return found === undefined ? { stopped: nothingLower } : { x: plus(x, found.alpha, d) };
}

/** Refuses models too large for a matrix of n²; there are no slots. */
export function checkSmall(owner: string, n: number): Record<string, never> {
  if (n > most)
    throw new RangeError(
      `${owner}: takes ${n} products and a matrix of n² a step, for at most ${most} parameters (use hessianFree)`,
    );
  return {};
}

export function checkDamping(owner: string, damping: number): void {
  if (!(damping >= 0 && damping < Number.POSITIVE_INFINITY))
    throw new RangeError(`${owner}: damping must be a number of at least 0, got ${damping}`);
}
