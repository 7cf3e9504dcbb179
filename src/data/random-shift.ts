// Augmentation by translation: for training sets whose classes do not depend on where in the image a thing lies.
import { imageAxes } from "./image-axes.ts";
import type { MapFunction } from "./samples.ts";

/** The farthest move that leaves half of an image [C, H, W] in it: half its shorter side, in pixels. */
export const largestShift = (shape: readonly number[]): number => Math.floor(Math.min(...shape.slice(1)) / 2);

/**
 * For `Dataset.map`: moves an image [C, H, W] by a random whole number of pixels, up to `limit` each way and axis; what
 * comes in at an edge repeats the edge. Throws for samples that are no images, and for moves by more than half a side.
 */
export function randomShift(limit: number): MapFunction {
  const draw = (random: () => number): number => Math.floor(random() * (2 * limit + 1)) - limit;
  return ({ x, shape, random }) => {
    const [channels, height, width] = imageAxes("randomShift", shape);
    if (!(Number.isInteger(limit) && limit >= 0 && limit <= largestShift(shape)))
      throw new RangeError(
        `randomShift: images of ${height} × ${width} take a limit from 0 to ${largestShift(shape)}, not ${limit}`,
      );
    const [down, right] = [draw(random), draw(random)];
    if (down === 0 && right === 0) return;
    const from = x.slice();
    const within = (place: number, size: number): number => Math.min(size - 1, Math.max(0, place));
    for (let row = 0, to = 0; row < channels * height; row++) {
      const line = row - (row % height) + within((row % height) - down, height);
      for (let column = 0; column < width; column++) x[to++] = from[line * width + within(column - right, width)];
    }
  };
}
