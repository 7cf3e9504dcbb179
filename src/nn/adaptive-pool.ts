// Pooling to a fixed size, whatever the image's.
import { concat, type Tensor, within } from "../graph/index.ts";
import { fail, show } from "../graph/internal.ts";
import { type Sizes, sizesOf } from "./module.ts";
import { windowMaxima, windowSums } from "./pool.ts";

function checkImages(op: string, x: Tensor): void {
  if (x.rank !== 4 || x.shape[2] * x.shape[3] === 0)
    fail(op, `needs images [N, C, H, W] of at least one element, got ${show(x.shape)}`);
}

/** Mean or largest of the bins along one axis: bin i of m over n elements is ⌊i·n/m⌋ … ⌈(i + 1)·n/m⌉ − 1, so that bins may share elements. */
function bins(x: Tensor, axis: number, count: number, join: (bin: Tensor, axis: number) => Tensor): Tensor {
  const n = x.shape[axis];
  const each = Array.from({ length: count }, (_, i) =>
    join(x.slice(axis, Math.floor((i * n) / count), Math.ceil(((i + 1) * n) / count)), axis),
  );
  return concat(each, axis);
}

/** How large the bins are where all are of one size and share nothing, else undefined. */
function tiles(
  x: Tensor,
  size: readonly number[],
): { size: number[]; stride: number[]; dilation: number[] } | undefined {
  const window = size.map((count, i) => x.shape[i + 2] / count);
  return window.every(Number.isInteger) ? { size: window, stride: window, dilation: size.map(() => 1) } : undefined;
}

const meanOf = (bin: Tensor, axis: number): Tensor => bin.mean(axis, { keepDims: true });

const largestOf = (bin: Tensor, axis: number): Tensor =>
  Array.from({ length: bin.shape[axis] }, (_, k) => bin.slice(axis, k, k + 1)).reduce((max, value) =>
    max.maximum(value),
  );

/**
 * Means of images over a grid of bins, x [N, C, H, W] → [N, C, ...size]: along an axis bin i of m covers the elements ⌊i·n/m⌋
 * to ⌈(i + 1)·n/m⌉ − 1, as in PyTorch, so that neighbours share elements where m does not divide n. Throws for other ranks.
 */
export class AdaptiveAvgPool2d {
  readonly size: readonly number[];

  constructor(size: Sizes) {
    this.size = sizesOf("AdaptiveAvgPool2d", "size", size, 2);
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      checkImages("adaptivePool", x);
      const windows = tiles(x, this.size);
      if (windows !== undefined) return windowSums(x, windows).div(windows.size[0] * windows.size[1]);
      return bins(bins(x, 3, this.size[1], meanOf), 2, this.size[0], meanOf);
    });
  }
}

/** Largest elements of images over the bins of `AdaptiveAvgPool2d`, x [N, C, H, W] → [N, C, ...size]; the gradient goes to the first of the largest. Throws for other ranks. */
export class AdaptiveMaxPool2d {
  readonly size: readonly number[];

  constructor(size: Sizes) {
    this.size = sizesOf("AdaptiveMaxPool2d", "size", size, 2);
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      checkImages("adaptivePool", x);
      const windows = tiles(x, this.size);
      if (windows !== undefined) return windowMaxima(x, windows);
      return bins(bins(x, 3, this.size[1], largestOf), 2, this.size[0], largestOf); // rows' first, then the first row
    });
  }
}

/** Mean of each map, x [N, C, H, W] → [N, C] (Lin et al., Network in network, 2013). Throws for other ranks. */
export class GlobalAvgPool2d {
  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      checkImages("globalPool", x);
      return x.mean([2, 3]);
    });
  }
}
