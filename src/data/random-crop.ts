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
  return ({ x, shape, random }) => {
    const [channels, height, width] = imageAxes("randomCrop", shape);
    const [h, w] = [size ?? height, size ?? width];
    if (h > height + 2 * padding || w > width + 2 * padding)
      throw new RangeError(
        `randomCrop: images of ${height} × ${width} with padding ${padding} have no window of ${h} × ${w}; take a smaller size`,
      );
    const top = Math.floor(random() * (height + 2 * padding - h + 1)) - padding;
    const left = Math.floor(random() * (width + 2 * padding - w + 1)) - padding;
    if (h === height && w === width) return shift(x, shape, top, left);
    const target = x instanceof Int32Array ? new Int32Array(channels * h * w) : new Float32Array(channels * h * w);
    const [start, end] = [Math.max(0, -left), Math.min(w, width - left)]; // columns of the window that lie in the image
    for (let channel = 0; channel < channels; channel++)
      for (let row = Math.max(0, -top); row < Math.min(h, height - top) && start < end; row++) {
        const line = (channel * height + top + row) * width + left;
        target.set(x.subarray(line + start, line + end), (channel * h + row) * w + start);
      }
    return { x: target, shape: [channels, h, w] };
  };
}

/** Moves the image so that (top, left) comes to (0, 0): all of it at once, then zeros where another row or channel came in. */
function shift(x: Float32Array | Int32Array, shape: readonly number[], top: number, left: number): void {
  const [channels, height, width] = shape;
  const by = top * width + left;
  if (by >= 0) x.copyWithin(0, by);
  else x.copyWithin(-by, 0, x.length + by);
  const [first, last] = [Math.max(0, -top), Math.min(height, height - top)]; // rows that hold something of the image
  const [start, end] = [Math.max(0, -left), Math.min(width, width - left)];
  for (let channel = 0; channel < channels; channel++) {
    const base = channel * height * width;
    x.fill(0, base, base + Math.min(height, first) * width);
    x.fill(0, base + Math.max(0, last) * width, base + height * width);
    for (let row = first; row < last; row++) {
      const line = base + row * width;
      for (let column = 0; column < Math.min(start, width); column++) x[line + column] = 0;
      for (let column = Math.max(0, end); column < width; column++) x[line + column] = 0;
    }
  }
}
