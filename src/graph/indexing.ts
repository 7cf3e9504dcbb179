// Reading and writing at positions that are values: along one axis, element by element or whole rows.
import { concat, full, iota, where } from "./creators.ts";
import { promote, represent } from "./dtype.ts";
import { as, checkTensors, lift, make, spread } from "./operands.ts";
import { axisOf, broadcastShapes, fail, type Shape, sameShape, show, stridesOf } from "./shape.ts";
import type { Operand, Tensor } from "./tensor.ts";

/** The order of axes that brings one to the front. */
const toFront = (axis: number, rank: number): number[] => [
  axis,
  ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis),
];

/** x [..., n, ...] and indices [...] → [..., ...indices, ...]: what stands at each index along the axis. */
export function take(x: Tensor, indices: Tensor, axis: number): Tensor {
  checkTensors("take", [indices]);
  const a = axisOf("take", axis, x.rank);
  if (a === 0) return x.gather(indices);
  const rows = x.permute(toFront(a, x.rank)).gather(indices); // [...indices, ...rest]
  const [k, r] = [indices.rank, rows.rank];
  const order = Array.from({ length: r }, (_, i) => (i < a ? k + i : i < a + k ? i - a : i));
  return rows.permute(order);
}

/** The flat position in a shape of each index along the axis, −1 for an index outside of it; the other coordinates are its own place. */
function flatPositions(indices: Tensor, axis: number, shape: Shape): Tensor {
  const strides = stridesOf(shape);
  const flat = strides.reduce(
    (sum, step, i) => sum.add((i === axis ? indices : iota(indices.shape, i)).mul(step)),
    indices.full(0),
  );
  return where(indices.ge(0).and(indices.lt(shape[axis])), flat, -1);
}

function checkIndices(op: string, indices: Tensor, rank: number): void {
  checkTensors(op, [indices]);
  if (indices.dtype !== "i32") fail(op, `indices must be i32, got ${indices.dtype}; take x.cast("i32")`);
  if (indices.rank !== rank) fail(op, `indices need as many axes as the tensor, ${rank}, got ${show(indices.shape)}`);
}

/** Element by element: y[i, j, …] = x[i, indices[i, j, …], …]; the other axes broadcast. */
export function takeAlong(x: Tensor, indices: Tensor, axis: number): Tensor {
  const a = axisOf("takeAlong", axis, x.rank);
  checkIndices("takeAlong", indices, x.rank);
  const others = broadcastShapes("takeAlong", x.shape.with(a, 1), indices.shape.with(a, 1));
  const table = spread(x, others.with(a, x.shape[a]));
  const at = spread(indices, others.with(a, indices.shape[a]));
  return table.reshape(-1).gather(flatPositions(at, a, table.shape));
}

/** Values in the tensor's dtype, which must hold them: a number, or a tensor of no wider dtype. */
function fitting(op: string, x: Tensor, values: Operand): Tensor {
  if (typeof values === "number") return full([], represent(op, values, x.dtype), x.dtype);
  const v = lift(op, values, x);
  return promote(v.dtype, x.dtype) === x.dtype
    ? as(x.dtype, v)
    : fail(op, `values of ${v.dtype} do not fit in ${x.dtype} (cast one of them)`);
}

/** Refuses bools, whose sum is none. */
function checkNumbers(op: string, x: Tensor): void {
  if (x.dtype === "bool") fail(op, "takes numbers, got bool (cast first)");
}

/** What scattering along an axis needs: the values and their flat positions in x. */
function scattered(op: string, x: Tensor, indices: Tensor, values: Operand, axis: number): [Tensor, Tensor] {
  const a = axisOf(op, axis, x.rank);
  checkIndices(op, indices, x.rank);
  indices.shape.forEach((d, i) => {
    if (i !== a && d > x.shape[i])
      fail(op, `indices ${show(indices.shape)} do not fit beside ${show(x.shape)}, axis ${i} is longer`);
  });
  const given = fitting(op, x, values);
  if (!sameShape(broadcastShapes(op, given.shape, indices.shape), indices.shape))
    fail(op, `values ${show(given.shape)} do not fit the indices ${show(indices.shape)}`);
  const list = spread(given, indices.shape);
  return [list.reshape(-1), flatPositions(indices, a, x.shape).reshape(-1)];
}

