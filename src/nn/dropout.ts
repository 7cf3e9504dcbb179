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
 * Spatial dropout: in training sets each map of each sample to 0 as a whole with probability p and divides the others by 1 − p;
 * else x itself; x [N, C, …] (Tompson et al., 2015). Throws unless 0 ≤ p ≤ 1, and for other ranks.
 */
export abstract class DropoutNd {
  readonly p: number;
  readonly #rank: number;

  protected constructor(layer: string, rank: number, p: number) {
    checkShare(layer, p);
    this.p = p;
    this.#rank = rank;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      if (x.rank !== this.#rank + 2) fail("dropout", `needs ${spatial[this.#rank - 1]}, got ${show(x.shape)}`);
      return dropped(
        x,
        this.p,
        x.shape.map((d, i) => (i < 2 ? d : 1)),
      );
    });
  }
}

const spatial = ["sequences [N, C, L]", "images [N, C, H, W]", "volumes [N, C, D, H, W]"];

/** Spatial dropout of sequences [N, C, L]; see `DropoutNd`. */
export class Dropout1d extends DropoutNd {
  constructor(p = 0.5) {
    super("Dropout1d", 1, p);
  }
}

/** Spatial dropout of images [N, C, H, W]; see `DropoutNd`. */
export class Dropout2d extends DropoutNd {
  constructor(p = 0.5) {
    super("Dropout2d", 2, p);
  }
}

/** Spatial dropout of volumes [N, C, D, H, W]; see `DropoutNd`. */
export class Dropout3d extends DropoutNd {
  constructor(p = 0.5) {
    super("Dropout3d", 3, p);
  }
}
