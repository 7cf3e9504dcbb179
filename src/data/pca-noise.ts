// Augmentation of colours along the axes in which a set's colours vary.
import type { ColorAxes } from "./color-axes.ts";
import { normal } from "./distributions.ts";
import { imageAxes } from "./image-axes.ts";
import type { MapFunction } from "./samples.ts";

/** Those of ImageNet, as published with fb.resnet.torch (Gross & Wilber, 2016). */
const imageNetAxes: ColorAxes = {
  values: [0.2175, 0.0188, 0.0045],
  vectors: [
    [-0.5675, -0.5808, -0.5836],
    [0.7192, -0.0045, -0.6948],
    [0.4009, -0.814, 0.4203],
  ],
};

export interface PcaNoiseOptions {
  /** Of the factors α. Default: 0.1. */
  deviation?: number;
  /** The training set's, from colorAxes(). Default: ImageNet's. */
  axes?: ColorAxes;
}

/**
 * For `Dataset.map`: adds Σₖ αₖ·λₖ·pₖ to every pixel of an image [3, H, W] in [0, 1], λₖ and pₖ the eigenvalues and vectors of
 * the covariance of red, green and blue, αₖ normal, drawn once an image (Krizhevsky, Sutskever & Hinton, 2012, §4.1). After
 * normalize() what is added is divided by its deviation.
 * Throws a RangeError for options that are none, later an Error for samples that are no images of 3 channels.
 */
export function pcaNoise({ deviation = 0.1, axes = imageNetAxes }: PcaNoiseOptions = {}): MapFunction {
  if (!(deviation >= 0 && deviation < Number.POSITIVE_INFINITY))
    throw new RangeError(`pcaNoise: deviation must be a number ≥ 0, not ${deviation}`);
  const { values, vectors } = axes;
  if (values.length !== 3 || vectors.length !== 3 || vectors.some((vector) => vector.length !== 3))
    throw new RangeError("pcaNoise: axes must be 3 values and 3 vectors of 3 numbers; take them from colorAxes()");
  return ({ x, shape, statistics, random }) => {
    const [channels, height, width] = imageAxes("pcaNoise", shape);
    if (channels !== 3) throw new Error(`pcaNoise: takes images of 3 channels, got samples [${shape}]`);
    const factors = values.map((value) => deviation * normal(random) * value);
    const std = statistics?.std ?? [1];
    for (let channel = 0, i = 0; channel < 3; channel++) {
      const added =
        factors.reduce((sum, factor, k) => sum + factor * vectors[k][channel], 0) / std[channel % std.length];
      for (const end = i + height * width; i < end; i++) x[i] += added;
    }
  };
}
