// Hessian-free optimization: its step is the damped Gauss-Newton one, its stopping rule and damping are Martens's, and it trains a deep autoencoder.
import { expect, test } from "vitest";
import { param, seed, type Tensor, tensor, uniform } from "../../src/index.ts";
import { Linear, mse, Sequential, sigmoid, tanh } from "../../src/nn/index.ts";
import { stalls } from "../../src/optim/hessian-free.ts";
import { type HessianFreeOptions, hessianFree, sgd } from "../../src/optim/index.ts";

const noise = (n: number, from: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => Math.sin(12.9898 * (i + 1) ** 2 + from));

interface Batch {
  x: Tensor;
  y: Tensor;
}
const batch: Batch = { x: tensor(noise(30, 1), [10, 3]), y: tensor(noise(10, 2)) };

/** Linear regression, ½·mean (x·w − y)²: G = XᵀX / 10, and the step with damping λ in closed form. */
function regression(options: HessianFreeOptions<Batch>) {
  const model = { w: param(new Float64Array(3)) };
  const loss = ({ x, y }: Batch) => {
    const outputs = x.matmul(model.w);
    return { loss: outputs.sub(y).square().mean().mul(0.5), outputs };
  };
  return { model, optimizer: hessianFree(model, loss, options) };
}

/** The largest element of (G + λ(I + s·SᵀS))·p − Xᵀy / 10. */
function residual(p: ArrayLike<number>, lambda: number, structure = 0): number {
  const [xs, ys] = [noise(30, 1), noise(10, 2)];
  const rows = Array.from({ length: 10 }, (_, i) => [0, 1, 2].map((k) => xs[3 * i + k]));
  const along = rows.map((row) => row.reduce((sum, v, k) => sum + v * p[k], 0));
  const parts = [0, 1, 2].map((k) => {
    const g = rows.reduce((sum, row, i) => sum + row[k] * (along[i] - ys[i]), 0) / 10;
    const s = rows.reduce((sum, row, i) => sum + row[k] * along[i], 0) / 10;
    return g + lambda * (p[k] + structure * s);
  });
  return Math.max(...parts.map(Math.abs));
}

for (const precondition of [false, true]) {
  test(`the step solves (G + λI)·p = −g${precondition ? ", preconditioned" : ""}; λ falls where the model holds`, async () => {
    const { model, optimizer } = regression({ damping: 0.1, precondition });
    await optimizer.step(batch);
    expect(residual((await model.w.data()) as Float64Array, 0.1)).toBeLessThan(1e-10);
    expect(residual(new Float64Array(3), 0.1)).toBeGreaterThan(0.05);
    expect(await optimizer.state.get("damping")!.item()).toBeCloseTo(0.1 / 1.5, 14);
    expect(optimizer.counts.gradients).toBe(precondition ? 11 : 1);
    expect(optimizer.counts.products).toBe(4); // one for the start, three unknowns
  });
}

test("structural damping adds λ·weight·JᵀJ of the hidden states", async () => {
  const model = { w: param(new Float64Array(3)) };
  const states = ({ x }: Batch) => x.matmul(model.w);
  const loss = (b: Batch) => {
    const outputs = states(b);
    return { loss: outputs.sub(b.y).square().mean().mul(0.5), outputs };
  };
  const optimizer = hessianFree(model, loss, { damping: 0.2, structural: { weight: 3, states } });
  await optimizer.step(batch);
  expect(residual((await model.w.data()) as Float64Array, 0.2, 3)).toBeLessThan(1e-10);
  expect(residual((await model.w.data()) as Float64Array, 0.2)).toBeGreaterThan(1e-3);
  expect(await optimizer.state.get("damping")!.item()).toBeCloseTo(0.2 / 1.5, 14); // ρ is 1 without damping's part
});

test("curvature comes from the part of the batch that it is told", async () => {
  const part = ({ x, y }: Batch): Batch => ({ x: x.slice(0, 0, 4), y: y.slice(0, 0, 4) });
  const [whole, few] = [regression({ damping: 0.1 }), regression({ damping: 0.1, curvature: part })];
  await whole.optimizer.step(batch);
  await few.optimizer.step(batch);
  expect(await few.model.w.data()).not.toEqual(await whole.model.w.data());
});

test("the stopping rule looks at the last max(10, i / 10) iterations", () => {
  const falling = Array.from({ length: 40 }, (_, i) => -i);
  expect(stalls(falling, 5e-4)).toBe(false);
  const stuck = [...falling.slice(0, 20), ...new Array(9).fill(-19.0001)];
  expect(stalls(stuck, 5e-4)).toBe(false); // ten iterations ago it was still on its way
  expect(stalls([...stuck, -19.0002], 5e-4)).toBe(true);
  expect(stalls(new Array(11).fill(-1), 5e-4)).toBe(false); // i > k
  expect(stalls(new Array(12).fill(1), 5e-4)).toBe(false); // φ < 0
});

test("λ grows where the loss falls by less than the model says", async () => {
  const model = { w: param(Float64Array.of(1.2)) };
  const optimizer = hessianFree<undefined>(
    model,
    () => {
      const outputs = model.w.sin();
      return { loss: outputs.square().mul(0.5).sum(), outputs };
    },
    { damping: 1e-3 },
  );
  await optimizer.step(undefined);
  expect(await optimizer.state.get("damping")!.item()).toBeCloseTo(1.5e-3, 14);
});

test("a deep autoencoder's loss falls faster a step than with SGD", async () => {
  const train = async (which: "hf" | "sgd", lr = 1) => {
    seed(7);
    const sizes = [20, 16, 8, 3, 8, 16, 20];
    const layers = sizes.slice(1).flatMap((n, i) => [new Linear(sizes[i], n), i === sizes.length - 2 ? sigmoid : tanh]);
    const model = new Sequential(...layers);
    const factors = uniform([64, 3]);
    const data = factors
      .matmul(uniform([3, 20]))
      .mul(3)
      .sub(2)
      .sigmoid();
    const x = tensor((await data.data()) as Float32Array, [64, 20]);
    const loss = (given: Tensor) => {
      const outputs = model.forward(given);
      return { loss: mse(outputs, given), outputs };
    };
    const optimizer =
      which === "hf"
        ? hessianFree(model, loss, { damping: 0.01, iterations: 100 })
        : sgd(model, loss, { lr, momentum: 0.9 });
    const losses: number[] = [];
    for (let i = 0; i < 15; i++) losses.push(await optimizer.step(x));
    return losses;
  };
  const hf = await train("hf");
  const others = [await train("sgd", 0.1), await train("sgd", 1), await train("sgd", 5)];
  const best = Math.min(...others.map((losses) => losses[14]).filter(Number.isFinite));
  console.log("deep autoencoder, loss before steps 1 and 15: Hessian-free", hf[0], hf[14], "SGD at best", best);
  expect(hf[14]).toBeLessThan(0.5 * best);
});
