// The natural gradient: steepest descent where distance is how far the model's distribution moves.
import { denseMatrix } from "./curvature.ts";
import type { Labelled, Loss } from "./loss.ts";
import { checkDamping, checkSmall, solvedStep } from "./newton.ts";
import { sampleGradients } from "./samples.ts";
import type { Schedule } from "./schedule.ts";
import { type Iterate, type SecondOrder, secondOrder } from "./second-order.ts";

export interface NaturalGradientOptions {
  /** The α tried first. Default 1. */
  lr?: number | Schedule;
  /** λ, added to the Fisher matrix's diagonal. Default 10⁻³. */
  damping?: number;
  /** Which Fisher matrix. Default "true". */
  fisher?: "true" | "empirical";
}

const matrices = {
  true: <B>(at: Iterate<B>) => denseMatrix(at.gaussNewtonProduct, at.x.length),
  empirical: async <B>(at: Iterate<B>) => {
    const n = at.x.length;
    const f = new Float64Array(n * n);
    let samples = 0;
    for await (const g of sampleGradients("naturalGradient", at)) {
      samples++;
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) f[i * n + j] += g[i] * g[j];
    }
    return f.map((v) => v / samples);
  },
};

/**
 * Natural gradient descent (Amari, 1998): x ← x − α·(F + λI)⁻¹·g, and α = 1, ½, ¼, … the first with sufficient decrease. The true
 * Fisher matrix F = E[∇log p·∇log pᵀ] with y drawn from the model is, for cross-entropy of logits and for squared errors, the
 * Gauss-Newton matrix (Martens, 2020), found by n products: the loss returns `{ loss, outputs }`. The empirical one is the mean of gᵢgᵢᵀ
 * over the batch's samples, a gradient each: the loss must be a mean over the first axis of all tensors of the batch. Throws for
 * more than 2000 parameters, a negative λ and another `fisher`.
 */
export function naturalGradient<B = Labelled>(
  model: object,
  loss: Loss<B>,
  { lr = 1, damping = 1e-3, fisher = "true" }: NaturalGradientOptions = {},
): SecondOrder<B> {
  checkDamping("naturalGradient", damping);
  if (!Object.hasOwn(matrices, fisher))
    throw new RangeError(`naturalGradient: fisher is "true" or "empirical", not ${JSON.stringify(fisher)}`);
  const method = {
    slots: (n: number) => checkSmall("naturalGradient", n),
    step: async (at: Iterate<B>) => solvedStep(at, await matrices[fisher](at), damping),
  };
  return secondOrder(model, loss, method, lr);
}
