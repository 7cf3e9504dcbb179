// Running and whole products, and running sums, in log₂ n steps of products and sums, whose derivatives hold at zeros too.
import { full } from "./creators.ts";
import { isFloat } from "./dtype.ts";
import type { ReduceOptions } from "./reductions.ts";
import { axesOf, axisOf } from "./shape.ts";
import type { Axes, Tensor } from "./tensor.ts";

/** Each element combined with all before it along an axis (Hillis & Steele, 1986); the neutral element combines to the other. */
function scan(op: string, x: Tensor, axis: number, neutral: number, combine: (a: Tensor, b: Tensor) => Tensor): Tensor {
  const a = axisOf(op, axis, x.rank);
  const n = x.shape[a];
  let y = x.dtype === "bool" ? x.cast("i32") : x;
  for (let step = 1; step < n; step *= 2) {
    const widths = x.shape.map((_, i) => [i === a ? step : 0, 0] as const);
    y = combine(y, y.slice(a, 0, n - step).pad(widths, neutral));
  }
  return y === x ? x.reshape(x.shape) : y; // a value of its own
}

/** See Tensor.cumsum; −0 is neutral, as 0 + −0 is 0. */
export const cumulativeSum = (x: Tensor, axis: number): Tensor =>
  scan("cumsum", x, axis, isFloat(x.dtype) ? -0 : 0, (a, b) => a.add(b));

/** See Tensor.cumprod. */
export const cumulativeProduct = (x: Tensor, axis: number): Tensor => scan("cumprod", x, axis, 1, (a, b) => a.mul(b));

/** See Tensor.prod: the halves multiplied together until one element is left. */
export function product(x: Tensor, axes: Axes | undefined, { keepDims = false }: ReduceOptions): Tensor {
  const reduced = axesOf("prod", axes, x.rank);
  const kept = x.shape.map((_, i) => i).filter((i) => !reduced.includes(i));
  const lead = kept.map((i) => x.shape[i]);
  let n = reduced.reduce((count, i) => count * x.shape[i], 1);
  let y = (x.dtype === "bool" ? x.cast("i32") : x).permute(...kept, ...reduced).reshape(...lead, n);
  if (n === 0) y = full([...lead, 1], 1, y.dtype);
  for (; n > 1; n = Math.ceil(n / 2)) {
    const half = Math.ceil(n / 2);
    const rest = y.slice(-1, half); // one shorter where n is odd
    y = y.slice(-1, 0, half).mul(rest.pad([...lead.map(() => [0, 0] as const), [0, 2 * half - n]], 1));
  }
  return y.reshape(keepDims ? x.shape.map((d, i) => (reduced.includes(i) ? 1 : d)) : lead);
}
