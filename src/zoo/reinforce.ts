// REINFORCE: the gradient through decisions that were drawn, as that of a loss.
import type { Tensor } from "../graph/index.ts";

/** What came of decisions of B runs at T times, each [B, T]. */
export interface Decisions {
  /** What each time earned. */
  readonly rewards: Tensor;
  /** ln p of what was decided. */
  readonly logProbabilities: Tensor;
  readonly entropies: Tensor;
}

export interface ReinforceOptions {
  /** λ, the weight of the entropy, which keeps decisions open; a tensor [] where it changes from step to step. */
  entropy?: number | Tensor;
  /** Whether each run's returns are compared with the mean of the other runs'. */
  baseline?: boolean;
}

/**
 * −1/B · Σ_b Σ_t [r_t + (R_t − b_t)·ln p_t + λ·H_t], with the return R_t = Σ_{s ≥ t} r_s and the baseline b_t, the mean of the other
 * runs' R_t, both constants to the derivative (Williams, 1992). For λ = 0 its gradient is, on average over the decisions, that of
 * −E[Σ_t r_t]: r_t brings the part through the rewards, (R_t − b_t)·ln p_t that through the decisions. H_t counts as the entropy of the
 * decisions where they are, without what it would be elsewhere.
 */
export function reinforce(
  { rewards, logProbabilities, entropies }: Decisions,
  { entropy = 0, baseline = true }: ReinforceOptions = {},
): Tensor {
  const [batch] = rewards.shape;
  const returns = rewards.flip(1).cumsum(1).flip(1).detach(); // [B, T]
  const total = returns.sum(0, { keepDims: true });
  const advantage = baseline && batch > 1 ? returns.sub(total.sub(returns).div(batch - 1)) : returns;
  const gain = rewards.add(advantage.mul(logProbabilities));
  return (entropy === 0 ? gain : gain.add(entropies.mul(entropy))).sum().div(-batch);
}
