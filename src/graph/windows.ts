// Windows over images: how kernels of convolutions and pooled regions are padded, and convolutions.
import { kindOf } from "./kind.ts";
import { checkTensors, make } from "./operands.ts";
import { fail, show } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** A width before and after every spatial axis, or one per axis, or [before, after] per axis; "valid": none; "same": as many windows as ⌈size / stride⌉. */
export type Padding = number | "same" | "valid" | readonly (number | readonly [before: number, after: number])[];

/** Padding per spatial axis as [before, after]. */
export function paddingOf(
  op: string,
  padding: Padding,
  sizes: readonly number[],
  kernel: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): (readonly [number, number])[] {
  if (padding === "valid") return sizes.map(() => [0, 0]);
  if (padding === "same") {
    if (kernel.length !== sizes.length)
      fail(op, `the kernel ${show(kernel)} has not as many axes as the image ${show(sizes)}`);
    return sizes.map((n, i) => {
      const span = (kernel[i] - 1) * dilation[i] + 1;
      const total = Math.max(0, (Math.ceil(n / stride[i]) - 1) * stride[i] + span - n);
      return [Math.floor(total / 2), Math.ceil(total / 2)];
    });
  }
  if (typeof padding === "number") return sizes.map(() => [padding, padding]);
  if (!Array.isArray(padding))
    throw new TypeError(
      `${op}: padding must be a number, "same", "valid" or a list, got ${typeof padding === "string" ? `"${padding}"` : kindOf(padding)}`,
    );
  return padding.map((p: number | readonly [number, number]) => {
    if (typeof p === "number") return [p, p];
    if (Array.isArray(p) && p.length === 2) return [p[0], p[1]];
    throw new TypeError(`${op}: padding of an axis must be a number or [before, after], got ${kindOf(p)}`);
  });
}

export interface ConvOptions {
  stride?: number | readonly number[];
  padding?: Padding;
  dilation?: number | readonly number[];
  groups?: number;
}

/** See Tensor.conv. */
export function convolution(
  x: Tensor,
  weight: Tensor,
  { stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvOptions,
): Tensor {
  checkTensors("conv", [weight]);
  const each = (value: number | readonly number[]): number[] =>
    typeof value === "number" ? new Array<number>(Math.max(0, x.rank - 2)).fill(value) : [...value];
  const [image, kernel] = [x.shape.slice(2), weight.shape.slice(2)];
  return make("conv", [x, weight], {
    stride: each(stride),
    padding: paddingOf("conv", padding, image, kernel, each(stride), each(dilation)),
    inputDilation: each(1),
    dilation: each(dilation),
    groups,
  });
}
