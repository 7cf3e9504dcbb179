// Pooling to a fixed size, whatever the image's.
import { concat, type Tensor, within } from "../graph/index.ts";
import { fail, show } from "../graph/internal.ts";
import { type Sizes, sizesOf } from "./module.ts";
import { windowMaxima, windowSums } from "./pool.ts";

/** Axes of an input besides [N, C], by how many there are. */
const inputs = ["sequences [N, C, L]", "images [N, C, H, W]", "volumes [N, C, D, H, W]"];

function checkInput(op: string, x: Tensor, rank: number): void {
  if (x.rank !== rank + 2 || x.shape.slice(2).includes(0))
    fail(op, `needs ${inputs[rank - 1]} of at least one element, got ${show(x.shape)}`);
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

/** The bins of all spatial axes, the last axis first: of what is largest, rows' first, then the first row. */
const binned = (x: Tensor, size: readonly number[], join: (bin: Tensor, axis: number) => Tensor): Tensor =>
  size.reduceRight((t, count, i) => bins(t, i + 2, count, join), x);

/**
 * Means over a grid of bins, x [N, C, …] → [N, C, ...size]: along an axis bin i of m covers the elements ⌊i·n/m⌋
 * to ⌈(i + 1)·n/m⌉ − 1, as in PyTorch, so that neighbours share elements where m does not divide n. Throws for other ranks.
 */
export abstract class AdaptiveAvgPoolNd {
  readonly size: readonly number[];

  protected constructor(layer: string, rank: number, size: Sizes) {
    this.size = sizesOf(layer, "size", size, rank);
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      checkInput("adaptivePool", x, this.size.length);
      const windows = tiles(x, this.size);
      if (windows === undefined) return binned(x, this.size, meanOf);
      return windowSums(x, windows).div(windows.size.reduce((product, n) => product * n, 1));
    });
  }
}

/** Largest elements over the bins of adaptive means, x [N, C, …] → [N, C, ...size]; the gradient goes to the first of the largest. Throws for other ranks. */
export abstract class AdaptiveMaxPoolNd {
  readonly size: readonly number[];

  protected constructor(layer: string, rank: number, size: Sizes) {
    this.size = sizesOf(layer, "size", size, rank);
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      checkInput("adaptivePool", x, this.size.length);
      const windows = tiles(x, this.size);
      return windows === undefined ? binned(x, this.size, largestOf) : windowMaxima(x, windows);
    });
  }
}

/** Mean of each map, x [N, C, …] → [N, C] (Lin et al., Network in network, 2013). Throws for other ranks. */
export abstract class GlobalAvgPoolNd {
  readonly #rank: number;

  protected constructor(rank: number) {
    this.#rank = rank;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      checkInput("globalPool", x, this.#rank);
      return x.mean(x.shape.slice(2).map((_, i) => i + 2));
    });
  }
}

/** Means of the bins of sequences [N, C, L] → [N, C, size]; see `AdaptiveAvgPoolNd`. */
export class AdaptiveAvgPool1d extends AdaptiveAvgPoolNd {
  constructor(size: Sizes) {
    super("AdaptiveAvgPool1d", 1, size);
  }
}

/** Means of the bins of images [N, C, H, W] → [N, C, ...size]; see `AdaptiveAvgPoolNd`. */
export class AdaptiveAvgPool2d extends AdaptiveAvgPoolNd {
  constructor(size: Sizes) {
    super("AdaptiveAvgPool2d", 2, size);
  }
}

/** Means of the bins of volumes [N, C, D, H, W] → [N, C, ...size]; see `AdaptiveAvgPoolNd`. */
export class AdaptiveAvgPool3d extends AdaptiveAvgPoolNd {
  constructor(size: Sizes) {
    super("AdaptiveAvgPool3d", 3, size);
  }
}

/** Largest elements of the bins of sequences [N, C, L] → [N, C, size]; see `AdaptiveMaxPoolNd`. */
export class AdaptiveMaxPool1d extends AdaptiveMaxPoolNd {
  constructor(size: Sizes) {
    super("AdaptiveMaxPool1d", 1, size);
  }
}

/** Largest elements of the bins of images [N, C, H, W] → [N, C, ...size]; see `AdaptiveMaxPoolNd`. */
export class AdaptiveMaxPool2d extends AdaptiveMaxPoolNd {
  constructor(size: Sizes) {
    super("AdaptiveMaxPool2d", 2, size);
  }
}

/** Largest elements of the bins of volumes [N, C, D, H, W] → [N, C, ...size]; see `AdaptiveMaxPoolNd`. */
export class AdaptiveMaxPool3d extends AdaptiveMaxPoolNd {
  constructor(size: Sizes) {
    super("AdaptiveMaxPool3d", 3, size);
  }
}

/** Mean of each map of sequences [N, C, L] → [N, C]; see `GlobalAvgPoolNd`. */
export class GlobalAvgPool1d extends GlobalAvgPoolNd {
  constructor() {
    super(1);
  }
}

/** Mean of each map of images [N, C, H, W] → [N, C]; see `GlobalAvgPoolNd`. */
export class GlobalAvgPool2d extends GlobalAvgPoolNd {
  constructor() {
    super(2);
  }
}

/** Mean of each map of volumes [N, C, D, H, W] → [N, C]; see `GlobalAvgPoolNd`. */
export class GlobalAvgPool3d extends GlobalAvgPoolNd {
  constructor() {
    super(3);
  }
}
