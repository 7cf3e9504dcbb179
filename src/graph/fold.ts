// Simplifying a trace's nodes: identities, views of views, arithmetic on constants. Values stay the same to the bit, signed zeros too.
import { type DType, isFloat } from "./dtype.ts";
import { type Args, type Op, traits } from "./primitives.ts";
import { type Shape, sameShape, sizeOf } from "./shape.ts";
import type { Node } from "./trace.ts";

/** A node not yet part of a trace. */
export type Draft = Pick<Node, "op" | "inputs" | "args" | "shape" | "dtype">;

/** What a rule may make: nodes of the same trace, themselves simplified. */
export type Add = (draft: Draft) => Node;

const argsOf = <O extends Op>(node: Draft, _op: O): Args[O] => node.args as Args[O];
const constant = (node: Node | undefined): number | undefined =>
  node?.op === "const" ? argsOf(node, "const").value : undefined;

type Calculate = (a: number, b: number) => number;

/** Arithmetic on constants, in double precision and then rounded: for these operations that is what f32 arithmetic gives. */
const floats: Partial<Record<Op, Calculate>> = {
  neg: (a) => -a,
  add: (a, b) => a + b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: (a, b) => Math.max(a, b),
  lt: (a, b) => Number(a < b),
  eq: (a, b) => Number(a === b),
  xor: (a, b) => a ^ b,
};
const integers: Partial<Record<Op, Calculate>> = { ...floats, mul: Math.imul };

/** The node that stands for a draft: one that computes nothing, or the same before a view instead of after it; undefined if there is none. */
export const fold = (draft: Draft, add: Add): Node | undefined => simplify(draft, add) ?? viewsLast(draft, add);

function simplify(draft: Draft, add: Add): Node | undefined {
  const { op, inputs, shape, dtype } = draft;
  const [x, y] = inputs;
  const fill = (value: number): Node => add({ op: "const", inputs: [], args: { value }, shape, dtype });
  if (op === "const" || op === "buffer") return undefined;
  if (sizeOf(shape) === 0) return fill(0); // no elements: any value is right
  if (inputs.length > 0 && inputs.some((i) => sizeOf(i.shape) === 0)) return foldEmpty(draft, add);
  const [a, b] = [constant(x), constant(y)];
  const calculate = (x !== undefined && isFloat(x.dtype) ? floats : integers)[op];
  if (calculate !== undefined && a !== undefined && (inputs.length === 1 || b !== undefined))
    return fill(rounded(calculate(a, b as number), dtype));
  switch (op) {
    case "cast":
      return x.dtype === dtype ? x : a === undefined ? undefined : fill(convert(a, dtype));
    case "add": // x + 0 is not x where that is −0
      return isZero(a, dtype) ? y : isZero(b, dtype) ? x : undefined;
    case "mul":
      return a === 1 ? y : b === 1 ? x : undefined;
    case "div":
      return b === undefined ? undefined : foldDivision(draft, b, add);
    case "neg":
      return x.op === "neg" ? x.inputs[0] : undefined;
    case "where":
      return a === undefined ? undefined : inputs[a !== 0 ? 1 : 2];
    case "sum": // over no axes: its operand, −0 too, where adding to 0 would give 0
    case "maxReduce":
      return argsOf(draft, op).axes.length === 0 ? x : undefined;
    default:
      return foldView(draft, a, add);
  }
}

/**
 * An elementwise operation on reshaped or expanded values is computed before they are: so the same calculation at two shapes is one,
 * and none is repeated for elements that are the same.
 */
function viewsLast({ op, inputs, args, shape, dtype }: Draft, add: Add): Node | undefined {
  if (traits[op].class !== "elementwise") return undefined;
  const views = inputs.filter((x) => x.op !== "const");
  const [view] = views;
  if (view === undefined || (view.op !== "reshape" && view.op !== "expand") || isAgain(view)) return undefined;
  const { shape: before } = view.inputs[0];
  if (!views.every((x) => x.op === view.op && sameShape(x.inputs[0].shape, before))) return undefined;
  const below = inputs.map((x) => (x.op === "const" ? add({ ...x, shape: before }) : x.inputs[0]));
  return add({
    op: view.op,
    inputs: [add({ op, inputs: below, args, shape: before, dtype })],
    args: { shape },
    shape,
    dtype,
  });
}

/** x + −0 is x for every float, x + 0 for every whole number. */
const isZero = (value: number | undefined, dtype: DType): boolean =>
  value === 0 && (dtype === "i32" || Object.is(value, -0));

