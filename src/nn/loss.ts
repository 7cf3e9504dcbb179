// Losses: from predictions and targets to one number, the mean over the batch.
import { capturing, iota, type Tensor, where } from "../graph/index.ts";
import { fail, sameShape, show } from "../graph/internal.ts";
import { centred, logSoftmax } from "./functional.ts";

/** Mean squared error, mean over all elements of (prediction − target)². Throws where the shapes differ: none is broadcast. */
export function mse(prediction: Tensor, target: Tensor): Tensor {
  matching("mse", prediction, target);
  capturing()?.compared.push({ prediction });
  return prediction.sub(target).square().mean();
}

/**
 * Cross-entropy of softmax(logits) [..., classes] against class labels i32 [...] or probabilities [..., classes]:
 * the mean over all rows of −Σ p·log softmax(logits), in nats. Value and gradient are finite for all finite logits.
 * The classes lie on the last axis (PyTorch has them on axis 1). Rows whose label is `ignore` (padding, say) do not count.
 * Any other label outside 0 … classes − 1 makes the loss NaN, as do labels that are all ignored; `diagnose` names it.
 */
export function crossEntropy(logits: Tensor, target: Tensor, { ignore }: { ignore?: number } = {}): Tensor {
  if (sameShape(logits.shape, target.shape) && logits.rank > 0 && target.dtype !== "i32") {
    if (ignore !== undefined) fail("crossEntropy", "ignore is a label, but the targets are probabilities");
    capturing()?.compared.push({ prediction: logits });
    return target.mul(logSoftmax(logits)).sum(-1).mean().neg();
  }
  const rows = logits.shape.slice(0, -1);
  if (logits.rank === 0 || !sameShape(rows, target.shape)) {
    fail(
      "crossEntropy",
      `logits ${show(logits.shape)} take labels ${show(rows)} or probabilities of their own shape, got ${target.dtype} ${show(target.shape)}`,
    );
  }
  if (target.dtype !== "i32") fail("crossEntropy", `labels must be i32, got ${target.dtype} ${show(target.shape)}`);
  const classes = logits.shape[logits.rank - 1];
  const fits = target.ge(0).and(target.lt(classes));
  const kept = ignore === undefined ? undefined : target.ne(ignore);
  const problem = (label: number): string =>
    `label ${label} is none of the classes 0 … ${classes - 1}, in crossEntropy`;
  const wrong = kept === undefined ? fits.not() : fits.not().and(kept);
  capturing()?.compared.push({ prediction: logits, check: { values: target, wrong, problem } });
  const z = centred(logits, -1);
  const hit = iota(logits.shape, -1).eq(target.unsqueeze(-1));
  const losses = z
    .exp()
    .sum(-1)
    .log()
    .sub(where(hit, z, 0).sum(-1)); // log Σ exp(z) − z[label]
  const checked = where(wrong, Number.NaN, losses);
  return kept === undefined ? checked.mean() : where(kept, checked, 0).sum().div(kept.sum());
}

/**
 * Binary cross-entropy of σ(logits) against targets in [0, 1], mean over all elements:
 * max(x, 0) − x·t + log(1 + exp(−|x|)), in nats. Value and gradient σ(x) − t are finite for all finite logits.
 */
export function binaryCrossEntropy(logits: Tensor, target: Tensor): Tensor {
  matching("binaryCrossEntropy", logits, target);
  capturing()?.compared.push({ prediction: logits });
  const x = logits.float();
  const size = x.maximum(x.neg()); // |x|; like max(x, 0) of slope 1 at 0, so that the gradient there is ½ − t
  return x.maximum(0).sub(x.mul(target)).add(size.neg().exp().log1p()).mean();
}

function matching(loss: string, prediction: Tensor, target: Tensor): void {
  if (sameShape(prediction.shape, target.shape)) return;
  fail(loss, `shapes differ, prediction ${show(prediction.shape)} and target ${show(target.shape)}`);
}
