// Samples in memory and how batches of plain typed arrays are made from them: scaling, normalisation, the user's map functions.
import { randomStream, uniform } from "./random.ts";
import type { Vocabulary } from "./text.ts";

/**
 * All samples of a set, one after the other: x holds N·∏shape values, y holds N·∏targetShape.
 * Bytes in x are pixels and become x / 255; bytes in y are labels and become i32; other arrays keep their type.
 */
export interface Samples {
  x: Uint8Array | Float32Array | Int32Array;
  y: Uint8Array | Float32Array | Int32Array;
  /** Where x is filled in as samples are asked for: resolves once those of these places stand in it. */
  ready?: (indices: Uint32Array) => Promise<void>;
}

/** What is known of a set before it is loaded. Shapes are of one sample, mean and std of each channel of x in [0, 1]. */
export interface SampleInfo {
  name?: string;
  shape: readonly number[];
  targetShape?: readonly number[];
  length?: number;
  /** Size of the vocabulary, where x holds its numbers, i32. */
  tokens?: number;
  /** Loads the words of those numbers. */
  vocabulary?: () => Promise<Vocabulary>;
  classes?: readonly string[];
  mean?: readonly number[];
  std?: readonly number[];
}

/** A batch as plain arrays that belong to it alone; `indices` are the samples' places in the stored order. */
export interface RawBatch {
  x: Float32Array | Int32Array;
  y: Float32Array | Int32Array;
  shape: number[];
  targetShape: number[];
  indices: Uint32Array;
}

/** One sample on its way through map functions; its arrays may be written to. `random` is uniform in [0, 1). */
export interface Sample {
  x: Float32Array | Int32Array;
  y: Float32Array | Int32Array;
  shape: readonly number[];
  index: number;
  /** What normalize() took away and divided by: value · std + mean is what was stored. Undefined where it was not called. */
  statistics?: Statistics;
  random: () => number;
}

/** Changes a sample in place or returns what to replace. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function that only writes in place returns nothing
export type MapFunction = (sample: Sample) => MapResult | void | Promise<MapResult | void>;

/** Changes a batch in place or returns what to replace; `random` is uniform in [0, 1). */
// biome-ignore lint/suspicious/noConfusingVoidType: a function that only writes in place returns nothing
export type BatchFunction = (batch: RawBatch, random: () => number, info: SampleInfo) => Partial<RawBatch> | void;

/** The parts of a sample that a map function replaces. */
export type MapResult = Partial<Pick<Sample, "x" | "y" | "shape">>;

/** Mean and deviation of each channel, one entry when all share it. */
export interface Statistics {
  mean: readonly number[];
  std: readonly number[];
}

/** The number of samples. Throws an Error when the arrays are of another kind, do not hold whole samples or disagree. */
export function countSamples(samples: Samples, info: SampleInfo): number {
  const { name = "dataset", shape, targetShape = [] } = info;
  for (const [key, values] of Object.entries({ x: samples.x, y: samples.y }))
    if (![Uint8Array, Float32Array, Int32Array].some((kind) => values instanceof kind))
      throw new Error(`${name}: ${key} is ${kindOf(values)}; make it a Uint8Array, Float32Array or Int32Array`);
  const count = samples.x.length / product(shape);
  if (!Number.isInteger(count) || samples.y.length !== count * product(targetShape))
    throw new Error(
      `${name}: ${samples.x.length} values of x and ${samples.y.length} of y are not N samples of shape [${shape}] and targets of shape [${targetShape}]`,
    );
  return count;
}

const kindOf = (values: unknown): string => (values as object | undefined)?.constructor.name ?? String(values);

/** Channels of a sample: its first axis when it has three, else one. */
export const channelsOf = (shape: readonly number[]): number => (shape.length === 3 ? shape[0] : 1);

/**
 * Mean and deviation of each channel over all samples, in the scale of batches (bytes / 255); the deviation of a constant one is 1.
 * In two passes: sums around a channel's first value lose no digits to a large mean, squares are taken around the mean.
 * Throws an Error for a value that is not finite.
 */
