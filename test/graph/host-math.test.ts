// The functions of numbers as compiled JavaScript have the bits of their operations called one by one.
import { expect, test } from "vitest";
import { elementary } from "../../src/graph/elementary.ts";
import { f64Scalars } from "../../src/graph/host-scalars.ts";
import { hostMath } from "../../src/graph/internal.ts";
import { stream } from "../harness.ts";

const special = [
  0,
  -0,
  1,
  -1,
  0.5,
  2,
  Infinity,
  -Infinity,
  NaN,
  5e-324,
  -5e-324,
  2 ** -1022,
  1e5,
  -1e5,
  1e22,
  1.7e308,
  709.7,
  -745,
];

test.each(Object.keys(elementary) as (keyof typeof elementary)[])("%s", (name) => {
  const random = stream(11);
  const drawn = Array.from({ length: 5000 }, () => (random() - 0.5) * 2 ** Math.round(40 * (random() - 0.5)));
  for (const x of [...special, ...drawn])
    if (!Object.is(hostMath[name](x), elementary[name].of(f64Scalars, x)))
      expect(hostMath[name](x)).toBe(elementary[name].of(f64Scalars, x));
  expect(hostMath[name](0.3)).toBe(elementary[name].of(f64Scalars, 0.3));
});
