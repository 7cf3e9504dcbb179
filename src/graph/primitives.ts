// The primitive table: what each operation takes besides its inputs, and the shape and dtype that come out. Everything else is composed.
import { checkDType, type DType, isFloat } from "./dtype.ts";
import { type Elementary, elementary, forElementary } from "./elementary.ts";
import { checkShape, fail, type Shape, sameShape, show, sizeOf } from "./shape.ts";
import type { Storage } from "./storage.ts";
import type { Tensor } from "./tensor.ts";

/** Geometry of an N-d convolution, one entry per spatial axis. Padding may be negative (it crops). */
export interface ConvArgs {
  readonly stride: readonly number[];
  readonly padding: readonly (readonly [number, number])[];
  readonly inputDilation: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
}

/** A leaf's role: data given by the user, a trainable or running value of a module, a step's input, or host values read anew each run. */
export interface Leaf {
  readonly role: "data" | "param" | "state" | "input" | "live";
  storage: Storage;
  /** Where the value was computed from a graph that is gone now that it has been read: the leaves it depended on. */
  readonly computed?: readonly WeakRef<Tensor>[];
  /** It depended on more data than is listed. */
  readonly unlisted?: boolean;
  /** Role live only: the values for the next run. */
  readonly read?: () => number | readonly number[];
}

type None = Record<string, never>;

/** Attributes per primitive. The output shape of `const`, `iota`, `random`, `reshape` and `expand` is the tensor's own. */
export interface Args extends Record<Elementary, None> {
  buffer: Leaf;
  const: { value: number };
  iota: { axis: number };
  random: { stream: number };
  neg: None;
  sqrt: None;
  floor: None;
  cast: { dtype: DType };
  add: None;
  mul: None;
  div: None;
  max: None;
  mod: None;
  lt: None;
  eq: None;
  and: None;
  or: None;
  xor: None;
  shift: { by: number };
  where: None;
  sum: { axes: readonly number[] };
  maxReduce: { axes: readonly number[] };
  /**
   * A detached reshape is a constant to derivatives. Through one `from` values they go by computing it again from those, each marked
   * `again`, which keeps what follows from it apart from the same calculation on the value itself.
   */
  reshape: { shape: Shape; detached?: boolean; from?: readonly Tensor[]; again?: object | number };
  permute: { order: readonly number[] };
  expand: { shape: Shape };
  pad: { before: readonly number[]; after: readonly number[]; value: number };
  slice: { start: readonly number[]; stop: readonly number[]; step: readonly number[] };
  flip: { axes: readonly number[] };
  /** Any number of inputs, one after the other along an axis. */
  concat: { axis: number };
  gather: None;
  /** values, indices and, optional, what the sums start from instead of zeros. */
  scatterAdd: { size: number };
  matmul: None;
  conv: ConvArgs;
}

export type Op = keyof Args;

/** What a rule sees of an input. */
export interface Meta {
  readonly shape: Shape;
  readonly dtype: DType;
}

/**
 * What kind of work an operation is. Sources have no operands with elements of theirs; elementwise ones compute each element from
 * those at its place; views only say where elements lie; rearranging ones move them; reductions and contractions add many up.
 */
export type OpClass = "source" | "elementwise" | "view" | "rearranging" | "reduction" | "contraction";

export interface Traits {
  readonly class: OpClass;
  /** What one element costs to compute, in simple instructions, roughly. */
  readonly cost: number;
  /**
   * How far a float result may be from the exact one for the same operands, in units in the last place of f32 (see math.test for f64);
   * ½: rounded once. Of sums and contractions every addition and product rounds; the others are exact, or move numbers.
   */
  readonly ulps: number;
}