export function measureStatistics({ x }: Samples, { name = "dataset", shape }: SampleInfo): Statistics {
  const channels = channelsOf(shape);
  const plane = product(shape) / channels;
  const scale = x instanceof Uint8Array ? 255 : 1;
  const count = Math.max(1, x.length / channels);
  const first = Array.from({ length: channels }, (_, channel) => x[channel * plane] ?? 0);
  const mean = sumsAround(x, first, plane, 1).map((sum, channel) => first[channel] + sum / count);
  const squares = sumsAround(x, mean, plane, 2);
  if (!squares.every(Number.isFinite)) {
    const at = x.findIndex((value) => !Number.isFinite(value));
    throw new Error(
      `${name}: sample ${Math.floor(at / product(shape))} holds ${x[at]}; replace it, or give normalize() mean and std`,
    );
  }
  return {
    mean: mean.map((each) => each / scale),
    std: squares.map((sum) => Math.sqrt(sum / count) / scale || 1),
  };
}

/** Σ (x − centre)ᵖ over each channel, in double precision. */
function sumsAround(x: Samples["x"], centres: readonly number[], plane: number, power: 1 | 2): number[] {
  const sums = centres.map(() => 0);
  for (let at = 0, channel = 0; at < x.length; channel = (channel + 1) % centres.length) {
    const centre = centres[channel];
    let sum = 0;
    for (const end = at + plane; at < end; at++) {
      const centred = x[at] - centre;
      sum += power === 1 ? centred : centred * centred;
    }
    sums[channel] += sum;
  }
  return sums;
}

/** Makes the batch of the given samples, normalised when statistics are given: (x − mean) / std. */
export function assemble(samples: Samples, info: SampleInfo, indices: Uint32Array, statistics?: Statistics): RawBatch {
  const { shape, targetShape = [] } = info;
  const size = product(shape);
  const targets = product(targetShape);
  const x =
    samples.x instanceof Int32Array ? new Int32Array(indices.length * size) : new Float32Array(indices.length * size);
  const y =
    samples.y instanceof Float32Array
      ? new Float32Array(indices.length * targets)
      : new Int32Array(indices.length * targets);
  const copy = copier(samples.x, shape, statistics);
  indices.forEach((index, row) => {
    copy(x, row * size, index * size);
    for (let i = 0; i < targets; i++) y[row * targets + i] = samples.y[index * targets + i];
  });
  return {
    x,
    y,
    shape: [indices.length, ...shape],
    targetShape: [indices.length, ...targetShape],
    indices,
  };
}

type Copier = (target: Float32Array | Int32Array, to: number, from: number) => void;

/** Copies one sample from the source, scaled and normalised; bytes go through a table of 256 values a channel. */
function copier(x: Samples["x"], shape: readonly number[], statistics?: Statistics): Copier {
  const size = product(shape);
  if (!(x instanceof Uint8Array) && !statistics)
    return (target, to, from) => target.set(x.subarray(from, from + size), to);
  const channels = channelsOf(shape);
  const plane = size / channels;
  const scales = Array.from({ length: channels }, (_, channel) => ({
    mean: at(statistics?.mean ?? [0], channel),
    std: at(statistics?.std ?? [1], channel),
  }));
  const tables = scales.map(({ mean, std }) =>
    Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - mean) / std),
  );
  return (target, to, from) => {
    for (let channel = 0; channel < channels; channel++) {
      const [start, end] = [channel * plane, (channel + 1) * plane];
      const part = target.subarray(to + start, to + end) as Float32Array;
      if (x instanceof Uint8Array) lookUp(part, x.subarray(from + start, from + end), tables[channel]);
      else standardize(part, x.subarray(from + start, from + end), scales[channel]);
    }
  };
}

// Loops of their own, so that each meets one kind of array only: the engine then compiles them to plain loads and stores.
function lookUp(target: Float32Array, bytes: Uint8Array, table: Float32Array): void {
  for (let i = 0; i < bytes.length; i++) target[i] = table[bytes[i]];
}

function standardize(
  target: Float32Array,
  values: Float32Array | Int32Array,
  { mean, std }: { mean: number; std: number },
): void {
  for (let i = 0; i < values.length; i++) target[i] = (values[i] - mean) / std;
}

