// Normalization within each sample: over its last axes, or over groups of its channels; the same in training and after.
import { param, type Tensor, within } from "../graph/index.ts";
import { fail, type Shape, sameShape, show } from "../graph/internal.ts";
import { constant } from "./init.ts";
import { checkSizes } from "./module.ts";

export interface LayerNormOptions {
  /** Added to the variance. */
  eps?: number;
  /** Whether to scale and shift by learned values. */
  affine?: boolean;
  /** Whether what is learned includes the shift. */
  bias?: boolean;
}

/**
 * y = γ·(x − μ) / √(σ² + ε) + β with mean and population variance over the last axes, those of `shape`; x [..., ...shape]
 * (Ba et al., 2016). Throws where x ends in another shape.
 */
export class LayerNorm {
  weight: Tensor | undefined; // γ [...shape], named as in PyTorch's files
  bias: Tensor | undefined; // β [...shape]
  readonly shape: Shape;
  readonly eps: number;

  constructor(shape: number | Shape, { eps = 1e-5, affine = true, bias = true }: LayerNormOptions = {}) {
    this.shape = sizes("LayerNorm", shape);
    this.weight = affine ? param(constant(this.shape, 1), this.shape) : undefined;
    this.bias = affine && bias ? param(constant(this.shape, 0), this.shape) : undefined;
    this.eps = eps;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const y = standardized(x, lastAxes("layerNorm", x, this.shape), this.eps);
      const scaled = this.weight === undefined ? y : y.mul(this.weight);
      return this.bias === undefined ? scaled : scaled.add(this.bias);
    });
  }
}

export interface RMSNormOptions {
  /** Added to the mean square. */
  eps?: number;
  /** Whether to scale by learned values. */
  affine?: boolean;
}

/**
 * y = γ·x / √(mean x² + ε) with the mean over the last axes, those of `shape`; x [..., ...shape] (Zhang & Sennrich, 2019).
 * ε is by default 2⁻²³, the spacing of f32 at 1, as PyTorch's. Throws where x ends in another shape.
 */
export class RMSNorm {
  weight: Tensor | undefined; // γ [...shape], named as in PyTorch's files
  readonly shape: Shape;
  readonly eps: number;

  constructor(shape: number | Shape, { eps = 2 ** -23, affine = true }: RMSNormOptions = {}) {
    this.shape = sizes("RMSNorm", shape);
    this.weight = affine ? param(constant(this.shape, 1), this.shape) : undefined;
    this.eps = eps;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const axes = lastAxes("rmsNorm", x, this.shape);
      const y = x.float().div(x.float().square().mean(axes, { keepDims: true }).add(this.eps).sqrt());
      return this.weight === undefined ? y : y.mul(this.weight);
    });
  }
}

export interface GroupNormOptions {
  /** Added to the variance. */
  eps?: number;
  /** Whether to scale and shift each channel by learned values. */
  affine?: boolean;
}

/**
 * y = γ·(x − μ) / √(σ² + ε) + β, x [N, channels, …], with mean and population variance over the elements of a sample that
 * are in one group of neighbouring channels; γ and β are per channel (Wu & He, 2018). Throws where the channels do not
 * divide into the groups, or x has others.
 */
export class GroupNorm {
  weight: Tensor | undefined; // γ [channels], named as in PyTorch's files
  bias: Tensor | undefined; // β [channels]
  readonly groups: number;
  readonly channels: number;
  readonly eps: number;

  constructor(groups: number, channels: number, { eps = 1e-5, affine = true }: GroupNormOptions = {}) {
    checkSizes("GroupNorm", { groups, channels });
    if (channels % groups !== 0) fail("GroupNorm", `${channels} channels do not divide into ${groups} groups`);
    this.weight = affine ? param(constant([channels], 1)) : undefined;
    this.bias = affine ? param(constant([channels], 0)) : undefined;
    this.groups = groups;
    this.channels = channels;
    this.eps = eps;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const { groups, channels } = this;
      if (x.rank < 2 || x.shape[1] !== channels)
        fail("groupNorm", `needs ${channels} channels, [N, ${channels}, …], got ${show(x.shape)}`);
      const [batch, , ...spatial] = x.shape;
      const grouped = x.reshape(batch, groups, channels / groups, ...spatial);
      const axes = grouped.shape.map((_, i) => i).slice(2);
      const y = standardized(grouped, axes, this.eps).reshape(x.shape);
      const perChannel = (t: Tensor): Tensor => t.reshape(channels, ...spatial.map(() => 1));
      const scaled = this.weight === undefined ? y : y.mul(perChannel(this.weight));
      return this.bias === undefined ? scaled : scaled.add(perChannel(this.bias));
    });
  }
}

/**
 * Normalization of each channel of each image by itself, x [N, channels, H, W] (Ulyanov et al., 2016): a `GroupNorm` with as
 * many groups as channels, by default without learned values. Throws where x has another shape or one pixel, which is its own mean.
 */
export class InstanceNorm2d extends GroupNorm {
  constructor(channels: number, { eps = 1e-5, affine = false }: GroupNormOptions = {}) {
    checkSizes("InstanceNorm2d", { channels });
    super(channels, channels, { eps, affine });
  }

  override forward(x: Tensor): Tensor {
    return within(this, x, () => {
      if (x.rank !== 4 || x.shape[1] !== this.channels)
        fail("instanceNorm", `needs images [N, ${this.channels}, H, W], got ${show(x.shape)}`);
      if (x.shape[2] * x.shape[3] < 2) fail("instanceNorm", `needs more than one pixel, got ${show(x.shape)}`);
      return super.forward(x);
    });
  }
}

/** (x − μ) / √(σ² + ε) over some axes; the variance is that of centred values, so that a large mean costs no accuracy. */
function standardized(x: Tensor, axes: readonly number[], eps: number): Tensor {
  const centred = x.float().sub(x.float().mean(axes, { keepDims: true }));
  return centred.div(centred.square().mean(axes, { keepDims: true }).add(eps).sqrt());
}

function sizes(layer: string, shape: number | Shape): Shape {
  const list = typeof shape === "number" ? [shape] : [...shape];
  if (list.length === 0) fail(layer, "shape must name at least one axis, got []");
  for (const size of list) checkSizes(layer, { shape: size });
  return list;
}

/** The axes of x that a shape is about. */
function lastAxes(op: string, x: Tensor, shape: Shape): number[] {
  const first = x.rank - shape.length;
  if (first < 0 || !sameShape(x.shape.slice(first), shape))
    fail(op, `needs [..., ${shape.join(", ")}], got ${show(x.shape)}`);
  return shape.map((_, i) => first + i);
}
