// The Tensor: an immutable, lazy node of the graph (operation, inputs, shape, dtype), and the methods that users chain.
import { angle } from "./angles.ts";
import { shift } from "./bits.ts";
import { full, where } from "./creators.ts";
import { type Data, type DType, isFloat, promote, represent } from "./dtype.ts";
import * as indexing from "./indexing.ts";
import { as, asFloat, binary, lift, make, reduce, reversed } from "./operands.ts";
import type { PadMode } from "./pieces.ts";
import * as pieces from "./pieces.ts";
import { power } from "./power.ts";
import type { Args, Leaf, Op } from "./primitives.ts";
import { dot, matmul, outer } from "./products.ts";
import {
  all,
  any,
  argmax,
  argmin,
  logSumExp,
  type NormOptions,
  norm,
  type ReduceOptions,
  standardDeviation,
  type VarianceOptions,
  variance,
} from "./reductions.ts";
import { ceil, floor, floorDivide, round, trunc } from "./rounding.ts";
import { cumulativeProduct, cumulativeSum, product } from "./scans.ts";
import { currentModule, recordUpdate } from "./scope.ts";
import { axesOf, axisOf, fail, resolveShape, type Shape, sameShape, show, sizeOf } from "./shape.ts";
import * as sorting from "./sorting.ts";
import type { ConvOptions } from "./windows.ts";
import * as windows from "./windows.ts";

/** A tensor, or a number that takes the other operand's dtype. */
export type Operand = Tensor | number;
export type Axes = number | readonly number[];
/** Nested arrays of numbers, as in `tensor([[1, 2], [3, 4]])`. */
export type Nested = number | readonly Nested[];

let count = 0;

/** How values are read: the run room, which stands below, says so when it is loaded; until then `data()` loads it. */
export const reading: { read?: (t: Tensor) => Promise<Data> } = {};

export class Tensor {
  readonly id: number = count++;
  /** The operation; a computed tensor turns into a `buffer` once its value has been realized. */
  op: Op;
  inputs: readonly Tensor[];
  args: Args[Op];
  readonly shape: Shape;
  readonly dtype: DType;
  /** The module that made it, e.g. `Linear "net.2"`, or "". */
  readonly module: string = currentModule();

  constructor(op: Op, inputs: readonly Tensor[], args: Args[Op], shape: Shape, dtype: DType) {
    this.op = op;
    this.inputs = inputs;
    this.args = args;
    this.shape = shape;
    this.dtype = dtype;
  }

