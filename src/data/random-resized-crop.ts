// Augmentation by zooming: a random part of the image, of random form, scaled to one size.
import { hostMath } from "../graph/internal.ts";
import { imageAxes } from "./image-axes.ts";
import { type Region, resample } from "./resample.ts";
import type { MapFunction } from "./samples.ts";

export interface RandomResizedCropOptions {
  /** Height and width of the result. Default: the image's. */
  size?: number;
  /** Least and greatest share of the area. Default: [0.08, 1]. */
  scale?: readonly [least: number, greatest: number];
  /** Least and greatest width / height, the logarithm uniform between them. Default: [3/4, 4/3]. */
  ratio?: readonly [least: number, greatest: number];
}

/**
 * For `Dataset.map`: a part of an image [C, H, W] with a random share of its area and a random form, anywhere in it, scaled to
 * `size` (Szegedy et al., 2015, §6): area a uniform in scale, r with log r uniform in ratio, width √(a·r), height √(a/r). Where ten
 * draws do not fit, the largest middle part of an allowed form. Parts that grow are interpolated linearly, those that shrink averaged.
 * Throws a RangeError for options that are none, later an Error for samples that are no images.
 */
export function randomResizedCrop({
  size,
  scale = [0.08, 1],
  ratio = [3 / 4, 4 / 3],
}: RandomResizedCropOptions = {}): MapFunction {
  if (size !== undefined && !(Number.isInteger(size) && size >= 1))
    throw new RangeError(`randomResizedCrop: size must be a whole number ≥ 1, not ${size}`);
  if (!(scale[0] > 0 && scale[0] <= scale[1] && scale[1] <= 1))
    throw new RangeError(`randomResizedCrop: scale must be [least, greatest] within (0, 1], not [${scale}]`);
  if (!(ratio[0] > 0 && ratio[0] <= ratio[1] && ratio[1] < Number.POSITIVE_INFINITY))
    throw new RangeError(`randomResizedCrop: ratio must be [least, greatest], positive numbers, not [${ratio}]`);
  return ({ x, shape, random }) => {
    const [channels, height, width] = imageAxes("randomResizedCrop", shape);
    const [h, w] = [size ?? height, size ?? width];
    const region = drawRegion(height, width, { scale, ratio, random });
    const inPlace = h === height && w === width;
    const target = inPlace ? x : new Float32Array(channels * h * w);
    const planes = Array.from({ length: channels }, (_, c) => x.subarray(c * height * width, (c + 1) * height * width));
    resample(planes, width, region, [h, w]).forEach((plane, c) => {
      target.set(plane, c * h * w);
    });
    return inPlace ? undefined : { x: target, shape: [channels, h, w] };
  };
}

type Draw = Required<Pick<RandomResizedCropOptions, "scale" | "ratio">> & { random: () => number };

function drawRegion(height: number, width: number, { scale, ratio, random }: Draw): Region {
  const between = ([least, greatest]: readonly [number, number]): number => least + random() * (greatest - least);
  const place = (free: number): number => Math.floor(random() * (free + 1));
  const logarithms = [hostMath.log(ratio[0]), hostMath.log(ratio[1])] as const;
  for (let tries = 0; tries < 10; tries++) {
    const area = height * width * between(scale);
    const form = hostMath.exp(between(logarithms));
    const [w, h] = [Math.round(Math.sqrt(area * form)), Math.round(Math.sqrt(area / form))];
    if (w >= 1 && w <= width && h >= 1 && h <= height)
      return { top: place(height - h), left: place(width - w), width: w, height: h };
  }
  const form = Math.min(ratio[1], Math.max(ratio[0], width / height));
  const w = Math.max(1, Math.min(width, Math.round(height * form)));
  const h = Math.max(1, Math.min(height, Math.round(width / form)));
  return { top: (height - h) >> 1, left: (width - w) >> 1, width: w, height: h };
}
