// Starting values of parameters, drawn on the host from the seeded stream: the same bits on every machine, some ten nanoseconds a number.
import { randomState, restoreRandom } from "../graph/index.ts";
import {
  fail,
  hostMath,
  type RandomStream,
  randomStream,
  randomWords,
  type Shape,
  show,
  sizeOf,
} from "../graph/internal.ts";

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
  const width = high - low;
  return filled(shape, (words, values) => {
    for (let i = 0; i < values.length; i++) values[i] = low + width * unit(words[i]);
  });
}

/** N(mean, deviation²), by the ziggurat. */
export function normal(shape: Shape, mean = 0, deviation = 1): Float32Array {
  const { sides, shares } = layers;
  return filled(shape, (words, values, next) => {
    for (let i = 0; i < values.length; i++) {
      const layer = words[i] & 255;
      const u = words[i] >> 8;
      const value = Math.abs(u) < shares[layer] ? u * sides[layer] : besides(layer, u, next);
      values[i] = mean + deviation * value;
    }
  });
}

/** Values from random words, a block at a time, and from more where one does not do. */
function filled(
  shape: Shape,
  fill: (words: Int32Array, values: Float32Array, next: RandomStream) => void,
): Float32Array {
  const values = new Float32Array(sizeOf(shape));
  const key = nextKey();
  const [draw, next] = [randomWords(...key), randomStream(...key, 1)];
  const words = new Int32Array(Math.min(values.length, 4096));
  for (let from = 0; from < values.length; from += words.length) {
    draw(words);
    fill(words, values.subarray(from, from + words.length), next);
  }
  return values;
}

/** Words have this many bits for the place in a layer, besides a sign and the layer. */
const places = 2 ** 23;

/**
 * The ziggurat of Marsaglia & Tsang (2000): 256 layers of equal area over the half of exp(−x²/2) where x > 0. Layer i reaches to
 * places · sides[i], where the curve has come down to heights[i]; the first shares[i] of its places lie below the curve for
 * certain. Layer 0 holds the tail from sides[1] on.
 */
const layers = /* @__PURE__ */ (() => {
  const [tail, area] = [3.6541528853610088, 0.004928673233974658];
  const x = [area / density(tail), tail];
  while (x.length < 256) {
    const last = x[x.length - 1];
    x.push(Math.sqrt(-2 * hostMath.log(area / last + density(last))));
  }
  x.push(0);
  return {
    sides: Float64Array.from(x, (side) => side / places),
    heights: Float64Array.from(x, density),
    shares: Int32Array.from({ length: 256 }, (_, i) => Math.floor((x[i + 1] / x[i]) * places)),
  };
})();

/** The normal density, but for its factor. */
function density(x: number): number {
  return hostMath.exp((-x * x) / 2);
}

/** A draw that fell besides the certain part of its layer, one in seventy: kept if it lies below the curve, else another. */
function besides(layer: number, u: number, next: RandomStream): number {
  const { sides, heights, shares } = layers;
  for (;;) {
    const share = unit(next());
    if (layer === 0) {
      const tail = places * sides[1]; // beyond it by Marsaglia (1964)
      const x = -hostMath.log(1 - share) / tail;
      if (-2 * hostMath.log(1 - unit(next())) >= x * x) return u < 0 ? -tail - x : tail + x;
      continue;
    }
    const x = u * sides[layer];
    if (heights[layer] + share * (heights[layer + 1] - heights[layer]) < density(x)) return x;
    const word = next();
    layer = word & 255;
    u = word >> 8;
    if (Math.abs(u) < shares[layer]) return u * sides[layer];
  }
}

/** A key of its own from the seeded stream; data sets' keys have two words. */
function nextKey(): [number, number, number] {
  const { seed, counter } = randomState();
  restoreRandom({ seed, counter: counter + 1 });
  return [seed, counter, -1];
}

/** A word's upper 24 bits as a number in [0, 1). */
const unit = (word: number): number => (word >>> 8) * 2 ** -24;

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

/**
 * N(mean, deviation²) within [low, high], by default two deviations either way, whose variance is 0.774 of the untruncated;
 * by rejection (von Neumann, 1951). Throws a RangeError unless low < high and deviation > 0, and where hardly anything lies between.
 */
export function truncatedNormal(
  shape: Shape,
  mean = 0,
  deviation = 1,
  low: number = mean - 2 * deviation,
  high: number = mean + 2 * deviation,
): Float32Array {
  if (!(low < high && deviation > 0 && Number.isFinite(mean) && Number.isFinite(deviation)))
    throw new RangeError(
      `truncatedNormal: needs low < high and a deviation above 0, got ${low}, ${high} and ${deviation}`,
    );
  const mode = Math.min(Math.max(mean, low), high);
  const [from, to] = [Math.max(low, mode - 10 * deviation), Math.min(high, mode + 10 * deviation)]; // past them e⁻⁵⁰
  const energy = (v: number): number => ((v - mean) / deviation) ** 2 / 2;
  const values = new Float32Array(sizeOf(shape));
  const next = randomStream(...nextKey());
  for (let count = 0, tries = 0; count < values.length; tries++) {
    if (tries > 2000 * (count + 64))
      throw new RangeError(`truncatedNormal: next to nothing of N(${mean}, ${deviation}²) lies in [${low}, ${high}]`);
    const value = Math.fround(from + (to - from) * unit(next()));
    const accepted = unit(next()) < hostMath.exp(energy(mode) - energy(value));
    if (accepted && value >= low && value <= high) values[count++] = value;
  }
  return values;
}

