// Augmentation between samples: what lies between two of them belongs to both their classes.
import { beta } from "./distributions.ts";
import { shuffleInPlace } from "./random.ts";
import type { BatchFunction, RawBatch } from "./samples.ts";

/**
 * For `Dataset.mapBatch`: x ← λ·x + (1 − λ)·x′ and y ← λ·y + (1 − λ)·y′, the batch mixed with itself in another order, λ of
 * Beta(α, α) drawn once a batch (Zhang, Cissé, Dauphin & Lopez-Paz, 2018). Labels i32 [B] become probabilities f32 [B, classes],
 * as `crossEntropy` takes them; real targets are mixed as they are.
 * Throws a RangeError for α that is not positive, later an Error for x of whole numbers, or labels of a set that does not
 * state its classes.
 */
export function mixup({ alpha = 0.2 }: { alpha?: number } = {}): BatchFunction {
  if (!(alpha > 0 && alpha < Number.POSITIVE_INFINITY))
    throw new RangeError(`mixup: alpha must be a positive number, not ${alpha}`);
  return (batch, random, { name = "dataset", classes }) => {
    if (!(batch.x instanceof Float32Array)) throw new Error(`mixup: ${name}'s samples are whole numbers; leave it out`);
    const targets = batch.y instanceof Int32Array ? oneHot(batch, classes?.length, name) : batch;
    const share = beta(alpha, alpha, random);
    const rows = batch.indices.length;
    const partners = shuffleInPlace(
      Uint32Array.from({ length: rows }, (_, row) => row),
      () => random() * 2 ** 32,
    );
    return {
      x: mixRows(batch.x, partners, share),
      y: mixRows(targets.y, partners, share),
      targetShape: targets.targetShape,
    };
  };
}

/** Each row's share and the rest of its partner's. */
function mixRows(values: ArrayLike<number>, partners: Uint32Array, share: number): Float32Array {
  const size = values.length / partners.length;
  const mixed = new Float32Array(values.length);
  for (let row = 0, at = 0; row < partners.length; row++)
    for (let other = partners[row] * size, end = other + size; other < end; other++, at++)
      mixed[at] = share * values[at] + (1 - share) * values[other];
  return mixed;
}

function oneHot(
  { y, targetShape }: RawBatch,
  classes: number | undefined,
  name: string,
): Pick<RawBatch, "y" | "targetShape"> {
  if (classes === undefined) throw new Error(`mixup: ${name} does not state its classes; name them in its info`);
  const hot = new Float32Array(y.length * classes);
  y.forEach((label, i) => {
    if (!(label >= 0 && label < classes))
      throw new Error(`mixup: label ${label} of ${name} is none of the classes 0 … ${classes - 1}; correct its info`);
    hot[i * classes + label] = 1;
  });
  return { y: hot, targetShape: [...targetShape, classes] };
}
