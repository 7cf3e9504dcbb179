// Making leaves: tensors whose values come from the host.
import { allocate, checkDType, copyOf, type Data, type DType, dtypeOf } from "./dtype.ts";
import { kindOf } from "./kind.ts";
import type { Args, Leaf } from "./primitives.ts";
import { forkRandom, withRandom } from "./random-state.ts";
import { isShapesOnly } from "./scope.ts";
import { checkShape, fail, type Shape, show, sizeOf } from "./shape.ts";
import { Storage } from "./storage.ts";
import { type Nested, Tensor } from "./tensor.ts";

/**
 * A tensor of the given host data, which is copied. Nested arrays give its shape; a typed array gives its dtype (f32, f64, i32, and
 * bool for bytes of 0 and 1), everything else is f32 unless dtype says otherwise. Throws where rows differ in length, the elements
 * do not fill the shape, or the dtype lacks a number.
 */
export function tensor(data: Data | Nested, shape?: Shape, { dtype }: { dtype?: DType } = {}): Tensor {
  return leafOf("data", data, shape, dtype);
}

/**
 * A trainable leaf with a copy of the value's elements, in the given shape or its own. A function of the shape is called for its
 * f32 elements when they are first needed (below 4096 at once): not for a model that is loaded first, nor within `shapesOnly`, where
 * the leaf has none. What it draws follows from the seed and from when the leaf was made, not from when it is called.
 */
export function param(value: (shape: Shape) => Float32Array, shape: Shape): Tensor;
export function param(value: Tensor | Data | Nested, shape?: Shape): Tensor;
export function param(value: Tensor | Data | Nested | ((shape: Shape) => Float32Array), shape?: Shape): Tensor {
  if (typeof value !== "function") return moduleLeaf("param", value, shape);
  const sizes = shape ?? fail("param", "a function needs the shape that it is to fill");
  checkShape("param", sizes);
  const size = sizeOf(sizes);
  const start = isShapesOnly() ? undefined : startOf(value, [...sizes]);
  const storage = new Storage("f32", size, size < few ? start?.() : start);
  return new Tensor("buffer", [], { role: "param", storage }, [...sizes], "f32");
}

/** Elements that are made at once, so that a function that does not fit is refused where it was given. */
const few = 4096;

/** Makes a leaf's elements, from a stream of random numbers of its own. */
function startOf(fill: (shape: Shape) => Float32Array, shape: Shape): () => Data {
  const stream = forkRandom();
  return () => {
    const data = withRandom(stream, () => fill(shape));
    if (data instanceof Float32Array && data.length === sizeOf(shape)) return data.slice();
    const found = data instanceof Float32Array ? `${data.length} elements` : kindOf(data);
    return fail("param", `its function gave ${found}, ${show(shape)} takes a Float32Array of ${sizeOf(shape)}`);
  };
}

/** A leaf that steps may update but training does not (running statistics, counters), with a copy of the value's elements. */
export const state = (value: Tensor | Data | Nested, shape?: Shape): Tensor => moduleLeaf("state", value, shape);

function moduleLeaf(role: "param" | "state", value: Tensor | Data | Nested, shape?: Shape): Tensor {
  if (!(value instanceof Tensor)) return leafOf(role, value, shape, undefined);
  const host = value.op === "buffer" ? value.leaf(role).storage.host : undefined;
  if (host !== undefined) return leafOf(role, host, shape ?? value.shape, value.dtype);
  if (value.op !== "const") fail(role, "needs host data or a constant (give it await value.data() and the shape)");
  const data = allocate(value.dtype, value.size).fill((value.args as Args["const"]).value);
  return leafOf(role, data, shape ?? value.shape, value.dtype);
}

/** A leaf whose values the host supplies anew for each run, as many as the shape takes: learning rates, step numbers, random keys. */
export function live(read: () => number | readonly number[], shape: Shape = [], dtype: DType = "f32"): Tensor {
  checkShape("live", shape);
  checkDType("live", dtype);
  return new Tensor(
    "buffer",
    [],
    { role: "live", storage: new Storage(dtype, sizeOf(shape)), read },
    [...shape],
    dtype,
  );
}

function leafOf(role: Leaf["role"], data: Data | Nested, shape: Shape | undefined, dtype: DType | undefined): Tensor {
  const typed = isTyped(data);
  const given = typed ? { flat: data, shape: [data.length] } : unnest(data);
  const sizes = shape ?? given.shape;
  checkShape("tensor", sizes);
  if (dtype !== undefined) checkDType("tensor", dtype);
  if (data instanceof Uint8Array && dtype === undefined && data.some((v) => v > 1)) {
    fail("tensor", 'a Uint8Array stands for bool, 0 or 1; for numbers say which, e.g. { dtype: "f32" }');
  }
  if (given.flat.length !== sizeOf(sizes))
    fail("tensor", `${given.flat.length} elements do not fill ${show(sizes)} (${sizeOf(sizes)})`);
  const type = dtype ?? (typed ? dtypeOf(data) : "f32");
  const storage = new Storage(type, given.flat.length, copyOf("tensor", given.flat, type));
  return new Tensor("buffer", [], { role, storage }, [...sizes], type);
}

/** Whether the data is a typed array of numbers. */
function isTyped(data: unknown): data is Data {
  if (!ArrayBuffer.isView(data)) return false;
  if (data instanceof DataView || data instanceof BigInt64Array || data instanceof BigUint64Array)
    fail("tensor", `takes arrays of numbers, got ${kindOf(data)} (convert it, e.g. Int32Array.from(data, Number))`);
  return true;
}

/** Arrays that nest deeper contain themselves. */
const mostAxes = 32;

/** The elements of nested arrays in row-major order, and their shape, which the first row of each level tells. */
function unnest(data: unknown): { flat: number[]; shape: number[] } {
  if (typeof data !== "number" && !Array.isArray(data))
    fail("tensor", `takes a typed array, a number or nested arrays of numbers, got ${kindOf(data)}`);
  const shape: number[] = [];
  for (let row: unknown = data; Array.isArray(row); row = row[0]) {
    if (shape.push(row.length) > mostAxes) fail("tensor", `takes arrays nested at most ${mostAxes} deep`);
  }
  const flat: number[] = [];
  const path: number[] = [];
  const visit = (value: unknown): void => {
    const length = shape[path.length];
    if (length === undefined && typeof value === "number") flat.push(value);
    else if (Array.isArray(value) && value.length === length) {
      for (let i = 0; i < length; i++) {
        path.push(i);
        visit(value[i]);
        path.pop();
      }
    } else misfit(value, length, path);
  };
  visit(data);
  return { flat, shape };
}

/** Refuses what stands at a place of nested arrays instead of a number or of a row of the given length. */
function misfit(value: unknown, length: number | undefined, path: readonly number[]): never {
  const place = path.map((i) => `[${i}]`).join("");
  const found = Array.isArray(value) ? `an array of ${value.length}` : kindOf(value);
  if (typeof value === "boolean")
    fail("tensor", `takes numbers, got a boolean at ${place} (write 1 and 0, with { dtype: "bool" })`);
  if (length === undefined && !Array.isArray(value)) fail("tensor", `takes numbers, got ${found} at ${place}`);
  const expected = length === undefined ? "a number" : `an array of ${length}`;
  fail("tensor", `rows differ: ${found} at ${place}, where the rows before have ${expected}`);
}
