// Pseudo-likelihood: how well a Boltzmann machine predicts each bit from all others, to watch training by.
import { iota, type Tensor, uniform, where } from "../graph/index.ts";
import { logSigmoid } from "../nn/functional.ts";
import { type RBM, rowsOf } from "./rbm.ts";

/**
 * Log pseudo-likelihood (Besag, 1975), the mean over examples of Σᵢ ln p(vᵢ | all others), estimated from one bit i of each example, drawn at
 * random and flipped: n·ln σ(F(ṽ) − F(v)) with n visible units. Unbiased, without Z: x [B, ...] → a scalar.
 * Throws where the visible units are no bits, or x does not have as many an example.
 */
export function pseudoLikelihood(rbm: RBM, x: Tensor): Tensor {
  if (rbm.kind !== "binary")
    throw new TypeError(`pseudoLikelihood: needs bits as visible units, those of this RBM are ${rbm.kind}`);
  const v = rowsOf("pseudoLikelihood", x, rbm.visible); // [B, n]
  const at = uniform([v.shape[0], 1])
    .mul(rbm.visible)
    .cast("i32")
    .minimum(rbm.visible - 1); // [B, 1]
  const flipped = where(iota([1, rbm.visible], 1).eq(at), v.neg().add(1), v);
  return logSigmoid(rbm.freeEnergy(flipped).sub(rbm.freeEnergy(v)))
    .mean()
    .mul(rbm.visible);
}

/** The mean squared error per unit of `rbm.reconstruct`: x [B, ...] → a scalar. Throws where x does not have as many units an example as are visible. */
export function reconstructionError(rbm: RBM, x: Tensor): Tensor {
  const v = rowsOf("reconstructionError", x, rbm.visible);
  return rbm.reconstruct(v).sub(v).square().mean();
}
