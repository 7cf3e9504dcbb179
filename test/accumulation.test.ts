// Sums over many terms keep their accuracy, and what would overflow on the way stays finite.
import { describe, expect, test } from "vitest";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import { type Tensor, tensor, where } from "../src/graph/index.ts";
import { sizeOf } from "../src/graph/internal.ts";
import { crossEntropy, logSoftmax, softmax } from "../src/nn/index.ts";
import { run, stream } from "./harness.ts";

const wasm = new WasmBackend({ threads: 1 });
const random = stream(3);
const uniform = (n: number, low: number, high: number): Float32Array =>
  Float32Array.from({ length: n }, () => low + (high - low) * random());

/** Units in the last place of an f32 near the expected value. */
const ulps = (actual: number, expected: number): number =>
  Math.abs(actual - expected) / 2 ** (Math.floor(Math.log2(Math.abs(expected))) - 23);
const relative = (actual: number, expected: number): number => Math.abs(actual - expected) / Math.abs(expected);

describe("sums of equal values are within 4 ULP", () => {
  const fill = (n: number, value: number): Tensor => tensor(new Float32Array(n).fill(value));
  test.each([0.1, 1 / 3, 1.1, 0.7])("10⁷ times %d", (value) => {
    const x = fill(10 ** 7, value);
    const [sum, mean] = run(wasm, [x.sum(), x.mean()]);
    expect(ulps(sum[0], Math.fround(value) * 10 ** 7)).toBeLessThanOrEqual(4);
    expect(ulps(mean[0], Math.fround(value))).toBeLessThanOrEqual(4);
  });

  test.each([
    [
      [1000, 999],
      [0, 1],
    ],
    [[300_000, 3], [0]],
    [[3, 300_000], [1]],
    [
      [40, 7, 2000],
      [0, 2],
    ],
    [[4000, 40], [0]],
    [[4000, 39, 2], [0]],
  ])("%j over %j", (shape, axes) => {
    const size = shape.reduce((n, d) => n * d, 1);
    const [sums] = run(wasm, [fill(size, 0.1).reshape(shape).sum(axes)]);
    const expected = Math.fround(0.1) * (size / sums.length);
    expect(Math.max(...Array.from(sums, (s) => ulps(s, expected)))).toBeLessThanOrEqual(4);
  });
});

test("matrix products err by at most 4·√K·2⁻²⁴·Σ|a||b|", () => {
  const size = (most: number): number => 1 + Math.floor(most * random());
  for (let i = 0; i < 60; i++) {
    const [m, k, n] = [size(20), i % 4 === 0 ? size(3000) : size(200), size(20)];
    const [low, high] = i % 2 === 0 ? [-1, 1] : [0, 1];
    const [a, b] = [uniform(m * k, low, high), uniform(k * n, low, high)];
    const [c] = run(wasm, [tensor(a, [m, k]).matmul(tensor(b, [k, n]))]);
    for (let at = 0; at < m * n; at++) {
      let [sum, magnitude] = [0, 0];
      for (let j = 0; j < k; j++) {
        const product = a[Math.floor(at / n) * k + j] * b[j * n + (at % n)];
        sum += product;
        magnitude += Math.abs(product);
      }
      expect(Math.abs(c[at] - sum)).toBeLessThanOrEqual(4 * Math.sqrt(k) * 2 ** -24 * magnitude);
    }
  }
});

describe("long products", () => {
  const equal = (shape: readonly number[]): Tensor => tensor(new Float32Array(sizeOf(shape)).fill(0.1), shape);
  const term = Math.fround(0.1) ** 2;
  const forms: Record<string, [of: () => Tensor, terms: number]> = {
    "a row and a column": [() => equal([1, 2e6]).matmul(equal([2e6, 1])), 2e6],
    "few rows and columns": [() => equal([3, 200_003]).matmul(equal([200_003, 5])), 200_003],
    "as many rows as a tile": [() => equal([40, 9001]).matmul(equal([9001, 40])), 9001],
    "transposed factors": [
      () =>
        equal([9001, 17])
          .transpose()
          .matmul(equal([19, 9001]).transpose()),
      9001,
    ],
    "a convolution with many channels": [() => equal([1, 5000, 5, 5]).conv(equal([3, 5000, 3, 3])), 45_000],
    "a convolution with a long kernel": [() => equal([1, 1, 30_000]).conv(equal([2, 1, 29_990])), 29_990],
  };

  test.each(Object.entries(forms))("of %s", (_, [of, terms]) => {
    const [sums] = run(wasm, [of()]);
    for (const sum of sums) expect(relative(sum, terms * term)).toBeLessThan(2.5e-5); // that of about 1000 terms, whatever their number
  });
});

test("variance keeps its accuracy where the mean is 10⁴ deviations", () => {
  const values = uniform(5000, 10_000 - Math.sqrt(3), 10_000 + Math.sqrt(3));
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
  const [actual] = run(wasm, [tensor(values).variance()]);
  expect(relative(actual[0], variance)).toBeLessThanOrEqual(1e-3);
});

describe("softmax and its kin at logits of ±10⁴", () => {
  const [rows, classes] = [6, 9];
  const logits = Float32Array.from({ length: rows * classes }, (_, i) =>
    i % 5 === 0 ? 1e4 : i % 3 === 0 ? -1e4 : 4 * random(),
  );
  const x = tensor(logits, [rows, classes]);
  const labels = Array.from({ length: rows }, (_, row) => row);

  /** log softmax of a row in double precision. */
  const reference = (row: number): number[] => {
    const z = Array.from(logits.subarray(row * classes, (row + 1) * classes));
    const top = Math.max(...z);
    const total = Math.log(z.reduce((sum, v) => sum + Math.exp(v - top), 0));
    return z.map((v) => v - top - total);
  };
  const logs = labels.flatMap(reference);

  test("logSoftmax and softmax", () => {
    const [log, soft] = run(wasm, [logSoftmax(x), softmax(x)]);
    logs.forEach((l, i) => {
      expect(Math.abs(log[i] - l)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(l)));
      expect(Math.abs(soft[i] - Math.exp(l))).toBeLessThanOrEqual(1e-5 * Math.exp(l) + 1e-38);
    });
  });

  test("crossEntropy", () => {
    const [loss] = run(wasm, [crossEntropy(x, tensor(Int32Array.from(labels)))]);
    const expected = labels.reduce((sum, label, row) => sum - logs[row * classes + label], 0) / rows;
    expect(Number.isFinite(loss[0])).toBe(true);
    expect(relative(loss[0], expected)).toBeLessThanOrEqual(1e-5);
  });
});

test("powers", () => {
  const x = uniform(200, 0.1, 5);
  const [a, b, c] = run(wasm, [tensor(x).pow(2.5), tensor(x).pow(7), tensor(x).pow(-3)]);
  x.forEach((v, i) => {
    expect(relative(a[i], v ** 2.5)).toBeLessThanOrEqual(1e-5);
    expect(relative(b[i], v ** 7)).toBeLessThanOrEqual(1e-5);
    expect(relative(c[i], v ** -3)).toBeLessThanOrEqual(1e-5);
  });
  expect(run(wasm, [where(tensor(x).lt(0), tensor(x).pow(0.5), 0).sum()])[0][0]).toBe(0);
});
