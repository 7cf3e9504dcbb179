// Small matrices: PyTorch's values and gradients in f64 (test/fixtures/torch/surface-nn.py), second derivatives, singular matrices, misuse.
import { beforeAll, describe, expect, test } from "vitest";
import {
  arange,
  cholesky,
  determinant,
  device,
  grad,
  inverse,
  oneHot,
  qr,
  realize,
  solve,
  type Tensor,
  tensor,
  triangularSolve,
  zeros,
} from "../../src/index.ts";
import { testDevices } from "../devices.ts";
import { expectClose, given, surfaceCases } from "../golden.ts";
import { stream } from "../harness.ts";
import { messagesOf } from "../messages.ts";

const cases = surfaceCases().filter(({ kind }) => kind === "algebra");
const operations: Record<string, (...args: never[]) => Tensor> = {
  solve,
  inverse,
  determinant,
  cholesky,
  triangularSolve,
  q: (a: Tensor) => qr(a).q,
  r: (a: Tensor) => qr(a).r,
};
const f64 = (values: Parameters<typeof tensor>[0]) => tensor(values as number[][]).cast("f64");

/** A matrix [n, n] of numbers in [−1, 1) with something on its diagonal. */
function matrix(n: number, diagonal: number, dtype: "f32" | "f64" = "f32"): Tensor {
  const next = stream(n);
  const values = Float64Array.from({ length: n * n }, (_, i) => 2 * next() - 1 + (i % (n + 1) === 0 ? diagonal : 0));
  return tensor(values, [n, n], { dtype });
}

const worst = async (t: Tensor): Promise<number> => t.abs().max().item();
const unit = (n: number) => oneHot(arange(n), n);

for (const name of testDevices) {
  describe(name, () => {
    beforeAll(() => {
      device(name);
    });

    for (const [i, c] of cases.entries()) {
      test(`${i} ${c.name} on [${c.leaves.A.shape}]`, async () => {
        const leaves = Object.values(c.leaves).map((host) => given(host, "f64"));
        const y = operations[c.name](...([...leaves, ...c.args] as never[]));
        const gradients = grad(y.mul(given(c.g, "f64")).sum(), leaves);
        await realize(y, ...gradients);
        await expectClose(y, c.y, 1e-10);
        for (const [at, key] of Object.keys(c.leaves).entries())
          await expectClose(gradients[at], c.gradients[key], 1e-9);
      });
    }

    test("leading axes and vectors", async () => {
      const a = f64([[2, 0], [0, 4]]); // biome-ignore format: a matrix
      expect(await solve(a, tensor([2, 4])).array()).toEqual([1, 1]);
      expect(await triangularSolve(a, tensor([2, 4]), { upper: true }).array()).toEqual([1, 1]);
      expect(await solve(a, tensor([2, 4, 6, 8], [2, 2, 1])).array()).toEqual([[[1], [1]], [[3], [2]]]); // biome-ignore format: a list
      expect(await inverse(tensor(Int32Array.of(2, 0, 0, 4), [2, 2])).array()).toEqual([[0.5, 0], [0, 0.25]]); // biome-ignore format: a matrix
      expect(await determinant(zeros([0, 0])).item()).toBe(1);
      expect(solve(zeros([0, 0]), zeros([0, 3])).shape).toEqual([0, 3]);
    });

    test("a pivot of 0 is passed over, and one of 10⁻²⁰ is no better", async () => {
      const a = tensor([[1e-20, 1], [1, 1]]); // biome-ignore format: a matrix
      expect(await solve(a, tensor([1, 2])).array()).toEqual([1, 1]);
    });

    test("singular and indefinite matrices give no number", async () => {
      const singular = tensor([[1, 2], [2, 4]]); // biome-ignore format: a matrix
      for (const t of [
        inverse(singular),
        solve(singular, tensor([1, 1])),
        triangularSolve(zeros([2, 2]), tensor([1, 1])),
      ])
        expect([...(await t.data())].some((v) => !Number.isFinite(v))).toBe(true);
      expect(await determinant(singular).item()).toBeCloseTo(0, 12);
      const l = await cholesky(tensor([[1, 2], [2, 1]])).array(); // biome-ignore format: a matrix
      expect(l).toEqual([[1, 0], [2, Number.NaN]]); // biome-ignore format: a matrix
    });

    test("a triangular solution does not read the other triangle", async () => {
      const a = tensor([[2, Number.NaN], [1, 4]]); // biome-ignore format: a matrix
      expect(await triangularSolve(a, tensor([2, 5])).array()).toEqual([1, 1]);
    });

    test("second derivatives: ∂(A⁻¹)₀₀ / ∂Aᵢⱼ = −(A⁻¹)₀ᵢ·(A⁻¹)ⱼ₀, from log det A, whose gradient is A⁻ᵀ", async () => {
      const a = f64([[3, 1], [0.5, 2]]); // biome-ignore format: a matrix
      const first = grad(determinant(a).log(), a);
      const second = await grad(first.slice(0, 0, 1).slice(1, 0, 1).sum(), a).data();
      const [[p, q], [r]] = (await inverse(a).array()) as number[][];
      for (const [i, expected] of [-p * p, -p * r, -q * p, -q * r].entries())
        expect(second[i]).toBeCloseTo(expected, 12);
    });
  });
}

