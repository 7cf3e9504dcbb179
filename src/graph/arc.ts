// Inverse tangent, sine and cosine from basic operations (see graph/elementary.ts).
import { polynomial } from "./scalar-sums.ts";
import type { Scalars } from "./scalars.ts";

const arc = {
  // atan t = t + t·z·p(z) with z = t², |t| ≤ tan π/8; π/4 and π/2 as a float and the rest
  f32: {
    p: [-0.06451718509197235, 0.10743668675422668, -0.14263950288295746, 0.19999539852142334, -0.3333333134651184],
    quarter: [0.7853981852531433, -2.1855694143368964e-8],
  },
  f64: {
    p: [
      -0.019175404711104935, 0.03923044778479309, -0.050854078345894844, 0.05858140904866328, -0.06664510525508936,
      0.07692183125376892, -0.0909090457530649, 0.11111111015187018, -0.14285714284665682, 0.19999999999995516,
      -0.3333333333333333,
    ],
    quarter: [0.7853981633974483, 3.061616997868383e-17],
  },
} as const;

/** From |x|: itself up to tan π/8, π/4 + atan((x − 1) / (x + 1)) up to tan ⅜π, else π/2 − atan(1 / x). */
export function atan<E>(s: Scalars<E>, x: E): E {
  const { p, quarter } = arc[s.dtype];
  const [zero, one, size] = [s.constant(0), s.constant(1), s.abs(x)];
  const [middle, large] = [s.lt(s.constant(Math.SQRT2 - 1), size), s.lt(s.constant(Math.SQRT2 + 1), size)];
  const pick = (ifLarge: E, ifMiddle: E, ifSmall: E): E =>
    s.select(large, ifLarge, s.select(middle, ifMiddle, ifSmall));
  const t = s.div(pick(s.constant(-1), s.sub(size, one), size), pick(size, s.add(size, one), one));
  const z = s.mul(t, t);
  const rest = s.mul(t, s.mul(z, polynomial(s, z, p)));
  const turned = (part: 0 | 1): E => pick(s.constant(2 * quarter[part]), s.constant(quarter[part]), zero);
  return s.copySign(s.add(turned(0), s.add(t, s.add(rest, turned(1)))), x);
}

/** atan(x / √(1 − x²)), where next to ±1 the product (1 − x)·(1 + x) is the more precise. */
export function asin<E>(s: Scalars<E>, x: E): E {
  const one = s.constant(1);
  return atan(s, s.div(x, s.sqrt(s.mul(s.sub(one, x), s.add(one, x)))));
}

/** 2·atan √((1 − x) / (1 + x)), which stays precise next to 1. */
export function acos<E>(s: Scalars<E>, x: E): E {
  const one = s.constant(1);
  const half = atan(s, s.sqrt(s.div(s.sub(one, x), s.add(one, x))));
  return s.add(half, half);
}
