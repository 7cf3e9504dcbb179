// The layer that learns its activation, as the largest of some linear functions.
import { type Tensor, within } from "../graph/index.ts";
import { fanInUniform, type Init } from "./init.ts";
import { Linear } from "./linear.ts";
import { checkSizes } from "./module.ts";

export interface MaxoutOptions {
  /** How many linear functions each output is the largest of. */
  pieces?: number;
  bias?: boolean;
  init?: Init;
}

/**
 * hᵢ = maxⱼ (x·Wᵢⱼ + bᵢⱼ) over `pieces` linear functions a unit (Goodfellow et al., 2013), of which 2 to 5 are usual:
 * x [..., inputs] → [..., outputs]; the gradient goes to the first of the largest. Starts as `Linear` does. Throws where x has other features.
 */
export class Maxout {
  linear: Linear; // weight [outputs · pieces, inputs], the pieces of a unit one after the other, and bias
  readonly pieces: number;

  constructor(inputs: number, outputs: number, { pieces = 2, bias = true, init = fanInUniform }: MaxoutOptions = {}) {
    checkSizes("Maxout", { inputs, outputs, pieces });
    this.linear = new Linear(inputs, outputs * pieces, { bias, init });
    this.pieces = pieces;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const all = this.linear.forward(x); // [..., outputs · pieces]
      const split = all.reshape(...all.shape.slice(0, -1), -1, this.pieces);
      const each = Array.from({ length: this.pieces }, (_, j) => split.at(j, -1));
      return each.reduce((max, piece) => max.maximum(piece)); // at a tie the earlier one
    });
  }
}
