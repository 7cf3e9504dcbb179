// Augmentation by covering a part, as if something stood before it.
import { imageAxes } from "./image-axes.ts";
import type { MapFunction } from "./samples.ts";

/**
 * For `Dataset.map`: sets a square of an image [C, H, W] to zero in all channels (DeVries & Taylor, 2017, Cutout). Its middle is
 * any pixel, so that part of it may lie outside; the paper takes 16 pixels for CIFAR-10, 8 for CIFAR-100. After normalize()
 * zero is the mean's colour, without it black.
 * Throws a RangeError for a size that is no whole number ≥ 1, later an Error for samples that are no images.
 */
export function cutout({ size = 16 }: { size?: number } = {}): MapFunction {
  if (!(Number.isInteger(size) && size >= 1))
    throw new RangeError(`cutout: size must be a whole number ≥ 1, not ${size}`);
  return ({ x, shape, random }) => {
    const [channels, height, width] = imageAxes("cutout", shape);
    const first = (places: number): number => Math.floor(random() * places) - Math.floor(size / 2);
    const [top, left] = [first(height), first(width)];
    const [start, end] = [Math.max(0, left), Math.min(width, left + size)];
    for (let channel = 0; channel < channels; channel++)
      for (let row = Math.max(0, top); row < Math.min(height, top + size); row++) {
        const line = (channel * height + row) * width;
        x.fill(0, line + start, line + end);
      }
  };
}
