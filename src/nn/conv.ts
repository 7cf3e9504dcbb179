// Convolution layers.
import { param, type Tensor, within } from "../graph/index.ts";
import { fail } from "../graph/internal.ts";
import { fanIn, fanInUniform, type Init, uniform } from "./init.ts";
import { checkSizes, type Pair, pairOf } from "./module.ts";

export interface Conv2dOptions {
  stride?: Pair;
  padding?: Pair;
  dilation?: Pair;
  groups?: number;
  bias?: boolean;
  init?: Init;
}

/**
 * Cross-correlation of images with a bank of kernels, plus a bias per output channel (LeCun et al., 1989):
 * x [N, inputs, H, W] → [N, outputs, ⌊(H + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1, …].
 * Starts, as in PyTorch, from U(±1/√fan in), which is He's uniform with slope √5.
 */
export class Conv2d {
  weight: Tensor; // [outputs, inputs / groups, kernel height, kernel width]
  bias: Tensor | undefined; // [outputs]
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;

  constructor(
    inputs: number,
    outputs: number,
    kernel: Pair,
    { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, init = fanInUniform }: Conv2dOptions = {},
  ) {
    checkSizes("Conv2d", { inputs, outputs, groups });
    if (inputs % groups !== 0 || outputs % groups !== 0) {
      fail("Conv2d", `${inputs} inputs and ${outputs} outputs do not both divide into ${groups} groups`);
    }
    this.stride = pairOf("Conv2d", "stride", stride);
    this.padding = pairOf("Conv2d", "padding", padding, 0);
    this.dilation = pairOf("Conv2d", "dilation", dilation);
    this.groups = groups;
    const shape = [outputs, inputs / groups, ...pairOf("Conv2d", "kernel", kernel)];
    this.weight = param(init(shape), shape);
    const bound = 1 / Math.sqrt(fanIn(shape));
    this.bias = bias ? param(uniform([outputs], -bound, bound)) : undefined;
  }

  forward(x: Tensor): Tensor {
    return within(this, () => {
      const y = x.conv(this.weight, this); // [N, outputs, H', W']
      return this.bias === undefined ? y : y.add(this.bias.reshape(-1, 1, 1));
    });
  }
}