/** What all passes and tests know of each primitive beside its rules. */
export const traits: { readonly [O in Op]: Traits } = {
  ...forElementary(
    (name): Traits => ({ class: "elementwise", cost: elementary[name].cost, ulps: elementary[name].ulps }),
  ),
  buffer: { class: "source", cost: 1, ulps: 0 },
  const: { class: "source", cost: 0, ulps: 0 },
  iota: { class: "source", cost: 1, ulps: 0 },
  random: { class: "source", cost: 80, ulps: 0 },
  neg: { class: "elementwise", cost: 1, ulps: 0 },
  sqrt: { class: "elementwise", cost: 4, ulps: 0.5 },
  floor: { class: "elementwise", cost: 1, ulps: 0 },
  cast: { class: "elementwise", cost: 1, ulps: 0.5 },
  add: { class: "elementwise", cost: 1, ulps: 0.5 },
  mul: { class: "elementwise", cost: 1, ulps: 0.5 },
  div: { class: "elementwise", cost: 4, ulps: 0.5 },
  max: { class: "elementwise", cost: 1, ulps: 0 },
  mod: { class: "elementwise", cost: 6, ulps: 0.5 },
  lt: { class: "elementwise", cost: 1, ulps: 0 },
  eq: { class: "elementwise", cost: 1, ulps: 0 },
  and: { class: "elementwise", cost: 1, ulps: 0 },
  or: { class: "elementwise", cost: 1, ulps: 0 },
  xor: { class: "elementwise", cost: 1, ulps: 0 },
  shift: { class: "elementwise", cost: 1, ulps: 0 },
  where: { class: "elementwise", cost: 1, ulps: 0 },
  sum: { class: "reduction", cost: 1, ulps: 0 },
  maxReduce: { class: "reduction", cost: 1, ulps: 0 },
  reshape: { class: "view", cost: 0, ulps: 0 },
  permute: { class: "view", cost: 0, ulps: 0 },
  expand: { class: "view", cost: 0, ulps: 0 },
  pad: { class: "rearranging", cost: 2, ulps: 0 },
  slice: { class: "view", cost: 0, ulps: 0 },
  flip: { class: "view", cost: 0, ulps: 0 },
  concat: { class: "rearranging", cost: 1, ulps: 0 },
  gather: { class: "rearranging", cost: 4, ulps: 0 },
  scatterAdd: { class: "rearranging", cost: 1, ulps: 0 },
  matmul: { class: "contraction", cost: 1, ulps: 0 },
  conv: { class: "contraction", cost: 1, ulps: 0 },
};

type ShapeRule<O extends Op> = (inputs: readonly Meta[], args: Args[O], op: O) => Meta;
/** Operations whose shape and dtype are given by whoever makes them. */
export type Source = "buffer" | "const" | "iota" | "random";
export type Computed = Exclude<Op, Source>;

const same: ShapeRule<Computed> = ([x]) => x;

const float: ShapeRule<Computed> = ([x], _, op) =>
  isFloat(x.dtype) ? x : fail(op, `needs a float tensor, got ${x.dtype} ${show(x.shape)}`);

const binary: ShapeRule<Computed> = ([a, b], _, op) => {
  if (!sameShape(a.shape, b.shape)) fail(op, `shapes differ, ${show(a.shape)} and ${show(b.shape)}`);
  if (a.dtype !== b.dtype) fail(op, `dtypes differ, ${a.dtype} and ${b.dtype}`);
  return a;
};

const arithmetic: ShapeRule<Computed> = (inputs, args, op) => {
  if (inputs[0].dtype === "bool") fail(op, "takes numbers, got bool (cast first)");
  return binary(inputs, args, op);
};

const compare: ShapeRule<Computed> = (inputs, args, op) => ({ shape: binary(inputs, args, op).shape, dtype: "bool" });

const bits: ShapeRule<Computed> = (inputs, args, op) => {
  if (isFloat(inputs[0].dtype)) fail(op, `takes i32 or bool, got ${inputs[0].dtype}`);
  return binary(inputs, args, op);
};

const reduce: ShapeRule<"sum" | "maxReduce"> = ([x], { axes }, op) => {
  if (x.dtype === "bool") fail(op, "takes numbers, got bool (cast first)");
  if (op === "maxReduce" && axes.some((a) => x.shape[a] === 0)) fail("max", `of no elements, ${show(x.shape)}`);
  return { shape: x.shape.filter((_, i) => !axes.includes(i)), dtype: x.dtype };
};

