// Tensors from numbers and shapes, and from other tensors side by side.
import { type DType, promote, represent } from "./dtype.ts";
import { as, checkTensors, lift, make, spread } from "./operands.ts";
import { axisOf, broadcastShapes, checkShape, fail, type Shape, sameShape, show } from "./shape.ts";
import { type Operand, Tensor } from "./tensor.ts";

/** A constant: every element is the value. */
export function full(shape: Shape, value: number, dtype: DType = "f32"): Tensor {
  checkShape("full", shape);
  return new Tensor("const", [], { value: represent("full", value, dtype) }, shape, dtype);
}
export const zeros = (shape: Shape, dtype: DType = "f32"): Tensor => full(shape, 0, dtype);
export const ones = (shape: Shape, dtype: DType = "f32"): Tensor => full(shape, 1, dtype);

/** i32 of a shape whose elements are their position along one axis. */
export function iota(shape: Shape, axis: number): Tensor {
  return new Tensor("iota", [], { axis: axisOf("iota", axis, shape.length) }, shape, "i32");
}

/** 0, 1, …, n − 1 as i32. */
export const arange = (n: number): Tensor => iota([n], 0);

/** condition ? a : b, element by element; all three broadcast. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  checkTensors("where", [condition]);
  const like = [a, b].find((value) => value instanceof Tensor) ?? full([], 0);
  const [x, y] = [lift("where", a, like), lift("where", b, like)];
  const dtype = promote(x.dtype, y.dtype);
  const shape = broadcastShapes("where", condition.shape, broadcastShapes("where", x.shape, y.shape));
  return make("where", [spread(condition, shape), spread(as(dtype, x), shape), spread(as(dtype, y), shape)], {});
}

/** Joins tensors along an existing axis; they are cast to the dtype that all of them promote to. */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  checkTensors("concat", tensors);
  if (tensors.length === 0) fail("concat", "needs at least one tensor");
  const dtype = tensors.map((t) => t.dtype).reduce(promote);
  return make(
    "concat",
    tensors.map((t) => as(dtype, t)),
    { axis: axisOf("concat", axis, tensors[0].rank) },
  );
}

/** Joins tensors of one shape along a new axis. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  checkTensors("stack", tensors);
  if (tensors.length === 0) fail("stack", "needs at least one tensor");
  const [{ shape, rank }] = tensors;
  for (const t of tensors)
    if (!sameShape(t.shape, shape)) fail("stack", `shapes differ, ${show(shape)} and ${show(t.shape)}`);
  const a = axisOf("stack", axis, rank + 1);
  return concat(
    tensors.map((t) => t.unsqueeze(a)),
    a,
  );
}
