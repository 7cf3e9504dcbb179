// Vectors of all parameters on the host, in double precision: the few operations that second-order methods are written in.

/** a·b. */
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** ‖a‖₁. */
export const norm1 = (a: Float64Array): number => a.reduce((sum, v) => sum + Math.abs(v), 0);

/** ‖a‖∞. */
export const normMax = (a: Float64Array): number => a.reduce((max, v) => Math.max(max, Math.abs(v)), 0);

/** a + α·b. */
export function plus(a: Float64Array, alpha: number, b: Float64Array): Float64Array {
  const sum = new Float64Array(a.length);
  for (let i = 0; i < a.length; i++) sum[i] = a[i] + alpha * b[i];
  return sum;
}

/** α·a. */
export const scaled = (alpha: number, a: Float64Array): Float64Array => a.map((v) => alpha * v);

export const allFinite = (a: Float64Array): boolean => a.every(Number.isFinite);
