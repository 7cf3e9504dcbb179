// The scalar operations in which elementary functions are written (graph/elementary.ts); an emitter or an evaluator implements them.

/** Operations on values of type E: floats of one dtype, integers of the same width, and conditions. */
export interface Scalars<E> {
  readonly dtype: "f32" | "f64";
  /** A float constant, rounded to the dtype. */
  constant(value: number): E;
  add(a: E, b: E): E;
  sub(a: E, b: E): E;
  mul(a: E, b: E): E;
  div(a: E, b: E): E;
  neg(a: E): E;
  abs(a: E): E;
  sqrt(a: E): E;
  floor(a: E): E;
  /** Magnitude of a with the sign bit of b. */
  copySign(a: E, b: E): E;

  /** Conditions; false where an operand is NaN. */
  lt(a: E, b: E): E;
  le(a: E, b: E): E;
  eq(a: E, b: E): E;
  /** condition ? a : b, lane by lane; both sides are always evaluated. */
  select(condition: E, a: E, b: E): E;

  /** The nearest integer (ties to even) as an integer; only for |a| < 2²² (f32) or 2³¹ (f64), anything else gives some integer. */
  round(a: E): E;
  /** An integer as a float. */
  toFloat(i: E): E;
  integer(value: number): E;
  iadd(a: E, b: E): E;
  isub(a: E, b: E): E;
  iand(a: E, b: E): E;
  /** Arithmetic shift right by a constant. */
  ishr(a: E, bits: number): E;
  /** Equality of integers: a condition. */
  ieq(a: E, b: E): E;

  /** 2ⁿ as a float for an integer n with a normal result (−126…127 or −1022…1023); anything else gives some float. */
  pow2(n: E): E;
  /** ⌊log₂|a|⌋ of a normal a, as an integer: its exponent field less the bias. */
  exponent(a: E): E;
  /** a with its exponent replaced by that of 1: in ±[1, 2), for a normal a. */
  mantissa(a: E): E;
  /** near where |x| < 10⁵ or NaN; else sin(x + quarters·π/2) in f64 (`farSine`), rounded: a function called only where some |x| is so large. */
  farSine(near: E, x: E, quarters: 0 | 1): E;
  /** Clears the low 12 (f32) or 27 (f64) bits of the significand, so that a product of two such values is exact. */
  high(a: E): E;
}