export const rules: { readonly [O in Computed]: ShapeRule<O> } = {
  ...forElementary(() => float),
  neg: arithmeticUnary,
  sqrt: float,
  floor: float,
  cast: ([x], { dtype }) => ({ shape: x.shape, dtype: checkDType("cast", dtype) }),
  add: arithmetic,
  mul: arithmetic,
  div: (inputs, args, op) => float([binary(inputs, args, op)], args, op),
  max: arithmetic,
  mod: arithmetic,
  lt: compare,
  eq: compare,
  and: bits,
  or: bits,
  xor: bits,
  shift: ([x], { by }) => {
    if (x.dtype !== "i32") fail("shift", `takes i32, got ${x.dtype}`);
    if (Number.isInteger(by) && Math.abs(by) < 32) return x;
    throw new RangeError(`shift: by ${by} bits; it takes −31 to 31`);
  },
  where: ([c, a, b]) => {
    if (c.dtype !== "bool") fail("where", `the condition must be bool, got ${c.dtype}`);
    if (!sameShape(c.shape, a.shape)) fail("where", `shapes differ, ${show(c.shape)} and ${show(a.shape)}`);
    return binary([a, b], {}, "add");
  },
  sum: reduce,
  maxReduce: reduce,
  reshape: ([x], { shape }) => {
    checkShape("reshape", shape);
    if (sizeOf(shape) !== sizeOf(x.shape)) {
      fail(
        "reshape",
        `element counts differ, ${show(x.shape)} → ${show(shape)} (${sizeOf(x.shape)} ≠ ${sizeOf(shape)})`,
      );
    }
    return { shape, dtype: x.dtype };
  },
  permute: ([x], { order }) => {
    const valid = order.length === x.shape.length && order.every((_, i) => order.includes(i));
    if (!valid) fail("permute", `the order ${show(order)} does not name each axis of ${show(x.shape)} once`);
    return { shape: order.map((i) => x.shape[i]), dtype: x.dtype };
  },
  expand: ([x], { shape }) => {
    checkShape("expand", shape);
    const fits = x.shape.length === shape.length && x.shape.every((d, i) => d === shape[i] || d === 1);
    if (!fits) fail("expand", `only axes of size 1 grow, ${show(x.shape)} → ${show(shape)}`);
    return { shape, dtype: x.dtype };
  },
  pad: ([x], { before, after }) => {
    if (
      before.length !== x.shape.length ||
      after.length !== x.shape.length ||
      [...before, ...after].some((n) => !(Number.isInteger(n) && n >= 0))
    ) {
      fail(
        "pad",
        `needs a width ≥ 0 before and after each axis of ${show(x.shape)}, got ${show(before)} and ${show(after)}`,
      );
    }
    return { shape: x.shape.map((d, i) => d + before[i] + after[i]), dtype: x.dtype };
  },
  slice: ([x], { start, stop, step }) => {
    const fits = x.shape.every(
      (d, i) =>
        start[i] >= 0 &&
        start[i] <= stop[i] &&
        stop[i] <= d &&
        step[i] >= 1 &&
        [start[i], stop[i], step[i]].every(Number.isInteger),
    );
    if (start.length !== x.shape.length || !fits) {
      fail("slice", `${show(start)} to ${show(stop)} does not lie in ${show(x.shape)}`);
    }
    return { shape: x.shape.map((_, i) => Math.ceil((stop[i] - start[i]) / step[i])), dtype: x.dtype };
  },
  flip: same,
  concat: (inputs, { axis }) => {
    if (inputs.length === 0) fail("concat", "needs at least one tensor");
    const [{ shape, dtype }] = inputs;
    for (const x of inputs) {
      const fits = x.shape.length === shape.length && x.shape.every((d, i) => i === axis || d === shape[i]);
      if (!fits) fail("concat", `shapes differ off axis ${axis}, ${show(shape)} and ${show(x.shape)}`);
      if (x.dtype !== dtype) fail("concat", `dtypes differ, ${dtype} and ${x.dtype}`);
    }
    const total = inputs.reduce((n, x) => n + x.shape[axis], 0);
    const whole = shape.map((d, i) => (i === axis ? total : d));
    checkShape("concat", whole);
    return { shape: whole, dtype };
  },
  gather: ([x, indices]) => {
    if (indices.dtype !== "i32") fail("gather", `indices must be i32, got ${indices.dtype}; take x.cast("i32")`);
    if (x.shape.length === 0) fail("gather", "the table needs at least one axis");
    if (x.shape[0] === 0 && sizeOf(indices.shape) > 0) fail("gather", "the table has no rows");
    return { shape: [...indices.shape, ...x.shape.slice(1)], dtype: x.dtype };
  },
  scatterAdd: ([values, indices, base], { size }) => {
    if (indices.dtype !== "i32") fail("scatterAdd", `indices must be i32, got ${indices.dtype}; take x.cast("i32")`);
    const lead = values.shape.slice(0, indices.shape.length);
    if (!sameShape(lead, indices.shape)) {
      fail("scatterAdd", `values must begin with the indices' axes, ${show(values.shape)} and ${show(indices.shape)}`);
    }
    const shape = [size, ...values.shape.slice(indices.shape.length)];
    if (base !== undefined && (base.dtype !== values.dtype || !sameShape(base.shape, shape)))
      fail("scatterAdd", `starts from ${values.dtype} ${show(shape)}, got ${base.dtype} ${show(base.shape)}`);
    return { shape, dtype: values.dtype };
  },
  matmul: ([a, b]) => matmulRule(a, b),
  conv: ([x, w], args) => ({ shape: convShape(x.shape, w.shape, args), dtype: binaryDtype("conv", x, w) }),
};

