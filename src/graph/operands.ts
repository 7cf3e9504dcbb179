// From what users write to nodes: operands lifted, cast and broadcast, checked by the primitive's rule.
import { full } from "./creators.ts";
import { type DType, isFloat, promote, represent } from "./dtype.ts";
import { kindOf } from "./kind.ts";
import { type Args, type Computed, type Meta, rules } from "./primitives.ts";
import { axesOf, broadcastShapes, failKind, type Shape, sameShape } from "./shape.ts";
import { type Axes, type Operand, Tensor } from "./tensor.ts";

/** Makes a node of the graph, checked by the primitive's rule. Nothing is simplified here: the user holds the nodes, see `trace`. */
export function make<O extends Computed>(op: O, inputs: readonly Tensor[], args: Args[O]): Tensor {
  checkTensors(op, inputs);
  const rule = rules[op] as unknown as (inputs: readonly Meta[], args: Args[O], op: O) => Meta;
  const { shape, dtype } = rule(inputs, args, op);
  return new Tensor(op, inputs, args, shape, dtype);
}

/** An operand in a dtype, in floats, in a shape: itself where it is that already. */
export const as = (dtype: DType, x: Tensor): Tensor => (x.dtype === dtype ? x : x.cast(dtype));
export const asFloat = (x: Tensor): Tensor => (isFloat(x.dtype) ? x : x.cast("f32"));
export const spread = (x: Tensor, shape: Shape): Tensor => (sameShape(x.shape, shape) ? x : x.expand(shape));

/** Checks what callers without types may pass. */
export function checkTensors(op: string, values: readonly unknown[]): void {
  if (!Array.isArray(values)) failKind(op, `takes a list of tensors, e.g. ${op}([a, b]), got ${kindOf(values)}`);
  for (const value of values) if (!(value instanceof Tensor)) failKind(op, `takes tensors, got ${kindOf(value)}`);
}

export function checkNumber(op: string, argument: string, value: unknown): void {
  if (typeof value !== "number") failKind(op, `${argument} must be a number, got ${kindOf(value)}`);
}

/** An operand as a tensor: a number takes the other's dtype, or one that has it. */
export function lift(op: string, value: Operand, like: Tensor): Tensor {
  if (value instanceof Tensor) return value;
  if (typeof value !== "number") failKind(op, `takes a tensor or a number, got ${kindOf(value)}`);
  const dtype = isFloat(like.dtype) ? like.dtype : Number.isInteger(value) ? "i32" : "f32";
  return full(like.shape, represent(op, value, dtype), dtype);
}

/** Turns the order of numbers round: −x, and ~x for integers, of which −2³¹ has no negative. */
export const reversed = (x: Tensor): Tensor => (x.dtype === "i32" ? x.not() : x.neg());

/** An operation on two operands that broadcast, in the dtype that both promote to. */
export function binary(op: Computed, left: Tensor, right: Operand): Tensor {
  const bitwise = op === "and" || op === "or" || op === "xor";
  const truth = bitwise && left.dtype === "bool" && typeof right === "number";
  const other = truth ? full(left.shape, right, "bool") : lift(op, right, left);
  const alike = other.dtype === left.dtype && sameShape(left.shape, other.shape);
  if (alike && left.dtype !== "bool") return make(op, [left, other], {});
  const logical = bitwise || op === "eq";
  const dtype = promote(promote(left.dtype, other.dtype), logical ? "bool" : op === "lt" ? "bool" : "i32");
  const shape = sameShape(left.shape, other.shape) ? left.shape : broadcastShapes(op, left.shape, other.shape);
  return make(op, [spread(as(dtype, left), shape), spread(as(dtype, other), shape)], {});
}

/** A reduction over axes, by default all. */
export function reduce(op: "sum" | "maxReduce", x: Tensor, axes: Axes | undefined, keepDims: boolean): Tensor {
  const list = axesOf(op === "sum" ? "sum" : "max", axes, x.rank);
  const y = make(op, [x], { axes: list });
  return keepDims ? y.reshape(x.shape.map((d, i) => (list.includes(i) ? 1 : d))) : y;
}
