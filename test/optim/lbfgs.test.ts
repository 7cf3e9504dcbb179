// L-BFGS against PyTorch's with its strong-Wolfe search, point for point (test/fixtures/torch/lbfgs.py).
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { param, type Tensor, tensor } from "../../src/index.ts";
import { lbfgs } from "../../src/optim/index.ts";

interface Case {
  name: "rosenbrock" | "regression";
  memory: number;
  start: number[];
  losses: number[];
  points: number[][];
  evaluations: number[];
  x?: number[][];
  y?: number[];
}

const cases: Case[] = JSON.parse(readFileSync(new URL("../fixtures/torch/lbfgs.json", import.meta.url), "utf8"));

const rosenbrock = (p: Tensor): Tensor => {
  const [head, tail] = [p.slice(0, 0, p.size - 1), p.slice(0, 1)];
  return tail.sub(head.square()).square().mul(100).add(head.neg().add(1).square()).sum();
};

const lossOf = ({ name, x, y }: Case): ((p: Tensor) => Tensor) => {
  if (name === "rosenbrock") return rosenbrock;
  const [inputs, targets] = [tensor(Float64Array.from(x!.flat()), [8, 3]), tensor(Float64Array.from(y!))];
  return (p) =>
    inputs
      .matmul(p.slice(0, 0, 12).reshape(3, 4))
      .tanh()
      .matmul(p.slice(0, 12))
      .sub(targets)
      .square()
      .mean();
};

for (const c of cases) {
  test(`${c.name} of ${c.start.length}, memory ${c.memory}`, async () => {
    const model = { p: param(Float64Array.from(c.start)) };
    const f = lossOf(c);
    const optimizer = lbfgs<undefined>(model, () => f(model.p), { memory: c.memory });
    for (const [i, expected] of c.losses.entries()) {
      const loss = await optimizer.step(undefined);
      expect(Math.abs(loss - expected) / expected, `loss ${i}`).toBeLessThan(1e-6);
      const point = await model.p.data();
      c.points[i].forEach((v, k) => {
        expect(Math.abs(point[k] - v), `point ${i}`).toBeLessThan(1e-6 * Math.max(1, Math.abs(v)));
      });
      expect(optimizer.counts.gradients, `evaluations ${i}`).toBe(c.evaluations[i]);
    }
  });
}
