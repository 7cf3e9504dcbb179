// Methods beyond the gradient: what theory promises on quadratics, Rosenbrock's function in order, resuming to the bit, and all ways to end.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Dataset } from "../../src/data/index.ts";
import { param, randomState, restoreRandom, seed, type Tensor, tensor } from "../../src/index.ts";
import {
  BatchNorm2d,
  crossEntropy,
  Dropout,
  Linear,
  load,
  mse,
  Sequential,
  stateDict,
  tanh,
} from "../../src/nn/index.ts";
import { dampedSolve } from "../../src/optim/damped-solve.ts";
import {
  bfgs,
  conjugateGradient,
  hessianFree,
  type Labelled,
  type Loss,
  lbfgs,
  naturalGradient,
  newton,
  type SecondOrder,
  sgd,
  solveCG,
} from "../../src/optim/index.ts";
import { accuracy, Trainer } from "../../src/train/index.ts";
import { messagesOf } from "../messages.ts";

const methods = { newton, naturalGradient, bfgs, lbfgs, conjugateGradient, hessianFree };
type Make = <B>(model: object, loss: Loss<B>) => SecondOrder<B>;
const each = Object.entries(methods) as [keyof typeof methods, Make][];

const noise = (n: number, from: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => Math.sin(12.9898 * (i + 1) ** 2 + from));

/** ½xᵀAx − bᵀx with A = MᵀM + shift·I, and the product and the solution's residual. */
function quadratic(n: number, shift: number) {
  const m = tensor(noise(n * n, 1), [n, n]);
  const b = tensor(noise(n, 2));
  const times = (x: Tensor) => m.transpose().matmul(m.matmul(x)).add(x.mul(shift));
  const model = { x: param(noise(n, 3)) };
  const loss = () => ({ loss: model.x.dot(times(model.x)).mul(0.5).sub(b.dot(model.x)), outputs: model.x });
  const residual = async () => Math.max(...(await times(model.x).sub(b).data()).map((v) => Math.abs(Number(v))));
  return { model, loss, residual, times, b };
}

test("Newton solves a quadratic in one step", async () => {
  const { model, loss, residual } = quadratic(12, 0.1);
  expect(await residual()).toBeGreaterThan(1);
  const optimizer = newton<undefined>(model, loss);
  await optimizer.step(undefined);
  expect(await residual()).toBeLessThan(1e-10);
  expect(optimizer.counts).toEqual({ values: 1, gradients: 1, products: 12 });
});

test("conjugate gradients solve a system of n unknowns in n products, sooner with few distinct eigenvalues or a preconditioner", async () => {
  const { times, b } = quadratic(12, 1);
  const product = async (v: Float64Array) => Float64Array.from((await times(tensor(v)).data()) as Float64Array);
  const rhs = Float64Array.from((await b.data()) as Float64Array);
  const { x, products, reason } = await solveCG(product, rhs);
  expect([reason, products <= 12]).toEqual(["tolerance", true]);
  (await product(x)).forEach((v, i) => {
    expect(Math.abs(v - rhs[i])).toBeLessThan(1e-9);
  });
  const diagonal = Float64Array.from({ length: 50 }, (_, i) => [1, 100, 1e4][i % 3]);
  const scale = (v: Float64Array) => v.map((e, i) => e * diagonal[i]);
  const ones = new Float64Array(50).fill(1);
  expect((await solveCG(scale, ones)).products).toBe(3);
  expect((await solveCG(scale, ones, { preconditioner: (r) => r.map((e, i) => e / diagonal[i]) })).products).toBe(1);
  const warm = await solveCG(scale, ones, { start: diagonal.map((d) => 1 / d) });
  expect([warm.iterations, warm.products]).toEqual([0, 1]);
  const negative = await solveCG((v) => v.map((e) => -e), ones);
  expect([negative.reason, negative.products, [...negative.x]]).toEqual(["negative curvature", 1, [...ones.fill(0)]]);
  expect((await solveCG((v) => v.fill(Number.NaN), new Float64Array(2).fill(1))).reason).toBe("not finite");
  await expect(solveCG(() => new Float64Array(3), new Float64Array(2).fill(1))).rejects.toThrow(
    "solveCG: the product has 3 elements, b 2",
  );
});