/** x with values added at x[i, indices[i, j, …], …]. */
export function scatterAdd(x: Tensor, indices: Tensor, values: Operand, axis: number): Tensor {
  checkNumbers("scatterAdd", x);
  const [list, flat] = scattered("scatterAdd", x, indices, values, axis);
  return x.add(make("scatterAdd", [list, flat], { size: x.size }).reshape(x.shape));
}

/** For each place of a result of n elements, 1 + the largest position among the flat positions that names it; 0 where none does. */
function lastNaming(flat: Tensor, n: number): Tensor {
  const position = iota(flat.shape, 0);
  const count = (chosen: Tensor): Tensor => make("scatterAdd", [as("i32", chosen), flat], { size: n });
  let left = flat.ge(0);
  for (let bit = 31 - Math.clz32(Math.max(1, flat.size - 1)); bit >= 0; bit--) {
    const high = left.and(position.and(2 ** bit).ne(0));
    left = left.and(high.or(count(high).gather(flat).eq(0))); // of those that name a place, the high ones stay if there are any
  }
  return count(where(left, position.add(1), 0));
}

/** x with values in place of x[i, indices[i, j, …], …], the last one where several go to one place. */
export function scatter(x: Tensor, indices: Tensor, values: Operand, axis: number): Tensor {
  const [list, flat] = scattered("scatter", x, indices, values, axis);
  const last = lastNaming(flat, x.size);
  return where(last.gt(0), list.gather(last.sub(1)), x.reshape(-1)).reshape(x.shape);
}

/** x with rows of values [..., k, ...] added along an axis at the indices [k]. */
export function indexAdd(x: Tensor, indices: Tensor, values: Tensor, axis: number): Tensor {
  checkNumbers("indexAdd", x);
  const a = axisOf("indexAdd", axis, x.rank);
  checkIndices("indexAdd", indices, 1);
  checkTensors("indexAdd", [values]);
  const wanted = x.shape.with(a, indices.size);
  if (!sameShape(values.shape, wanted)) fail("indexAdd", `values must be ${show(wanted)}, got ${show(values.shape)}`);
  const order = toFront(a, x.rank);
  const rows = [fitting("indexAdd", x, values).permute(order), indices, x.permute(order)];
  return make("scatterAdd", rows, { size: x.shape[a] }).permute(order.map((_, i) => order.indexOf(i)));
}

/** x with value, which broadcasts, in place of its elements from start to before stop along an axis. */
export function withSlice(x: Tensor, axis: number, start: number, stop: number | undefined, value: Operand): Tensor {
  const a = axisOf("withSlice", axis, x.rank);
  const old = x.slice(a, start, stop);
  const n = x.shape[a];
  const from = Math.max(0, Math.min(n, start < 0 ? start + n : start));
  const given = fitting("withSlice", x, value);
  const shape = broadcastShapes("withSlice", old.shape, given.shape);
  if (!sameShape(shape, old.shape))
    fail("withSlice", `a value ${show(given.shape)} does not fit the slice ${show(old.shape)}`);
  return concat([x.slice(a, 0, from), spread(given, old.shape), x.slice(a, from + old.shape[a])], a);
}

/** x with value, which broadcasts, wherever the mask holds. */
export function maskedFill(x: Tensor, mask: Tensor, value: Operand): Tensor {
  checkTensors("maskedFill", [mask]);
  if (mask.dtype !== "bool") fail("maskedFill", `the mask must be bool, got ${mask.dtype}`);
  const y = where(mask, fitting("maskedFill", x, value), x);
  return sameShape(y.shape, x.shape)
    ? y
    : fail("maskedFill", `mask and value give ${show(y.shape)}, not ${show(x.shape)}`);
}
