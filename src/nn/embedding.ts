// The embedding layer.
import { param, type Tensor, within } from "../graph/index.ts";
import { type Init, normal } from "./init.ts";
import { checkSizes } from "./module.ts";

/** A learned row per index, indices i32 [...] → [..., features]; starts from N(0, 1), as in PyTorch. An index outside 0 … count − 1 gives NaN. */
export class Embedding {
  weight: Tensor; // [count, features]

  constructor(count: number, features: number, { init = normal }: { init?: Init } = {}) {
    checkSizes("Embedding", { count, features });
    this.weight = param(init([count, features]), [count, features]);
  }

  forward(indices: Tensor): Tensor {
    return within(this, () => this.weight.gather(indices));
  }
}
