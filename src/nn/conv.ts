// Convolution layers, over one, two or three spatial axes.
import { type Padding, type PadMode, param, type Tensor, within } from "../graph/index.ts";
import { fail, paddingOf } from "../graph/internal.ts";
import { fanIn, fanInUniform, type Init, uniform } from "./init.ts";
import { checkPadding, checkSizes, type Sizes, sizesOf } from "./module.ts";

/** What stands in the padding: zeros, or the image continued (see `Tensor.pad`). */
export type PaddingMode = "zeros" | Exclude<PadMode, "constant">;

export interface ConvNdOptions {
  stride?: Sizes;
  /** A width, [before, after] per axis, "valid" (none), or "same": an output of ⌈size / stride⌉, with the odd one after. */
  padding?: Padding;
  paddingMode?: PaddingMode;
  dilation?: Sizes;
  groups?: number;
  bias?: boolean;
  init?: Init;
}

/**
 * Cross-correlation of images with a bank of kernels, plus a bias per output channel (LeCun et al., 1989):
 * x [N, inputs, …] → [N, outputs, …], each size ⌊(n + before + after − dilation·(kernel − 1) − 1) / stride⌋ + 1.
 * With as many groups as inputs it is depthwise; that and a kernel of 1 after it are a separable convolution (Chollet, 2017).
 * Starts, as in PyTorch, from U(±1/√fan in), which is He's uniform with slope √5. Throws where channels do not divide into groups,
 * a size is none, or the kernel does not fit the image.
 */
export abstract class ConvNd {
  weight: Tensor; // [outputs, inputs / groups, …kernel]
  bias: Tensor | undefined; // [outputs]
  readonly stride: readonly number[];
  readonly padding: Padding;
  readonly paddingMode: PaddingMode;
  readonly dilation: readonly number[];
  readonly groups: number;

  protected constructor(
    layer: string,
    rank: number,
    inputs: number,
    outputs: number,
    kernel: Sizes,
    options: ConvNdOptions,
  ) {
    const { stride = 1, padding = 0, paddingMode = "zeros", dilation = 1, groups = 1 } = options;
    const { bias = true, init = fanInUniform } = options;
    checkSizes(layer, { inputs, outputs, groups });
    if (inputs % groups !== 0 || outputs % groups !== 0) {
      fail(layer, `${inputs} inputs and ${outputs} outputs do not both divide into ${groups} groups`);
    }
    if (!["zeros", "reflect", "replicate", "circular"].includes(paddingMode))
      throw new RangeError(`${layer}: paddingMode must be zeros, reflect, replicate or circular, got ${paddingMode}`);
    this.stride = sizesOf(layer, "stride", stride, rank);
    checkPadding(layer, padding, rank);
    this.padding = padding;
    this.paddingMode = paddingMode;
    this.dilation = sizesOf(layer, "dilation", dilation, rank);
    this.groups = groups;
    const shape = [outputs, inputs / groups, ...sizesOf(layer, "kernel", kernel, rank)];
    this.weight = param(init, shape);
    const bound = 1 / Math.sqrt(fanIn(shape));
    this.bias = bias ? param((shape) => uniform(shape, -bound, bound), [outputs]) : undefined;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const y = this.#correlate(x); // [N, outputs, …]
      return this.bias === undefined ? y : y.add(this.bias.reshape(-1, ...this.stride.map(() => 1)));
    });
  }

  #correlate(x: Tensor): Tensor {
    const { weight, stride, dilation, groups, paddingMode } = this;
    if (paddingMode === "zeros" || x.rank !== weight.rank) return x.conv(weight, this);
    const widths = paddingOf("conv", this.padding, x.shape.slice(2), weight.shape.slice(2), stride, dilation);
    return x.pad([[0, 0], [0, 0], ...widths], paddingMode).conv(weight, { stride, dilation, groups }); // prettier-ignore
  }
}

/** Convolution of sequences [N, inputs, L] → [N, outputs, L′]; see `ConvNd`. */
export class Conv1d extends ConvNd {
  constructor(inputs: number, outputs: number, kernel: Sizes, options: ConvNdOptions = {}) {
    super("Conv1d", 1, inputs, outputs, kernel, options);
  }
}

/** Convolution of images [N, inputs, H, W] → [N, outputs, H′, W′]; see `ConvNd`. */
export class Conv2d extends ConvNd {
  constructor(inputs: number, outputs: number, kernel: Sizes, options: ConvNdOptions = {}) {
    super("Conv2d", 2, inputs, outputs, kernel, options);
  }
}

/** Convolution of volumes [N, inputs, D, H, W] → [N, outputs, D′, H′, W′]; see `ConvNd`. */
export class Conv3d extends ConvNd {
  constructor(inputs: number, outputs: number, kernel: Sizes, options: ConvNdOptions = {}) {
    super("Conv3d", 3, inputs, outputs, kernel, options);
  }
}
