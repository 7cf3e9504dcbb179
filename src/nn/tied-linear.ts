// The fully connected layer that shares another's weights.
import { param, type Tensor, within } from "../graph/index.ts";
import { constant } from "./init.ts";
import type { Linear } from "./linear.ts";

/**
 * The layer back, y = x·W + c with the weights W [outputs, inputs] of another layer and a bias of its own, which starts from 0:
 * x [..., outputs] → [..., inputs]. It is the decoder of an auto-encoder with tied weights (Vincent et al., 2008).
 */
export class TiedLinear {
  source: Linear;
  bias: Tensor; // [inputs of the source]

  constructor(source: Linear) {
    this.source = source;
    this.bias = param((shape) => constant(shape, 0), [source.weight.shape[1]]);
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => x.matmul(this.source.weight).add(this.bias));
  }
}
