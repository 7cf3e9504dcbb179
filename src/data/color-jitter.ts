// Augmentation of colours: as if the light, the film or the camera were others.

import { imageAxes } from "./image-axes.ts";
import { shuffleInPlace } from "./random.ts";
import type { MapFunction, Statistics } from "./samples.ts";

/** How far each factor may lie from 1: f is uniform in [max(0, 1 − b), 1 + b]. Default: 0, which leaves it out. */
export interface ColorJitterOptions {
  brightness?: number;
  contrast?: number;
  saturation?: number;
}

/** Changes a picture of 1 or 3 planes in [0, 1] by a factor. */
type Change = (x: Float32Array, factor: number, plane: number) => void;

const clamped = (value: number): number => (value < 0 ? 0 : value > 1 ? 1 : value);

/** g = 0.2989 R + 0.587 G + 0.114 B, torchvision's; a grey picture's own value. */
const greyAt = (x: Float32Array, i: number, plane: number): number =>
  x.length === plane ? x[i] : 0.2989 * x[i] + 0.587 * x[plane + i] + 0.114 * x[2 * plane + i];

const changes: Readonly<Record<keyof ColorJitterOptions, Change>> = {
  brightness: (x, factor) => {
    for (let i = 0; i < x.length; i++) x[i] = clamped(factor * x[i]);
  },
  contrast: (x, factor, plane) => {
    let sum = 0;
    for (let i = 0; i < plane; i++) sum += greyAt(x, i, plane);
    const rest = ((1 - factor) * sum) / plane;
    for (let i = 0; i < x.length; i++) x[i] = clamped(factor * x[i] + rest);
  },
  saturation: (x, factor, plane) => {
    for (let i = 0; i < plane && x.length > plane; i++) {
      const rest = (1 - factor) * greyAt(x, i, plane);
      for (let at = i; at < x.length; at += plane) x[at] = clamped(factor * x[at] + rest);
    }
  },
};

/**
 * For `Dataset.map`: random brightness f·p, contrast f·p + (1 − f)·mean(g) and saturation f·p + (1 − f)·g of an image [C, H, W] of 1
 * or 3 channels, g its grey, each cut to [0, 1], in a random order, as torchvision's ColorJitter does. Pixels are those in [0, 1]
 * also after normalize(), which is undone for it and done again.
 * Throws a RangeError for options that are none, later an Error for samples that are no such images.
 */
export function colorJitter(options: ColorJitterOptions): MapFunction {
  for (const [name, value] of Object.entries(options)) {
    if (!(name in changes))
      throw new RangeError(`colorJitter: there is no option "${name}"; take brightness, contrast or saturation`);
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY))
      throw new RangeError(`colorJitter: ${name} must be a number ≥ 0, not ${value}`);
  }
  const names = (["brightness", "contrast", "saturation"] as const).filter((name) => (options[name] ?? 0) > 0);
  return ({ x, shape, statistics, random }) => {
    const [channels, height, width] = imageAxes("colorJitter", shape);
    if (!(x instanceof Float32Array) || (channels !== 1 && channels !== 3))
      throw new Error(`colorJitter: takes real images of 1 or 3 channels, got samples [${shape}]`);
    const plane = height * width;
    const scales = scalesOf(statistics, channels);
    if (statistics !== undefined) affine(x, plane, scales);
    for (const name of shuffleInPlace([...names], () => random() * 2 ** 32)) {
      const least = Math.max(0, 1 - options[name]!);
      changes[name](x, least + random() * (1 + options[name]! - least), plane);
    }
    if (statistics !== undefined)
      affine(
        x,
        plane,
        scales.map(([std, mean]) => [1 / std, -mean / std]),
      );
  };
}

/** The deviation and mean of each channel. */
const scalesOf = (statistics: Statistics | undefined, channels: number): (readonly [std: number, mean: number])[] =>
  Array.from({ length: channels }, (_, channel) => {
    const { mean, std } = statistics ?? { mean: [0], std: [1] };
    return [std[channel % std.length], mean[channel % mean.length]];
  });

/** x ← factor·x + added, a pair a channel. */
function affine(x: Float32Array, plane: number, pairs: readonly (readonly [factor: number, added: number])[]): void {
  for (let channel = 0, i = 0; i < x.length; channel++) {
    const [factor, added] = pairs[channel % pairs.length];
    for (const end = i + plane; i < end; i++) x[i] = factor * x[i] + added;
  }
}
