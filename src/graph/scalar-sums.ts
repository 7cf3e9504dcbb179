// Polynomials and sums with their rounding errors, in scalar operations.
import type { Scalars } from "./scalars.ts";

/** Horner's rule: coefficients[0]·xⁿ + … + coefficients[n]. */
export function polynomial<E>(s: Scalars<E>, x: E, coefficients: readonly number[]): E {
  let sum = s.constant(coefficients[0]);
  for (let i = 1; i < coefficients.length; i++) sum = s.add(s.mul(sum, x), s.constant(coefficients[i]));
  return sum;
}

/** x − k·(part₀ + part₁ + …), one part after the other, to lose no bits where the two nearly cancel (Cody & Waite, 1980). */
export function reduce<E>(s: Scalars<E>, x: E, k: E, parts: readonly number[]): E {
  return parts.reduce((left, part) => s.sub(left, s.mul(k, s.constant(part))), x);
}

/** A sum as a float and the rounding error that it leaves. */
export interface Sum<E> {
  value: E;
  error: E;
}

/** a + b where |a| ≥ |b| or a = 0 (Dekker, 1971). */
export function exactSum<E>(s: Scalars<E>, a: E, b: E): Sum<E> {
  const value = s.add(a, b);
  return { value, error: s.sub(b, s.sub(value, a)) };
}

/** a + b + c where |a| ≥ |b| ≥ |c| or a = 0. */
export function sumOfThree<E>(s: Scalars<E>, a: E, b: E, c: E): Sum<E> {
  const first = exactSum(s, a, b);
  return exactSum(s, first.value, s.add(first.error, c));
}