test("non-linear conjugate gradients need some n steps for a quadratic with n unknowns", async () => {
  for (const method of ["fletcher-reeves", "polak-ribiere"] as const) {
    const { model, loss, residual } = quadratic(8, 1);
    const optimizer = conjugateGradient<undefined>(model, loss, { method, c2: 1e-3 });
    for (let i = 0; i < 10; i++) await optimizer.step(undefined);
    expect(await residual()).toBeLessThan(1e-3);
  }
});

function rosenbrock() {
  const model = { p: param(Float64Array.of(-1.2, 1)) };
  const loss = () => {
    const [x, y] = [model.p.at(0), model.p.at(1)];
    return y.sub(x.square()).square().mul(100).add(x.neg().add(1).square());
  };
  return { model, loss };
}

test("Rosenbrock's function to 1e-8: Newton < BFGS ≈ L-BFGS < conjugate gradients ≪ gradient descent", async () => {
  const evaluations = async (make: Make): Promise<number> => {
    const { model, loss } = rosenbrock();
    const optimizer = make<undefined>(model, loss);
    for (let step = 0; step < 300; step++) {
      if ((await optimizer.step(undefined)) < 1e-8) break;
    }
    expect(await loss().item()).toBeLessThan(1e-8);
    return optimizer.counts.values + optimizer.counts.gradients;
  };
  const { model, loss } = rosenbrock();
  const descent = sgd<undefined>(model, loss, { lr: 1e-3, momentum: 0 });
  let steps = 0;
  while ((await descent.step(undefined)) >= 1e-8 && steps < 20000) steps++;
  const found = {
    newton: await evaluations(newton),
    bfgs: await evaluations(bfgs),
    lbfgs: await evaluations(lbfgs),
    cg: await evaluations(conjugateGradient),
    descent: steps,
  };
  console.log("evaluations to 1e-8 on Rosenbrock's function", found);
  expect(found.newton).toBeLessThan(found.bfgs);
  expect(found.bfgs / found.lbfgs).toBeGreaterThan(0.7);
  expect(found.bfgs / found.lbfgs).toBeLessThan(1.4);
  expect(found.lbfgs).toBeLessThan(found.cg);
  expect(found.cg * 10).toBeLessThan(found.descent);
});

test("L-BFGS finds the minimum of a quadratic of condition 10⁶", async () => {
  const scale = Float64Array.from({ length: 7 }, (_, i) => 10 ** i);
  const after = async (make: Make, steps: number) => {
    const model = { x: param(new Float64Array(7).fill(1)) };
    const loss = () => model.x.square().mul(tensor(scale)).sum();
    const optimizer = make<undefined>(model, loss);
    for (let step = 0; step < steps; step++) await optimizer.step(undefined);
    return loss().item();
  };
  const descent = ((model, loss) => sgd(model, loss, { lr: 5e-7, momentum: 0 })) as Make; // half of what diverges
  expect(await after(lbfgs, 120)).toBeLessThan(1e-10);
  expect(await after(descent, 1200)).toBeGreaterThan(0.5);
});

/** A small network in f32 with dropout. */
function network() {
  seed(5);
  const model = new Sequential(new Linear(4, 6), tanh, new Dropout(0.2), new Linear(6, 2));
  const loss = ({ x, y }: { x: Tensor; y: Tensor }) => {
    const outputs = model.forward(x);
    return { loss: mse(outputs, y), outputs };
  };
  return { model, loss };
}

const batches = [1, 2, 3].map((from) => ({
  x: tensor(Float32Array.from(noise(64, from)), [16, 4]),
  y: tensor(Float32Array.from(noise(32, from + 10)), [16, 2]),
}));

