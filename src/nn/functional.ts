// Activations as plain functions of a tensor; Sequential takes them between layers.
import type { Tensor } from "../graph/index.ts";

export const identity = (x: Tensor): Tensor => x;

/** σ(x) = 1 / (1 + e⁻ˣ). */
export const sigmoid = (x: Tensor): Tensor => x.sigmoid();

export const tanh = (x: Tensor): Tensor => x.tanh();

/** max(x, 0), with gradient 0 at 0. */
export const relu = (x: Tensor): Tensor => x.relu();

/** exp(xᵢ) / Σⱼ exp(xⱼ) along an axis, finite for all finite x; of no elements along an axis of size 0. */
export function softmax(x: Tensor, axis = -1): Tensor {
  const e = centred(x, axis).exp();
  return e.mul(e.sum(axis, { keepDims: true }).recip());
}

/** xᵢ − log Σⱼ exp(xⱼ) along an axis, finite for all finite x. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  const z = centred(x, axis);
  return z.sub(z.exp().sum(axis, { keepDims: true }).log());
}

/** x less its maximum, which softmax does not notice: so the maximum is a constant to derivatives, and exp never overflows. */
export const centred = (x: Tensor, axis: number): Tensor =>
  x.size === 0 ? x.float() : x.float().sub(x.float().max(axis, { keepDims: true }).detach());
