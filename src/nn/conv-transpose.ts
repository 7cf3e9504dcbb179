// Transposed convolution layers, over one, two or three spatial axes: what takes an image back to the size it was convolved from.
import { param, type Tensor, within } from "../graph/index.ts";
import { fail, make, show } from "../graph/internal.ts";
import { fanIn, fanInUniform, type Init, uniform } from "./init.ts";
import { checkSizes, type Sizes, sizesOf } from "./module.ts";

export interface ConvTransposeOptions {
  stride?: Sizes;
  /** What is cut off at both ends of the output. */
  padding?: Sizes;
  /** Rows added at the end of the output, less than stride or dilation: of the sizes that convolve to the input's the one meant. */
  outputPadding?: Sizes;
  dilation?: Sizes;
  groups?: number;
  bias?: boolean;
  init?: Init;
}

/**
 * The transpose of a convolution as a linear map (Zeiler et al., 2010), plus a bias per output channel: each input element adds
 * its kernel, times itself, to the output, stride apart. x [N, inputs, …] → [N, outputs, …], each size
 * (n − 1)·stride − 2·padding + dilation·(kernel − 1) + outputPadding + 1. Starts, as in PyTorch, from U(±1/√fan in), where the fan
 * in is that of the convolution whose transpose it is. Throws where channels do not divide into groups, or nothing would be left.
 */
export abstract class ConvTransposeNd {
  weight: Tensor; // [inputs, outputs / groups, …kernel], as in PyTorch's files
  bias: Tensor | undefined; // [outputs]
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly outputPadding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;

  protected constructor(
    layer: string,
    rank: number,
    inputs: number,
    outputs: number,
    kernel: Sizes,
    options: ConvTransposeOptions,
  ) {
    const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1 } = options;
    const { bias = true, init = fanInUniform } = options;
    checkSizes(layer, { inputs, outputs, groups });
    if (inputs % groups !== 0 || outputs % groups !== 0)
      fail(layer, `${inputs} inputs and ${outputs} outputs do not both divide into ${groups} groups`);
    this.stride = sizesOf(layer, "stride", stride, rank);
    this.padding = sizesOf(layer, "padding", padding, rank, 0);
    this.dilation = sizesOf(layer, "dilation", dilation, rank);
    this.outputPadding = sizesOf(layer, "outputPadding", outputPadding, rank, 0);
    if (this.outputPadding.some((p, i) => p >= Math.max(this.stride[i], this.dilation[i])))
      fail(layer, `outputPadding ${show(this.outputPadding)} must be less than stride or dilation`);
    this.groups = groups;
    const shape = [inputs, outputs / groups, ...sizesOf(layer, "kernel", kernel, rank)];
    this.weight = param(init(shape), shape);
    const bound = 1 / Math.sqrt(fanIn(shape));
    this.bias = bias ? param((shape) => uniform(shape, -bound, bound), [outputs]) : undefined;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const { weight, groups } = this;
      const [inputs, perGroup, ...kernel] = weight.shape;
      if (x.rank !== weight.rank || x.shape[1] !== inputs)
        fail(
          "convTranspose",
          `needs ${inputs} channels, [N, ${inputs}${", size".repeat(kernel.length)}], got ${show(x.shape)}`,
        );
      const kernels = weight
        .reshape(groups, inputs / groups, perGroup, ...kernel)
        .transpose(1, 2)
        .reshape(groups * perGroup, inputs / groups, ...kernel) // [outputs, inputs / groups, …kernel]
        .flip(kernel.map((_, i) => i + 2));
      const y = make("conv", [x, kernels], {
        stride: kernel.map(() => 1),
        padding: this.#widths(x, kernel),
        inputDilation: this.stride,
        dilation: this.dilation,
        groups,
      });
      return this.bias === undefined ? y : y.add(this.bias.reshape(-1, ...kernel.map(() => 1)));
    });
  }

  /** The border of the dilated input, of which each kernel must touch an element; negative where more is cut off. */
  #widths(x: Tensor, kernel: readonly number[]): (readonly [number, number])[] {
    return kernel.map((k, i) => {
      const reach = this.dilation[i] * (k - 1);
      const size = (x.shape[i + 2] - 1) * this.stride[i] - 2 * this.padding[i] + reach + this.outputPadding[i] + 1;
      if (size < 1)
        fail("convTranspose", `nothing is left of ${show(x.shape)}, axis ${i + 2} would have the size ${size}`);
      return [reach - this.padding[i], reach - this.padding[i] + this.outputPadding[i]];
    });
  }
}

/** Transposed convolution of sequences [N, inputs, L] → [N, outputs, L′]; see `ConvTransposeNd`. */
export class ConvTranspose1d extends ConvTransposeNd {
  constructor(inputs: number, outputs: number, kernel: Sizes, options: ConvTransposeOptions = {}) {
    super("ConvTranspose1d", 1, inputs, outputs, kernel, options);
  }
}

/** Transposed convolution of images [N, inputs, H, W] → [N, outputs, H′, W′]; see `ConvTransposeNd`. */
export class ConvTranspose2d extends ConvTransposeNd {
  constructor(inputs: number, outputs: number, kernel: Sizes, options: ConvTransposeOptions = {}) {
    super("ConvTranspose2d", 2, inputs, outputs, kernel, options);
  }
}

/** Transposed convolution of volumes [N, inputs, D, H, W] → [N, outputs, D′, H′, W′]; see `ConvTransposeNd`. */
export class ConvTranspose3d extends ConvTransposeNd {
  constructor(inputs: number, outputs: number, kernel: Sizes, options: ConvTransposeOptions = {}) {
    super("ConvTranspose3d", 3, inputs, outputs, kernel, options);
  }
}
