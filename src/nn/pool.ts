// Pooling layers: one value per window, over one, two or three spatial axes.
import { full, type Padding, type Tensor, within } from "../graph/index.ts";
import { fail, paddingOf, show } from "../graph/internal.ts";
import { checkPadding, checkSizes, type Sizes, sizesOf } from "./module.ts";

export interface PoolOptions {
  /** Step between windows; by default their size, so that they tile the image. */
  stride?: Sizes;
  /** A width of at most half the window, [before, after] per axis, "valid" (none), or "same": ⌈size / stride⌉ windows. */
  padding?: Padding;
  /** Whether a window that begins in the image or the border before it may reach past the end, where it takes what is there. */
  ceilMode?: boolean;
}

export interface MaxPoolOptions extends PoolOptions {
  /** Distance between the elements of a window. */
  dilation?: Sizes;
}

export interface AvgPoolOptions extends PoolOptions {
  /** Whether the border counts as zeros; what lies past it, where `ceilMode` lets windows reach, never counts. */
  countIncludePad?: boolean;
  /** What each sum is divided by, instead of the number of elements. */
  divisorOverride?: number;
}

export interface PoolGeometry {
  readonly size: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: Padding;
  readonly ceilMode: boolean;
}

function geometryOf(layer: string, rank: number, window: Sizes, options: MaxPoolOptions): PoolGeometry {
  const { stride = window, padding = 0, dilation = 1, ceilMode = false } = options;
  const size = sizesOf(layer, "size", window, rank);
  checkPadding(layer, padding, rank);
  const geometry = {
    size,
    stride: sizesOf(layer, "stride", stride, rank),
    dilation: sizesOf(layer, "dilation", dilation, rank),
    padding,
    ceilMode,
  };
  const pads = padding === "same" ? [] : paddingOf(layer, padding, size, size, geometry.stride, geometry.dilation);
  if (pads.some((p, i) => 2 * Math.max(...p) > size[i])) {
    fail(layer, `padding ${show(pads.map((p) => Math.max(...p)))} is more than half of the window ${show(size)}`);
  }
  return geometry;
}

/** Where windows lie in an image that has its border. */
type Windows = Pick<PoolGeometry, "size" | "stride" | "dilation">;

/** Elements from the first to the last of a window. */
const spans = ({ size, dilation }: Windows): number[] => size.map((s, i) => (s - 1) * dilation[i] + 1);

type Widths = readonly (readonly [number, number])[];

function padsOf(x: Tensor, { padding, size, stride, dilation }: PoolGeometry): Widths {
  if (x.rank !== size.length + 2) {
    const axes = ["D", "H", "W"].slice(3 - size.length).join(", ");
    fail("pool", `needs images [N, C, ${axes}], got ${show(x.shape)}`);
  }
  return paddingOf("pool", padding, x.shape.slice(2), size, stride, dilation);
}

/** How far, along each axis, windows reach past the end of the image with its border. */
function overhangs(x: Tensor, geometry: PoolGeometry): number[] {
  const { stride, size, ceilMode } = geometry;
  const pads = padsOf(x, geometry);
  const reach = spans(geometry);
  const lengths = pads.map(([before, after], i) => x.shape[i + 2] + before + after);
  return lengths.map((length, i) => {
    const [from, step] = [length - reach[i], stride[i]]; // where the last whole window may begin
    let count = (ceilMode ? Math.ceil(from / step) : Math.floor(from / step)) + 1;
    if (ceilMode && (count - 1) * step >= length - pads[i][1]) count--; // it would begin in the border at the end
    if (count < 1)
      fail("pool", `the window does not fit, image ${show(x.shape)} padded to ${show(lengths)}, window ${show(size)}`);
    return Math.max(0, (count - 1) * step - from);
  });
}

/** The image with a border of `value`, and of `past` where windows reach farther; checked to hold at least one window. */
function bordered(x: Tensor, geometry: PoolGeometry, value: number, past: number = value): Tensor {
  const over = overhangs(x, geometry);
  const pads = padsOf(x, geometry);
  const around = (widths: Widths): Widths => [[0, 0], [0, 0], ...widths]; // prettier-ignore
  if (past === value) return x.pad(around(pads.map(([before, after], i) => [before, after + over[i]] as const)), value);
  return x.pad(around(pads), value).pad(around(over.map((o) => [0, o] as const)), past);
}

/** How many windows fit along each axis of the image with its border; what is left over at the end is not pooled. */
const countsOf = (image: Tensor, geometry: Windows): number[] =>
  spans(geometry).map((s, i) => Math.floor((image.shape[i + 2] - s) / geometry.stride[i]) + 1);

/** For each place in a window, in row-major order, what all windows hold there: tensors [N, C, …windows]. */
export function places(image: Tensor, geometry: Windows): Tensor[] {
  const counts = countsOf(image, geometry);
  const along = (t: Tensor, i: number): Tensor[] =>
    Array.from({ length: geometry.size[i] }, (_, k) => {
      const [step, from] = [geometry.stride[i], k * geometry.dilation[i]];
      return t.slice(i + 2, from, from + (counts[i] - 1) * step + 1, step);
    });
  return counts.reduce((parts, _, i) => parts.flatMap((part) => along(part, i)), [image]);
}