/**
 * gain · Q, where the rows of Q [outputs, inputs · kernel] are orthonormal, or its columns where there are more rows, uniform among
 * such matrices (Saxe et al., 2014): Gram-Schmidt, done twice for each vector, on draws from N(0, 1).
 */
export function orthogonal(shape: Shape, { gain = 1 }: { gain?: number } = {}): Float32Array {
  const [outputs, inputs] = [shape[0], fanIn(shape)];
  const [count, length] = [Math.min(outputs, inputs), Math.max(outputs, inputs)];
  const vectors: Float64Array[] = [];
  while (vectors.length < count) {
    const v = Float64Array.from(normal([length]));
    for (let pass = 0; pass < 2; pass++) {
      for (const other of vectors) {
        const along = dot(v, other);
        for (let i = 0; i < length; i++) v[i] -= along * other[i];
      }
    }
    const norm = Math.sqrt(dot(v, v));
    if (norm > 1e-6) vectors.push(v.map((e) => e / norm)); // else it lay among the others: another draw
  }
  const across = outputs <= inputs;
  return Float32Array.from({ length: outputs * inputs }, (_, at) => {
    const [row, column] = [Math.floor(at / inputs), at % inputs];
    return gain * (across ? vectors[row][column] : vectors[column][row]);
  });
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

export interface SparseOptions {
  /** Inputs of each unit that are not 0, or all where there are fewer. */
  connections?: number;
  deviation?: number;
}

/**
 * N(0, deviation²) for `connections` inputs of each output, drawn without replacement, and 0 for the others (Martens, Deep learning
 * via Hessian-free optimization, 2010, with 15 and 1). PyTorch's `sparse_` zeroes a share of each column and has a deviation of 0.01.
 * Throws where connections is no whole number ≥ 1.
 */
export function sparse(shape: Shape, { connections = 15, deviation = 1 }: SparseOptions = {}): Float32Array {
  if (!Number.isInteger(connections) || connections < 1)
    fail("sparse", `connections must be a whole number ≥ 1, got ${connections}`);
  const [outputs, inputs] = [shape[0], fanIn(shape)];
  const each = Math.min(connections, inputs);
  const values = new Float32Array(outputs * inputs);
  const drawn = normal([outputs * each], 0, deviation);
  const next = randomStream(...nextKey());
  const order = Int32Array.from({ length: inputs }, (_, i) => i);
  for (let row = 0; row < outputs; row++) {
    for (let k = 0; k < each; k++) {
      const other = k + Math.floor(unit(next()) * (inputs - k)); // Fisher & Yates, as far as is needed
      [order[k], order[other]] = [order[other], order[k]];
      values[row * inputs + order[k]] = drawn[row * each + k];
    }
  }
  return values;
}

/**
 * Weights that pass their inputs on, times the gain: w[i, i] = gain, for kernels at their centre (a Dirac delta), all else 0, as far as
 * there are both inputs and outputs (Le et al., A simple way to initialize recurrent networks of rectified linear units, 2015).
 * With groups each is such a block, as in PyTorch's `dirac_`. Throws where the outputs do not divide into groups.
 */
export function identity(
  shape: Shape,
  { gain = 1, groups = 1 }: { gain?: number; groups?: number } = {},
): Float32Array {
  const [outputs, inputs, ...kernel] = weights(shape);
  if (!Number.isInteger(groups) || outputs % groups !== 0)
    fail("identity", `${outputs} outputs do not divide into ${groups} groups`);
  const values = constant(shape, 0);
  const centre = kernel.reduce((at, size) => at * size + Math.floor(size / 2), 0);
  const perGroup = outputs / groups;
  for (let o = 0; o < outputs; o++) {
    if (o % perGroup < inputs) values[(o * inputs + (o % perGroup)) * sizeOf(kernel) + centre] = gain;
  }
  return values;
}

/** Activations that `gain` knows. */
export type Nonlinearity = "linear" | "sigmoid" | "tanh" | "relu" | "leakyRelu" | "selu";

const gains: Readonly<Record<Nonlinearity, (slope: number) => number>> = {
  linear: () => 1,
  sigmoid: () => 4,
  tanh: () => 5 / 3,
  relu: () => Math.SQRT2,
  leakyRelu: (slope) => Math.sqrt(2 / (1 + slope * slope)),
  selu: () => 1,
};

/**
 * The factor on the standard deviation of Glorot's, LeCun's or orthogonal weights before an activation f: 1 if linear;
 * sigmoid 4 = 1 / f′(0) (Glorot & Bengio, 2010, assume f′(0) = 1, which the logistic function, unlike tanh, does not have);
 * tanh 5/3; relu √2 and leakyRelu √(2 / (1 + slope²)) (He et al., 2015); selu 1, whose fixed point needs variance 1 / fan in
 * (Klambauer et al., 2017). PyTorch's `calculate_gain` has 1 for sigmoid and ¾ for selu. Throws a RangeError for any other, and for a slope that is not finite.
 */
export function gain(nonlinearity: Nonlinearity, { slope = 0.01 }: { slope?: number } = {}): number {
  if (!Object.hasOwn(gains, nonlinearity))
    throw new RangeError(
      `gain: there is none for ${JSON.stringify(nonlinearity)}, but for ${Object.keys(gains).join(", ")}`,
    );
  if (!Number.isFinite(slope)) throw new RangeError(`gain: slope must be a finite number, got ${slope}`);
  return gains[nonlinearity](slope);
}
