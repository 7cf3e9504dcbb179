// Dropout: noise on activations while training.
import { isTraining, type Tensor, uniform, where, within } from "../graph/index.ts";
import { fail } from "../graph/internal.ts";

/** In training sets each element to 0 with probability p and divides the others by 1 − p; else x itself (Srivastava et al., 2014). 0 ≤ p ≤ 1. */
export class Dropout {
  readonly p: number;

  constructor(p = 0.5) {
    if (!(p >= 0 && p <= 1)) fail("Dropout", `p must lie in [0, 1], got ${p}`);
    this.p = p;
  }

  forward(x: Tensor): Tensor {
    return within(this, () => {
      if (!isTraining() || this.p === 0) return x;
      if (this.p === 1) return x.full(0);
      const keep = 1 - this.p;
      return where(uniform(x.shape).lt(keep), x.div(keep), 0);
    });
  }
}
