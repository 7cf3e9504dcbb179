// Flattening: from images or sequences to vectors.
import { type Tensor, within } from "../graph/index.ts";
import { fail, show, sizeOf } from "../graph/internal.ts";
import { checkSizes } from "./module.ts";

/** Joins all axes from `start` on into one, e.g. [N, C, H, W] → [N, C·H·W]. */
export class Flatten {
  readonly start: number;

  constructor(start = 1) {
    checkSizes("Flatten", { start }, 0);
    this.start = start;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      if (x.rank <= this.start) fail("flatten", `axis ${this.start} does not exist in ${show(x.shape)}`);
      return x.reshape(x.shape.slice(0, this.start), sizeOf(x.shape.slice(this.start)));
    });
  }
}
