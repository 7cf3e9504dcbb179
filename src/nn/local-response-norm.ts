// Normalization across neighbouring channels, as in AlexNet.
import { type Tensor, within } from "../graph/index.ts";
import { fail, show } from "../graph/internal.ts";
import { checkSizes } from "./module.ts";

export interface LocalResponseNormOptions {
  /** How many channels are summed over, ⌊size / 2⌋ of them before a channel; those that there are not count as zeros. */
  size?: number;
  alpha?: number;
  beta?: number;
  k?: number;
}

/**
 * y = x / (k + α·Σx²)^β, the sum over `size` neighbouring channels; x [N, C, …] (Krizhevsky et al., 2012, whose constants are
 * the defaults: k = 2, size 5, α = 10⁻⁴, β = ¾). PyTorch divides α by the size (its alpha is `size` times this one) and has
 * k = 1 unless told otherwise. Throws where k is not above 0, alpha below 0, or x has no channels.
 */
export class LocalResponseNorm {
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;

  constructor({ size = 5, alpha = 1e-4, beta = 0.75, k = 2 }: LocalResponseNormOptions = {}) {
    checkSizes("LocalResponseNorm", { size });
    if (!(k > 0 && alpha >= 0 && Number.isFinite(beta)))
      throw new RangeError(
        `LocalResponseNorm: needs k > 0, alpha ≥ 0 and a finite beta, got ${k}, ${alpha} and ${beta}`,
      );
    [this.size, this.alpha, this.beta, this.k] = [size, alpha, beta, k];
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      if (x.rank < 2) fail("localResponseNorm", `needs channels, [N, C, …], got ${show(x.shape)}`);
      const before = Math.floor(this.size / 2);
      const squares = x
        .float()
        .square()
        .pad(x.shape.map((_, i) => (i === 1 ? [before, this.size - 1 - before] : [0, 0])));
      const shifted = Array.from({ length: this.size }, (_, i) => squares.slice(1, i, i + x.shape[1]));
      const sums = shifted.reduce((sum, square) => sum.add(square));
      return x.mul(sums.mul(this.alpha).add(this.k).pow(-this.beta));
    });
  }
}
