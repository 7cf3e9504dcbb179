// Shapes, axes and broadcasting, and the wording of every error about them.
import { kindOf } from "./kind.ts";
import { currentModule } from "./scope.ts";

export type Shape = readonly number[];

/** A shape, axis or dtype that an operation cannot take; thrown where the graph is built. */
export class ShapeError extends Error {
  override name = "ShapeError";
}

export const show = (shape: Shape): string => `[${shape.join(", ")}]`;

/** Throws a ShapeError that names the operation, the broken rule, and the module being built. */
export function fail(op: string, problem: string): never {
  throw new ShapeError(worded(op, problem));
}

/** Throws a TypeError in the same words, where an argument is of another kind than the operation takes. */
export function failKind(op: string, problem: string): never {
  throw new TypeError(worded(op, problem));
}

function worded(op: string, problem: string): string {
  const module = currentModule();
  return `${op}: ${problem}${module === "" ? "" : `, in ${module}`}`;
}

export const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  for (let i = shape.length - 1, stride = 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

/** What is said of an object of options where an earlier argument belongs. */
const misplaced = (value: unknown): string => (kindOf(value) === "an Object" ? " (options come after it)" : "");

/** Checks that every size is a whole number ≥ 0 and that the element count is addressable. */
export function checkShape(op: string, shape: Shape): void {
  if (typeof shape?.reduce !== "function")
    failKind(op, `a shape is a list of sizes, such as [3], got ${kindOf(shape)}${misplaced(shape)}`);
  for (const d of shape) {
    if (!Number.isInteger(d) || d < 0) fail(op, `sizes must be whole numbers ≥ 0, got ${show(shape)}`);
  }
  if (sizeOf(shape) > 2 ** 31) fail(op, `${show(shape)} has more than 2³¹ elements`);
}

/** An axis counted from the front; −1 is the last. */
export function axisOf(op: string, axis: number, rank: number): number {
  const a = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(a) || a < 0 || a >= rank) {
    if (typeof axis !== "number") failKind(op, `an axis is a whole number, got ${kindOf(axis)}${misplaced(axis)}`);
    fail(op, `axis ${axis} does not exist, the tensor has ${rank} ${rank === 1 ? "axis" : "axes"}`);
  }
  return a;
}

/** Sorted, distinct axes counted from the front; undefined means all. */
export function axesOf(op: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  if (typeof axes !== "number" && !Array.isArray(axes))
    failKind(op, `axes are a whole number or a list of them, got ${kindOf(axes)}${misplaced(axes)}`);
  const list = (typeof axes === "number" ? [axes] : axes).map((a) => axisOf(op, a, rank)).sort((a, b) => a - b);
  list.forEach((a, i) => {
    if (i > 0 && list[i - 1] === a) fail(op, `axis ${a} is named twice`);
  });
  return list;
}

/** The shape that both broadcast to (NumPy's rule: aligned at the last axis, sizes equal or 1). */
export function broadcastShapes(op: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) fail(op, `shapes do not broadcast, ${show(a)} and ${show(b)} (${x} ≠ ${y})`);
    return x === 1 ? y : x;
  });
}

/** Replaces one −1 by the size that makes the element counts agree. */
export function resolveShape(op: string, from: Shape, to: Shape): number[] {
  const known = to.reduce((n, d) => (d === -1 ? n : n * d), 1);
  const shape = to.map((d) => (d === -1 ? sizeOf(from) / known : d));
  if (to.filter((d) => d === -1).length > 1) fail(op, `only one size may be −1, got ${show(to)}`);
  if (shape.some((d) => !Number.isInteger(d)) || sizeOf(shape) !== sizeOf(from)) {
    fail(
      op,
      `element counts differ, ${show(from)} → ${show(to)} (${sizeOf(from)} ≠ ${known}${to.includes(-1) ? "·n" : ""})`,
    );
  }
  return shape;
}
