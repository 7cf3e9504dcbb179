// Dropout: noise on activations while training.
import { isTraining, type Tensor, uniform, where, within } from "../graph/index.ts";
import { fail, type Shape, show } from "../graph/internal.ts";

/** Throws unless a share of what is dropped is a probability. */
export function checkShare(layer: string, p: number): void {
  if (!(p >= 0 && p <= 1)) fail(layer, `p must lie in [0, 1], got ${p}`);
}

/** In training x with zeros where an element of a mask, which broadcasts to x, drops it, and the rest divided by 1 − p. */
function dropped(x: Tensor, p: number, mask: Shape): Tensor {
  if (!isTraining() || p === 0) return x;
  if (p === 1) return x.full(0);
  return where(uniform(mask).lt(1 - p), x.div(1 - p), 0);
}

/** In training sets each element to 0 with probability p and divides the others by 1 − p; else x itself (Srivastava et al., 2014). 0 ≤ p ≤ 1. */
export class Dropout {
  readonly p: number;

  constructor(p = 0.5) {
    checkShare("Dropout", p);
    this.p = p;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => dropped(x, this.p, x.shape));
  }
}

/**
 * Spatial dropout: in training sets each map of each image to 0 as a whole with probability p and divides the others by 1 − p;
 * else x itself; x [N, C, H, W] (Tompson et al., 2015). Throws unless 0 ≤ p ≤ 1, and for other ranks.
 */
export class Dropout2d {
  readonly p: number;

  constructor(p = 0.5) {
    checkShare("Dropout2d", p);
    this.p = p;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      if (x.rank !== 4) fail("dropout", `needs images [N, C, H, W], got ${show(x.shape)}`);
      return dropped(x, this.p, [...x.shape.slice(0, 2), 1, 1]);
    });
  }
}