/** x / c is x·(1 / c) where 1 / c is exact and a normal number. */
function foldDivision({ inputs: [x, c], shape, dtype }: Draft, value: number, add: Add): Node | undefined {
  if (value === 1) return x;
  const inverse = rounded(1 / value, dtype);
  const size = Math.abs(value);
  const powerOfTwo = size === 2 ** Math.round(Math.log2(size)) && inverse * value === 1;
  if (!powerOfTwo || Math.abs(inverse) < (dtype === "f32" ? 2 ** -126 : 2 ** -1022)) return undefined;
  const factor = add({ op: "const", inputs: [], args: { value: inverse }, shape: c.shape, dtype });
  return add({ op: "mul", inputs: [x, factor], args: {}, shape, dtype });
}

/** Operations that give elements although an input has none: what they are without terms. */
function foldEmpty({ op, inputs, args, shape, dtype }: Draft, add: Add): Node | undefined {
  const fill = (value: number): Node => add({ op: "const", inputs: [], args: { value }, shape, dtype });
  if (op === "pad") return fill((args as Args["pad"]).value);
  if (op === "concat") return add({ op, inputs: inputs.filter((x) => sizeOf(x.shape) > 0), args, shape, dtype });
  if (op === "scatterAdd" && inputs.length === 3) return inputs[2];
  return op === "sum" || op === "matmul" || op === "conv" || op === "scatterAdd" ? fill(0) : undefined;
}

const reshaped = (x: Node, shape: Shape, add: Add): Node =>
  add({ op: "reshape", inputs: [x], args: { shape }, shape, dtype: x.dtype });

function foldView(draft: Draft, value: number | undefined, add: Add): Node | undefined {
  const { op, inputs, shape, dtype } = draft;
  const [x] = inputs;
  const fill = (): Node => add({ op: "const", inputs: [], args: { value: value! }, shape, dtype });
  switch (op) {
    case "reshape":
      if (value !== undefined) return fill();
      if (isAgain(draft)) return undefined;
      if (sameShape(x.shape, shape)) return x;
      return x.op === "reshape" && !isAgain(x) ? reshaped(x.inputs[0], shape, add) : undefined;
    case "expand":
      if (value !== undefined) return fill();
      if (sameShape(x.shape, shape)) return x;
      return x.op === "expand" ? add({ ...draft, inputs: x.inputs }) : undefined;
    case "permute":
      return value !== undefined ? fill() : foldPermute(draft, add);
    case "pad":
      return sameShape(x.shape, shape) ? x : undefined;
    case "slice":
      return value !== undefined ? fill() : sameShape(x.shape, shape) ? x : undefined;
    case "flip": {
      const axes = argsOf(draft, op).axes.filter((i) => x.shape[i] > 1);
      return value !== undefined || axes.length === 0 ? x : undefined;
    }
    case "concat":
      return inputs.length === 1 ? x : undefined;
    default:
      return undefined;
  }
}

function foldPermute(draft: Draft, add: Add): Node | undefined {
  const { inputs, shape, dtype } = draft;
  const [x] = inputs;
  const { order } = argsOf(draft, "permute");
  if (order.every((axis, i) => axis === i)) return x;
  // moving axes of size 1 moves no element
  if (inOrder(order.filter((axis) => x.shape[axis] !== 1))) return reshaped(x, shape, add);
  if (x.op !== "permute") return undefined;
  const inner = argsOf(x, "permute").order;
  return add({ op: "permute", inputs: x.inputs, args: { order: order.map((i) => inner[i]) }, shape, dtype });
}

const inOrder = (list: readonly number[]): boolean => list.every((axis, i) => i === 0 || list[i - 1] < axis);

/** A number as the dtype holds it; whole numbers wrap around. */
const rounded = (value: number, dtype: DType): number =>
  dtype === "f32" ? Math.fround(value) : dtype === "f64" ? value : value | 0;

function convert(value: number, dtype: DType): number {
  if (dtype === "bool") return Number(value !== 0);
  if (dtype !== "i32") return rounded(value, dtype);
  return Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(value))) | 0; // NaN and −0 become 0
}

/** Whether it begins what is computed again: what comes after it stays after it. */
export const isAgain = (t: { readonly op: Op; readonly args: Args[Op] }): boolean =>
  t.op === "reshape" && (t.args as Args["reshape"]).again !== undefined;

/** Whether a reshape is a `detach()`: it stops gradients. */
export const isDetached = (t: { readonly op: Op; readonly args: Args[Op] }): boolean =>
  t.op === "reshape" && (t.args as Args["reshape"]).detached === true;
