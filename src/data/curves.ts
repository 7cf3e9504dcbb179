// A procedural data set of curves: images of six dimensions, on which auto-encoders are held against linear methods.
import { Dataset } from "./dataset.ts";
import type { Split } from "./mnist.ts";
import { type RandomStream, randomStream, uniform } from "./random.ts";
import type { Samples } from "./samples.ts";

const side = 28;
const pixels = side * side;
const spans = 24;

/** How many curves to draw, and which: the splits of one seed, and all seeds, are different drawings. */
export interface CurvesOptions {
  count?: number;
  seed?: number;
}

/**
 * Curves of three random control points, after the set of Hinton & Salakhutdinov, 2006, and Martens, 2010: x f32 [B, 1, 28, 28]
 * in [0, 1], y i32 [B], all 0. A quadratic Bézier curve, its points uniform over a frame of 3 to 24 pixels, drawn with a soft
 * pen, decided by (seed, split, index) alone. So an image is a smooth function of six numbers. The papers take 20,000 curves to
 * train on and 10,000 to test. Throws a RangeError for another split and for a count that is none.
 */
export function curves(split: Split, { count = 20_000, seed = 1 }: CurvesOptions = {}): Dataset {
  if (split !== "train" && split !== "test")
    throw new RangeError(`curves: split must be "train" or "test", not ${JSON.stringify(split)}`);
  if (!Number.isInteger(count) || count < 0)
    throw new RangeError(`curves: count must be an integer of at least 0, not ${count}`);
  return new Dataset(() => drawAll(split, count, seed), {
    name: "curves",
    shape: [1, side, side],
    length: count,
    classes: ["curve"],
  });
}

function drawAll(split: Split, count: number, seed: number): Samples {
  const x = new Uint8Array(count * pixels);
  for (let index = 0; index < count; index++)
    drawCurve(x.subarray(index * pixels, (index + 1) * pixels), randomStream(seed, split === "train" ? 3 : 4, index));
  return { x, y: new Uint8Array(count) };
}

/** Draws one curve into 28 · 28 bytes (0 paper, 255 ink), using the stream's next six numbers. */
export function drawCurve(target: Uint8Array, next: RandomStream): void {
  const place = (): number => 3 + 21 * uniform(next);
  const [ax, ay, bx, by, cx, cy] = [place(), place(), place(), place(), place(), place()];
  const bezier = (a: number, b: number, c: number, t: number): number =>
    (1 - t) * (1 - t) * a + 2 * t * (1 - t) * b + t * t * c;
  const nearest = new Float64Array(pixels).fill(Number.POSITIVE_INFINITY); // squares of distances
  let [x0, y0] = [ax, ay];
  for (let i = 1; i <= spans; i++) {
    const [x1, y1] = [bezier(ax, bx, cx, i / spans), bezier(ay, by, cy, i / spans)];
    approach(nearest, x0, y0, x1, y1);
    [x0, y0] = [x1, y1];
  }
  for (let k = 0; k < pixels; k++) target[k] = Math.round(255 * ink(nearest[k]));
}

const reach = 2; // pixels from the curve's middle to the paper

/** (1 − d² / reach²)², which ends without an edge. */
const ink = (square: number): number => Math.max(0, 1 - square / (reach * reach)) ** 2;

/** Takes note of a segment wherever it is the nearest one, in the pixels that it reaches. */
function approach(nearest: Float64Array, x0: number, y0: number, x1: number, y1: number): void {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const length = dx * dx + dy * dy;
  const [top, bottom] = [Math.ceil(Math.min(y0, y1) - reach), Math.floor(Math.max(y0, y1) + reach)];
  const [left, right] = [Math.ceil(Math.min(x0, x1) - reach), Math.floor(Math.max(x0, x1) + reach)];
  for (let y = Math.max(0, top); y <= Math.min(side - 1, bottom); y++) {
    for (let x = Math.max(0, left); x <= Math.min(side - 1, right); x++) {
      const along = length === 0 ? 0 : ((x - x0) * dx + (y - y0) * dy) / length;
      const t = Math.min(1, Math.max(0, along));
      const square = (x - x0 - t * dx) ** 2 + (y - y0 - t * dy) ** 2;
      const k = y * side + x;
      if (square < nearest[k]) nearest[k] = square;
    }
  }
}
