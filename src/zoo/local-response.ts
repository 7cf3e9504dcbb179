// Local response normalization between neighbouring channels.
import type { Tensor } from "../graph/index.ts";

export interface LocalResponseOptions {
  /** Channels in each sum, the element's own among them. */
  size?: number;
  k?: number;
  alpha?: number;
  beta?: number;
}

/**
 * bᵢ = aᵢ / (k + α·Σⱼ aⱼ²)^β over the `size` channels j around i that exist: a [N, C, H, W] → the same shape (Krizhevsky,
 * Sutskever & Hinton, 2012, with k = 2, n = 5, α = 10⁻⁴, β = ¾). Caffe and PyTorch divide α by the size; the paper does not.
 */
export function localResponse(
  a: Tensor,
  { size = 5, k = 2, alpha = 1e-4, beta = 0.75 }: LocalResponseOptions = {},
): Tensor {
  const before = Math.floor(size / 2);
  const squares = a.square().pad([
    [0, 0],
    [before, size - 1 - before],
    [0, 0],
    [0, 0],
  ]); // prettier-ignore
  const windows = Array.from({ length: size }, (_, j) => squares.slice(1, j, j + a.shape[1]));
  const sum = windows.reduce((total, part) => total.add(part));
  return a.div(sum.mul(alpha).add(k).pow(beta));
}
