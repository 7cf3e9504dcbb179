// Starting values: their variances and ranges, fans, and that they follow the seed alone.
import { createHash } from "node:crypto";
import { beforeEach, expect, test } from "vitest";
import { seed } from "../../src/index.ts";
import { init, Linear } from "../../src/nn/index.ts";

beforeEach(() => seed(1));

const moments = (values: Float32Array) => {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const power = (n: number) => values.reduce((sum, v) => sum + (v - mean) ** n, 0) / values.length;
  return {
    mean,
    variance: power(2),
    kurtosis: power(4) / power(2) ** 2,
    largest: values.reduce((m, v) => Math.max(m, Math.abs(v)), 0),
  };
};

const shape = [40, 20, 5, 5]; // fan in 500, fan out 1000
const [normalKurtosis, uniformKurtosis] = [3, 1.8];

const expected: Record<string, [values: () => Float32Array, variance: number, kurtosis: number]> = {
  lecunNormal: [() => init.lecunNormal(shape), 1 / 500, normalKurtosis],
  lecunUniform: [() => init.lecunUniform(shape), 1 / 500, uniformKurtosis],
  glorotNormal: [() => init.glorotNormal(shape, { gain: 2 }), 8 / 1500, normalKurtosis],
  glorotUniform: [() => init.glorotUniform(shape), 2 / 1500, uniformKurtosis],
  heNormal: [() => init.heNormal(shape), 2 / 500, normalKurtosis],
  "heUniform of the fan out": [() => init.heUniform(shape, { fan: init.fanOut(shape) }), 2 / 1000, uniformKurtosis],
  "heUniform with slope √5": [() => init.heUniform(shape, { slope: Math.sqrt(5) }), 1 / 1500, uniformKurtosis],
  fanInUniform: [() => init.fanInUniform(shape), 1 / 1500, uniformKurtosis],
  normal: [() => init.normal(shape, 0, 0.3), 0.09, normalKurtosis],
};

// 20,000 draws: the standard error of the variance is 1 % (normal) or 0.6 % (uniform) of it
test.each(Object.entries(expected))("%s", (_, [values, variance, kurtosis]) => {
  const found = moments(values());
  expect(Math.abs(found.mean) / Math.sqrt(variance)).toBeLessThan(0.03);
  expect(found.variance / variance).toBeCloseTo(1, 1.3);
  expect(found.kurtosis / kurtosis).toBeCloseTo(1, 1);
  if (kurtosis === uniformKurtosis) expect(found.largest).toBeLessThanOrEqual(Math.fround(Math.sqrt(3 * variance)));
});

test("the seed fixes all bits, each draw has its own, and an odd count is whole", () => {
  const values = init.normal([1001]);
  expect(values).not.toEqual(init.normal([1001]));
  seed(1);
  expect(init.normal([1001])).toEqual(values);
  expect(values[1000]).not.toBe(0);
  expect(init.normal([0]).length).toBe(0);
  expect([...init.constant([2, 1], 0.5)]).toEqual([0.5, 0.5]);
  seed(2);
  const hash = createHash("sha256")
    .update(init.normal([4096]))
    .update(init.uniform([4096], -1, 1))
    .digest("hex");
  expect(hash).toMatchInlineSnapshot(`"14cc4d60d9501fccc8e37f3d165825a03a0447ac98afde91e7442f7e02f9ae9d"`);
});

test("layers take any starting values, and fans need weights", () => {
  const { weight } = new Linear(3, 2, { init: (s) => init.constant(s, 2) });
  expect([...weight.leaf("test").storage.host!]).toEqual([2, 2, 2, 2, 2, 2]);
  expect(() => init.heNormal([5])).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: init: fans need weights [outputs, inputs, …], got [5]]`,
  );
});
