// Augmentation by cropping: a window at a random place of the padded image.
import { imageAxes } from "./image-axes.ts";
import type { MapFunction } from "./samples.ts";

export interface RandomCropOptions {
  /** Zeros on each side of the image before it is cropped. Default: 0. */
  padding?: number;
  /** Height and width of the window. Default: the image's. */
  size?: number;
}

/**
 * For `Dataset.map`: pads an image [C, H, W] with zeros and takes a window, every place equally likely; with { padding: 4 } what
 * He, Zhang, Ren & Sun (2015, §4.2) do with CIFAR-10. After normalize() zero is the mean's colour, without it black.
 * Throws a RangeError for options that are none, and later an Error for samples that are no images, a RangeError for a window
 * that is larger than the padded image.
 */
export function randomCrop({ padding = 0, size }: RandomCropOptions = {}): MapFunction {
  if (!(Number.isInteger(padding) && padding >= 0))
    throw new RangeError(`randomCrop: padding must be a whole number ≥ 0, not ${padding}`);
  if (size !== undefined && !(Number.isInteger(size) && size >= 1))
    throw new RangeError(`randomCrop: size must be a whole number ≥ 1, not ${size}`);
  let scratch = new Float32Array(0); // the image while it is moved; functions of samples run one after the other
  return ({ x, shape, random }) => {
    const [channels, height, width] = imageAxes("randomCrop", shape);
    const [h, w] = [size ?? height, size ?? width];
    if (h > height + 2 * padding || w > width + 2 * padding)
      throw new RangeError(
        `randomCrop: images of ${height} × ${width} with padding ${padding} have no window of ${h} × ${w}; take a smaller size`,
      );
    const top = Math.floor(random() * (height + 2 * padding - h + 1)) - padding;
    const left = Math.floor(random() * (width + 2 * padding - w + 1)) - padding;
    const inPlace = h === height && w === width;
    if (inPlace && top === 0 && left === 0) return;
    if (scratch.length !== x.length) scratch = new Float32Array(x.length);
    if (inPlace) scratch.set(x);
    const target = inPlace ? x : new Float32Array(channels * h * w);
    crop(inPlace ? scratch : x, target, { channels, height, width, top, left, h, w });
    return inPlace ? undefined : { x: target, shape: [channels, h, w] };
  };
}

interface Window {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly top: number;
  readonly left: number;
  readonly h: number;
  readonly w: number;
}

/** Copies the window's part within the image, and zeros around it. */
function crop(
  from: ArrayLike<number>,
  target: Float32Array | Int32Array,
  { channels, height, width, top, left, h, w }: Window,
): void {
  const start = Math.max(0, -left); // columns of the window that lie in the image
  const end = Math.max(start, Math.min(w, width - left));
  for (let channel = 0, to = 0; channel < channels; channel++)
    for (let row = 0; row < h; row++) {
      const line = top + row;
      const inside = line >= 0 && line < height ? end : start;
      const at = (channel * height + line) * width + left;
      for (let column = 0; column < start; column++) target[to++] = 0;
      for (let column = start; column < inside; column++) target[to++] = from[at + column];
      for (let column = inside; column < w; column++) target[to++] = 0;
    }
}
