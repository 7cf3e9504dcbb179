// The conjugate-gradient method for linear systems of which only products are known.
import { dot, plus } from "./vector.ts";

export interface SolveCGOptions {
  /** Where to begin. Default 0. */
  start?: Float64Array | undefined;
  /** r ↦ M⁻¹·r with M like A, symmetric and positive definite. */
  preconditioner?: ((r: Float64Array) => Float64Array) | undefined;
  /** The most iterations. Default: the number of unknowns. */
  iterations?: number;
  /** Done once |r| ≤ tolerance·|b|. Default 10⁻¹⁰. */
  tolerance?: number;
  /** Asked after each iteration whether to go on, with φ(x) = ½xᵀAx − bᵀx of all iterates, that of the start first. */
  stop?: ((phis: readonly number[]) => boolean) | undefined;
  /** Shown each iterate. */
  visit?: ((x: Float64Array, iteration: number) => void) | undefined;
}

export interface SolveCGResult {
  readonly x: Float64Array;
  readonly iterations: number;
  /** Products made. */
  readonly products: number;
  /** φ of all iterates, that of the start first. */
  readonly phis: readonly number[];
  /** b − A·x, as the recursion has it. */
  readonly residual: Float64Array;
  readonly reason: "tolerance" | "stop" | "iterations" | "negative curvature" | "not finite";
}

/**
 * A·x = b by conjugate gradients (Hestenes & Stiefel, 1952), for a symmetric positive definite A given by its products: exact
 * after n iterations but for rounding. Where pᵀAp ≤ 0, or a product is not finite, x is that of before. Throws where sizes differ.
 */
export async function solveCG(
  product: (v: Float64Array) => Promise<Float64Array> | Float64Array,
  b: Float64Array,
  options: SolveCGOptions = {},
): Promise<SolveCGResult> {
  const { start, preconditioner = (r) => r, iterations = b.length, tolerance = 1e-10, stop, visit } = options;
  if (start !== undefined && start.length !== b.length)
    throw new RangeError(`solveCG: start has ${start.length} elements, b ${b.length}`);
  let x = start ?? new Float64Array(b.length);
  let products = 0;
  const times = async (v: Float64Array): Promise<Float64Array> => {
    products++;
    const found = await product(v);
    if (found.length === b.length) return found;
    throw new RangeError(`solveCG: the product has ${found.length} elements, b ${b.length}`);
  };
  let r = start === undefined ? b : plus(b, -1, await times(start));
  const phi = (): number => -0.5 * (dot(b, x) + dot(r, x)); // ½xᵀ(b − r) − bᵀx
  const phis = [phi()];
  const enough = tolerance * Math.sqrt(dot(b, b));
  let z = preconditioner(r);
  let p = z;
  let rz = dot(r, z);
  const result = (reason: SolveCGResult["reason"], done: number): SolveCGResult => {
    return { x, iterations: done, products, phis, residual: r, reason };
  };
  if (!Number.isFinite(rz)) return result("not finite", 0);
  for (let i = 1; Math.sqrt(dot(r, r)) > enough; i++) {
    if (i > iterations) return result("iterations", iterations);
    const ap = await times(p);
    const curvature = dot(p, ap);
    if (!Number.isFinite(curvature)) return result("not finite", i - 1);
    if (curvature <= 0) return result("negative curvature", i - 1);
    const alpha = rz / curvature;
    x = plus(x, alpha, p);
    r = plus(r, -alpha, ap);
    phis.push(phi());
    visit?.(x, i);
    if (stop?.(phis)) return result("stop", i);
    z = preconditioner(r);
    const next = dot(r, z);
    p = plus(z, next / rz, p);
    rz = next;
  }
  return result("tolerance", phis.length - 1);
}
