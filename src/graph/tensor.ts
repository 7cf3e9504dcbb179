// The Tensor: an immutable, lazy node of the graph (operation, inputs, shape, dtype), and the methods that users chain.
import { angle } from "./angles.ts";
import { shift } from "./bits.ts";
import { full, where } from "./creators.ts";
import { type Data, type DType, isFloat, promote, represent } from "./dtype.ts";
import { as, asFloat, binary, lift, make, reduce, reversed } from "./operands.ts";
import { power } from "./power.ts";
import type { Args, ConvArgs, Leaf, Op } from "./primitives.ts";
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
    const order = Array.from({ length: this.rank }, (_, i) => i);
    const [i, j] = [axisOf("transpose", a, this.rank), axisOf("transpose", b, this.rank)];
    [order[i], order[j]] = [order[j], order[i]];
    return this.permute(order);
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
  /** Surrounds each axis with a value: widths [before, after] per axis. */
  pad(widths: readonly (readonly [number, number])[], value = 0): Tensor {
    const [before, after] = [widths.map((w) => w[0]), widths.map((w) => w[1])];
    return make("pad", [this], { before, after, value: represent("pad", value, this.dtype) });
  }
  /**
   * Elements start, start + step, … before stop along one axis; negative positions count from the end. With a negative step they
   * go down to before stop, by default to the first element.
   */
  slice(axis: number, start: number, stop?: number, step = 1): Tensor {
    const a = axisOf("slice", axis, this.rank);
    const n = this.shape[a];
    if (!Number.isInteger(step) || step === 0)
      fail("slice", `the step must be a whole number other than 0, got ${step}`);
    for (const p of [start, stop ?? 0]) {
      if (Number.isNaN(p) || (Number.isFinite(p) && !Number.isInteger(p)))
        fail("slice", `positions must be whole numbers, got ${start} to ${stop}`);
    }
    const place = (p: number, least: number): number => Math.max(least, Math.min(n + least, p < 0 ? p + n : p));
    if (step < 0) {
      const [from, to] = [place(start, -1), stop === undefined ? -1 : place(stop, -1)];
      const count = Math.max(0, Math.ceil((from - to) / -step));
      const least = count === 0 ? 0 : from + (count - 1) * step;
      return this.slice(a, least, count === 0 ? 0 : from + 1, -step).flip(a);
    }
    const [from, to] = [place(start, 0), stop === undefined ? n : place(stop, 0)];
    const pick = (value: number, rest: readonly number[]): number[] => rest.map((r, i) => (i === a ? value : r));
    const zeros = this.shape.map(() => 0);
    return make("slice", [this], {
      start: pick(from, zeros),
      stop: pick(Math.max(from, to), this.shape),
      step: pick(
        step,
        zeros.map(() => 1),
      ),
    });
  }
  /** Element i along an axis, which vanishes. */
  at(index: number, axis = 0): Tensor {
    const a = axisOf("at", axis, this.rank);
    const i = index < 0 ? index + this.shape[a] : index;
    if (!Number.isInteger(i) || i < 0 || i >= this.shape[a])
      fail("at", `index ${index} is outside axis ${axis} of ${show(this.shape)}`);
    return this.slice(a, i, i + 1).squeeze(a);
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
  /** Cross-correlation: this [N, C, …] with weights [O, C / groups, …] → [N, O, …]; geometry per spatial axis or one number for all. */
  conv(weight: Tensor, { stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvOptions = {}): Tensor {
    const each = <T>(value: T | readonly T[]): T[] =>
      Array.isArray(value) ? [...value] : new Array<T>(Math.max(0, this.rank - 2)).fill(value as T);
    const args: ConvArgs = {
      stride: each(stride),
      padding: each(padding).map((p) => [p, p] as const),
      inputDilation: each(1),
      dilation: each(dilation),
      groups,
    };
    return make("conv", [this, weight], args);
  }
  /** Rows of this table: indices i32 [...] → [..., ...row]. Indices are clamped to the table. */
  gather(indices: Tensor): Tensor {
    return make("gather", [this, indices], {});
  }
}

// what Node's console shows
Object.defineProperty(Tensor.prototype, Symbol.for("nodejs.util.inspect.custom"), { value: Tensor.prototype.toString });

export interface ConvOptions {
  stride?: number | readonly number[];
  padding?: number | readonly number[];
  dilation?: number | readonly number[];
  groups?: number;
}
