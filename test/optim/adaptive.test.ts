// AdaGrad, RMSProp, AdaDelta and AdaMax by their papers' formulas, on quadratics, at parameters that nothing moves, and misused.
import { beforeAll, describe, expect, test } from "vitest";
import { device, param, type Tensor, tensor } from "../../src/index.ts";
import {
  adadelta,
  adagrad,
  adam,
  adamax,
  adamw,
  type FirstOrderOptions,
  type Optimizer,
  risingMomentum,
  rmsprop,
  sgd,
} from "../../src/optim/index.ts";
import { testDevices } from "../devices.ts";

type Make = (
  model: object,
  loss: () => Tensor,
  options: Partial<FirstOrderOptions> & { eps?: number },
) => Optimizer<undefined>;

/** One coordinate's moves for the gradients given, at the rate 0.1. */
const papers: Record<string, [Make, (gradients: readonly number[]) => number]> = {
  adagrad: [
    (model, loss, options) => adagrad(model, loss, { eps: 0.3, ...options }),
    (gradients) => {
      let [theta, sum] = [1, 0];
      for (const g of gradients) {
        sum += g * g;
        theta -= (0.1 * g) / (Math.sqrt(sum) + 0.3);
      }
      return theta;
    },
  ],
  rmsprop: [
    (model, loss, options) => rmsprop(model, loss, { eps: 0.3, ...options }),
    (gradients) => {
      let [theta, square] = [1, 0];
      for (const g of gradients) {
        square = 0.9 * square + 0.1 * g * g;
        theta -= (0.1 * g) / Math.sqrt(square + 0.3);
      }
      return theta;
    },
  ],
  "rmsprop centered": [
    (model, loss, options) => rmsprop(model, loss, { eps: 0.3, centered: true, momentum: 0.8, ...options }),
    (gradients) => {
      let [theta, square, mean, b] = [1, 0, 0, 0];
      for (const g of gradients) {
        square = 0.9 * square + 0.1 * g * g;
        mean = 0.9 * mean + 0.1 * g;
        b = 0.8 * b + g / Math.sqrt(square - mean * mean + 0.3);
        theta -= 0.1 * b;
      }
      return theta;
    },
  ],
  adadelta: [
    (model, loss, options) => adadelta(model, loss, { eps: 0.3, ...options }),
    (gradients) => {
      let [theta, square, moved] = [1, 0, 0];
      for (const g of gradients) {
        square = 0.95 * square + 0.05 * g * g;
        const delta = (Math.sqrt(moved + 0.3) / Math.sqrt(square + 0.3)) * g;
        moved = 0.95 * moved + 0.05 * delta * delta;
        theta -= 0.1 * delta;
      }
      return theta;
    },
  ],
  adamax: [
    (model, loss, options) => adamax(model, loss, { eps: 0.3, ...options }),
    (gradients) => {
      let [theta, m, u] = [1, 0, 0];
      gradients.forEach((g, i) => {
        m = 0.9 * m + 0.1 * g;
        u = Math.max(0.999 * u, Math.abs(g) + 0.3);
        theta -= (0.1 / (1 - 0.9 ** (i + 1))) * (m / u);
      });
      return theta;
    },
  ],
};

const all: Record<string, [Make, rate: number]> = {
  sgd: [sgd, 0.2],
  "sgd with momentum": [(model, loss, options) => sgd(model, loss, { momentum: 0.8, ...options }), 0.1],
  "sgd with Nesterov's momentum": [
    (model, loss, options) => sgd(model, loss, { momentum: 0.8, nesterov: true, ...options }),
    0.1,
  ],
  "sgd with rising momentum": [
    (model, loss, options) => sgd(model, loss, { momentum: risingMomentum({ every: 100, most: 0.9 }), ...options }),
    0.1,
  ],
  adam: [adam, 0.1],
  adamw: [(model, loss, options) => adamw(model, loss, { weightDecay: 0, ...options }), 0.1],
  adamax: [adamax, 0.1],
  adagrad: [adagrad, 0.5],
  rmsprop: [rmsprop, 0.05],
  "rmsprop, centered, with momentum": [
    (model, loss, options) => rmsprop(model, loss, { momentum: 0.5, centered: true, ...options }),
    0.02,
  ],
  adadelta: [(model, loss, options) => adadelta(model, loss, { eps: 1e-4, ...options }), 1],
};

