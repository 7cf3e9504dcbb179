// Starting values of parameters: drawn on the host from the seeded stream, so that building a model is synchronous and repeatable.
import { randomState, restoreRandom } from "../graph/index.ts";
import { fail, hostMath, type Shape, show, sizeOf, threefry } from "../graph/internal.ts";

/** The elements of a new parameter of the given shape. */
export type Init = (shape: Shape) => Float32Array;

/** Inputs that each output of weights [outputs, inputs, …kernel] sums over. */
export const fanIn = (shape: Shape): number => sizeOf(weights(shape).slice(1));

/** Outputs that each input of weights [outputs, inputs, …kernel] reaches. */
export const fanOut = (shape: Shape): number => sizeOf(weights(shape)) / shape[1];

function weights(shape: Shape): Shape {
  return shape.length >= 2 ? shape : fail("init", `fans need weights [outputs, inputs, …], got ${show(shape)}`);
}

/** Every element is the value. */
export const constant = (shape: Shape, value: number): Float32Array => new Float32Array(sizeOf(shape)).fill(value);

/** U(low, high). */
export function uniform(shape: Shape, low = 0, high = 1): Float32Array {
  return Float32Array.from(unitDraws(sizeOf(shape)), (u) => low + (high - low) * u);
}

/** N(mean, deviation²), by pairs (Box & Muller, 1958). */
export function normal(shape: Shape, mean = 0, deviation = 1): Float32Array {
  const values = new Float32Array(sizeOf(shape));
  const units = unitDraws(values.length + (values.length % 2));
  for (let i = 0; i < values.length; i += 2) {
    const radius = deviation * Math.sqrt(-2 * hostMath.log(1 - units[i])); // 1 − u lies in (0, 1]
    const angle = 2 * Math.PI * units[i + 1];
    values[i] = mean + radius * hostMath.cos(angle);
    if (i + 1 < values.length) values[i + 1] = mean + radius * hostMath.sin(angle);
  }
  return values;
}

/** n uniform numbers in [0, 1) of 24 bits each, under a key of their own from the seeded stream. */
function unitDraws(n: number): Float64Array {
  const { seed, counter } = randomState();
  restoreRandom({ seed, counter: counter + 1 });
  const units = new Float64Array(n);
  for (let i = 0; i < n; i += 2) {
    const [first, second] = threefry(seed, counter | 0, i, 0);
    units[i] = (first >>> 8) * 2 ** -24;
    if (i + 1 < n) units[i + 1] = (second >>> 8) * 2 ** -24;
  }
  return units;
}

/** U(−b, b) of variance σ²: b = σ·√3. */
const uniformOf = (shape: Shape, variance: number): Float32Array =>
  uniform(shape, -Math.sqrt(3 * variance), Math.sqrt(3 * variance));

const normalOf = (shape: Shape, variance: number): Float32Array => normal(shape, 0, Math.sqrt(variance));

/** U of variance 1 / fan (LeCun et al., Efficient BackProp, 1998). */
export const lecunUniform = (shape: Shape, { fan = fanIn(shape) }: { fan?: number } = {}): Float32Array =>
  uniformOf(shape, 1 / fan);

/** N(0, 1 / fan) (LeCun et al., Efficient BackProp, 1998). */
export const lecunNormal = (shape: Shape, { fan = fanIn(shape) }: { fan?: number } = {}): Float32Array =>
  normalOf(shape, 1 / fan);

export interface GlorotOptions {
  /** Factor on the standard deviation, e.g. 5/3 before tanh. */
  gain?: number;
  inputs?: number;
  outputs?: number;
}

const glorot = (shape: Shape, { gain = 1, inputs = fanIn(shape), outputs = fanOut(shape) }: GlorotOptions): number =>
  (2 * gain * gain) / (inputs + outputs);

/** U of variance 2·gain² / (fan in + fan out) (Glorot & Bengio, 2010). */
export const glorotUniform = (shape: Shape, options: GlorotOptions = {}): Float32Array =>
  uniformOf(shape, glorot(shape, options));

/** N(0, 2·gain² / (fan in + fan out)) (Glorot & Bengio, 2010). */
export const glorotNormal = (shape: Shape, options: GlorotOptions = {}): Float32Array =>
  normalOf(shape, glorot(shape, options));

export interface HeOptions {
  /** Slope of the activation below zero: 0 for relu. */
  slope?: number;
  /** The fan in keeps the variance of activations, the fan out that of gradients. */
  fan?: number;
}

const he = (shape: Shape, { slope = 0, fan = fanIn(shape) }: HeOptions): number => 2 / ((1 + slope * slope) * fan);

/** U of variance 2 / ((1 + slope²)·fan) (He et al., 2015). */
export const heUniform = (shape: Shape, options: HeOptions = {}): Float32Array => uniformOf(shape, he(shape, options));

/** N(0, 2 / ((1 + slope²)·fan)) (He et al., 2015). */
export const heNormal = (shape: Shape, options: HeOptions = {}): Float32Array => normalOf(shape, he(shape, options));

/** What layers start from unless told otherwise, as in PyTorch: U(±1/√fan in), which is He's with slope √5. */
export const fanInUniform = (shape: Shape, { fan = fanIn(shape) }: { fan?: number } = {}): Float32Array =>
  uniformOf(shape, 1 / (3 * fan));
