// Randomness: counter-based bits (Threefry-2x32, Salmon et al., 2011) from a seed and a counter, the same on every backend and thread count.
import { live, tensor } from "./leaves.ts";
import { nextKey } from "./random-state.ts";
import { capturing } from "./scope.ts";
import { checkShape, type Shape } from "./shape.ts";
import { Tensor } from "./tensor.ts";
import { threefry } from "./threefry.ts";

/** Uniform random bits as i32. In a step the key is read anew at each run, and the draws of one run differ by their stream number. */
export function randomBits(shape: Shape): Tensor {
  checkShape("random", shape);
  const step = capturing();
  if (step !== undefined) step.key ??= live(nextKey, [2], "i32");
  const key = step?.key ?? tensor(new Int32Array(nextKey()));
  return new Tensor("random", [key], { stream: step === undefined ? 0 : step.draws++ }, shape, "i32");
}

/** Uniform in [low, high): 24 random bits scaled; what rounding would take to `high` becomes the number before it. */
export function uniform(shape: Shape, low = 0, high = 1): Tensor {
  const unit = randomBits(shape)
    .shift(-8)
    .cast("f32")
    .mul(2 ** -24);
  if (low === 0 && high === 1) return unit;
  if (!Number.isFinite(Math.fround(high - low)) || !(low <= high))
    throw new RangeError(`uniform: needs low ≤ high, an f32 apart, got ${low} and ${high}`);
  return unit
    .mul(high - low)
    .add(low)
    .minimum(Math.max(Math.fround(low), before(Math.fround(high))));
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** The largest f32 below one. */
function before(value: number): number {
  if (!Number.isFinite(value)) return value;
  if (value === 0) return -(2 ** -149);
  float[0] = value;
  bits[0] += value > 0 ? -1 : 1;
  return float[0];
}

/** Normal with the given mean and standard deviation (Box & Muller, 1958). */
export function normal(shape: Shape, mean = 0, deviation = 1): Tensor {
  if (!Number.isFinite(mean) || !(deviation >= 0 && deviation < Number.POSITIVE_INFINITY))
    throw new RangeError(`normal: needs a finite mean and a finite deviation ≥ 0, got ${mean} and ${deviation}`);
  const radius = uniform(shape).neg().add(1).log().mul(-2).sqrt(); // 1 − u lies in (0, 1]
  const unit = radius.mul(
    uniform(shape)
      .mul(2 * Math.PI)
      .cos(),
  );
  return mean === 0 && deviation === 1 ? unit : unit.mul(deviation).add(mean);
}

/** 1 with probability p, else 0, as f32. */
export function bernoulli(shape: Shape, p = 0.5): Tensor {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`bernoulli: p must lie in [0, 1], got ${p}`);
  return uniform(shape).lt(p).cast("f32");
}

/** A random order of 0 … n − 1 on the host (Fisher & Yates), from the same stream. */
export function permutation(n: number): Int32Array {
  const [seedWord, counter] = nextKey();
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(((threefry(seedWord, counter, i, 0)[0] >>> 0) / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
