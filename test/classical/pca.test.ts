// PCA and kernel PCA against NumPy, and what must hold of them whatever the numbers.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { kernelPca, pca, polynomialKernel, rbfKernel, symmetricEigen } from "../../src/classical/index.ts";
import { device, tensor, zeros } from "../../src/index.ts";
import { expectClose, given, type Host } from "../golden.ts";
import { stream } from "../harness.ts";
import { messagesOf } from "../messages.ts";

interface Fixture {
  pca: (Record<"x" | "y" | "mean" | "components" | "scores" | "reconstructed", Host> & {
    variance: number[];
    total: number;
    error: number;
  })[];
  kernels: { kernel: "rbf" | "cubic"; x: Host; y: Host; eigenvalues: number[]; scores: Host }[];
  preimage: Record<"x" | "y" | "z", Host>;
}
const path = new URL("../fixtures/numpy/components.json", import.meta.url);
const fixture: Fixture = JSON.parse(readFileSync(path, "utf8"));
const kernels = { rbf: rbfKernel({ gamma: 0.3 }), cubic: polynomialKernel({ degree: 3, gamma: 0.5, offset: 1 }) };

beforeAll(() => {
  device("wasm");
});

test("of samples that coincide there are as many components as directions, and they are orthonormal", async () => {
  const random = stream(9);
  const rows = Array.from({ length: 3 }, () => Array.from({ length: 10 }, () => random()));
  const x = tensor([...rows, rows[1]].flat().map(Math.fround), [4, 10]);
  const found = await pca(x);
  expect(found.components.shape).toEqual([2, 10]);
  const gram = await found.components.matmul(found.components.transpose()).data();
  [1, 0, 0, 1].forEach((expected, i) => {
    expect(gram[i]).toBeCloseTo(expected, 5);
  });
  const [given, original] = [await found.reconstruct(x).data(), await x.data()];
  given.forEach((value, i) => {
    expect(value).toBeCloseTo(original[i] as number, 5);
  });
  await expect(pca(zeros([3, 5]))).rejects.toThrow("pca: the samples vary in 0 directions");
});

describe("symmetricEigen", () => {
  test.each([1, 2, 3, 10, 61])("A = VᵀΛV, VVᵀ = 1, largest first, n = %i", (n) => {
    const random = stream(n);
    const a = new Float64Array(n * n);
    for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = random() - 0.5;
    const { values, vectors: v } = symmetricEigen(a, n);
    const at = (of: (k: number) => number): number =>
      Array.from({ length: n }, (_, k) => of(k)).reduce((s, t) => s + t, 0);
    for (let i = 0; i < n; i++) {
      if (i > 0) expect(values[i]).toBeLessThanOrEqual(values[i - 1]);
      for (let j = 0; j < n; j++) {
        expect(Math.abs(at((k) => values[k] * v[k * n + i] * v[k * n + j]) - a[i * n + j])).toBeLessThan(1e-13 * n);
        expect(Math.abs(at((k) => v[i * n + k] * v[j * n + k]) - (i === j ? 1 : 0))).toBeLessThan(1e-13 * n);
      }
    }
  });

  test("matrices that are diagonal, zero, of one rank, and of any scale", () => {
    expect(symmetricEigen(Float64Array.of(1, 0, 0, 0, 3, 0, 0, 0, 2), 3).values).toEqual(Float64Array.of(3, 2, 1));
    expect(symmetricEigen(new Float64Array(16), 4).values).toEqual(new Float64Array(4));
    expect(symmetricEigen(new Float64Array(0), 0).values.length).toBe(0);
    for (const scale of [1e-200, 1, 1e200]) {
      const { values } = symmetricEigen(new Float64Array(25).fill(scale), 5);
      expect(values[0] / scale).toBeCloseTo(5, 12);
      for (const value of values.subarray(1)) expect(Math.abs(value / scale)).toBeLessThan(1e-14);
    }
  });
});

test.each(fixture.pca)("PCA is what NumPy's singular values make it, case %#", async (c) => {
  const x = given(c.x, "f64");
  const found = await pca(x, { components: 3 });
  await expectClose(found.mean, c.mean, 1e-13);
  await expectClose(found.components, c.components, 1e-10);
  c.variance.forEach((v, k) => {
    expect(found.explainedVariance[k] / v).toBeCloseTo(1, 10);
  });
  expect(found.totalVariance / c.total).toBeCloseTo(1, 10);
  await expectClose(found.scores(given(c.y, "f64")), c.scores, 1e-10);
  await expectClose(found.reconstruct(given(c.y, "f64")), c.reconstructed, 1e-10);
  const error = (await found.reconstruct(x).sub(x).square().sum().item()) / c.x.shape[0];
  expect(error / c.error).toBeCloseTo(1, 9);
});

