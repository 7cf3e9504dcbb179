// Losses of predictions and targets of one shape: term by term, then the mean, the sum, or the terms themselves.
import { capturing, type Tensor, where } from "../graph/index.ts";
import { checkTensors, fail, kindOf, sameShape, show } from "../graph/internal.ts";
import { logOnePlusExp } from "./functional.ts";

/** What a loss gives of its terms: their mean, their sum, or themselves. */
export type Reduction = "mean" | "sum" | "none";

export interface LossOptions {
  reduction?: Reduction;
}

/** Squared error: (prediction − target)², by default the mean over all elements. Throws where the shapes differ: none is broadcast. */
export function mse(prediction: Tensor, target: Tensor, { reduction = "mean" }: LossOptions = {}): Tensor {
  const error = errorOf("mse", prediction, target);
  return reduced("mse", error.square(), reduction);
}

/**
 * Absolute error, also called L1: |prediction − target|, by default the mean over all elements, with gradient 0 where they are
 * equal. Throws where the shapes differ: none is broadcast.
 */
export function mae(prediction: Tensor, target: Tensor, { reduction = "mean" }: LossOptions = {}): Tensor {
  return reduced("mae", errorOf("mae", prediction, target).abs(), reduction);
}

export interface HuberOptions extends LossOptions {
  /** δ, the error at which the square turns into a line. */
  delta?: number;
}

/**
 * ½e² for |e| ≤ δ, else δ·(|e| − ½δ), with e = prediction − target; by default the mean over all elements (Huber, 1964).
 * Throws where the shapes differ, and a RangeError unless δ > 0 and finite.
 */
export function huber(
  prediction: Tensor,
  target: Tensor,
  { delta = 1, reduction = "mean" }: HuberOptions = {},
): Tensor {
  if (!(delta > 0 && Number.isFinite(delta)))
    throw new RangeError(`huber: delta must be a finite number above 0, got ${delta}`);
  return reduced("huber", bent(errorOf("huber", prediction, target), delta), reduction);
}

export interface SmoothL1Options extends LossOptions {
  /** β, the error at which the square turns into a line; 0 is the absolute error. */
  beta?: number;
}

/**
 * ½e² / β for |e| ≤ β, else |e| − ½β, which is `huber` / β, with e = prediction − target; by default the mean over all elements
 * (Girshick, Fast R-CNN, 2015). Throws where the shapes differ, and a RangeError unless β ≥ 0 and finite.
 */
export function smoothL1(
  prediction: Tensor,
  target: Tensor,
  { beta = 1, reduction = "mean" }: SmoothL1Options = {},
): Tensor {
  if (!(beta >= 0 && Number.isFinite(beta)))
    throw new RangeError(`smoothL1: beta must be a finite number ≥ 0, got ${beta}`);
  const error = errorOf("smoothL1", prediction, target);
  return reduced("smoothL1", beta === 0 ? error.abs() : bent(error, beta).div(beta), reduction);
}

export interface BinaryCrossEntropyOptions extends LossOptions {
  /** Factor on the term of t = 1, e.g. negatives / positives of unbalanced data: a number, or a tensor that broadcasts to the targets. */
  positiveWeight?: number | Tensor;
}

/**
 * Binary cross-entropy of σ(logits) against targets t in [0, 1], by default the mean over all elements:
 * max(x, 0) − x·t + log(1 + exp(−|x|)), in nats, which is −w·t·log σ(x) − (1 − t)·log σ(−x) with w the positive weight, by
 * default 1. Value and gradient, σ(x) − t where w = 1, are finite for all finite logits. Throws where the shapes differ.
 */
export function binaryCrossEntropy(
  logits: Tensor,
  target: Tensor,
  { positiveWeight = 1, reduction = "mean" }: BinaryCrossEntropyOptions = {},
): Tensor {
  matching("binaryCrossEntropy", logits, target);
  capturing()?.compared.push({ prediction: logits });
  const x = logits.float();
  const size = x.maximum(x.neg()); // |x|; like max(x, 0) of slope 1 at 0, so that the gradient there is ½ − t
  const plain = (): Tensor => x.maximum(0).sub(x.mul(target)).add(size.neg().exp().log1p());
  const terms = positiveWeight === 1 ? plain() : weighted(x, target.float(), positiveWeight);
  return reduced("binaryCrossEntropy", terms, reduction);
}