describe.each(testDevices)("%s", (name) => {
  beforeAll(() => {
    device(name);
  });

  test.each(Object.entries(papers))("%s follows its paper", async (_, [make, expected]) => {
    const gradients = [0.5, -2, 0.25, 3, -0.125, 1, 0];
    const model = { w: param(Float64Array.of(1), [1]) };
    const slope = tensor(Float64Array.from(gradients), [gradients.length]);
    const followed = make(
      model,
      ((index: Tensor) => model.w.mul(slope.gather(index)).sum()) as unknown as () => Tensor,
      { lr: 0.1 },
    ) as unknown as Optimizer<Tensor>;
    for (let at = 0; at < gradients.length; at++) await followed.step(tensor(Int32Array.of(at)));
    expect(await model.w.item()).toBeCloseTo(expected(gradients), 12);
  });

  test.each(Object.entries(all))("%s comes to the optimum of a convex quadratic", async (_, [make, rate]) => {
    const model = { w: param([3, -2]), b: param([1]) };
    const loss = () => {
      const [x, y] = [model.w.slice(0, 0, 1).sub(1), model.w.slice(0, 1, 2).add(0.5)];
      return x.square().mul(2).add(y.square().mul(0.5)).add(x.mul(y)).add(model.b.sub(2).square()).sum();
    };
    const steps = 1200;
    const optimizer = make(model, loss, { lr: (step) => rate * Math.min(1, 2 * (1 - step / steps)) });
    for (let i = 0; i < steps; i++) await optimizer.step(undefined);
    const found = [...(await model.w.data()), ...(await model.b.data())];
    [1, -0.5, 2].forEach((best, i) => {
      expect(Math.abs(found[i] - best)).toBeLessThan(2e-3);
    });
  });

  test.each(Object.entries(all))(
    "%s leaves a parameter that the loss does not reach, with ε = 0",
    async (_, [make]) => {
      const model = { used: param([1]), idle: param([0.75, -3]) };
      const optimizer = make(model, () => model.used.square().sum(), { lr: 0.1, eps: 0 });
      for (let i = 0; i < 3; i++) expect(await optimizer.step(undefined)).toBeGreaterThanOrEqual(0);
      expect(await model.idle.array()).toEqual([0.75, -3]);
      expect(await model.used.item()).toBeLessThanOrEqual(1);
      for (const t of optimizer.state.values()) expect([...(await t.data())].every(Number.isFinite)).toBe(true);
    },
  );

  test("momentum as a schedule takes a move's own value", async () => {
    const model = { w: param([0]) };
    const optimizer = sgd<undefined>(model, () => model.w.sum(), { lr: 1, momentum: (step) => [0, 0.5, 0.25][step] });
    const found: number[] = [];
    for (let i = 0; i < 3; i++) {
      await optimizer.step(undefined);
      found.push(await model.w.item());
    }
    expect(found).toEqual([-1, -2.5, -3.875]); // b = 1, 1.5, 1.375
    await expect(sgd<undefined>(model, () => model.w.sum(), { momentum: () => 1 }).step(undefined)).rejects.toThrow(
      "sgd: momentum must lie in [0, 1), got 1",
    );
  });
});

test("misuse is refused in one line", () => {
  const model = { w: param([1]) };
  const loss = () => model.w.sum();
  const refused: [() => unknown, string][] = [
    [() => adagrad(model, loss, { eps: -1 }), "adagrad: eps must be ≥ 0, got -1"],
    [() => rmsprop(model, loss, { rho: 1 }), "rmsprop: rho must lie in [0, 1), got 1"],
    [() => rmsprop(model, loss, { momentum: -0.1 }), "rmsprop: momentum must lie in [0, 1), got -0.1"],
    [() => rmsprop(model, loss, { eps: Number.NaN }), "rmsprop: eps must be ≥ 0, got NaN"],
    [() => adadelta(model, loss, { rho: -1 }), "adadelta: rho must lie in [0, 1), got -1"],
    [() => adadelta(model, loss, { eps: -1 }), "adadelta: eps must be ≥ 0, got -1"],
    [() => adamax(model, loss, { beta1: 1 }), "adamax: beta1 must lie in [0, 1), got 1"],
    [() => adamax(model, loss, { beta2: 2 }), "adamax: beta2 must lie in [0, 1), got 2"],
    [() => adamax(model, loss, { eps: -2 }), "adamax: eps must be ≥ 0, got -2"],
    [() => adagrad(model, loss, { lr: -1 }), "optimizer: lr must be a finite number ≥ 0, got -1"],
  ];
  for (const [make, message] of refused) expect(make).toThrow(message);
});
