// Augmentation by mirroring: for sets whose classes stay what they are seen from the other side.
import { imageAxes } from "./image-axes.ts";
import type { MapFunction } from "./samples.ts";

/**
 * For `Dataset.map`: exchanges left and right of an image [C, H, W] with the probability given, ½ unless said otherwise.
 * Throws a RangeError for a probability outside [0, 1], later an Error for samples that are no images.
 */
export function randomFlip({ probability = 0.5 }: { probability?: number } = {}): MapFunction {
  if (!(probability >= 0 && probability <= 1))
    throw new RangeError(`randomFlip: probability must lie in [0, 1], not ${probability}`);
  return ({ x, shape, random }) => {
    const [, , width] = imageAxes("randomFlip", shape);
    if (random() >= probability) return;
    for (let line = 0; line < x.length; line += width)
      for (let left = line, right = line + width - 1; left < right; left++, right--) {
        const held = x[left];
        x[left] = x[right];
        x[right] = held;
      }
  };
}