test("64 rows in f32: factors multiply to the matrix, Q is orthonormal, also where columns nearly agree", async () => {
  device("wasm");
  const n = 64;
  const a = matrix(n, 0);
  const nearly = a.slice(1, 0, 1).add(a.mul(1e-3)); // columns that differ in the third digit
  for (const m of [a, nearly]) {
    const { q, r } = qr(m);
    expect(await worst(q.matmul(r).sub(m))).toBeLessThan(1e-5);
    expect(await worst(q.transpose().matmul(q).sub(unit(n)))).toBeLessThan(2e-6);
  }
  const spd = a.matmul(a.transpose()).add(unit(n));
  const l = cholesky(spd);
  expect(await worst(l.matmul(l.transpose()).sub(spd))).toBeLessThan(2e-5);
  const x = matrix(n, 3);
  expect(await worst(solve(x, x.matmul(a)).sub(a))).toBeLessThan(1e-3);
}, 60_000);

test("a wide matrix has as many columns of Q as it has rows", async () => {
  device("js");
  const a = tensor([[3, 1, 2], [4, 1, 0]]); // biome-ignore format: a matrix
  const { q, r } = qr(a);
  expect([q.shape, r.shape]).toEqual([[2, 2], [2, 3]]); // biome-ignore format: shapes
  expect(await worst(q.matmul(r).sub(a))).toBeLessThan(1e-6);
});

const misuse: Record<string, () => unknown> = {
  "solve of an oblong": () => solve(zeros([2, 3]), zeros([2])),
  "solve of another length": () => solve(zeros([2, 2]), zeros([3])),
  "solve of other batches": () => solve(zeros([3, 2, 2]), zeros([2, 2, 1])),
  "solve of numbers": () => solve(zeros([2, 2]), 3 as unknown as Tensor),
  "inverse of a vector": () => inverse(zeros([4])),
  "cholesky of an oblong": () => cholesky(zeros([3, 2])),
  "qr of a vector": () => qr(zeros([4])),
  "qr of nothing": () => qr(zeros([0, 3])),
  "determinant of an array": () => determinant([[1]] as unknown as Tensor),
};

test("misuse is refused in one line", async () => {
  expect(await messagesOf(misuse)).toMatchInlineSnapshot(`
    "solve of an oblong: ShapeError: solve: needs square matrices [..., n, n], got [2, 3]
    solve of another length: ShapeError: solve: needs a right side [..., 2, m] or [2], got [3]
    solve of other batches: ShapeError: solve: shapes do not broadcast, [3] and [2] (3 ≠ 2)
    solve of numbers: TypeError: solve: takes tensors, got a number
    inverse of a vector: ShapeError: inverse: needs square matrices [..., n, n], got [4]
    cholesky of an oblong: ShapeError: cholesky: needs square matrices [..., n, n], got [3, 2]
    qr of a vector: ShapeError: qr: needs matrices [..., m, n], got [4]
    qr of nothing: ShapeError: qr: needs matrices with elements, got [0, 3]
    determinant of an array: TypeError: determinant: takes tensors, got an array"
  `);
});