/** Sum over each window: [N, C, …] → [N, C, …windows]. */
export function windowSums(image: Tensor, geometry: Windows): Tensor {
  const { size, stride } = geometry;
  if (size.some((s, i) => s !== stride[i])) return places(image, geometry).reduce((sum, value) => sum.add(value));
  const counts = countsOf(image, geometry);
  const [n, c] = image.shape;
  const tiled = counts.reduce((t, count, i) => t.slice(i + 2, 0, count * size[i]), image);
  const split = counts.flatMap((count, i) => [count, size[i]]); // [N, C, H', h, W', w] → [N, C, H', W']
  return tiled.reshape(n, c, ...split).sum(counts.map((_, i) => 2 * i + 3));
}

/** Largest of each window, at a tie the first: [N, C, …] → [N, C, …windows]. */
export const windowMaxima = (image: Tensor, geometry: Windows): Tensor =>
  places(image, geometry).reduce((max, value) => max.maximum(value));

/**
 * Largest element of each window, x [N, C, …] → [N, C, …windows], ⌊(n + before + after − dilation·(size − 1) − 1) / stride⌋ + 1 an axis;
 * NaN where a window holds one; the gradient goes to the first of the largest in row-major order. The border is −∞.
 */
export abstract class MaxPoolNd {
  readonly geometry: PoolGeometry;

  protected constructor(layer: string, rank: number, size: Sizes, options: MaxPoolOptions) {
    this.geometry = geometryOf(layer, rank, size, options);
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      return windowMaxima(bordered(x, this.geometry, Number.NEGATIVE_INFINITY), this.geometry);
    });
  }
}

/**
 * Mean of each window, x [N, C, …] → [N, C, …windows]; padding counts as zeros unless `countIncludePad` is false, as in PyTorch.
 * What lies past the padding, where `ceilMode` lets windows reach, never counts. `divisorOverride` divides every sum by one number.
 */
export abstract class AvgPoolNd {
  readonly geometry: PoolGeometry;
  readonly countIncludePad: boolean;
  readonly divisorOverride: number | undefined;

  protected constructor(layer: string, rank: number, size: Sizes, options: AvgPoolOptions) {
    const { countIncludePad = true, divisorOverride, stride, padding, ceilMode } = options;
    this.geometry = geometryOf(layer, rank, size, { stride, padding, ceilMode });
    if (divisorOverride !== undefined) checkSizes(layer, { divisorOverride });
    this.countIncludePad = countIncludePad;
    this.divisorOverride = divisorOverride;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const { geometry, countIncludePad, divisorOverride } = this;
      const sums = windowSums(bordered(x, geometry, 0), geometry);
      if (divisorOverride !== undefined) return sums.div(divisorOverride);
      const elements = geometry.size.reduce((n, s) => n * s, 1);
      if (countIncludePad && overhangs(x, geometry).every((o) => o === 0)) return sums.div(elements);
      const ones = full([1, 1, ...x.shape.slice(2)], 1, x.dtype);
      return sums.div(windowSums(bordered(ones, geometry, countIncludePad ? 1 : 0, 0), geometry)); // counts [1, 1, …]
    });
  }
}

/** Largest element of each window of sequences [N, C, L] → [N, C, L′]; see `MaxPoolNd`. */
export class MaxPool1d extends MaxPoolNd {
  constructor(size: Sizes, options: MaxPoolOptions = {}) {
    super("MaxPool1d", 1, size, options);
  }
}

/** Largest element of each window of images [N, C, H, W] → [N, C, H′, W′]; see `MaxPoolNd`. */
export class MaxPool2d extends MaxPoolNd {
  constructor(size: Sizes, options: MaxPoolOptions = {}) {
    super("MaxPool2d", 2, size, options);
  }
}

/** Largest element of each window of volumes [N, C, D, H, W] → [N, C, D′, H′, W′]; see `MaxPoolNd`. */
export class MaxPool3d extends MaxPoolNd {
  constructor(size: Sizes, options: MaxPoolOptions = {}) {
    super("MaxPool3d", 3, size, options);
  }
}

/** Mean of each window of sequences [N, C, L] → [N, C, L′]; see `AvgPoolNd`. */
export class AvgPool1d extends AvgPoolNd {
  constructor(size: Sizes, options: AvgPoolOptions = {}) {
    super("AvgPool1d", 1, size, options);
  }
}

/** Mean of each window of images [N, C, H, W] → [N, C, H′, W′]; see `AvgPoolNd`. */
export class AvgPool2d extends AvgPoolNd {
  constructor(size: Sizes, options: AvgPoolOptions = {}) {
    super("AvgPool2d", 2, size, options);
  }
}

/** Mean of each window of volumes [N, C, D, H, W] → [N, C, D′, H′, W′]; see `AvgPoolNd`. */
export class AvgPool3d extends AvgPoolNd {
  constructor(size: Sizes, options: AvgPoolOptions = {}) {
    super("AvgPool3d", 3, size, options);
  }
}