  get rank(): number {
    return this.shape.length;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  // Reading -----------------------------------------------------------------------------------------------------------

  /** Computes the tensor and copies its elements to the host, in row-major order. */
  async data(): Promise<Data> {
    reading.read ??= (await import("../run/realize.ts")).read;
    return reading.read(this);
  }

  /** The value of a tensor with one element. */
  async item(): Promise<number> {
    if (this.size !== 1) fail("item", `needs one element, the tensor is ${show(this.shape)}`);
    return (await this.data())[0];
  }

  /** The elements as nested arrays (bool as 0 and 1). */
  async array(): Promise<Nested> {
    const data = await this.data();
    const nest = (axis: number, at: number): Nested => {
      if (axis === this.rank) return data[at];
      const step = sizeOf(this.shape.slice(axis + 1));
      return Array.from({ length: this.shape[axis] }, (_, i) => nest(axis + 1, at + i * step));
    };
    return nest(0, 0);
  }

  /** Gives the value's memory back now rather than when the tensor is forgotten: `using y = await step(x)` in a tight loop. */
  [Symbol.dispose](): void {
    const { storage } = this.leaf("dispose");
    storage.resident?.free();
    storage.resident = undefined;
    storage.host = undefined;
  }

  toString(): string {
    return `Tensor(${this.op}, ${this.dtype} ${show(this.shape)})`;
  }

  // Leaves ------------------------------------------------------------------------------------------------------------

  /**
   * Gives this leaf another value. In a step being traced that happens when the step ends: all reads in the step see the old
   * value, and the last assignment counts. Outside of steps, assignments are carried out in program order before the next
   * value is computed: each sees what those before it wrote, and a tensor built earlier but not read yet sees them all.
   * Throws where this is no param or state, or the shapes differ.
   */
  assign(value: Operand): void {
    const { role } = this.leaf("assign");
    if (role !== "param" && role !== "state")
      fail("assign", `needs a param or a state, got ${role === "data" ? "plain data" : role}`);
    const v = lift("assign", value, this);
    if (!sameShape(v.shape, this.shape)) fail("assign", `shapes differ, ${show(this.shape)} ← ${show(v.shape)}`);
    recordUpdate(this, v.cast(this.dtype));
  }

  leaf(op: string): Leaf {
    return this.op === "buffer" ? (this.args as Leaf) : fail(op, `needs a leaf, got the result of ${this.op}`);
  }

  // Arithmetic --------------------------------------------------------------------------------------------------------

  neg(): Tensor {
    return make("neg", [this], {});
  }
  add(other: Operand): Tensor {
    return binary("add", this, other);
  }
  sub(other: Operand): Tensor {
    if (typeof other === "number" && isFloat(this.dtype)) return this.add(-other);
    const o = lift("sub", other, this);
    return this.add((o.dtype === "bool" ? o.cast("i32") : o).neg());
  }
  mul(other: Operand): Tensor {
    return binary("mul", this, other);
  }
  /** True division; integers are divided as f32. */
  div(other: Operand): Tensor {
    const x = asFloat(this);
    return binary("div", x, asFloat(lift("div", other, x)));
  }
  /** Larger of the two; NaN where either is. At a tie the gradient goes to this tensor. */
  maximum(other: Operand): Tensor {
    return binary("max", this, other);
  }
  minimum(other: Operand): Tensor {
    const o = lift("minimum", other, this);
    const dtype = promote(promote(this.dtype, o.dtype), "i32");
    return reversed(reversed(as(dtype, this)).maximum(reversed(as(dtype, o))));
  }
  /**
   * x − y·⌊x / y⌋, exact but for one rounding where the signs differ; a zero has the divisor's sign. mod 0 is NaN for floats,
   * 0 for whole numbers.
   */
  mod(other: Operand): Tensor {
    return binary("mod", this, other);
  }
  /**
   * ⌊x / y⌋; the gradient is zero. Floats by 0 are x / 0, ±∞ or NaN, and ±∞ by anything else is NaN. Whole numbers give i32, by 0
   * they are 0, and −2³¹ by −1 is 2³¹ − 1.
   */
  floorDiv(other: Operand): Tensor {
    return floorDivide(this, other);
  }
  /**
   * min(max(x, low), high), NaN where any of them is: the bounds are numbers or tensors, and one may be left out. Where low > high it is
   * high. The gradient flows where low ≤ x ≤ high or x is NaN, else to the bound. Throws a TypeError where there is no bound.
   */
  clamp(min?: Operand, max?: Operand): Tensor {
    if (min === undefined && max === undefined) throw new TypeError("clamp: needs min, max or both, got neither");
    const above = min === undefined ? this : this.maximum(lift("clamp", min, this));
    return max === undefined ? above : above.minimum(lift("clamp", max, this));
  }
  /** 1 / x. */
  recip(): Tensor {
    const x = asFloat(this);
    return x.full(1).div(x);
  }
  /** 1 / √x, to 1.5 ULP. */
  rsqrt(): Tensor {
    return this.sqrt().recip();
  }
  exp(): Tensor {
    return make("exp", [asFloat(this)], {});
  }
  log(): Tensor {
    return make("log", [asFloat(this)], {});
  }
  /** 2ˣ, exact for whole x. */
  exp2(): Tensor {
    return make("exp2", [asFloat(this)], {});
  }
  /** log₂ x, exact for powers of 2. */
  log2(): Tensor {
    return make("log2", [asFloat(this)], {});
  }
  /** log₁₀ x as log x / log 10, to 3 ULP: log₁₀ 1000 need not be 3. */
  log10(): Tensor {
    return this.log().mul(Math.LOG10E);
  }
  expm1(): Tensor {
    return make("expm1", [asFloat(this)], {});
  }
  log1p(): Tensor {
    return make("log1p", [asFloat(this)], {});
  }
  sin(): Tensor {
    return make("sin", [asFloat(this)], {});
  }
  cos(): Tensor {
    return make("cos", [asFloat(this)], {});
  }
  /** sin x / cos x, to 4 ULP. */
  tan(): Tensor {
    return this.sin().div(this.cos());
  }
  /** In [−π/2, π/2]; NaN for |x| > 1. The derivative 1 / √(1 − x²) is infinite at ±1. */
  asin(): Tensor {
    return make("asin", [asFloat(this)], {});
  }
  /** In [0, π]; NaN for |x| > 1. The derivative −1 / √(1 − x²) is infinite at ±1. */
  acos(): Tensor {
    return make("acos", [asFloat(this)], {});
  }
  /** In [−π/2, π/2]. */
  atan(): Tensor {
    return make("atan", [asFloat(this)], {});
  }
  /**
   * The angle of the point (x, y) from the positive x axis, in [−π, π], of this y and an x, to 4 ULP; zeros and infinities of all
   * signs as in C. The gradient (x, −y) / (x² + y²) is 0 at the origin and where both are infinite.
   */
  atan2(x: Operand): Tensor {
    return angle(this, x);
  }
  /** ½·(eˣ − e⁻ˣ), ½·(eˣ + e⁻ˣ). */
  sinh(): Tensor {
    return make("sinh", [asFloat(this)], {});
  }
  cosh(): Tensor {
    return make("cosh", [asFloat(this)], {});
  }
  tanh(): Tensor {
    return make("tanh", [asFloat(this)], {});
  }
  sigmoid(): Tensor {
    return make("sigmoid", [asFloat(this)], {});
  }
  erf(): Tensor {
    return make("erf", [asFloat(this)], {});
  }
  sqrt(): Tensor {
    return make("sqrt", [asFloat(this)], {});
  }
  square(): Tensor {
    return this.mul(this);
  }
  /** The largest whole number ≤ x, the smallest ≥ x, the nearest towards 0; a result 0 keeps the sign of x. The gradient is zero. */
  floor(): Tensor {
    return floor(this);
  }
  ceil(): Tensor {
    return ceil(this);
  }
  trunc(): Tensor {
    return trunc(this);
  }
  /** The nearest whole number, the even one of two; a result 0 keeps the sign of x. The gradient is zero. */
  round(): Tensor {
    return round(this);
  }
  /** −1, 0 or 1; its gradient is zero. */
  sign(): Tensor {
    return where(this.lt(0), this.full(-1), where(this.gt(0), this.full(1), where(this.eq(0), 0, this.detach()))); // NaN stays
  }
  abs(): Tensor {
    return where(this.lt(0), this.neg(), where(this.eq(0), 0, this)); // 0 for −0 and 0, with gradient 0; NaN stays
  }
  /** max(x, 0), with gradient 0 at 0. */
  relu(): Tensor {
    return this.full(0).maximum(this);
  }
  /**
   * xʸ as IEEE 754 has it (x⁰ = 1 also for 0 and NaN, NaN for x < 0, −∞ too, where y is not whole): products for whole y from −16 to 16,
   * the root for ½, else exp(y·log |x|) in f64, to 1 ULP in f32; in f64 the relative error grows with |y·log |x||. A root of −0 is −0. As a number, y keeps i32
   * where it is whole and ≥ 0. The derivative y·xʸ⁻¹ holds where x and xʸ are finite and xʸ does not underflow, and at x = 0 for
   * y ≥ 0, except that where y is a tensor it is 0, not infinite, for 0 < y < 1.
   */
  pow(exponent: Operand): Tensor {
    return power(this, typeof exponent === "number" ? exponent : lift("pow", exponent, this));
  }

  // Comparison and bits -----------------------------------------------------------------------------------------------

  lt(other: Operand): Tensor {
    return binary("lt", this, other);
  }
  gt(other: Operand): Tensor {
    return binary("lt", lift("gt", other, this), this);
  }
  le(other: Operand): Tensor {
    return this.lt(other).or(this.eq(other));
  }
  ge(other: Operand): Tensor {
    return this.gt(other).or(this.eq(other));
  }
  eq(other: Operand): Tensor {
    return binary("eq", this, other);
  }
  ne(other: Operand): Tensor {
    return this.eq(other).not();
  }
  not(): Tensor {
    return this.dtype === "bool" ? this.xor(1) : this.xor(-1);
  }
  and(other: Operand): Tensor {
    return binary("and", this, other);
  }
  or(other: Operand): Tensor {
    return binary("or", this, other);
  }
  xor(other: Operand): Tensor {
    return binary("xor", this, other);
  }
  /**
   * i32 bits moved left by a positive count; a negative count moves them right and fills with zeros. A number is from −31 to 31, else
   * a RangeError is thrown; of i32 counts that broadcast, those beyond give 0.
   */
  shift(by: Operand): Tensor {
    return shift(this, by);
  }
  /** Whether an element is NaN; whether it is neither NaN nor infinite. */
  isNaN(): Tensor {
    return this.ne(this);
  }
  isFinite(): Tensor {
    return asFloat(this).abs().lt(Number.POSITIVE_INFINITY);
  }
  cast(dtype: DType): Tensor {
    return make("cast", [this], { dtype });
  }
  /** The tensor itself if it is a float one, else cast to f32. */
  float(): Tensor {
    return this.cast(isFloat(this.dtype) ? this.dtype : "f32");
  }
  /** A constant of this tensor's shape and dtype. */
  full(value: number): Tensor {
    return full(this.shape, value, this.dtype);
  }
  /** The value as a constant: no gradient flows through it. */
  detach(): Tensor {
    return new Tensor("reshape", [this], { shape: this.shape, detached: true }, this.shape, this.dtype);
  }

  // Reductions --------------------------------------------------------------------------------------------------------

  // over some axes, by default all; a wrong axis is a ShapeError

  sum(axes?: Axes, { keepDims = false }: ReduceOptions = {}): Tensor {
    return reduce("sum", this.dtype === "bool" ? this.cast("i32") : this, axes, keepDims);
  }
  mean(axes?: Axes, { keepDims = false }: ReduceOptions = {}): Tensor {
    const total = asFloat(this).sum(axes, { keepDims });
    return total.div(this.size / total.size);
  }
  /** Product, 1 of no elements; its gradient holds at zeros too. Rounded n − 1 times for n elements. */
  prod(axes?: Axes, options: ReduceOptions = {}): Tensor {
    return product(this, axes, options);
  }
  /** Largest and smallest element, NaN where there is one; ties share the gradient evenly. Throws where there is no element. */
  max(axes?: Axes, { keepDims = false }: ReduceOptions = {}): Tensor {
    return reduce("maxReduce", this, axes, keepDims);
  }
  min(axes?: Axes, { keepDims = false }: ReduceOptions = {}): Tensor {
    return reversed(reversed(this).max(axes, { keepDims }));
  }
  /** Whether any element is not 0, whether all are; NaN is not 0. Of no elements: false and true. */
  any(axes?: Axes, options: ReduceOptions = {}): Tensor {
    return any(this, axes, options);
  }
  all(axes?: Axes, options: ReduceOptions = {}): Tensor {
    return all(this, axes, options);
  }
  /**
   * Σ(x − mean)² / (n − correction), from centred values so that a large mean costs no accuracy. The correction is 0, as in NumPy and
   * batch norm; PyTorch's default is 1. NaN or ∞ where n ≤ correction. Throws a RangeError where the correction is negative or not finite.
   */
  variance(axes?: Axes, options: VarianceOptions = {}): Tensor {
    return variance(this, axes, options);
  }
  /** √variance, with gradient 0 at 0. */
  std(axes?: Axes, options: VarianceOptions = {}): Tensor {
    return standardDeviation(this, axes, options);
  }
  /**
   * (Σ|x|ᵖ)^(1/p), by default with p = 2; for p = ∞ and −∞ the largest and smallest |x|, for 0 the number of elements that are not 0.
   * The gradient is 0 where x is (p > 0) and where the norm is; ties at ±∞ share it. It overflows where Σ|x|ᵖ does.
   */
  norm(axes?: Axes, options: NormOptions = {}): Tensor {
    return norm(this, axes, options);
  }
  /** log Σ eˣ, finite for all finite x; −∞ of no elements. */
  logsumexp(axes?: Axes, options: ReduceOptions = {}): Tensor {
    return logSumExp(this, axes, options);
  }
  /** Sums and products of each element and all before it along an axis, in log₂ n steps. bool is counted as i32. */
  cumsum(axis = -1): Tensor {
    return cumulativeSum(this, axis);
  }
  cumprod(axis = -1): Tensor {
    return cumulativeProduct(this, axis);
  }
  /** Index of the largest element along an axis, the first at ties, as i32; where there is a NaN, of the first NaN. */
  argmax(axis = -1, options: ReduceOptions = {}): Tensor {
    return argmax(this, axis, options);
  }
  /** The same of the smallest. */
  argmin(axis = -1, options: ReduceOptions = {}): Tensor {
    return argmin(this, axis, options);
  }

  // Views -------------------------------------------------------------------------------------------------------------

  /** The same elements in another shape; one size may be −1. */
  reshape(...shape: (number | Shape)[]): Tensor {
    return make("reshape", [this], { shape: resolveShape("reshape", this.shape, shape.flat()) });
  }
  permute(...order: (number | readonly number[])[]): Tensor {
    return make("permute", [this], { order: order.flat().map((a) => axisOf("permute", a, this.rank)) });
  }
  /** Swaps two axes, by default the last two. */
  transpose(a = -2, b = -1): Tensor {
    return pieces.transpose(this, a, b);
  }
  /** Broadcasts to a shape: missing leading axes and axes of size 1 repeat. */
  expand(...shape: (number | Shape)[]): Tensor {
    const to = shape.flat();
    const lead = new Array<number>(Math.max(0, to.length - this.rank)).fill(1);
    return make("expand", [lead.length > 0 ? this.reshape(...lead, ...this.shape) : this], { shape: to });
  }
  unsqueeze(axis: number): Tensor {
    const a = axisOf("unsqueeze", axis, this.rank + 1);
    return this.reshape(...this.shape.slice(0, a), 1, ...this.shape.slice(a));
  }
  squeeze(axis: number): Tensor {
    const a = axisOf("squeeze", axis, this.rank);
    if (this.shape[a] !== 1) fail("squeeze", `axis ${axis} of ${show(this.shape)} has size ${this.shape[a]}, not 1`);
    return this.reshape(...this.shape.slice(0, a), ...this.shape.slice(a + 1));
  }
  /**
   * Surrounds each axis with a value: widths [before, after] per axis. Or with elements of its own: "reflect" mirrors about the edge
   * element (widths < size), "replicate" repeats it, "circular" goes on from the other side (widths ≤ size).
   */
  pad(widths: readonly (readonly [number, number])[], value: number | PadMode = 0): Tensor {
    if (typeof value === "string") return pieces.padWith(this, widths, value);
    const [before, after] = [widths.map((w) => w[0]), widths.map((w) => w[1])];
    return make("pad", [this], { before, after, value: represent("pad", value, this.dtype) });
  }
  /**
   * Elements start, start + step, … before stop along one axis; negative positions count from the end. With a negative step they
   * go down to before stop, by default to the first element.
   */
  slice(axis: number, start: number, stop?: number, step = 1): Tensor {
    return pieces.slice(this, axis, start, stop, step);
  }
  /** Element i along an axis, which vanishes. */
  at(index: number, axis = 0): Tensor {
    return pieces.at(this, index, axis);
  }
  flip(axes?: Axes): Tensor {
    return make("flip", [this], { axes: axesOf("flip", axes, this.rank) });
  }

  // Contractions and indexing -------------------------------------------------------------------------------------------

  /** Matrix product over the last two axes; leading axes broadcast, a vector stands for a matrix of one row or column. */
  matmul(other: Tensor): Tensor {
    return matmul(this, other);
  }
  /** Σ x·y of two vectors of one size; whole numbers stay whole. */
  dot(other: Tensor): Tensor {
    return dot(this, other);
  }
  /** xᵢ·yⱼ of two vectors: [n], [m] → [n, m]. See `einsum` for all other products. */
  outer(other: Tensor): Tensor {
    return outer(this, other);
  }
  /**
   * Cross-correlation: this [N, C, …] with weights [O, C / groups, …] → [N, O, …]; geometry per spatial axis or one number for all.
   * Padding: a width, or [before, after], an axis; "valid" is none, "same" gives ⌈size / stride⌉, with the odd one after.
   */
  conv(weight: Tensor, options: ConvOptions = {}): Tensor {
    return windows.convolution(this, weight, options);
  }
  /**
   * Rows of this table [n, ...row]: indices i32 [...] → [..., ...row]. An index outside 0 … n − 1 gives NaN, −2³¹ in an i32 table,
   * false in a bool one, and passes no gradient.
   */
  gather(indices: Tensor): Tensor {
    return make("gather", [this, indices], {});
  }

  // Moving elements -----------------------------------------------------------------------------------------------------

  /** What stands at each index along an axis: [..., n, ...] and indices i32 [k, …] → [..., k, …, ...]; an index that is none as in `gather`. */
  take(indices: Tensor, axis = 0): Tensor {
    return indexing.take(this, indices, axis);
  }
  /** y[…, j] = x[…, indices[…, j]] along the last axis, where `argsort` and `topk` look, or another: indices i32 of this rank; other axes broadcast. Indices as in `gather`. */
  takeAlong(indices: Tensor, axis = -1): Tensor {
    return indexing.takeAlong(this, indices, axis);
  }
  /** This tensor with values (of the indices' shape) in place of x[…, indices[…, j]], the last axis or another; the last where several go to one place. */
  scatter(indices: Tensor, values: Operand, axis = -1): Tensor {
    return indexing.scatter(this, indices, values, axis);
  }
  /** This tensor with values (of the indices' shape) added to x[…, indices[…, j]], the last axis or another; those of an index outside the axis are dropped. */
  scatterAdd(indices: Tensor, values: Operand, axis = -1): Tensor {
    return indexing.scatterAdd(this, indices, values, axis);
  }
  /** This tensor with values [..., k, ...] added along an axis at the indices i32 [k]; those of an index outside the axis are dropped. */
  indexAdd(indices: Tensor, values: Tensor, axis = 0): Tensor {
    return indexing.indexAdd(this, indices, values, axis);
  }
  /** This tensor with a value, which broadcasts, in place of the elements start … stop − 1 of an axis; positions as in `slice`. */
  withSlice(axis: number, start: number, stop: number | undefined, value: Operand): Tensor {
    return indexing.withSlice(this, axis, start, stop, value);
  }
  /** This tensor, in its dtype, with a value wherever the bool mask holds; both broadcast to its shape. */
  maskedFill(mask: Tensor, value: Operand): Tensor {
    return indexing.maskedFill(this, mask, value);
  }
  /** Pieces along an axis: of the given sizes, which must add up to it, or of one size, the last smaller where that does not divide. */
  split(sizes: number | readonly number[], axis = 0): Tensor[] {
    return pieces.split(this, sizes, axis);
  }
  /** At most n pieces of ⌈length / n⌉ along an axis, the last smaller where that does not divide. */
  chunk(n: number, axis = 0): Tensor[] {
    return pieces.chunk(this, n, axis);
  }
  /** The whole repeated so many times along each axis: [2, 3].tile(2, 1) → [4, 3]. More counts than axes add leading axes. */
  tile(...times: (number | readonly number[])[]): Tensor {
    return pieces.tile(this, times.flat());
  }
  /** Each element n times in a row along an axis. */
  repeatInterleave(n: number, axis = 0): Tensor {
    return pieces.repeatInterleave(this, n, axis);
  }
  /** Elements moved by so many places along each axis, those pushed over the end back at the start; without axes, of the flat tensor. */
  roll(shifts: number | readonly number[], axes?: Axes): Tensor {
    return pieces.roll(this, shifts, axes);
  }
  /** Matrices [..., m, n] with zeros where column > row + k. */
  tril(k = 0): Tensor {
    return pieces.triangle(this, "lower", k);
  }
  /** Matrices [..., m, n] with zeros where column < row + k. */
  triu(k = 0): Tensor {
    return pieces.triangle(this, "upper", k);
  }
  /** The elements (i, i + k) of the planes of two axes, along a new last axis. */
  diagonal(k = 0, axis1 = 0, axis2 = 1): Tensor {
    return pieces.diagonal(this, k, axis1, axis2);
  }
  /** Moves axes to other places; the others keep their order. */
  moveAxis(from: Axes, to: Axes): Tensor {
    return pieces.moveAxis(this, from, to);
  }
  /** All elements along one axis, in row-major order. */
  ravel(): Tensor {
    return this.reshape(-1);
  }
  /** The indices, i32, that put an axis in order: equal elements as they stood, NaN last in either direction. */
  argsort(axis = -1, { descending = false }: { descending?: boolean } = {}): Tensor {
    return sorting.argsort("argsort", this, axis, descending);
  }
  /** The elements of an axis in order, and where they stood, as in `argsort`; the gradient goes back to where they stood. */
  sort(axis = -1, { descending = false }: { descending?: boolean } = {}): { values: Tensor; indices: Tensor } {
    return sorting.sort(this, axis, descending);
  }
  /** The k largest (or smallest) elements of an axis in order, and where they stood: of equal ones the first, NaN last. */
  topk(k: number, axis = -1, { smallest = false }: { smallest?: boolean } = {}): { values: Tensor; indices: Tensor } {
    return sorting.topk(this, k, axis, smallest);
  }
}

// what Node's console shows
Object.defineProperty(Tensor.prototype, Symbol.for("nodejs.util.inspect.custom"), { value: Tensor.prototype.toString });
