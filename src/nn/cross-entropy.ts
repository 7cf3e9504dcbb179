// Losses of scores for classes against labels or probabilities.
import { capturing, iota, Tensor, tensor, where } from "../graph/index.ts";
import { fail, sameShape, show } from "../graph/internal.ts";
import { centred, logSoftmax } from "./functional.ts";
import { type LossOptions, reduced } from "./loss.ts";

/** The label of rows that do not count unless another is named, as in PyTorch. */
export const ignoredLabel = -100;

export interface NllOptions extends LossOptions {
  /** The label of rows that do not count (padding, say), by default −100. */
  ignore?: number;
  /** Factor on the terms of each class, [classes]; the mean is then Σ w·loss / Σ w. */
  classWeights?: Tensor | readonly number[];
}

export interface CrossEntropyOptions extends NllOptions {
  /** ε: targets are 1 − ε on their class and ε / classes on all (Szegedy et al., 2016). */
  labelSmoothing?: number;
}

/**
 * Cross-entropy of softmax(logits) [..., classes] against class labels i32 [...] or probabilities [..., classes]:
 * −Σ p·log softmax(logits) a row, in nats; by default the mean over all rows. Value and gradient are finite for all finite
 * logits. The classes lie on the last axis (PyTorch has them on axis 1).
 *
 * Rows whose label is `ignore`, −100 unless said otherwise, do not count: their terms are 0, and the mean is over the others,
 * NaN where there are none. Any other label outside 0 … classes − 1 makes the loss NaN; `diagnose` names it. Class weights
 * make the mean over labels Σ w·loss / Σ w; with probabilities it stays that over the rows, as in PyTorch.
 * Throws where the shapes do not fit, and a RangeError unless 0 ≤ labelSmoothing ≤ 1.
 */
export function crossEntropy(logits: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { labelSmoothing = 0 } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new RangeError(`crossEntropy: labelSmoothing must lie in [0, 1], got ${labelSmoothing}`);
  if (sameShape(logits.shape, target.shape) && logits.rank > 0 && target.dtype !== "i32")
    return ofProbabilities(logits, target, options);
  checkLabels("crossEntropy", "logits", logits, target);
  const z = centred(logits, -1);
  return ofLabels("crossEntropy", { scores: z, norm: z.exp().sum(-1).log(), given: logits }, target, options);
}

/**
 * Negative log-likelihood of class labels i32 [...] under log-probabilities [..., classes], as `logSoftmax` gives them:
 * −logProbabilities[label] a row, by default the mean over all rows. Labels, `ignore` and class weights are those of
 * `crossEntropy`, which is nll(logSoftmax(logits)). Throws where the shapes do not fit.
 */
export function nll(logProbabilities: Tensor, target: Tensor, options: NllOptions = {}): Tensor {
  checkLabels("nll", "log-probabilities", logProbabilities, target);
  const { ignore, classWeights, reduction } = options;
  const scores = { scores: logProbabilities.float(), given: logProbabilities };
  return ofLabels("nll", scores, target, { ignore, classWeights, reduction });
}

function ofProbabilities(logits: Tensor, target: Tensor, options: CrossEntropyOptions): Tensor {
  const { ignore, classWeights, labelSmoothing: e = 0, reduction = "mean" } = options;
  if (ignore !== undefined) fail("crossEntropy", "ignore is a label, but the targets are probabilities");
  capturing()?.compared.push({ prediction: logits });
  const classes = logits.shape[logits.rank - 1];
  const p = e === 0 ? target : target.mul(1 - e).add(e / classes);
  const weights = weightsOf("crossEntropy", classWeights, classes);
  const terms = (weights === undefined ? p : p.mul(weights)).mul(logSoftmax(logits)).sum(-1).neg();
  return reduced("crossEntropy", terms, reduction);
}

interface Scores {
  /** [..., classes]; a row's term is norm − scores[label]. */
  readonly scores: Tensor;
  /** [...], 0 where there is none. */
  readonly norm?: Tensor;
  /** What the caller gave. */
  readonly given: Tensor;
}

function ofLabels(
  loss: string,
  { scores, norm, given }: Scores,
  target: Tensor,
  { ignore = ignoredLabel, classWeights, labelSmoothing: e = 0, reduction = "mean" }: CrossEntropyOptions,
): Tensor {
  const classes = scores.shape[scores.rank - 1];
  const kept = target.ne(ignore);
  const wrong = target.ge(0).and(target.lt(classes)).not().and(kept);
  const problem = (label: number): string => `label ${label} is none of the classes 0 … ${classes - 1}, in ${loss}`;
  capturing()?.compared.push({ prediction: given, check: { values: target, wrong, problem } });
  const hit = iota(scores.shape, -1).eq(target.unsqueeze(-1));
  const weights = weightsOf(loss, classWeights, classes);
  const picked = where(hit, scores, 0).sum(-1);
  let terms = norm === undefined ? picked.neg() : norm.sub(picked); // log Σ exp(z) − z[label]
  const weight = weights === undefined ? undefined : where(hit, weights, 0).sum(-1);
  if (weight !== undefined) terms = terms.mul(weight);
  if (e !== 0) {
    const all = norm === undefined ? scores.neg() : norm.unsqueeze(-1).sub(scores);
    terms = terms.mul(1 - e).add((weights === undefined ? all : all.mul(weights)).sum(-1).mul(e / classes));
  }
  const counted = where(kept, where(wrong, Number.NaN, terms), 0);
  const total = weight === undefined ? kept.sum().cast(terms.dtype) : where(kept, weight, 0).sum();
  return reduced(loss, counted, reduction, total);
}

/** Class weights as a float tensor [classes]. */
function weightsOf(loss: string, given: Tensor | readonly number[] | undefined, classes: number): Tensor | undefined {
  if (given === undefined) return undefined;
  const weights = (given instanceof Tensor ? given : tensor(Float32Array.from(given))).float();
  if (!sameShape(weights.shape, [classes]))
    fail(loss, `classWeights must be [${classes}], a number a class, got ${show(weights.shape)}`);
  return weights;
}

function checkLabels(loss: string, what: string, scores: Tensor, target: Tensor): void {
  const rows = scores.shape.slice(0, -1);
  if (scores.rank === 0 || !sameShape(rows, target.shape)) {
    const other = loss === "crossEntropy" ? " or probabilities of their own shape" : "";
    fail(
      loss,
      `${what} ${show(scores.shape)} take labels ${show(rows)}${other}, got ${target.dtype} ${show(target.shape)}`,
    );
  }
  if (target.dtype !== "i32") fail(loss, `labels must be i32, got ${target.dtype} ${show(target.shape)}`);
}
