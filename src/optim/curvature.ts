// The curvature of a loss: products with its Hessian, the whole matrix of a small model, the ends of the spectrum of any.
import { tensor } from "../graph/index.ts";
import { read } from "../run/realize.ts";
import type { Labelled, Loss } from "./loss.ts";
import { objective } from "./objective.ts";
import { dot, plus, scaled } from "./vector.ts";

/** v ↦ A·v. */
export type Product = (v: Float64Array) => Promise<Float64Array>;

/**
 * The compiled Hessian product of a loss, (batch, v) ↦ H·v at the parameters' present values; v is the vector of all parameters in
 * the order of their names (Pearlmutter, 1994).
 */
export function hessianProduct<B = Labelled>(
  model: object,
  loss: Loss<B>,
): (batch: B, v: Float64Array) => Promise<Float64Array> {
  const { flat } = objective(model, loss);
  return async (batch, v) =>
    new Float64Array((await read(await flat.hessianProduct(batch, tensor(v)))) as Float64Array);
}

/** The symmetric matrix [n, n], in row-major order, of a product: n products. */
export async function denseMatrix(product: Product, n: number): Promise<Float64Array> {
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const unit = new Float64Array(n);
    unit[i] = 1;
    a.set(await product(unit), i * n);
  }
  for (let i = 0; i < n; i++)
    for (let j = 0; j < i; j++) a[i * n + j] = a[j * n + i] = (a[i * n + j] + a[j * n + i]) / 2;
  return a;
}

export interface LanczosOptions {
  /** Products, each of which gives one more value. Default 30, at most n. */
  steps?: number;
  /** Where to begin; it must have a share of each eigenvector that is sought. Default: a fixed vector without pattern. */
  start?: Float64Array;
}

/**
 * Ritz values of a symmetric matrix of size n, in ascending order, by the Lanczos process with full reorthogonalisation
 * (Lanczos, 1950; Paige, 1972): the first and last come close to the extreme eigenvalues within few steps, and after n steps all
 * are eigenvalues. Fewer come where the start lies in an invariant subspace. Throws where a product is not finite.
 */
export async function lanczos(
  product: Product,
  n: number,
  { steps = 30, start }: LanczosOptions = {},
): Promise<Float64Array> {
  if (!(Number.isInteger(steps) && steps >= 1))
    throw new RangeError(`lanczos: steps must be a whole number of at least 1, got ${steps}`);
  if (start !== undefined && (start.length !== n || !(dot(start, start) > 0)))
    throw new RangeError(`lanczos: start must be a vector of ${n} elements that is not zero`);
  const first = start ?? Float64Array.from({ length: n }, (_, i) => (((i + 1) * 0.6180339887498949) % 1) - 0.5);
  let q = scaled(1 / Math.sqrt(dot(first, first)), first);
  const basis: Float64Array[] = [];
  const [diagonal, beside]: [number[], number[]] = [[], []];
  for (let k = 0; k < Math.min(steps, n); k++) {
    basis.push(q);
    let r = await product(q);
    const size = Math.sqrt(dot(r, r));
    if (!Number.isFinite(size))
      throw new RangeError(`lanczos: product ${k + 1} is not finite (lower the learning rate)`);
    diagonal.push(dot(q, r));
    for (let again = 0; again < 2; again++) for (const b of basis) r = plus(r, -dot(b, r), b);
    const beta = Math.sqrt(dot(r, r));
    if (beta <= 1e-12 * size || size === 0) break;
    beside.push(beta);
    q = scaled(1 / beta, r);
  }
  return Float64Array.from(diagonal, (_, i) => tridiagonalValue(diagonal, beside, i));
}

/** Eigenvalue i, from the lowest, of a symmetric tridiagonal matrix, by bisection: as many are below x as T − xI has negative pivots. */
function tridiagonalValue(diagonal: readonly number[], beside: readonly number[], i: number): number {
  const radius = Math.max(...diagonal.map((d, k) => Math.abs(d) + (beside[k - 1] ?? 0) + (beside[k] ?? 0)));
  const below = (x: number): number => {
    let [count, pivot] = [0, 1];
    for (const [k, d] of diagonal.entries()) {
      pivot = d - x - (k === 0 ? 0 : beside[k - 1] ** 2 / pivot);
      if (pivot === 0) pivot = Number.EPSILON * (radius || 1);
      if (pivot < 0) count++;
    }
    return count;
  };
  let [low, high] = [-radius, radius];
  for (let round = 0; round < 100; round++) {
    const middle = (low + high) / 2;
    if (below(middle) > i) high = middle;
    else low = middle;
  }
  return (low + high) / 2;
}
