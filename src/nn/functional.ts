// Activations as plain functions of a tensor and, where they have any, options: Sequential takes `gelu` or `(x) => elu(x, { alpha: 2 })`.
import { type Tensor, where } from "../graph/index.ts";
import { fail, show } from "../graph/internal.ts";

export const identity = (x: Tensor): Tensor => x;

/** σ(x) = 1 / (1 + e⁻ˣ). */
export const sigmoid = (x: Tensor): Tensor => x.sigmoid();

export const tanh = (x: Tensor): Tensor => x.tanh();

/** max(x, 0), with gradient 0 at 0. */
export const relu = (x: Tensor): Tensor => x.relu();

/** x for x > 0, else slope·x, with gradient slope at 0 (Maas et al., 2013). Throws a RangeError where slope is not a finite number. */
export function leakyRelu(x: Tensor, { slope = 0.01 }: { slope?: number } = {}): Tensor {
  if (!Number.isFinite(slope)) throw new RangeError(`leakyRelu: slope must be a finite number, got ${slope}`);
  return where(x.gt(0), x.float(), x.float().mul(slope));
}

/** min(max(x, 0), 6), with gradient 0 at 0 and 6 (Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10, 2010). */
export const relu6 = (x: Tensor): Tensor => between(x, 0, 6);

/** x held between low and high, with gradient 0 at both. Throws a RangeError unless low < high. */
export function hardTanh(x: Tensor, { low = -1, high = 1 }: { low?: number; high?: number } = {}): Tensor {
  if (!(low < high)) throw new RangeError(`hardTanh: low must be less than high, got ${low} and ${high}`);
  return between(x, low, high);
}

/** min(max(x + 3, 0), 6) / 6, with gradient 0 at −3 and 3. */
export const hardSigmoid = (x: Tensor): Tensor => {
  const y = x.float().add(3).div(6);
  return where(x.le(-3), 0, where(x.ge(3), 1, y));
};

/** x·hardSigmoid(x), with gradient −½ at −3 and 1 at 3 (Howard et al., Searching for MobileNetV3, 2019). −∞ gives 0, ∞ itself. */
export const hardSwish = (x: Tensor): Tensor => {
  const y = x.float().mul(x.float().add(3)).div(6);
  return where(x.lt(-3), 0, where(x.ge(3), x.float(), y));
};

export interface SoftplusOptions {
  /** β, which sharpens the bend. */
  beta?: number;
  /** βx above which the value is x itself. */
  threshold?: number;
}

/**
 * log(1 + exp(βx)) / β, and x itself where βx > threshold (Dugas et al., 2001). Value and gradient σ(βx) are finite for all
 * finite x. Throws a RangeError unless β > 0 and finite.
 */
export function softplus(x: Tensor, { beta = 1, threshold = 20 }: SoftplusOptions = {}): Tensor {
  positive("softplus", { beta });
  const t = x.float().mul(beta);
  return where(t.gt(threshold), x.float(), logOnePlusExp(t).div(beta));
}

/** log σ(x) = −log(1 + e⁻ˣ), finite for all finite x, as is its gradient σ(−x). */
export const logSigmoid = (x: Tensor): Tensor => logOnePlusExp(x.float().neg()).neg();

/** x / (1 + |x|) (Turian et al., 2009). NaN for ±∞. */
export const softsign = (x: Tensor): Tensor => x.div(x.abs().add(1));

export interface AlphaOptions {
  /** α, by which values below zero are bounded: none is less than −α. */
  alpha?: number;
}

/** x for x > 0, else α·(eˣ − 1), with gradient α at 0 (Clevert et al., 2016). Throws a RangeError where α is not finite. */
export function elu(x: Tensor, { alpha = 1 }: AlphaOptions = {}): Tensor {
  if (!Number.isFinite(alpha)) throw new RangeError(`elu: alpha must be a finite number, got ${alpha}`);
  return where(x.gt(0), x.float(), belowZero(x).expm1().mul(alpha));
}

/** x for x > 0, else α·(exp(x / α) − 1), whose slope is 1 at 0 for any α (Barron, 2017). Throws a RangeError unless α > 0 and finite. */
export function celu(x: Tensor, { alpha = 1 }: AlphaOptions = {}): Tensor {
  positive("celu", { alpha });
  return where(x.gt(0), x.float(), belowZero(x).div(alpha).expm1().mul(alpha));
}

