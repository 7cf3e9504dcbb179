// Pooling layers: one value per window of an image.
import { full, type Tensor, within } from "../graph/index.ts";
import { fail, show } from "../graph/internal.ts";
import { type Pair, pairOf } from "./module.ts";

export interface PoolOptions {
  /** Step between windows; by default their size, so that they tile the image. */
  stride?: Pair;
  padding?: Pair;
  /** Whether a window that begins in the image or the border before it may reach past the end, where it takes what is there. */
  ceilMode?: boolean;
}

interface Geometry {
  readonly size: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly ceilMode: boolean;
}

function geometryOf(
  layer: string,
  window: Pair,
  { stride = window, padding = 0, ceilMode = false }: PoolOptions,
): Geometry {
  const size = pairOf(layer, "size", window);
  const pads = pairOf(layer, "padding", padding, 0);
  if (pads.some((p, i) => 2 * p > size[i])) {
    fail(layer, `padding ${show(pads)} is more than half of the window ${show(size)}`);
  }
  return { size, stride: pairOf(layer, "stride", stride), padding: pads, ceilMode };
}

/** How far, along height and width, windows reach past the end of the image with its border. */
function overhangs(x: Tensor, geometry: Geometry): number[] {
  if (x.rank !== 4) fail("pool", `needs images [N, C, H, W], got ${show(x.shape)}`);
  const { size, stride, padding, ceilMode } = geometry;
  const lengths = padding.map((p, i) => x.shape[i + 2] + 2 * p);
  return lengths.map((length, i) => {
    const [from, step] = [length - size[i], stride[i]]; // where the last whole window may begin
    let count = (ceilMode ? Math.ceil(from / step) : Math.floor(from / step)) + 1;
    if (ceilMode && (count - 1) * step >= length - padding[i]) count--; // it would begin in the border at the end
    if (count < 1)
      fail("pool", `the window does not fit, image ${show(x.shape)} padded to ${show(lengths)}, window ${show(size)}`);
    return Math.max(0, (count - 1) * step - from);
  });
}

/** The image with a border of `value`, and of `past` where windows reach farther; checked to hold at least one window. */
function bordered(x: Tensor, geometry: Geometry, value: number, past: number = value): Tensor {
  const [down, right] = overhangs(x, geometry);
  const [h, w] = geometry.padding;
  const pads = (bottom: number, end: number) =>
    [
      [0, 0],
      [0, 0],
      [h, bottom],
      [w, end],
    ] as const;
  if (past === value) return x.pad(pads(h + down, w + right), value);
  return x.pad(pads(h, w), value).pad(
    [
      [0, 0],
      [0, 0],
      [0, down],
      [0, right],
    ],
    past,
  );
}

/** How many windows fit along height and width of the image with its border; what is left over at the end is not pooled. */
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

/**
 * Mean of each window, x [N, C, H, W] → [N, C, H', W']; padding counts as zeros unless `countIncludePad` is false, as in PyTorch.
 * What lies past the padding, where `ceilMode` lets windows reach, never counts.
 */
export class AvgPool2d {
  readonly geometry: Geometry;
  readonly countIncludePad: boolean;

  constructor(size: Pair, { countIncludePad = true, ...options }: PoolOptions & { countIncludePad?: boolean } = {}) {
    this.geometry = geometryOf("AvgPool2d", size, options);
    this.countIncludePad = countIncludePad;
  }

  forward(x: Tensor): Tensor {
    return within(this, () => {
      const { geometry, countIncludePad } = this;
      const [height, width] = geometry.size;
      const sums = windowSums(bordered(x, geometry, 0), geometry);
      if (countIncludePad && overhangs(x, geometry).every((o) => o === 0)) return sums.div(height * width);
      const ones = full([1, 1, x.shape[2], x.shape[3]], 1, x.dtype);
      return sums.div(windowSums(bordered(ones, geometry, countIncludePad ? 1 : 0, 0), geometry)); // counts [1, 1, H', W']
    });
  }
}
