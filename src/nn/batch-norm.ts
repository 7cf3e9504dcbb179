// Batch normalization, over all axes but that of the channels, axis 1.
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

/** What the classes for one, two and three spatial axes share. */
class BatchNorm {
  weight: Tensor | undefined; // γ [features]
  bias: Tensor | undefined; // β [features]
  running_mean: Tensor; // [features], named as in PyTorch's files
  running_var: Tensor; // [features]
  readonly eps: number;
  readonly momentum: number;
  /** The shapes that an input may have, after the channels. */
  readonly #forms: readonly string[];

  constructor(
    layer: string,
    forms: readonly string[],
    features: number,
    { eps = 1e-5, momentum = 0.1, affine = true }: BatchNormOptions,
  ) {
    checkSizes(layer, { features });
    this.weight = affine ? param(constant([features], 1)) : undefined;
    this.bias = affine ? param(constant([features], 0)) : undefined;
    this.running_mean = state(constant([features], 0));
    this.running_var = state(constant([features], 1));
    this.eps = eps;
    this.momentum = momentum;
    this.#forms = forms;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const [features] = this.running_mean.shape;
      const fits = this.#forms.some((form) => form.split(", ").length === x.rank - 1);
      if (!fits || x.shape[1] !== features) {
        const needed = this.#forms.map((form) => `[N, ${form.replace("C", `${features}`)}]`);
        fail("batchNorm", `needs ${needed.join(" or ")}, got ${show(x.shape)}`);
      }
      const perChannel = (t: Tensor): Tensor => t.reshape(-1, ...x.shape.slice(2).map(() => 1)); // broadcasts over x
      const [mean, variance] = isTraining() ? this.#batchStatistics(x) : [this.running_mean, this.running_var];
      const deviation = variance.add(this.eps).sqrt();
      const scale = this.weight === undefined ? deviation.recip() : this.weight.div(deviation);
      const y = x.sub(perChannel(mean)).mul(perChannel(scale));
      return this.bias === undefined ? y : y.add(perChannel(this.bias));
    });
  }

  /** Mean and population variance per channel; the running statistics take their part of them. */
  #batchStatistics(x: Tensor): [Tensor, Tensor] {
    const axes = x.shape.map((_, i) => i).filter((i) => i !== 1);
    const mean = x.mean(axes);
    const variance = x.variance(axes);
    const n = x.size / mean.size;
    if (n < 2) fail("batchNorm", `training needs more than one value per channel, got ${show(x.shape)}`);
    const move = (running: Tensor, batch: Tensor): void =>
      running.assign(running.mul(1 - this.momentum).add(batch.mul(this.momentum)));
    move(this.running_mean, mean);
    move(this.running_var, variance.mul(n / (n - 1)));
    return [mean, variance];
  }
}

/**
 * Batch normalization per feature of vectors [N, features] or sequences [N, features, L], as `BatchNorm2d` does it. In
 * training it throws where there is one value per feature only.
 */
export class BatchNorm1d extends BatchNorm {
  constructor(features: number, options: BatchNormOptions = {}) {
    super("BatchNorm1d", ["C", "C, L"], features, options);
  }
}

/**
 * Batch normalization per channel, y = γ·(x − μ) / √(σ² + ε) + β, x [N, features, H, W] (Ioffe & Szegedy, 2015).
 * In training μ and σ² are the batch's and move the running statistics, r ← (1 − momentum)·r + momentum·batch, where the
 * variance is the unbiased one, as in PyTorch; otherwise they are the running statistics. Throws where x has another shape,
 * and in training where there is one value per channel only.
 */
export class BatchNorm2d extends BatchNorm {
  constructor(features: number, options: BatchNormOptions = {}) {
    super("BatchNorm2d", ["C, H, W"], features, options);
  }
}

/** Batch normalization per channel of volumes [N, features, D, H, W], as `BatchNorm2d` does it. */
export class BatchNorm3d extends BatchNorm {
  constructor(features: number, options: BatchNormOptions = {}) {
    super("BatchNorm3d", ["C, D, H, W"], features, options);
  }
}