/** s·x for x > 0, else s·α·(eˣ − 1), with s = 1.0507… and α = 1.6733…, and gradient s·α at 0 (Klambauer et al., 2017). */
export function selu(x: Tensor): Tensor {
  const [alpha, scale] = [1.6732632423543772, 1.0507009873554805];
  return where(
    x.gt(0),
    x.float().mul(scale),
    belowZero(x)
      .expm1()
      .mul(alpha * scale),
  );
}

export interface GeluOptions {
  /** "tanh" for ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), as in GPT-2. */
  approximate?: "none" | "tanh";
}

/** x·Φ(x) = ½x·(1 + erf(x / √2)) (Hendrycks & Gimpel, 2016). NaN for −∞. Throws a TypeError for an approximation that there is not. */
export function gelu(x: Tensor, { approximate = "none" }: GeluOptions = {}): Tensor {
  const half = x.float().mul(0.5);
  if (approximate === "none") return half.mul(x.float().mul(Math.SQRT1_2).erf().add(1));
  if (approximate !== "tanh")
    throw new TypeError(`gelu: approximate must be "none" or "tanh", got ${JSON.stringify(approximate)}`);
  const inner = x
    .float()
    .square()
    .mul(0.044715)
    .add(1)
    .mul(x)
    .mul(Math.sqrt(2 / Math.PI));
  return half.mul(inner.tanh().add(1));
}

/** x·σ(x), also called swish (Elfwing et al., 2017; Ramachandran et al., 2017). NaN for −∞. */
export const silu = (x: Tensor): Tensor => x.mul(x.sigmoid());

/** x·tanh(log(1 + eˣ)) (Misra, 2019). NaN for −∞. */
export const mish = (x: Tensor): Tensor => x.mul(logOnePlusExp(x.float()).tanh());

/** a·σ(b), where a and b are the first and the second half of x along an axis, whose size halves (Dauphin et al., 2017). Throws where it is odd. */
export function glu(x: Tensor, axis = -1): Tensor {
  const size = x.shape.at(axis);
  if (size === undefined) fail("glu", `axis ${axis} does not exist in ${show(x.shape)}`);
  if (size % 2 !== 0) fail("glu", `axis ${axis} of ${show(x.shape)} does not divide into halves`);
  return x.slice(axis, 0, size / 2).mul(x.slice(axis, size / 2).sigmoid());
}

/** exp(xᵢ) / Σⱼ exp(xⱼ) along an axis, finite for all finite x; of no elements along an axis of size 0. */
export function softmax(x: Tensor, axis = -1): Tensor {
  const e = centred(x, axis).exp();
  return e.mul(e.sum(axis, { keepDims: true }).recip());
}

/** exp(−xᵢ) / Σⱼ exp(−xⱼ) along an axis, finite for all finite x. */
export const softmin = (x: Tensor, axis = -1): Tensor => softmax(x.float().neg(), axis);

/** xᵢ − log Σⱼ exp(xⱼ) along an axis, finite for all finite x. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  const z = centred(x, axis);
  return z.sub(z.exp().sum(axis, { keepDims: true }).log());
}

/** x less its maximum, which softmax does not notice: so the maximum is a constant to derivatives, and exp never overflows. */
export const centred = (x: Tensor, axis: number): Tensor =>
  x.size === 0 ? x.float() : x.float().sub(x.float().max(axis, { keepDims: true }).detach());

/** log(1 + eˣ) of a float x as max(x, 0) + log(1 + exp(−|x|)), so that exp never overflows; its gradient is σ(x), at 0 too. */
export function logOnePlusExp(x: Tensor): Tensor {
  const size = x.maximum(x.neg()); // |x|; like max(x, 0) of slope 1 at 0, so that the gradient there is 1 − ½
  return x.maximum(0).add(size.neg().exp().log1p());
}

/** x where low < x < high, else the bound, which is a constant to derivatives. */
const between = (x: Tensor, low: number, high: number): Tensor =>
  where(x.le(low), low, where(x.ge(high), high, x.float()));

/** min(x, 0), of slope 1 at 0: what the exponential of a branch for x ≤ 0 sees, so that the branch not taken is finite. */
const belowZero = (x: Tensor): Tensor => x.float().minimum(0);

function positive(name: string, values: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(values)) {
    if (!(value > 0 && Number.isFinite(value)))
      throw new RangeError(`${name}: ${key} must be a finite number above 0, got ${value}`);
  }
}
