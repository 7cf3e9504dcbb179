// A procedural data set of 28×28 digits: needs no files, the same bits on every machine, and is hard enough to learn from.
import { Dataset } from "./dataset.ts";
import { glyphTemplates, type Stroke } from "./glyph-templates.ts";
import type { Split } from "./mnist.ts";
import { type RandomStream, randomStream, uniform } from "./random.ts";
import type { Samples } from "./samples.ts";

const side = 28;
const pixels = side * side;

/** How many glyphs to draw, and which: the splits of one seed, and all seeds, are different drawings. */
export interface GlyphOptions {
  count?: number;
  seed?: number;
}

/**
 * Drawn digits with labels 0 to 9 in turn: x f32 [B, 1, 28, 28] in [0, 1], y i32 [B]. No files, no network.
 * Each is a template bent, turned, sheared, stroked with a varying pen and overlaid with clutter and noise,
 * decided by (seed, split, index) alone. After 8 epochs over 10,000 a linear classifier reads 90 % of the test glyphs,
 * a small MLP 97 %, LeNet-5 98.7 %. About 0.04 ms a glyph.
 */
export function glyphs(split: Split, { count = 10_000, seed = 1 }: GlyphOptions = {}): Dataset {
  if (split !== "train" && split !== "test")
    throw new RangeError(`glyphs: split must be "train" or "test", not ${JSON.stringify(split)}`);
  if (!Number.isInteger(count) || count < 0)
    throw new RangeError(`glyphs: count must be an integer of at least 0, not ${count}`);
  return new Dataset(() => drawAll(split, count, seed), {
    name: "glyphs",
    shape: [1, side, side],
    length: count,
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    mean: [0.1145],
    std: [0.2275],
  });
}

function drawAll(split: Split, count: number, seed: number): Samples {
  const x = new Uint8Array(count * pixels);
  const y = new Uint8Array(count);
  for (let index = 0; index < count; index++) {
    y[index] = index % 10;
    drawGlyph(
      x.subarray(index * pixels, (index + 1) * pixels),
      y[index],
      randomStream(seed, split === "train" ? 1 : 2, index),
    );
  }
  return { x, y };
}

/** Draws one digit into 28 · 28 bytes (0 paper, 255 ink), using the stream's next numbers. */
export function drawGlyph(target: Uint8Array, digit: number, next: RandomStream): void {
  const templates = glyphTemplates[digit];
  const template = templates[Math.floor(uniform(next) * templates.length)];
  const warp = randomWarp(next);
  const radius = between(next, 0.65, 1.75); // half the pen's width, in pixels
  const taper = between(next, -0.3, 0.3);
  const ink = new Float64Array(pixels);
  for (const stroke of template) {
    const line = flatten(stroke, warp);
    if (uniform(next) < 0.15) shorten(line, next);
    drawLine(ink, line, radius, taper);
  }
  if (uniform(next) < 0.25) drawLine(ink, scratch(next), between(next, 0.3, 0.8), 0);
  finish(target, ink, next);
}

const between = (next: RandomStream, low: number, high: number): number => low + (high - low) * uniform(next);

/** About normal, deviation 1: the sum of four uniform numbers, so that no logarithm is needed. */
const bell = (next: RandomStream): number =>
  (uniform(next) + uniform(next) + uniform(next) + uniform(next) - 2) * Math.sqrt(3);

type Warp = (x: number, y: number) => [number, number];

const lattice = 4;

/**
 * A random map from the template's box to pixels: an elastic shift, smooth between 4 × 4 random vectors,
 * then rotation, shear, scale and shift.
 */
function randomWarp(next: RandomStream): Warp {
  const bends = Float64Array.from({ length: 2 * lattice * lattice }, () => 4 * bell(next));
  const angle = clamp(0.13 * bell(next), -0.35, 0.35);
  const square = angle * angle; // Taylor series: Math.sin and Math.cos differ between engines
  const sin = angle * (1 - (square / 6) * (1 - square / 20));
  const cos = 1 - (square / 2) * (1 - square / 12);
  const slant = 0.16 * bell(next);
  const height = between(next, 0.17, 0.22); // pixels a unit of the box: 15 to 20 pixels high
  const width = height * between(next, 0.7, 1.1);
  const shiftX = side / 2 - 0.5 + clamp(bell(next), -3, 3);
  const shiftY = side / 2 - 0.5 + clamp(bell(next), -3, 3);
  return (x, y) => {
    const [bendX, bendY] = bendAt(bends, x, y);
    const v = (y + bendY - 50) * height;
    const u = (x + bendX - 50) * width - slant * v;
    return [shiftX + cos * u - sin * v, shiftY + sin * u + cos * v];
  };
}

