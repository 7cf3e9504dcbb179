// The fully connected layer.
import { param, type Tensor, within } from "../graph/index.ts";
import { fanInUniform, type Init, uniform } from "./init.ts";
import { checkSizes } from "./module.ts";

/**
 * Fully connected layer, y = x·Wᵀ + b: x [..., inputs] → [..., outputs].
 * Starts, as in PyTorch, from U(±1/√inputs), which is He's uniform with slope √5.
 */
export class Linear {
  weight: Tensor; // [outputs, inputs], as in PyTorch's files
  bias: Tensor | undefined; // [outputs]

  constructor(
    inputs: number,
    outputs: number,
    { bias = true, init = fanInUniform }: { bias?: boolean; init?: Init } = {},
  ) {
    checkSizes("Linear", { inputs, outputs });
    this.weight = param(init, [outputs, inputs]);
    const bound = 1 / Math.sqrt(inputs);
    this.bias = bias ? param((shape) => uniform(shape, -bound, bound), [outputs]) : undefined;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const y = x.matmul(this.weight.transpose()); // [..., inputs] · [inputs, outputs]
      return this.bias === undefined ? y : y.add(this.bias);
    });
  }
}
