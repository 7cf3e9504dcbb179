// Normalization layers.
import { isTraining, param, state, type Tensor, within } from "../graph/index.ts";
import { fail, show } from "../graph/internal.ts";
import { constant } from "./init.ts";
import { checkSizes } from "./module.ts";

export interface BatchNormOptions {
  /** Added to the variance. */
  eps?: number;
  /** Share of the batch in the new running statistics. */
  momentum?: number;
  /** Whether to scale and shift by learned values. */
  affine?: boolean;
}

/**
 * Batch normalization per channel, y = γ·(x − μ) / √(σ² + ε) + β, x [N, features, H, W] (Ioffe & Szegedy, 2015).
 * In training μ and σ² are the batch's and move the running statistics, r ← (1 − momentum)·r + momentum·batch, where the
 * variance is the unbiased one, as in PyTorch; otherwise they are the running statistics.
 */
export class BatchNorm2d {
  weight: Tensor | undefined; // γ [features]
  bias: Tensor | undefined; // β [features]
  running_mean: Tensor; // [features], named as in PyTorch's files
  running_var: Tensor; // [features]
  readonly eps: number;
  readonly momentum: number;

  constructor(features: number, { eps = 1e-5, momentum = 0.1, affine = true }: BatchNormOptions = {}) {
    checkSizes("BatchNorm2d", { features });
    this.weight = affine ? param(constant([features], 1)) : undefined;
    this.bias = affine ? param(constant([features], 0)) : undefined;
    this.running_mean = state(constant([features], 0));
    this.running_var = state(constant([features], 1));
    this.eps = eps;
    this.momentum = momentum;
  }

  forward(x: Tensor): Tensor {
    return within(this, () => {
      const [features] = this.running_mean.shape;
      if (x.rank !== 4 || x.shape[1] !== features)
        fail("batchNorm", `needs images [N, ${features}, H, W], got ${show(x.shape)}`);
      const [mean, variance] = isTraining() ? this.#batchStatistics(x) : [this.running_mean, this.running_var];
      const deviation = variance.add(this.eps).sqrt();
      const scale = this.weight === undefined ? deviation.recip() : this.weight.div(deviation);
      const y = x.sub(perChannel(mean)).mul(perChannel(scale));
      return this.bias === undefined ? y : y.add(perChannel(this.bias));
    });
  }

  /** Mean and population variance per channel; the running statistics take their part of them. */
  #batchStatistics(x: Tensor): [Tensor, Tensor] {
    const mean = x.mean([0, 2, 3]);
    const variance = x.variance([0, 2, 3]);
    const n = x.size / mean.size;
    if (n < 2) fail("batchNorm", `training needs more than one value per channel, got ${show(x.shape)}`);
    const move = (running: Tensor, batch: Tensor): void =>
      running.assign(running.mul(1 - this.momentum).add(batch.mul(this.momentum)));
    move(this.running_mean, mean);
    move(this.running_var, variance.mul(n / (n - 1)));
    return [mean, variance];
  }
}

/** [features] → [features, 1, 1], which broadcasts over images. */
const perChannel = (t: Tensor): Tensor => t.reshape(-1, 1, 1);