function bendAt(bends: Float64Array, x: number, y: number): [number, number] {
  const column = (clamp(x, 0, 100) * (lattice - 1)) / 100;
  const row = (clamp(y, 0, 100) * (lattice - 1)) / 100;
  const left = Math.min(Math.floor(column), lattice - 2);
  const top = Math.min(Math.floor(row), lattice - 2);
  const a = smooth(column - left);
  const b = smooth(row - top);
  const at = 2 * (top * lattice + left);
  const below = at + 2 * lattice;
  const blend = (k: number) =>
    (1 - b) * ((1 - a) * bends[at + k] + a * bends[at + 2 + k]) +
    b * ((1 - a) * bends[below + k] + a * bends[below + 2 + k]);
  return [blend(0), blend(1)];
}

const smooth = (t: number): number => t * t * (3 - 2 * t);
const clamp = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, x));

const stepsPerSpan = 3;

/** The stroke's Catmull-Rom curve as a poly-line in pixels. */
function flatten(stroke: Stroke, warp: Warp): number[] {
  const last = stroke.length / 2 - 1;
  const line: number[] = [];
  const point = (i: number, axis: number) => stroke[2 * clamp(i, 0, last) + axis];
  const curve = (i: number, t: number, axis: number) => {
    const [p0, p1, p2, p3] = [point(i - 1, axis), point(i, axis), point(i + 1, axis), point(i + 2, axis)];
    return p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)));
  };
  for (let i = 0; i < last; i++)
    for (let step = 0; step < stepsPerSpan; step++)
      line.push(...warp(curve(i, step / stepsPerSpan, 0), curve(i, step / stepsPerSpan, 1)));
  line.push(...warp(point(last, 0), point(last, 1)));
  return line;
}

/** Lifts the pen early: drops up to a sixth of the poly-line's points at its end. */
function shorten(line: number[], next: RandomStream): void {
  const points = line.length / 2;
  line.length = 2 * Math.max(2, points - Math.floor((uniform(next) * points) / 6));
}

/** A short stray line anywhere. */
function scratch(next: RandomStream): number[] {
  const x = between(next, 3, side - 4);
  const y = between(next, 3, side - 4);
  return [x, y, x + between(next, -7, 7), y + between(next, -7, 7)];
}

/** Inks the poly-line: each pixel gets the greatest coverage by any segment, falling over one pixel at the pen's edge. */
function drawLine(ink: Float64Array, line: readonly number[], radius: number, taper: number): void {
  const segments = line.length / 2 - 1;
  for (let i = 0; i < segments; i++) {
    const [x0, y0, x1, y1] = [line[2 * i], line[2 * i + 1], line[2 * i + 2], line[2 * i + 3]];
    const pen = radius * (1 + taper * ((2 * i) / segments - 1));
    const reach = pen + 0.7;
    const [dx, dy] = [x1 - x0, y1 - y0];
    const scale = 1 / (dx * dx + dy * dy + 1e-9);
    const right = Math.min(side - 1, Math.floor(Math.max(x0, x1) + reach));
    const bottom = Math.min(side - 1, Math.floor(Math.max(y0, y1) + reach));
    for (let y = Math.max(0, Math.ceil(Math.min(y0, y1) - reach)); y <= bottom; y++)
      for (let x = Math.max(0, Math.ceil(Math.min(x0, x1) - reach)); x <= right; x++) {
        const along = clamp(((x - x0) * dx + (y - y0) * dy) * scale, 0, 1);
        const ex = x - x0 - along * dx;
        const ey = y - y0 - along * dy;
        const square = ex * ex + ey * ey;
        if (square < reach * reach) ink[y * side + x] = Math.max(ink[y * side + x], (reach - Math.sqrt(square)) / 1.4);
      }
  }
}

/** Turns coverage into bytes of a random contrast, with noise on every pixel. */
function finish(target: Uint8Array, ink: Float64Array, next: RandomStream): void {
  const contrast = between(next, 150, 255);
  const noise = between(next, 0, 0.35); // bytes of grain a random byte
  for (let i = 0; i < pixels; i += 4) {
    const grain = next();
    for (let k = 0; k < 4; k++) {
      const value = contrast * Math.min(1, ink[i + k]) + noise * (((grain >>> (8 * k)) & 255) - 128);
      target[i + k] = clamp(value, 0, 255) + 0.5; // the store cuts the fraction off
    }
  }
}
