// Sine and cosine over the whole range: near arguments in the dtype itself, far ones one by one in double precision.
import { exactSum, polynomial, reduce, sumOfThree } from "./scalar-sums.ts";
import type { Scalars } from "./scalars.ts";

const trigonometric = {
  // π/2 as a sum of positive parts, short enough that their products with integers below 2¹⁶ are exact, and a last one.
  f32: {
    parts: [1.5703125, 0.0004825592041015625, 1.2665987014770508e-6, 9.89530235528946e-10],
    last: 2.5633440682570896e-12,
    // sin r = r − r·z·p(z) and cos r = 1 − z·q(z) with z = r², |r| ≤ π/4
    p: [0.00019507884280756116, -0.008332106284797192, 0.16666653752326965],
    q: [-2.4431876227026805e-5, 0.001388730714097619, -0.04166664555668831, 0.5],
  },
  f64: {
    parts: [1.5707963267923333, 2.5633441515839558e-12],
    last: 1.0562999066987428e-23,
    p: [
      -1.589530465467137e-10, 2.5050732371093238e-8, -2.755731352725202e-6, 0.00019841269829332404,
      -0.00833333333332182, 0.1666666666666663,
    ],
    q: [
      1.1357336938590902e-11, -2.0875678088273826e-9, 2.7557314015140506e-7, -2.480158728829542e-5,
      0.0013888888888872186, -0.04166666666666659, 0.5,
    ],
  },
} as const;

/** From here on products of parts of π/2 are no longer exact, and the argument is far. */
export const farFrom = 1e5;

/** sin(n·π/2 + r − tail) for |r| ≤ π/4. The tail keeps what r cannot hold. */
function sineOfReduced<E>(s: Scalars<E>, n: E, r: E, tail: E): E {
  const { p, q } = trigonometric[s.dtype];
  const reduced = s.sub(r, tail);
  const z = s.mul(reduced, reduced);
  const sin = s.sub(r, s.add(s.mul(s.mul(r, z), polynomial(s, z, p)), tail));
  const cos = s.sub(s.constant(1), s.mul(z, polynomial(s, z, q)));
  const without = (bit: number) => s.ieq(s.iand(n, s.integer(bit)), s.integer(0));
  const value = s.select(without(1), sin, cos);
  return s.select(without(2), value, s.neg(value));
}

/** sin(x + quarters·π/2). */
function sine<E>(s: Scalars<E>, x: E, quarters: Quarters): E {
  const { parts, last } = trigonometric[s.dtype];
  const n = s.round(s.mul(x, s.constant(2 / Math.PI)));
  const k = s.toFloat(n);
  const tail = s.mul(k, s.constant(last));
  const near = sineOfReduced(s, s.iadd(n, s.integer(quarters)), reduce(s, x, k, parts), tail);
  return s.farSine(near, x, quarters);
}

export const sin = <E>(s: Scalars<E>, x: E): E => sine(s, x, 0);
export const cos = <E>(s: Scalars<E>, x: E): E => sine(s, x, 1);

/** Which function: sin(x + 0·π/2) is the sine, sin(x + 1·π/2) the cosine. */
export type Quarters = 0 | 1;

const digits =
  "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e006492eea09d1921cfe1deb" +
  "1cb129a73ee88235f52ebb4484e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a" +
  "6d1f6d367ecf27cb09b74f463f669e5fea2d7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d08560330";

/** 2/π in digits of 24 bits, the first of which weighs 2⁻²⁴, after three zeros. */
export const twoOverPi: readonly number[] = [0, 0, 0, ...digits.match(/.{6}/g)!.map((d) => Number.parseInt(d, 16))];

/** The first 26 bits of π/2, and the rest. */
const halfPi = [1.5707963109016418, 1.5893254773528196e-8] as const;

/**
 * sin(x + quarters·π/2) for finite |x| ≥ 2¹⁶ in f64 (Payne & Hanek, 1983); NaN for ±Infinity. `digit(i)` gives twoOverPi[i].
 * |x| is X·2²⁴ʲ with a whole X of four digits. Of X·2²⁴ʲ·2/π only those products of digits are formed that are no
 * multiples of 4 and reach the last of six digits after the point: no double comes closer to a multiple of π/2 than 2⁻⁶¹.
 */
export function farSine<E>(s: Scalars<E>, x: E, quarters: Quarters, digit: (i: E) => E): E {
  const base = s.constant(2 ** 24);
  const shifted = (a: E, by: number) => s.mul(a, s.constant(2 ** by));
  const magnitude = s.abs(x);
  const exponent = s.sub(s.toFloat(s.exponent(magnitude)), s.constant(52));
  const j = s.floor(s.div(exponent, s.constant(24)));
  let rest = s.mul(magnitude, s.pow2(s.round(s.mul(j, s.constant(-24)))));
  const whole: E[] = [];
  for (let a = 3; a >= 0; a--) {
    whole[a] = s.floor(shifted(rest, -24 * a));
    rest = s.sub(rest, shifted(whole[a], 24 * a));
  }
  const first = s.iadd(s.round(j), s.integer(2));
  const words = Array.from({ length: 10 }, (_, t) => digit(s.iadd(first, s.integer(t))));
  const product = Array.from({ length: 7 }, (_, d) =>
    whole.map((w, a) => s.mul(w, words[d + a])).reduce((sum, term) => s.add(sum, term)),
  );
  for (let d = 6; d > 0; d--) {
    const carry = s.floor(shifted(product[d], -24));
    product[d] = s.sub(product[d], s.mul(carry, base));
    product[d - 1] = s.add(product[d - 1], carry);
  }
  // to the nearest quarter turn
  const up = s.le(s.constant(2 ** 23), product[1]);
  const turns = s.select(up, s.add(product[0], s.constant(1)), product[0]);
  product[1] = s.select(up, s.sub(product[1], base), product[1]);
  const pair = (d: number) => shifted(s.add(s.mul(product[d], base), product[d + 1]), -24 * (d + 1));
  const { value, error } = sumOfThree(s, pair(1), pair(3), pair(5));
  const quarter = s.sub(turns, shifted(s.floor(shifted(turns, -2)), 2));
  // times π/2: the product of the upper parts is exact
  const upper = s.high(value);
  const lower = s.add(s.mul(s.sub(value, upper), s.constant(halfPi[0])), s.mul(value, s.constant(halfPi[1])));
  const r = exactSum(s, s.mul(upper, s.constant(halfPi[0])), s.add(lower, s.mul(error, s.constant(halfPi[0]))));
  const sign = s.copySign(s.constant(1), x);
  const n = s.iadd(s.round(s.mul(quarter, sign)), s.integer(quarters));
  return sineOfReduced(s, n, s.mul(r.value, sign), s.neg(s.mul(r.error, sign)));
}