/** (1 − t)·x + (1 + (w − 1)·t)·log(1 + e⁻ˣ). */
function weighted(x: Tensor, t: Tensor, weight: number | Tensor): Tensor {
  if (typeof weight === "number" && !(weight >= 0 && Number.isFinite(weight)))
    throw new RangeError(`binaryCrossEntropy: positiveWeight must be a finite number ≥ 0, got ${weight}`);
  const factor = typeof weight === "number" ? t.mul(weight - 1).add(1) : t.mul(weight.sub(1)).add(1);
  if (!sameShape(factor.shape, t.shape))
    fail("binaryCrossEntropy", `positiveWeight ${show(factor.shape)} does not broadcast to targets ${show(t.shape)}`);
  return x.mul(t.neg().add(1)).add(factor.mul(logOnePlusExp(x.neg())));
}

export interface KlDivergenceOptions extends LossOptions {
  /** Whether the targets are logarithms of probabilities too. */
  logTarget?: boolean;
}

/**
 * KL divergence Σ p·(log p − log q) of a prediction log q from targets p, both [..., classes], a term a row [...]; by default
 * the mean over the rows (PyTorch's "batchmean"; its "mean" also divides by the classes). p = 0 adds nothing. In nats. The
 * prediction is the logarithm of probabilities, as `logSoftmax` gives it. Throws where the shapes differ.
 */
export function klDivergence(
  logPrediction: Tensor,
  target: Tensor,
  { logTarget = false, reduction = "mean" }: KlDivergenceOptions = {},
): Tensor {
  matching("klDivergence", logPrediction, target);
  if (target.rank === 0) fail("klDivergence", "needs distributions [..., classes], got []");
  capturing()?.compared.push({ prediction: logPrediction });
  const p = logTarget ? target.exp() : target.float();
  const absent = p.eq(0);
  const logP = logTarget ? target.float() : where(absent, 1, p).log();
  const terms = where(absent, 0, p.mul(logP.sub(logPrediction)));
  return reduced("klDivergence", terms.sum(-1), reduction);
}

export interface CosineSimilarityOptions {
  axis?: number;
  /** The least norm that is divided by. */
  eps?: number;
}

/**
 * Σ a·b / (max(‖a‖, ε)·max(‖b‖, ε)) along an axis, which vanishes; a and b broadcast. A vector of zeros is like none: 0, with
 * a finite gradient. Norms above 10¹⁹ overflow in f32. Throws where the shapes do not broadcast, and a RangeError unless ε > 0.
 */
export function cosineSimilarity(
  a: Tensor,
  b: Tensor,
  { axis = -1, eps = 1e-8 }: CosineSimilarityOptions = {},
): Tensor {
  if (!(eps > 0)) throw new RangeError(`cosineSimilarity: eps must be a number above 0, got ${eps}`);
  const unit = (x: Tensor): Tensor =>
    x.float().div(
      x
        .float()
        .square()
        .sum(axis, { keepDims: true })
        .maximum(eps * eps)
        .sqrt(),
    );
  return unit(a).mul(unit(b)).sum(axis);
}

/** ½e² for |e| ≤ δ, else δ·(|e| − ½δ). */
function bent(error: Tensor, delta: number): Tensor {
  const size = error.abs();
  const near = where(size.le(delta), error, 0); // so that no square overflows on the branch that is not taken
  return where(size.le(delta), near.square().mul(0.5), size.sub(0.5 * delta).mul(delta));
}

/** The terms as a loss gives them; their mean is Σ terms / total, by default over all. */
export function reduced(loss: string, terms: Tensor, reduction: Reduction, total?: Tensor): Tensor {
  if (reduction === "none") return terms;
  if (reduction === "sum") return terms.sum();
  if (reduction === "mean") return total === undefined ? terms.mean() : terms.sum().div(total);
  const got = typeof reduction === "string" ? `"${reduction}"` : kindOf(reduction);
  throw new TypeError(`${loss}: reduction must be "mean", "sum" or "none", got ${got}`);
}

/** prediction − target of a loss whose prediction evaluation may use. */
function errorOf(loss: string, prediction: Tensor, target: Tensor): Tensor {
  matching(loss, prediction, target);
  capturing()?.compared.push({ prediction });
  return prediction.float().sub(target);
}

function matching(loss: string, prediction: Tensor, target: Tensor): void {
  checkTensors(loss, [prediction, target]);
  if (sameShape(prediction.shape, target.shape)) return;
  fail(loss, `shapes differ, prediction ${show(prediction.shape)} and target ${show(target.shape)}`);
}
