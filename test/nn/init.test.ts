// Starting values: their variances and ranges, fans, and that they follow the seed alone.
import { createHash } from "node:crypto";
import { beforeEach, expect, test } from "vitest";
import { seed, zeros } from "../../src/index.ts";
import { init, Linear, load, stateDict } from "../../src/nn/index.ts";

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
  expect(hash).toMatchInlineSnapshot(`"aee8668d15091daf1c73aa8dc839c26f40d144f5dc71b3240068ffa55d84edb0"`);
});

test("normal draws fall below, between and beyond the ziggurat's layers as often as they should", () => {
  const values = init.normal([2_000_000]);
  const beyond = (edge: number): number => values.reduce((n, v) => n + Number(Math.abs(v) > edge), 0);
  // P(|x| > edge), where 3.654 is where the tail begins; within five standard errors
  for (const [edge, share] of [
    [0.2152, 0.829613],
    [1, 0.3173105],
    [2, 0.0455003],
    [3, 0.0026998],
    [3.654152885361009, 0.000258034],
    [4, 0.0000633425],
  ]) {
    const expected = values.length * share;
    expect(Math.abs(beyond(edge) - expected)).toBeLessThan(5 * Math.sqrt(expected * (1 - share)));
  }
});

test("a large leaf draws when it is first needed, the same whenever that is, and nothing when it is loaded before", async () => {
  const draws: number[] = [];
  const drawn: init.Init = (shape) => {
    draws.push(shape[0]);
    return init.normal(shape);
  };
  const large = (): Linear[] => [80, 90].map((size) => new Linear(size, size, { init: drawn }));
  const [first, second] = large();
  expect(draws).toEqual([]);
  const later = await second.weight.data();
  const sooner = await first.weight.data();
  expect(draws).toEqual([90, 80]);
  seed(1);
  const again = large();
  expect([...(await again[0].weight.data())]).toEqual([...sooner]);
  expect([...(await again[1].weight.data())]).toEqual([...later]);
  expect([...sooner.slice(0, 50)]).not.toEqual([...later.slice(0, 50)]);

  draws.length = 0;
  const loaded = new Linear(80, 80, { init: drawn });
  await load(loaded, await stateDict(new Linear(80, 80)));
  await loaded.forward(zeros([1, 80])).data();
  expect(draws).toEqual([]);

  expect(() => new Linear(2, 2, { init: () => new Float32Array(3) })).toThrow("gave 3 elements");
  const wrong = new Linear(80, 80, { init: () => new Float32Array(3) });
  await expect(wrong.weight.data()).rejects.toThrow("param: its function gave 3 elements, [80, 80] takes");
});

