// The penalty that keeps the units of a code mostly silent.
import { isTraining, type Tensor } from "../graph/index.ts";
import { fail, hostMath, sameShape, show } from "../graph/internal.ts";

export interface SparsePenaltyOptions {
  /** ρ, how active a unit shall be on average. */
  target?: number;
  /** β, the factor on the sum. */
  weight?: number;
  /** State [units] of average activations over batches, which training moves; without it a batch's averages count. */
  running?: Tensor;
  /** The share of the batch in the new running averages. */
  momentum?: number;
}

const least = 1e-6;

/**
 * β·Σⱼ KL(ρ ‖ ρⱼ) = β·Σⱼ ρ·ln(ρ / ρⱼ) + (1 − ρ)·ln((1 − ρ) / (1 − ρⱼ)), where ρⱼ is unit j's mean activation over all rows of
 * h [..., units], which lie in [0, 1] as a sigmoid's do (Ng, CS294A, 2011). With `running`, r ← (1 − momentum)·r + momentum·ρ,
 * the value is that of r, and its gradient passes as if r were the batch's mean, so that small batches are penalized for what
 * many of them do (Hinton, 2010, §11). Averages count as at least 10⁻⁶ away from 0 and 1. Throws where `running` has another
 * shape, and a RangeError for a target outside of (0, 1), a weight below 0 or a momentum outside of (0, 1].
 */
export function sparsePenalty(
  h: Tensor,
  { target = 0.05, weight = 3, running, momentum = 0.1 }: SparsePenaltyOptions = {},
): Tensor {
  if (!(target > 0 && target < 1)) throw new RangeError(`sparsePenalty: target must lie in (0, 1), got ${target}`);
  if (!(weight >= 0 && Number.isFinite(weight)))
    throw new RangeError(`sparsePenalty: weight must be a finite number ≥ 0, got ${weight}`);
  if (!(momentum > 0 && momentum <= 1))
    throw new RangeError(`sparsePenalty: momentum must lie in (0, 1], got ${momentum}`);
  if (h.rank < 2) fail("sparsePenalty", `needs activations [..., units], got ${show(h.shape)}`);
  const batch = h.mean(h.shape.slice(0, -1).map((_, axis) => axis)); // [units]
  const mean = running === undefined ? batch : averaged(running, batch, momentum);
  const active = mean.maximum(least).minimum(1 - least);
  const silent = active.neg().add(1);
  const terms = active
    .log()
    .mul(-target)
    .add(silent.log().mul(target - 1)); // the cross-entropy
  const entropy = -target * hostMath.log(target) - (1 - target) * hostMath.log1p(-target);
  return terms.sub(entropy).sum().mul(weight);
}

/** The running averages after this batch, of the batch's gradient. */
function averaged(running: Tensor, batch: Tensor, momentum: number): Tensor {
  if (!sameShape(running.shape, batch.shape))
    fail("sparsePenalty", `running averages ${show(running.shape)} are not those of units ${show(batch.shape)}`);
  if (!isTraining()) return running;
  const moved = running.mul(1 - momentum).add(batch.detach().mul(momentum));
  running.assign(moved);
  return moved.add(batch.sub(batch.detach()));
}
