// Pooling layers: one value per window of an image.
import { type Tensor, within } from "../graph/index.ts";
import { fail, show } from "../graph/internal.ts";
import { type Pair, pairOf } from "./module.ts";

export interface PoolOptions {
  /** Step between windows; by default their size, so that they tile the image. */
  stride?: Pair;
  padding?: Pair;
}

interface Geometry {
  readonly size: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
}

function geometryOf(layer: string, window: Pair, { stride = window, padding = 0 }: PoolOptions): Geometry {
  const size = pairOf(layer, "size", window);
  const pads = pairOf(layer, "padding", padding, 0);
  if (pads.some((p, i) => 2 * p > size[i])) {
    fail(layer, `padding ${show(pads)} is more than half of the window ${show(size)}`);
  }
  return { size, stride: pairOf(layer, "stride", stride), padding: pads };
}

/** The image with its border, checked to hold at least one window. */
function bordered(x: Tensor, { size, padding }: Geometry, value: number): Tensor {
  if (x.rank !== 4) fail("pool", `needs images [N, C, H, W], got ${show(x.shape)}`);
  const [height, width] = [x.shape[2] + 2 * padding[0], x.shape[3] + 2 * padding[1]];
  if (height < size[0] || width < size[1]) {
    fail(
      "pool",
      `the window does not fit, image ${show(x.shape)} padded to ${show([height, width])}, window ${show(size)}`,
    );
  }
  return x.pad([[0, 0], [0, 0], ...padding.map((p) => [p, p] as const)], value);
}

/** How many windows fit along height and width; what is left over at the end is not pooled. */
const countsOf = (image: Tensor, { size, stride }: Geometry): number[] =>
  size.map((s, i) => Math.floor((image.shape[i + 2] - s) / stride[i]) + 1);

/** For each place in a window, in row-major order, what all windows hold there: tensors [N, C, H', W']. */
function places(image: Tensor, geometry: Geometry): Tensor[] {
  const counts = countsOf(image, geometry);
  const along = (t: Tensor, i: number): Tensor[] =>
    Array.from({ length: geometry.size[i] }, (_, from) => {
      const step = geometry.stride[i];
      return t.slice(i + 2, from, from + (counts[i] - 1) * step + 1, step);
    });
  return along(image, 0).flatMap((rows) => along(rows, 1));
}

/** Sum over each window: [N, C, H, W] → [N, C, H', W']. */
function windowSums(image: Tensor, geometry: Geometry): Tensor {
  const { size, stride } = geometry;
  const [h, w] = size;
  if (h !== stride[0] || w !== stride[1]) return places(image, geometry).reduce((sum, value) => sum.add(value));
  const [rows, columns] = countsOf(image, geometry);
  const [n, c] = image.shape;
  const tiled = image.slice(2, 0, rows * h).slice(3, 0, columns * w);
  return tiled.reshape(n, c, rows, h, columns, w).sum([3, 5]); // [N, C, H', h, W', w] → [N, C, H', W']
}

/** Largest element of each window, x [N, C, H, W] → [N, C, H', W']; the gradient goes to the first such in row-major order. */
export class MaxPool2d {
  readonly geometry: Geometry;

  constructor(size: Pair, options: PoolOptions = {}) {
    this.geometry = geometryOf("MaxPool2d", size, options);
  }

  forward(x: Tensor): Tensor {
    return within(this, () => {
      const image = bordered(x, this.geometry, Number.NEGATIVE_INFINITY);
      return places(image, this.geometry).reduce((max, value) => max.maximum(value)); // at a tie the earlier one
    });
  }
}

/** Mean of each window, x [N, C, H, W] → [N, C, H', W']; padding counts as zeros unless `countIncludePad` is false, as in PyTorch. */
export class AvgPool2d {
  readonly geometry: Geometry;
  readonly countIncludePad: boolean;

  constructor(size: Pair, { countIncludePad = true, ...options }: PoolOptions & { countIncludePad?: boolean } = {}) {
    this.geometry = geometryOf("AvgPool2d", size, options);
    this.countIncludePad = countIncludePad;
  }

  forward(x: Tensor): Tensor {
    return within(this, () => {
      const sums = (image: Tensor): Tensor => windowSums(bordered(image, this.geometry, 0), this.geometry);
      const [height, width] = this.geometry.size;
      if (this.countIncludePad) return sums(x).div(height * width);
      return sums(x).div(sums(x.slice(0, 0, 1).slice(1, 0, 1).full(1))); // [1, 1, H', W']: elements that are not padding
    });
  }
}