test("layers take any starting values, and fans need weights", () => {
  const { weight } = new Linear(3, 2, { init: (s) => init.constant(s, 2) });
  expect([...weight.leaf("test").storage.host!]).toEqual([2, 2, 2, 2, 2, 2]);
  expect(() => init.heNormal([5])).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: init: fans need weights [outputs, inputs, …], got [5]]`,
  );
});

/** Products of the rows of a matrix, less the identity times what they are on the diagonal: the largest. */
const farFromOrthonormal = (
  values: Float32Array,
  rows: number,
  columns: number,
  gain: number,
  along: boolean,
): number => {
  const count = along ? rows : columns;
  const at = (v: number, i: number) => (along ? values[v * columns + i] : values[i * columns + v]);
  let worst = 0;
  for (let a = 0; a < count; a++) {
    for (let b = 0; b < count; b++) {
      let sum = 0;
      for (let i = 0; i < (along ? columns : rows); i++) sum += at(a, i) * at(b, i);
      worst = Math.max(worst, Math.abs(sum - (a === b ? gain * gain : 0)));
    }
  }
  return worst;
};

test("orthogonal: orthonormal rows or columns, kernels as rows, times the gain", () => {
  expect(farFromOrthonormal(init.orthogonal([30, 40]), 30, 40, 1, true)).toBeLessThan(1e-6);
  expect(farFromOrthonormal(init.orthogonal([40, 30], { gain: 2 }), 40, 30, 2, false)).toBeLessThan(1e-6);
  expect(farFromOrthonormal(init.orthogonal([6, 2, 3, 3]), 6, 18, 1, true)).toBeLessThan(1e-6);
  expect(farFromOrthonormal(init.orthogonal([50, 50]), 50, 50, 1, true)).toBeLessThan(1e-6);
  const signs = Array.from({ length: 200 }, () => init.orthogonal([1, 1])[0]);
  expect(signs.every((v) => Math.abs(v) === 1)).toBe(true);
  expect(signs.filter((v) => v === 1).length / 200).toBeCloseTo(0.5, 0.9);
});

test("sparse: as many inputs of each output as asked for, of which any may be meant, and N(0, deviation²)", () => {
  const values = init.sparse([2000, 40]);
  const rows = Array.from({ length: 2000 }, (_, i) => values.slice(40 * i, 40 * i + 40));
  expect(rows.every((row) => row.filter((v) => v !== 0).length === 15)).toBe(true);
  for (let i = 0; i < 40; i++) expect(rows.filter((row) => row[i] !== 0).length / 2000).toBeCloseTo(15 / 40, 1);
  const found = moments(values.filter((v) => v !== 0));
  expect(found.variance).toBeCloseTo(1, 1.3);
  expect(found.kurtosis).toBeCloseTo(3, 0.5);
  expect(init.sparse([3, 2, 2], { deviation: 0.1 }).every((v) => v !== 0 && Math.abs(v) < 1)).toBe(true);
});

test("identity: on the diagonal, and at the centre of kernels, by groups", () => {
  expect([...init.identity([2, 3], { gain: 0.5 })]).toEqual([0.5, 0, 0, 0, 0.5, 0]);
  expect([...init.identity([3, 2])]).toEqual([1, 0, 0, 1, 0, 0]);
  expect([...init.identity([2, 2, 3])]).toEqual([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
  expect([...init.identity([4, 1, 1, 2], { groups: 2 })]).toEqual([0, 1, 0, 0, 0, 1, 0, 0]);
});

test("truncatedNormal: within its bounds, with the moments that the truncation leaves", () => {
  const within = moments(init.truncatedNormal([20000]));
  expect(within.largest).toBeLessThanOrEqual(2);
  expect(Math.abs(within.mean)).toBeLessThan(0.03);
  expect(within.variance).toBeCloseTo(0.7737, 1.5); // 1 − 4·φ(2) / (2·Φ(2) − 1)
  const tail = init.truncatedNormal([5000], 1, 2, 7, Number.POSITIVE_INFINITY);
  expect(tail.every((v) => v >= 7)).toBe(true);
  expect(moments(tail).mean).toBeCloseTo(1 + 2 * 3.2831, 1); // μ + σ·φ(3) / (1 − Φ(3))
  const narrow = init.truncatedNormal([1000], 0, 1, 0.1, 0.1 + 2e-8);
  expect(narrow.every((v) => v >= 0.1 && v <= 0.1 + 2e-8)).toBe(true);
});

test("gains: those of the papers, and weights of variance 1 / fan in times their square", () => {
  const names = ["linear", "sigmoid", "tanh", "relu", "leakyRelu", "selu"] as const;
  expect(names.map((name) => init.gain(name, { slope: 1 }))).toEqual([1, 4, 5 / 3, Math.SQRT2, 1, 1]);
  expect(init.gain("leakyRelu")).toBe(Math.sqrt(2 / 1.0001));
  seed(1);
  const ours = init.glorotNormal([30, 30], { gain: init.gain("relu") });
  seed(1);
  expect(moments(ours).variance).toBeCloseTo(moments(init.heNormal([30, 30])).variance, 6);
});
