// Tensors from numbers and shapes, and from other tensors side by side.
import { checkDType, type DType, promote, represent } from "./dtype.ts";
import { as, checkTensors, lift, make, spread } from "./operands.ts";
import { checkCount } from "./pieces.ts";
import { axisOf, broadcastShapes, checkShape, fail, type Shape, sameShape, show } from "./shape.ts";
import { type Operand, Tensor } from "./tensor.ts";

/** A constant: every element is the value. */
export const full = (shape: Shape, value: number, dtype: DType = "f32"): Tensor => filled("full", shape, value, dtype);
export const zeros = (shape: Shape, dtype: DType = "f32"): Tensor => filled("zeros", shape, 0, dtype);
export const ones = (shape: Shape, dtype: DType = "f32"): Tensor => filled("ones", shape, 1, dtype);

function filled(op: string, shape: Shape, value: number, dtype: DType): Tensor {
  checkShape(op, shape);
  checkDType(op, dtype);
  return new Tensor("const", [], { value: represent(op, value, dtype) }, shape, dtype);
}

/** i32 of a shape whose elements are their position along one axis. */
export function iota(shape: Shape, axis: number): Tensor {
  return new Tensor("iota", [], { axis: axisOf("iota", axis, shape.length) }, shape, "i32");
}

/**
 * 0, 1, …, n − 1 as i32; or start, start + step, … before stop: as i32 where start and step are whole numbers, else as f32
 * (start + i·step in f32). Throws a RangeError where a number is not finite or the step is 0.
 */
export function arange(stop: number): Tensor;
export function arange(start: number, stop: number, step?: number): Tensor;
export function arange(first: number, second?: number, step = 1): Tensor {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  for (const [name, value] of Object.entries({ start, stop, step }))
    if (!Number.isFinite(value)) throw new RangeError(`arange: ${name} must be a finite number, got ${value}`);
  if (step === 0) throw new RangeError("arange: step must not be 0, got 0");
  const steps = iota([Math.max(0, Math.ceil((stop - start) / step))], 0);
  if (start === 0 && step === 1) return steps;
  return steps.mul(step).add(start);
}

/** n numbers at equal distances from start to stop, both included, as f32: from start up to the middle, from stop beyond it. */
export function linspace(start: number, stop: number, n: number, dtype: "f32" | "f64" = "f32"): Tensor {
  for (const [name, value] of Object.entries({ start, stop }))
    if (!Number.isFinite(value)) throw new RangeError(`linspace: ${name} must be a finite number, got ${value}`);
  checkCount("linspace", "n", n, 0);
  const i = iota([n], 0);
  const step = n > 1 ? (stop - start) / (n - 1) : 0;
  const up = i.cast(dtype).mul(step).add(start);
  const down = i
    .neg()
    .add(n - 1)
    .cast(dtype)
    .mul(-step)
    .add(stop); // prettier-ignore
  return n > 1 ? where(i.lt(n / 2), up, down) : up;
}

/** Ones where row and column are equal, zeros elsewhere: [rows, columns]. */
export function eye(rows: number, columns: number = rows, dtype: DType = "f32"): Tensor {
  checkCount("eye", "rows", rows, 0);
  checkCount("eye", "columns", columns, 0);
  const shape = [rows, columns];
  return iota(shape, 0).eq(iota(shape, 1)).cast(dtype);
}

/** Zeros, ones, of a tensor's shape and dtype; `x.full(value)` has any value. */
export const zerosLike = (x: Tensor): Tensor => x.full(0);
export const onesLike = (x: Tensor): Tensor => x.full(1);

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