for (const [name, make] of each) {
  test(`${name}: a resumed run is the same to the bit, with dropout and changing batches`, async () => {
    const { model, loss } = network();
    const optimizer = make(model, loss);
    const losses: number[] = [];
    for (let i = 0; i < 4; i++) losses.push(await optimizer.step(batches[i % 3]));
    const saved = { model: await stateDict(model), slots: await stateDict(optimizer.state) };
    const random = randomState();
    for (let i = 4; i < 9; i++) losses.push(await optimizer.step(batches[i % 3]));
    expect(optimizer.stopped).toBe(undefined);
    expect(optimizer.steps).toBe(9);
    expect(new Set(losses).size).toBe(9);

    const other = network();
    const resumed = make(other.model, other.loss);
    await load(other.model, saved.model);
    await load(resumed.state, saved.slots);
    resumed.steps = 4;
    restoreRandom(random);
    for (let i = 4; i < 9; i++) expect(await resumed.step(batches[i % 3])).toBe(losses[i]);
    expect(await stateDict(other.model)).toEqual(await stateDict(model));
    expect(await stateDict(resumed.state)).toEqual(await stateDict(optimizer.state));
  });

  test(`${name}: at a zero gradient, a loss that is not finite, and a gradient that is not, nothing moves`, async () => {
    const model = { w: param([3]) };
    const of = (f: (w: Tensor) => Tensor) =>
      make<undefined>(model, () => {
        const outputs = model.w.mul(1);
        return { loss: f(outputs).sum(), outputs };
      });
    const flat = of((w) => w.sub(3).square());
    expect(await flat.step(undefined)).toBe(0);
    expect([flat.stopped, flat.steps]).toEqual(["the gradient is zero", 1]);
    const infinite = of((w) => w.sub(3).log());
    expect(await infinite.step(undefined)).toBe(Number.NEGATIVE_INFINITY);
    const steep = of((w) => w.sub(3).sqrt());
    expect(await steep.step(undefined)).toBe(Number.NaN);
    expect(await steep.diagnose(undefined)).toMatch(/gradient .* not finite/);
    expect([infinite.steps, steep.steps, await model.w.item()]).toEqual([0, 0, 3]);
  });

  test(`${name}: on a loss without a minimum it goes on or says why not, and never hangs`, async () => {
    const model = { w: param(Float64Array.of(0.5, -0.25)) };
    const optimizer = make<undefined>(model, () => ({ loss: model.w.square().square().sum().neg(), outputs: model.w }));
    const losses: number[] = [];
    for (let i = 0; i < 12; i++) losses.push(await optimizer.step(undefined));
    for (const [i, loss] of losses.entries())
      if (i > 0 && Number.isFinite(loss)) expect(loss).toBeLessThanOrEqual(losses[i - 1]);
    expect(optimizer.stopped === undefined || optimizer.stopped.length > 10).toBe(true);
  });
}

const blobs = (): Dataset => {
  const y = Uint8Array.from({ length: 48 }, (_, i) => i % 3);
  const x = Float32Array.from({ length: 192 }, (_, i) => Number(i % 4 === y[i >> 2]) + 0.8 * Math.sin(i * i));
  return new Dataset({ x, y }, { shape: [4] }).batch(48);
};

