// Folding while the graph is built: identities, views of views, arithmetic on constants. Values never change, only the node count.
import type { DType } from "./dtype.ts";
import type { Args, Computed, Op } from "./primitives.ts";
import { type Shape, sameShape, sizeOf } from "./shape.ts";
import { full, make, type Tensor } from "./tensor.ts";

const argsOf = <O extends Op>(t: Tensor, _op: O): Args[O] => t.args as Args[O];
const constant = (t: Tensor | undefined): number | undefined =>
  t?.op === "const" ? argsOf(t, "const").value : undefined;

const arithmetic: Partial<Record<Computed, (a: number, b: number) => number>> = {
  neg: (a) => -a,
  add: (a, b) => a + b,
  mul: (a, b) => a * b,
  max: (a, b) => Math.max(a, b),
  lt: (a, b) => Number(a < b),
  eq: (a, b) => Number(a === b),
  xor: (a, b) => a ^ b,
};

/** The node that stands for op(inputs) without computing anything, if there is one. */
export function fold(
  op: Computed,
  inputs: readonly Tensor[],
  args: object,
  shape: Shape,
  dtype: DType,
): Tensor | undefined {
  const [x, y] = inputs;
  const [a, b] = [constant(x), constant(y)];
  const calculate = arithmetic[op];
  if (calculate !== undefined && a !== undefined && (inputs.length === 1 || b !== undefined)) {
    const value = calculate(a, b as number);
    return full(shape, dtype !== "i32" ? value : op === "mul" ? Math.imul(a, b as number) : value | 0, dtype);
  }
  // 1/c only where it is exact: x / 3 stays a division, correctly rounded
  if (op === "recip" && a !== undefined && Math.abs(Math.log2(Math.abs(a))) % 1 === 0) return full(shape, 1 / a, dtype);
  if (op === "cast") return x.dtype === dtype ? x : a === undefined ? undefined : full(shape, convert(a, dtype), dtype);
  if (op === "add") return a === 0 ? y : b === 0 ? x : undefined;
  if (op === "mul") return a === 1 ? y : b === 1 ? x : undefined;
  if (op === "neg" && x.op === "neg") return x.inputs[0];
  if (op === "sum" || op === "maxReduce") return (args as Args["sum"]).axes.length === 0 ? x : undefined;
  return foldView(op, x, a, args, shape, dtype);
}

function foldView(
  op: Computed,
  x: Tensor,
  value: number | undefined,
  args: object,
  shape: Shape,
  dtype: DType,
): Tensor | undefined {
  switch (op) {
    case "reshape":
      if (value !== undefined) return full(shape, value, dtype);
      if (sameShape(x.shape, shape)) return x;
      return x.op === "reshape" && !isDetached(x) ? make("reshape", [x.inputs[0]], { shape }) : undefined;
    case "expand":
      if (value !== undefined) return full(shape, value, dtype);
      if (sameShape(x.shape, shape)) return x;
      return x.op === "expand" ? make("expand", [x.inputs[0]], { shape }) : undefined;
    case "permute": {
      const { order } = args as Args["permute"];
      if (value !== undefined) return full(shape, value, dtype);
      if (order.every((axis, i) => axis === i)) return x;
      // moving axes of size 1 moves no element
      if (inOrder(order.filter((axis) => x.shape[axis] !== 1))) return make("reshape", [x], { shape });
      if (x.op !== "permute") return undefined;
      const inner = argsOf(x, "permute").order;
      return make("permute", [x.inputs[0]], { order: order.map((i) => inner[i]) });
    }
    case "pad":
      return sameShape(x.shape, shape) ? x : undefined;
    case "slice":
      return value !== undefined ? full(shape, value, dtype) : sameShape(x.shape, shape) ? x : undefined;
    case "flip":
      return value !== undefined || (args as Args["flip"]).axes.length === 0 || sizeOf(shape) <= 1 ? x : undefined;
    default:
      return undefined;
  }
}

const inOrder = (list: readonly number[]): boolean => list.every((axis, i) => i === 0 || list[i - 1] < axis);

/** Whether a reshape is a `detach()`: it stops gradients, so nothing may be folded through it. */
export const isDetached = (t: Tensor): boolean => t.op === "reshape" && argsOf(t, "reshape").detached === true;

function convert(value: number, dtype: DType): number {
  if (dtype === "bool") return Number(value !== 0);
  if (dtype !== "i32") return value;
  return Number.isNaN(value) ? 0 : Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(value)));
}