const at = (values: readonly number[], channel: number): number => values[values.length === 1 ? 0 : channel];

/**
 * Runs the map functions on each sample of a batch, all samples at once.
 * `key` and a sample's index decide its random numbers. Throws an Error when results differ in size within the batch.
 */
export async function mapBatch(
  batch: RawBatch,
  functions: readonly MapFunction[],
  key: readonly number[],
  statistics?: Statistics,
): Promise<RawBatch> {
  const mapped = Array.from(batch.indices, (index, row) =>
    mapSample({ ...sampleOf(batch, row, index, key), statistics }, functions),
  );
  const rows = mapped.some((row) => row instanceof Promise) ? await Promise.all(mapped) : (mapped as Sample[]);
  if (rows.length === 0) return batch;
  const [first] = rows;
  const other = rows.find((row) => !sameAxes(row.shape, first.shape));
  if (other !== undefined)
    throw new Error(`map: samples of one batch have shapes [${first.shape}] and [${other.shape}]; make them equal`);
  return {
    x: joinRows(
      rows.map((row) => row.x),
      batch.x,
    ),
    y: joinRows(
      rows.map((row) => row.y),
      batch.y,
    ),
    shape: [rows.length, ...first.shape],
    targetShape: first.y.length * rows.length === batch.y.length ? batch.targetShape : [rows.length, first.y.length],
    indices: batch.indices,
  };
}

const sameAxes = (a: readonly number[], b: readonly number[]): boolean =>
  a === b || (a.length === b.length && a.every((size, axis) => size === b[axis]));

function sampleOf(batch: RawBatch, row: number, index: number, key: readonly number[]): Sample {
  const part = <T extends Float32Array | Int32Array>(values: T): T => {
    const size = values.length / batch.indices.length;
    return values.subarray(row * size, (row + 1) * size) as T;
  };
  const next = randomStream(...key, index);
  return { x: part(batch.x), y: part(batch.y), shape: batch.shape.slice(1), index, random: () => uniform(next) };
}

/** The sample after the functions, one after the other; a promise only where one of them is asynchronous. */
function mapSample(sample: Sample, functions: readonly MapFunction[]): Sample | Promise<Sample> {
  for (const [i, fn] of functions.entries()) {
    const result = fn(sample);
    if (result instanceof Promise)
      return result.then((change) => mapSample(merged(sample, change), functions.slice(i + 1)));
    sample = merged(sample, result);
  }
  if (product(sample.shape) !== sample.x.length)
    throw new Error(
      `map: sample ${sample.index} has ${sample.x.length} values for shape [${sample.shape}]; return the new shape too`,
    );
  return sample;
}

const merged = (sample: Sample, change: Awaited<ReturnType<MapFunction>>): Sample =>
  change === undefined ? sample : { ...sample, ...change };

/** The rows one after the other: the batch's own array where all were changed in place. */
function joinRows(rows: (Float32Array | Int32Array)[], whole: Float32Array | Int32Array): Float32Array | Int32Array {
  const size = rows[0].length;
  const inPlace = (row: Float32Array | Int32Array, i: number): boolean =>
    row.buffer === whole.buffer && row.byteOffset === whole.byteOffset + 4 * i * size && row.length === size;
  if (size * rows.length === whole.length && kindOf(rows[0]) === kindOf(whole) && rows.every(inPlace)) return whole;
  const joined =
    rows[0] instanceof Int32Array ? new Int32Array(rows.length * size) : new Float32Array(rows.length * size);
  rows.forEach((row, i) => {
    if (kindOf(row) !== kindOf(joined))
      throw new Error(
        `map: samples of one batch are ${kindOf(row)} and ${kindOf(joined)}; make all Float32Array or all Int32Array`,
      );
    if (row.length !== size)
      throw new Error(`map: samples of one batch have ${size} and ${row.length} values; make them equal`);
    joined.set(row, i * size);
  });
  return joined;
}

/** The number of values of a shape. */
export const product = (shape: readonly number[]): number => shape.reduce((size, axis) => size * axis, 1);
