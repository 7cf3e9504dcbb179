// Averages over a grid of regions, so that a network takes images of any size.
import { concat, type Tensor } from "../graph/index.ts";

/**
 * Means over a grid of height × width regions, x [N, C, H, W] → [N, C, height, width]. Along an axis of n, region i of m
 * reaches from ⌊i·n / m⌋ to ⌈(i + 1)·n / m⌉, as in PyTorch: regions may overlap, and repeat where n < m.
 */
export const adaptiveAvgPool2d = (x: Tensor, height: number, width: number): Tensor =>
  alongAxis(alongAxis(x, 2, height), 3, width);

function alongAxis(x: Tensor, axis: number, m: number): Tensor {
  const n = x.shape[axis];
  if (n === m) return x;
  const regions = Array.from({ length: m }, (_, i) =>
    x.slice(axis, Math.floor((i * n) / m), Math.ceil(((i + 1) * n) / m)),
  );
  return concat(
    regions.map((region) => region.mean(axis, { keepDims: true })),
    axis,
  ); // prettier-ignore
}
