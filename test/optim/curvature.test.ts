// Curvature: products, the matrix and Lanczos's values against an exact Hessian, and the loss away from the parameters.
import { expect, test } from "vitest";
import { param, type Tensor, tensor } from "../../src/index.ts";
import { denseMatrix } from "../../src/optim/curvature.ts";
import { hessianProduct, lanczos, objective } from "../../src/optim/index.ts";

const noise = (n: number, from: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => Math.sin(12.9898 * (i + 1) ** 2 + from));

const batch = { x: tensor(noise(12, 1), [4, 3]), y: tensor(noise(8, 2), [4, 2]) };

function network() {
  const model = { w: param(noise(6, 3), [3, 2]), b: param(noise(2, 4)) };
  const loss = ({ x, y }: typeof batch): Tensor => x.matmul(model.w).add(model.b).tanh().sub(y).square().mean();
  return { model, loss };
}

/** det(A − λI) by elimination with pivoting. */
function determinant(a: Float64Array, n: number, lambda: number): number {
  const rows = Array.from({ length: n }, (_, i) => Array.from(a.subarray(i * n, (i + 1) * n)));
  rows.forEach((row, i) => {
    row[i] -= lambda;
  });
  let product = 1;
  for (let k = 0; k < n; k++) {
    const at =
      rows.slice(k).reduce((best, row, i) => (Math.abs(row[k]) > Math.abs(rows[k + best][k]) ? i : best), 0) + k;
    if (at !== k) [rows[k], rows[at], product] = [rows[at], rows[k], -product];
    product *= rows[k][k];
    for (let i = k + 1; i < n; i++) {
      const factor = rows[i][k] / rows[k][k];
      for (let j = k; j < n; j++) rows[i][j] -= factor * rows[k][j];
    }
  }
  return product;
}

test("the Hessian is the difference of gradients, and Lanczos's values after n steps are its eigenvalues", async () => {
  const { model, loss } = network();
  const product = hessianProduct(model, loss);
  const times = (v: Float64Array) => product(batch, v);
  const h = await denseMatrix(times, 8);
  const { flat } = objective(model, loss);
  const start = Float64Array.from((await (await flat.point()).data()) as Float64Array);
  for (let i = 0; i < 8; i++) {
    const along = async (step: number) =>
      (await flat.gradientAt(batch, tensor(start.map((v, k) => v + (k === i ? step : 0))))).gradient.data();
    const [high, low] = [await along(1e-5), await along(-1e-5)];
    for (let k = 0; k < 8; k++) expect((Number(high[k]) - Number(low[k])) / 2e-5).toBeCloseTo(h[i * 8 + k], 8);
  }
  const values = await lanczos(times, 8);
  expect(values.length).toBe(8);
  expect([...values].every((v, i) => i === 0 || v > values[i - 1])).toBe(true);
  const trace = [0, 1, 2, 3, 4, 5, 6, 7].reduce((sum, i) => sum + h[i * 9], 0);
  expect(values.reduce((sum, v) => sum + v, 0)).toBeCloseTo(trace, 10);
  for (const v of values) {
    const sides = [determinant(h, 8, v - 1e-9), determinant(h, 8, v + 1e-9)];
    expect(sides[0] * sides[1]).toBeLessThan(0); // the characteristic polynomial changes sign there
  }
});

test("few steps find the ends of a spectrum, and fewer than n come from an invariant subspace", async () => {
  const diagonal = Float64Array.from({ length: 200 }, (_, i) => (i === 0 ? -5 : i === 199 ? 40 : i / 100));
  const times = async (v: Float64Array) => v.map((e, i) => e * diagonal[i]);
  const values = await lanczos(times, 200, { steps: 25 });
  expect(values.length).toBe(25);
  expect(values[0]).toBeCloseTo(-5, 10);
  expect(values[24]).toBeCloseTo(40, 10);
  const start = Float64Array.from({ length: 200 }, (_, i) => Number(i === 0 || i === 199));
  const two = await lanczos(times, 200, { start });
  expect(Array.from(two, (v) => Math.round(v * 1e9) / 1e9)).toEqual([-5, 40]);
  expect([...(await lanczos(async (v) => v.map(() => 0), 3))]).toEqual([0]);
  await expect(lanczos(async (v) => v.map(() => Number.NaN), 3)).rejects.toThrow("lanczos: product 1 is not finite");
  await expect(lanczos(times, 200, { steps: 0 })).rejects.toThrow("steps must be a whole number");
  await expect(lanczos(times, 200, { start: new Float64Array(200) })).rejects.toThrow("that is not zero");
});

test("value and gradient at a point are those after moving there, and the parameters stay", async () => {
  const { model, loss } = network();
  const { flat } = objective(model, loss);
  const before = await (await flat.point()).data();
  const point = tensor(noise(8, 9));
  const [value, found] = [await flat.valueAt(batch, point), await flat.gradientAt(batch, point)];
  const gradient = await found.gradient.data();
  expect(await (await flat.point()).data()).toEqual(before);
  expect(await flat.value(batch)).not.toBe(value);
  await flat.move(point);
  const there = await flat.gradient(batch);
  expect([value, found.loss]).toEqual([there.loss, there.loss]);
  expect(gradient).toEqual(await there.gradient.data());
});