test("PCA of f32 images keeps their dtype and shape, and is summed over parts", async () => {
  const random = stream(3);
  const images = tensor(Float32Array.from({ length: 100_000 * 48 }, random), [100_000, 1, 6, 8]); // more than one part
  const found = await pca(images, { components: 2 });
  expect([found.components.dtype, found.components.shape]).toEqual(["f32", [2, 48]]);
  const some = images.slice(0, 0, 2);
  expect(found.reconstruct(some).shape).toEqual([2, 1, 6, 8]);
  const whole = (await images.cast("f64").variance(0, {}).sum().item()) as number;
  expect(found.totalVariance / whole).toBeCloseTo(1, 3);
});

test.each(fixture.kernels)("kernel PCA is what NumPy makes it: $kernel", async (c) => {
  const found = await kernelPca(given(c.x, "f64"), { kernel: kernels[c.kernel], components: 4 });
  c.eigenvalues.forEach((value, k) => {
    expect(found.eigenvalues[k] / value).toBeCloseTo(1, 10);
  });
  await expectClose(found.scores(given(c.y, "f64")), c.scores, 1e-9);
});

test("kernel PCA of a linear kernel is PCA", async () => {
  const { x, y } = fixture.pca[0];
  const kernel = polynomialKernel({ degree: 1, offset: 0 });
  const linear = await pca(given(x, "f64"), { components: 3 });
  const found = await kernelPca(given(x, "f64"), { kernel, components: 3 });
  const [a, b] = [found.scores(given(y, "f64")), linear.scores(given(y, "f64"))];
  expect(await a.abs().sub(b.abs()).abs().max().item()).toBeLessThan(1e-9);
  const back = await found.preimage(b.mul(a.mul(b).sign())); // exact in one step, as z is linear in the weights
  expect(await back.sub(linear.decode(b)).abs().max().item()).toBeLessThan(1e-9);
});

test("the pre-image is where NumPy's fixed point goes", async () => {
  const { x, y, z } = fixture.preimage;
  const found = await kernelPca(given(x, "f64"), { kernel: kernels.rbf, components: 4 });
  await expectClose(await found.reconstruct(given(y, "f64"), { steps: 50 }), z, 1e-8);
});

test("the pre-image of a sample's own scores begins at it", async () => {
  const { x } = fixture.preimage;
  const samples = given(x, "f64");
  const found = await kernelPca(samples, { kernel: kernels.rbf, components: 20 });
  const z = await found.preimage(found.scores(samples), { steps: 0 });
  expect(await z.sub(samples).abs().max().item()).toBe(0);
});

test("misuse is refused in one line that names the place", async () => {
  const few = tensor([[1, 2], [3, 5], [4, 4]]); // biome-ignore format: a matrix
  const flat = tensor([[1, 2], [2, 4], [3, 6]]); // biome-ignore format: a matrix
  const kernel = kernels.rbf;
  const misuse = {
    "eigenvalues of a rectangle": () => symmetricEigen(new Float64Array(6), 2),
    "eigenvalues of NaN": () => symmetricEigen(Float64Array.of(1, Number.NaN, 0, 1), 2),
    "PCA of one sample": () => pca(zeros([1, 3])),
    "PCA of too many components": () => pca(few, { components: 3 }),
    "PCA of what lies on a line": () => pca(flat, { components: 2 }),
    "kernel PCA of too many components": () => kernelPca(few, { kernel, components: 3 }),
    "kernel PCA of equal samples": () => kernelPca(zeros([3, 2]), { kernel, components: 1 }),
    "rbf of no width": () => rbfKernel({ gamma: 0 }),
    "polynomial of half a degree": () => polynomialKernel({ degree: 0.5 }),
    "polynomial of a negative offset": () => polynomialKernel({ offset: -1 }),
    "half a step": async () =>
      (await kernelPca(few, { kernel, components: 2 })).preimage(zeros([1, 2]), { steps: 0.5 }),
  };
  expect(await messagesOf(misuse)).toMatchInlineSnapshot(`
    "eigenvalues of a rectangle: RangeError: symmetricEigen: a matrix [2, 2] takes 4 elements, got 6
    eigenvalues of NaN: RangeError: symmetricEigen: element 1 is NaN; remove what is not finite
    PCA of one sample: RangeError: pca: needs at least 2 samples [N, …], got [1,3]
    PCA of too many components: RangeError: pca: components must be a whole number from 1 to 2 for 3 samples of 2, got 3
    PCA of what lies on a line: RangeError: pca: the samples vary in 1 directions; ask for fewer components
    kernel PCA of too many components: RangeError: kernelPca: components must be a whole number from 1 to 2 for 3 samples, got 3
    kernel PCA of equal samples: RangeError: kernelPca: the samples vary in fewer than 1 directions; ask for fewer components
    rbf of no width: RangeError: rbfKernel: gamma must be a finite number above 0, got 0
    polynomial of half a degree: RangeError: polynomialKernel: degree must be a whole number ≥ 1, got 0.5
    polynomial of a negative offset: RangeError: polynomialKernel: needs gamma > 0 and offset ≥ 0, both finite, got 1 and -1
    half a step: RangeError: preimage: steps must be a whole number ≥ 0, got 0.5"
  `);
});
