// Dense symmetric systems on the host, damped as far as it takes to be positive definite.
import { normMax } from "./vector.ts";

/**
 * x with (A + λI)·x = b for a symmetric A [n, n] in row-major order, and λ: the damping given where that makes A positive definite,
 * else the first found large enough (Nocedal & Wright, 2006, algorithm 3.3). undefined where A or b is not finite, or too large.
 */
export function dampedSolve(
  a: Float64Array,
  b: Float64Array,
  damping = 0,
): { x: Float64Array; damping: number } | undefined {
  const n = b.length;
  if (!a.every(Number.isFinite) || !b.every(Number.isFinite)) return undefined;
  const diagonal = b.map((_, i) => a[i * n + i]);
  const scale = normMax(a) || 1;
  const least = diagonal.reduce((min, v) => Math.min(min, v), Number.POSITIVE_INFINITY);
  const step = 1e-3 * scale;
  let lambda = least + damping > 0 ? damping : step - least;
  while (Number.isFinite(lambda)) {
    const factor = choleskyFactor(a, n, lambda, n * 2 ** -52 * (scale + lambda));
    if (factor !== undefined) return { x: substituted(factor, b), damping: lambda };
    lambda = Math.max(2 * lambda, step); // ends: λ outgrows the sum of any row
  }
  return undefined;
}

/** The lower L with L·Lᵀ = A + λI; undefined where a pivot is not above `smallest`. */
function choleskyFactor(a: Float64Array, n: number, lambda: number, smallest: number): Float64Array | undefined {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j] + (i === j ? lambda : 0);
      for (let k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k];
      if (i === j && !(sum > smallest)) return undefined;
      l[i * n + j] = i === j ? Math.sqrt(sum) : sum / l[j * n + j];
    }
  }
  return l;
}

/** x with L·Lᵀ·x = b. */
function substituted(l: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  const x = b.slice();
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] -= l[i * n + k] * x[k];
    x[i] /= l[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] -= l[k * n + i] * x[k];
    x[i] /= l[i * n + i];
  }
  return x;
}