for (const [name, make] of each) {
  test(`${name} trains a network through the Trainer, and from a checkpoint to the same bits`, async () => {
    const trainer = () => {
      seed(11);
      const model = new Sequential(new Linear(4, 5), tanh, new Linear(5, 3));
      const loss = ({ x, y }: Labelled) => {
        const outputs = model.forward(x);
        return { loss: crossEntropy(outputs, y), outputs };
      };
      return new Trainer<Labelled, Tensor>(model, make(model, loss), { metrics: { accuracy } });
    };
    const folder = mkdtempSync(join(tmpdir(), "second-order-"));
    try {
      const [whole, half, rest] = [trainer(), trainer(), trainer()];
      const before = (await whole.evaluate(blobs()))!.loss;
      const { epochs } = await whole.fit(blobs(), { epochs: 16, progress: false });
      expect(epochs).toBe(16);
      const after = (await whole.evaluate(blobs()))!;
      expect(after.loss).toBeLessThan(0.5 * before);
      expect(after.metrics.accuracy).toBeGreaterThan(0.8);
      const out = join(folder, "run");
      await half.fit(blobs(), { epochs: 7, out, progress: false });
      await rest.fit(blobs(), { epochs: 16, resume: out, progress: false });
      expect(await stateDict(rest.model)).toEqual(await stateDict(whole.model));
      expect(await stateDict(rest.optimizer.state)).toEqual(await stateDict(whole.optimizer.state));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test("an indefinite matrix is damped until it is positive definite; one that is not finite is refused", () => {
  const a = Float64Array.of(1, 3, 3, 1); // eigenvalues 4 and −2
  const b = Float64Array.of(1, -2);
  const { x, damping } = dampedSolve(a, b)!;
  expect(damping).toBeGreaterThan(2);
  expect(damping).toBeLessThan(5);
  expect((1 + damping) * x[0] + 3 * x[1]).toBeCloseTo(1, 12);
  expect(3 * x[0] + (1 + damping) * x[1]).toBeCloseTo(-2, 12);
  expect(dampedSolve(Float64Array.of(4, 0, 0, 16), b)).toEqual({ x: Float64Array.of(0.25, -0.125), damping: 0 });
  expect(dampedSolve(Float64Array.of(1, Number.NaN, Number.NaN, 1), b)).toBe(undefined);
});

test("a learning rate of 0 moves nothing", async () => {
  const { model, loss } = rosenbrock();
  const optimizer = lbfgs<undefined>(model, loss, { lr: (step) => (step < 1 ? 0 : 1) });
  await optimizer.step(undefined);
  expect([optimizer.stopped, ...(await model.p.data())]).toEqual(["the learning rate is 0", -1.2, 1]);
  await optimizer.step(undefined);
  expect(optimizer.stopped).toBe(undefined);
});

test("Newton leaves a saddle's neighbourhood downhill", async () => {
  const model = { p: param(Float64Array.of(1e-3, 1)) };
  const loss = () => model.p.at(0).square().square().sub(model.p.at(0).square()).add(model.p.at(1).square());
  const optimizer = newton<undefined>(model, loss);
  for (let i = 0; i < 30; i++) await optimizer.step(undefined);
  expect(await loss().item()).toBeCloseTo(-0.25, 10);
});

test("the true Fisher matrix of squared errors makes a linear model's step Newton's; the empirical one is the mean of ggᵀ", async () => {
  const [x, y] = [tensor(noise(24, 1), [8, 3]), tensor(noise(8, 2))];
  const make = () => {
    const model = { w: param(noise(3, 3)) };
    const loss = (b: { x: Tensor; y: Tensor }) => {
      const outputs = b.x.matmul(model.w);
      return { loss: outputs.sub(b.y).square().mean(), outputs };
    };
    return { model, loss };
  };
  const [one, two, three] = [make(), make(), make()];
  await naturalGradient(one.model, one.loss, { damping: 0 }).step({ x, y });
  await newton(two.model, two.loss).step({ x, y });
  const expected = await two.model.w.data();
  (await one.model.w.data()).forEach((v, i) => {
    expect(Number(v)).toBeCloseTo(Number(expected[i]), 12);
  });

  const w = noise(3, 3);
  const [xs, ys] = [noise(24, 1), noise(8, 2)];
  const gs = Array.from({ length: 8 }, (_, i) => {
    const row = [0, 1, 2].map((k) => xs[3 * i + k]);
    const error = row.reduce((sum, v, k) => sum + v * w[k], 0) - ys[i];
    return row.map((v) => 2 * error * v);
  });
  const optimizer = naturalGradient(three.model, three.loss, { damping: 0.5, fisher: "empirical", lr: 0.125 });
  await optimizer.step({ x, y });
  const moved = Array.from(await three.model.w.data(), (v, i) => (w[i] - Number(v)) / 0.125);
  [0, 1, 2].forEach((i) => {
    const gradient = gs.reduce((sum, g) => sum + g[i], 0) / 8;
    const product = gs.reduce((sum, g) => sum + g[i] * g.reduce((s, v, k) => s + v * moved[k], 0), 0) / 8;
    expect(product + 0.5 * moved[i]).toBeCloseTo(gradient, 10);
  });
  expect(optimizer.counts.gradients).toBe(9);
});

test("running statistics change once a step, and probes see the step", async () => {
  const model = { norm: new BatchNorm2d(1), w: param([1]) };
  const optimizer = lbfgs(model, (x: Tensor) => model.norm.forward(x).mul(model.w).sub(2).square().mean());
  optimizer.probe = (_, { loss, gradients }) => ({ twice: loss.mul(2), slope: gradients.get("w")! });
  const loss = await optimizer.step(tensor([1, 2, 3, 4], [2, 1, 1, 2]));
  expect(await model.norm.running_mean.item()).toBeCloseTo(0.25, 6);
  expect(await optimizer.probes.twice.item()).toBe(2 * loss);
  expect(optimizer.counts.gradients).toBeGreaterThan(1);
});

test("misuse is refused in one line", async () => {
  const model = { w: param([1, 2]) };
  const loss = () => model.w.square().sum();
  const large = { w: param(new Float32Array(5000)) };
  const sum = () => large.w.square().sum();
  expect(
    await messagesOf({
      "no parameters": () => lbfgs({}, loss),
      "no loss": () => newton(model, undefined as never),
      source: () => newton(model, { gradients: () => ({ gradients: new Map() }) } as never),
      memory: () => lbfgs(model, loss, { memory: 0 }),
      rate: () => lbfgs(model, loss, { lr: -1 }),
      "newton's size": () => newton(large, sum),
      "natural gradient's size": () => naturalGradient(large, sum),
      "bfgs's size": () => bfgs(large, sum),
      damping: () => newton(model, loss, { damping: -1 }),
      fisher: () => naturalGradient(model, loss, { fisher: "false" as never }),
      method: () => conjugateGradient(model, loss, { method: "hestenes" as never }),
      restart: () => conjugateGradient(model, loss, { restart: 0.5 }),
      "no outputs": () => hessianFree<undefined>(model, loss).step(undefined),
      "warm start": () => hessianFree(model, loss, { warmStart: 2 }),
      "no samples": () => naturalGradient<undefined>(model, loss, { fisher: "empirical" }).step(undefined),
    }),
  ).toMatchInlineSnapshot(`
    "no parameters: Error: objective: the model has no parameters (param(…) in its own properties)
    no loss: TypeError: optimizer: a method beyond the gradient takes (model, loss), got undefined as the loss
    source: TypeError: optimizer: a method beyond the gradient takes (model, loss), got an Object as the loss
    memory: RangeError: lbfgs: memory must be a whole number of at least 1, got 0
    rate: RangeError: optimizer: lr must be a finite number ≥ 0, got -1
    newton's size: RangeError: newton: takes 5000 products and a matrix of n² a step, for at most 2000 parameters (use hessianFree)
    natural gradient's size: RangeError: naturalGradient: takes 5000 products and a matrix of n² a step, for at most 2000 parameters (use hessianFree)
    bfgs's size: RangeError: bfgs: keeps a matrix of n², so takes at most 4000 parameters, got 5000 (use lbfgs)
    damping: RangeError: newton: damping must be a number of at least 0, got -1
    fisher: RangeError: naturalGradient: fisher is "true" or "empirical", not "false"
    method: RangeError: conjugateGradient: method is one of fletcher-reeves, polak-ribiere, not hestenes
    restart: RangeError: conjugateGradient: restart must be a whole number of at least 1, got 0.5
    no outputs: ShapeError: gaussNewtonProduct: it needs the model's outputs, a float tensor (let the loss return { loss, outputs })
    warm start: RangeError: hessianFree: warmStart must lie in [0, 1], got 2
    no samples: ShapeError: naturalGradient: the batch's tensors must all have the samples along their first axis"
  `);
});
