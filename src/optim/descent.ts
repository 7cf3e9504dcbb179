// A step along a direction of descent, as conjugate gradients and quasi-Newton methods take it.
import { strongWolfe, type Trial } from "./line-search.ts";
import type { Iterate } from "./second-order.ts";
import { dot, norm1, normMax, plus, scaled } from "./vector.ts";

/** A point on the way, with its gradient. */
export interface Landing extends Trial {
  readonly x: Float64Array;
  readonly gradient: Float64Array;
}

export interface Descent extends Landing {
  readonly direction: Float64Array;
  /** Whether it went down the gradient, because the direction given led nowhere. */
  readonly steepest: boolean;
}

/**
 * Goes along d to a point that meets the strong Wolfe conditions. Where d leads up, or to nothing lower, it goes down the
 * gradient instead; undefined where that leads to nothing lower either.
 */
export async function descend<B>(
  at: Iterate<B>,
  d: Float64Array | undefined,
  { first, c2 }: { first: number; c2: number },
): Promise<Descent | undefined> {
  const { x, loss, gradient } = at;
  const along = async (direction: Float64Array, alpha: number): Promise<Landing | undefined> => {
    const slope = dot(gradient, direction);
    if (!(slope < 0) || !Number.isFinite(slope)) return undefined;
    const phi = async (alpha: number): Promise<Landing> => {
      const to = plus(x, alpha, direction);
      const found = await at.evaluate(to);
      return { alpha, value: found.loss, slope: dot(found.gradient, direction), x: to, gradient: found.gradient };
    };
    const shortest = 1e-9 / normMax(direction);
    return (await strongWolfe(phi, { value: loss, slope }, { first: alpha, c2, shortest })).trial;
  };
  const landing = d && (await along(d, first));
  if (landing !== undefined) return { ...landing, direction: d!, steepest: false };
  const direction = scaled(-1, gradient);
  const found = await along(direction, at.rate * firstLength(gradient));
  return found && { ...found, direction, steepest: true };
}

/** s = Δx and y = Δg of a descent, as quasi-Newton methods take them up; undefined where sᵀy ≤ 10⁻¹⁰·|s||y|. */
export function pairOf(gradient: Float64Array, descent: Descent): { s: Float64Array; y: Float64Array } | undefined {
  const [s, y] = [scaled(descent.alpha, descent.direction), plus(descent.gradient, -1, gradient)];
  return dot(s, y) > 1e-10 * Math.sqrt(dot(s, s) * dot(y, y)) ? { s, y } : undefined;
}

/** The first α down a gradient of which nothing is known: no element goes further than 1. */
export const firstLength = (gradient: Float64Array): number => Math.min(1, 1 / norm1(gradient));

export const nothingLower = "no lower loss was found down the gradient";
