// Pictures as a model's input: turned grey where the model is, bright strokes on dark, resized.
import type { Image } from "../data/decode-image.ts";
import { greyOf } from "../data/fit-image.ts";
import { resample } from "../data/resample.ts";

/**
 * The image as a model's input of shape [channels, height, width]: as large as fits, centred on its background. Grey input
 * takes the luminance, and where the border is bright the image is inverted, as digits are trained as light on dark.
 */
export function fitDigit(image: Image, shape: readonly number[]): { pixels: Float32Array; inverted: boolean } {
  const { width, height, planes } = image;
  const [channels, rows, columns] = shape;
  if (width * height === 0) throw new Error("the image is empty");
  const chosen =
    channels === 1 ? [greyOf(image)] : Array.from({ length: channels }, (_, c) => planes[c % planes.length]);
  const inverted = channels === 1 && border(chosen[0], width, height) > 0.5;
  const shade = (value: number): number => (inverted ? 1 - value / 255 : value / 255);
  const scale = Math.min(columns / width, rows / height);
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const [left, top] = [Math.floor((columns - w) / 2), Math.floor((rows - h) / 2)];
  const pixels = new Float32Array(channels * rows * columns);
  chosen.forEach((plane, c) => {
    const small = resample([plane], width, { left: 0, top: 0, width, height }, [h, w])[0].map(shade);
    const background = shade(255 * border(plane, width, height));
    const target = pixels.subarray(c * rows * columns, (c + 1) * rows * columns).fill(background);
    for (let y = 0; y < h; y++) target.set(small.subarray(y * w, (y + 1) * w), (top + y) * columns + left);
  });
  return { pixels, inverted };
}

/** The mean along the image's edge, in [0, 1]. */
function border(plane: ArrayLike<number>, width: number, height: number): number {
  let sum = 0;
  let count = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x += y === 0 || y === height - 1 ? 1 : Math.max(1, width - 1)) {
      sum += plane[y * width + x];
      count++;
    }
  return sum / count / 255;
}