function arithmeticUnary([x]: readonly Meta[]): Meta {
  return x.dtype === "bool" ? fail("neg", "takes numbers, got bool (cast first)") : x;
}

function binaryDtype(op: string, a: Meta, b: Meta): DType {
  if (a.dtype !== b.dtype || !isFloat(a.dtype))
    fail(op, `takes two float tensors of one dtype, got ${a.dtype} and ${b.dtype}`);
  return a.dtype;
}

function matmulRule(a: Meta, b: Meta): Meta {
  const rank = a.shape.length;
  const k = a.shape[rank - 1];
  const [k2, n] = b.shape.slice(-2);
  if (rank < 2 || b.shape.length !== rank)
    fail("matmul", `needs two matrices, got ${show(a.shape)} · ${show(b.shape)}`);
  if (k !== k2) fail("matmul", `inner sizes differ, ${show(a.shape)} · ${show(b.shape)} (${k} ≠ ${k2})`);
  if (!sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2))) {
    fail("matmul", `batch sizes differ, ${show(a.shape)} · ${show(b.shape)}`);
  }
  return { shape: [...a.shape.slice(0, -1), n], dtype: binaryDtype("matmul", a, b) };
}

const dilate = (size: number, by: number): number => (size === 0 ? 0 : (size - 1) * by + 1);

/** Whole numbers, one per spatial axis; stride, dilation and groups at least 1. */
function checkGeometry({ stride, padding, inputDilation, dilation, groups }: ConvArgs, spatial: number): void {
  const counts = [stride, inputDilation, dilation].every((list) => list.length === spatial && list.every(isCount));
  if (!counts || !isCount(groups)) {
    fail(
      "conv",
      `stride, dilation and groups must be whole numbers ≥ 1, one per spatial axis, got ${show(stride)}, ${show(dilation)} and ${groups}`,
    );
  }
  if (padding.length !== spatial || !padding.flat().every(Number.isInteger)) {
    fail("conv", `padding must be whole numbers, one per spatial axis, got ${show(padding.flat())}`);
  }
}

const isCount = (n: number): boolean => Number.isInteger(n) && n >= 1;

/** Output shape of a convolution: ⌊(dilated input + padding − dilated kernel) / stride⌋ + 1 per spatial axis. */
export function convShape(
  x: Shape,
  w: Shape,
  { stride, padding, inputDilation, dilation, groups }: ConvArgs,
): number[] {
  const spatial = x.length - 2;
  if (spatial < 1 || w.length !== x.length) {
    fail(
      "conv",
      `needs an input [batch, channels, …] and weights [outputs, channels / groups, …] of one rank, got ${show(x)} and ${show(w)}`,
    );
  }
  checkGeometry({ stride, padding, inputDilation, dilation, groups }, spatial);
  if (x[1] !== w[1] * groups) {
    fail(
      "conv",
      `channels differ, input ${show(x)} has ${x[1]}, weights ${show(w)} in ${groups} group(s) take ${w[1] * groups}`,
    );
  }
  if (w[0] % groups !== 0) fail("conv", `${w[0]} output channels do not divide into ${groups} groups`);
  const sizes = Array.from({ length: spatial }, (_, i) => {
    const input = dilate(x[i + 2], inputDilation[i]) + padding[i][0] + padding[i][1];
    const kernel = dilate(w[i + 2], dilation[i]);
    if (input < kernel)
      fail("conv", `the kernel does not fit, input ${show(x)} padded to ${input}, kernel ${show(w)} spans ${kernel}`);
    return Math.floor((input - kernel) / stride[i]) + 1;
  });
  return [x[0], w[0], ...sizes];
}
