// Auto-encoders: their losses and penalties against differences and formulas, what each kind is for at small size, and misuse.
import { beforeEach, describe, expect, test } from "vitest";
import { pca } from "../../src/classical/index.ts";
import { compile, device, grad, seed, shapesOnly, type Tensor, tensor, training, zeros } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { adam, sgd } from "../../src/optim/index.ts";
import * as zoo from "../../src/zoo/index.ts";
import { stream } from "../harness.ts";
import { messagesOf } from "../messages.ts";
import { double } from "./double.ts";

const { autoencoder, autoencoderLoss, contraction } = zoo;
type Inputs = { x: Tensor };

beforeEach(() => {
  device("wasm");
  seed(4);
});

const random = stream(11);
const draw = (shape: readonly number[], low = -1, high = 1): Float64Array =>
  new Float64Array(shape.reduce((n, d) => n * d, 1)).map(() => low + (high - low) * random());
const f32 = (shape: readonly number[], low?: number, high?: number): Tensor =>
  tensor(Float32Array.from(draw(shape, low, high)), shape);
const f64 = (shape: readonly number[], low?: number, high?: number): Tensor => tensor(draw(shape, low, high), shape);
const rms = async (a: Tensor, b: Tensor): Promise<number> =>
  Math.sqrt((await a.sub(b).square().mean().item()) as number);

/** Σ over all outputs and inputs of the squared central differences, averaged over the samples. */
async function differences(f: (x: Tensor) => Tensor, x: Tensor): Promise<number> {
  const values = (await x.data()) as Float64Array;
  const [batch, inputs] = x.shape;
  let total = 0;
  for (let i = 0; i < inputs; i++) {
    const moved = (h: number): Tensor =>
      tensor(
        values.map((v, at) => (at % inputs === i ? v + h : v)),
        x.shape,
      );
    total += (await f(moved(1e-5))
      .sub(f(moved(-1e-5)))
      .div(2e-5)
      .square()
      .sum()
      .item()) as number;
  }
  return total / batch;
}

/** Holds gradients by parameter against differences of the loss along a random direction. */
async function expectGradients(model: object, loss: () => Tensor): Promise<void> {
  const named = [...nn.namedParameters(model)];
  const gradients = await Promise.all(grad(loss(), named.map(([, p]) => p)).map((g) => g.data())); // biome-ignore format: a call
  const start = await Promise.all(named.map(async ([, p]) => Float64Array.from(await p.data())));
  const along = named.map(([, p]) => draw(p.shape));
  const at = async (h: number): Promise<number> => {
    const rows = named.map(([name, { shape }], k) => [name, { dtype: "f64", shape, data: start[k].map((v, i) => v + h * along[k][i]) }] as const); // biome-ignore format: a row
    await nn.load(model, new Map(rows), { strict: false });
    return (await loss().item()) as number;
  };
  const expected = ((await at(1e-5)) - (await at(-1e-5))) / 2e-5;
  await at(0);
  const found = along.reduce((sum, v, k) => v.reduce((s, d, i) => s + d * gradients[k][i], sum), 0);
  expect(Math.abs(found - expected) / Math.abs(expected)).toBeLessThan(1e-7);
}

describe("contraction", () => {
  test.each([
    ["sigmoid", nn.sigmoid],
    ["tanh", nn.tanh],
    ["softplus", nn.softplus],
  ] as const)(
    // biome-ignore format: a table
    "of one layer of %s is the Jacobian's, in closed and in general form",
    async (_, activation) => {
      const model = double(autoencoder(5, 4, { activation }));
      const x = f64([3, 5]);
      const expected = await differences((v) => model.encode(v), x);
      for (const found of [contraction(model, x), nn.contractivePenalty((v) => model.encode(v), x)])
        expect(((await found.item()) as number) / expected).toBeCloseTo(1, 7);
    },
  );

  test("of two layers, of a reconstruction, and of convolutions", async () => {
    const model = double(autoencoder(5, 4, 3));
    const x = f64([3, 5]);
    const ratio = async (found: Tensor, f: (x: Tensor) => Tensor): Promise<number> =>
      ((await found.item()) as number) / (await differences(f, x));
    expect(await ratio(contraction(model, x), (v) => model.encode(v))).toBeCloseTo(1, 7);
    const whole = (v: Tensor): Tensor => model.reconstruct(v);
    expect(await ratio(nn.contractivePenalty(whole, x), whole)).toBeCloseTo(1, 7);
    const loss = (options: zoo.AutoencoderLossOptions): Tensor => autoencoderLoss(model, options)({ x });
    const added = loss({ contractive: { weight: 0.5, of: "reconstruction" } }).sub(loss({}));
    expect(await ratio(added.mul(2), whole)).toBeCloseTo(1, 7);
    const conv = double(zoo.convAutoencoder(1, { maps: [2] }));
    const images = (v: Tensor): Tensor => conv.encode(v.reshape(-1, 1, 2, 4));
    const y = f64([2, 8]);
    const found = await nn.contractivePenalty(images, y).item();
    expect((found as number) / (await differences(images, y))).toBeCloseTo(1, 6);
  });
});

test.each<[string, () => zoo.Autoencoder, zoo.AutoencoderLossOptions]>([
  ["squared error", () => autoencoder(5, 3), {}],
  ["cross-entropy, tied", () => autoencoder(5, 3, { loss: "cross-entropy", tied: true }), {}],
  ["sparse", () => autoencoder(5, 4, 3, { tied: true }), { sparse: { target: 0.1, weight: 2 } }],
  ["contractive, one layer", () => autoencoder(5, 3), { contractive: { weight: 0.7 } }],
  ["contractive, two layers", () => autoencoder(5, 4, 3), { contractive: { weight: 0.7 } }],
  ["contractive reconstruction", () => autoencoder(5, 3), { contractive: { weight: 0.7, of: "reconstruction" } }],
])("gradients of the loss are those of differences: %s", async (_, build, options) => {
  const model = double(build());
  const x = f64([4, 5], 0, 1);
  await expectGradients(model, () => autoencoderLoss(model, options)({ x }));
});

test("losses are sums over a sample's elements, averaged over samples, of any shape", async () => {
  const model = autoencoder(6, 3);
  const x = f32([4, 1, 2, 3], 0, 1);
  const back = model.reconstruct(x);
  expect(back.shape).toEqual(x.shape);
  const squared = await back.sub(x).square().sum().div(4).item();
  expect(await autoencoderLoss(model)({ x }).item()).toBeCloseTo(squared as number, 5);
  const binary = autoencoder(6, 3, { loss: "cross-entropy" });
  const p = binary.reconstruct(x);
  const entropy = x
    .mul(p.log())
    .add(x.neg().add(1).mul(p.neg().add(1).log()))
    .sum()
    .div(-4);
  expect(await autoencoderLoss(binary)({ x }).item()).toBeCloseTo((await entropy.item()) as number, 4);
});

test("a sparse penalty is Ng's sum, and running averages move in training alone", async () => {
  const h = tensor([[0.2, 0.5], [0.4, 0.1]]); // biome-ignore format: a matrix
  const kl = (p: number, q: number): number => p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q));
  const options = { target: 0.1, weight: 2 };
  expect(await nn.sparsePenalty(h, options).item()).toBeCloseTo(2 * (kl(0.1, 0.3) + kl(0.1, 0.3)), 5);
  const running = new nn.BatchNorm1d(2).running_var; // a state [2] of ones
  const leaf = tensor(await h.data(), [2, 2]);
  const step = compile((x: Tensor) =>
    training(() => {
      const value = nn.sparsePenalty(x, { ...options, running, momentum: 0.5 });
      return [value, grad(value, x)] as const;
    }),
  );
  const [value, slope] = await step(leaf);
  expect(await value.item()).toBeCloseTo(4 * kl(0.1, 0.65), 5); // of (1 + 0.3) / 2
  expect([...(await running.data())].map((v) => +v.toFixed(6))).toEqual([0.65, 0.65]);
  expect((await slope.data())[0]).toBeCloseTo(2 * 0.5 * (-0.1 / 0.65 + 0.9 / 0.35), 4); // as if r were the batch's mean
  expect(await nn.sparsePenalty(h, { ...options, running }).item()).toBeCloseTo(4 * kl(0.1, 0.65), 5);
  expect([...(await running.data())].map((v) => +v.toFixed(6))).toEqual([0.65, 0.65]);
});

test("corruption: rates of each kind, training alone, and another draw a step", async () => {
  const x = zeros([200, 100]).add(0.5);
  const rate = async (kind: nn.Corruption, amount: number): Promise<Record<string, number>> => {
    const data = await training(() => new nn.Corrupt(kind, amount).forward(x)).data();
    const counts: Record<string, number> = {};
    for (const v of data) counts[v] = (counts[v] ?? 0) + 1 / data.length;
    return counts;
  };
  const masked = await rate("masking", 0.25);
  expect(Object.keys(masked).sort()).toEqual(["0", "0.5"]);
  expect(masked["0"]).toBeCloseTo(0.25, 1.7);
  const salted = await rate("salt-and-pepper", 0.4);
  expect(Object.keys(salted).sort()).toEqual(["0", "0.5", "1"]);
  expect(salted["0"]).toBeCloseTo(0.2, 1.7);
  expect(salted["1"]).toBeCloseTo(0.2, 1.7);
  const noisy = training(() => new nn.Corrupt("gaussian", 0.3).forward(x));
  expect(await noisy.std().item()).toBeCloseTo(0.3, 2);
  const layer = new nn.Corrupt("masking", 0.5);
  expect(layer.forward(x)).toBe(x);
  const [a, b] = [await training(() => layer.forward(x)).data(), await training(() => layer.forward(x)).data()];
  expect(a).not.toEqual(b);
});

test("parameters: the deep auto-encoder has 2 837 314; tied weights count once", () => {
  const count = (build: () => object): number => nn.parameters(shapesOnly(build)).reduce((sum, p) => sum + p.size, 0);
  expect(count(() => zoo.deepAutoencoder())).toBe(2_837_314);
  expect(count(() => autoencoder(784, 100))).toBe(2 * 78_400 + 884);
  expect(count(() => autoencoder(784, 100, { tied: true }))).toBe(78_400 + 884);
  expect(count(() => zoo.convAutoencoder())).toBe(160 + 1160 + 1168 + 145);
});

test("a convolutional one gives images back, and its code is small", () => {
  const model = zoo.convAutoencoder(3, { maps: [6, 5, 4] });
  const x = zeros([2, 3, 16, 24]);
  expect([model.encode(x).shape, model.reconstruct(x).shape]).toEqual([[2, 4, 2, 3], x.shape]);
});

/** Correlated samples: k factors seen through a random matrix, with little noise of falling size. */
function correlated(n: number, d: number, k: number): Tensor {
  const [factors, matrix, noise] = [draw([n, k], -1.7, 1.7), draw([k, d]), draw([n, d], -0.3, 0.3)];
  const at = (i: number, j: number): number => noise[i * d + j] + Array.from({ length: k }, (_, c) => (1 + (k - c) / k) * factors[i * k + c] * matrix[c * d + j]).reduce((s, t) => s + t, 0); // biome-ignore format: a sum
  return tensor(
    Float64Array.from({ length: n * d }, (_, i) => at(Math.floor(i / d), i % d)),
    [n, d],
  );
}

test("a linear auto-encoder finds the plane of PCA: angle below 0.1°, error within a thousandth", async () => {
  const [d, k] = [20, 4];
  const x = correlated(200, d, k);
  const model = double(autoencoder(d, k, { activation: nn.identity }));
  const optimizer = adam<Inputs>(model, autoencoderLoss(model), { lr: 0.02 });
  for (let i = 0; i < 2500; i++) {
    optimizer.lr = 0.02 * (1 - i / 2500);
    await optimizer.step({ x });
  }
  const plane = await pca(x, { components: k });
  const error = async (back: Tensor): Promise<number> => (await rms(back, x)) ** 2;
  expect((await error(model.reconstruct(x))) / (await error(plane.reconstruct(x)))).toBeLessThan(1.001);
  const decoder = model.decoder[0] as zoo.DenseStage;
  const basis = decoder.linear as nn.Linear; // weight [d, k]: its columns span the plane
  const q = tensor(await orthonormal(basis.weight), [d, k]);
  const outside = q.sub(plane.components.transpose().matmul(plane.components.matmul(q)));
  expect(Math.asin(Math.sqrt((await outside.square().sum().item()) as number)) * (180 / Math.PI)).toBeLessThan(0.1);
});

/** Columns made orthonormal, one after the other. */
async function orthonormal(matrix: Tensor): Promise<Float64Array> {
  const [d, k] = matrix.shape;
  const a = Float64Array.from(await matrix.data());
  const dot = (p: number, q: number): number => Array.from({ length: d }, (_, i) => a[i * k + p] * a[i * k + q]).reduce((s, t) => s + t, 0); // biome-ignore format: a sum
  for (let c = 0; c < k; c++) {
    for (let b = 0; b < c; b++) {
      const s = dot(b, c);
      for (let i = 0; i < d; i++) a[i * k + c] -= s * a[i * k + b];
    }
    const norm = Math.sqrt(dot(c, c));
    for (let i = 0; i < d; i++) a[i * k + c] /= norm;
  }
  return a;
}

/** Bars on a 6 × 6 grid: each image is one row or one column, with noise. */
function bars(n: number, noise = 0.1): Tensor {
  const next = stream(n);
  const values = new Float64Array(n * 36).map(() => noise * next());
  for (let i = 0; i < n; i++) {
    const which = Math.floor(12 * next());
    for (let j = 0; j < 6; j++) values[i * 36 + (which < 6 ? 6 * which + j : 6 * j + which - 6)] += 0.9;
  }
  return tensor(Float32Array.from(values), [n, 36]);
}

async function trained(model: zoo.Autoencoder, x: Tensor, options: zoo.AutoencoderLossOptions, steps = 600) {
  const optimizer = adam<Inputs>(model, autoencoderLoss(model, options), { lr: 0.01 });
  for (let i = 0; i < steps; i++) await optimizer.step({ x });
  return model;
}

test("codes are as sparse as asked for, the more the larger the weight", async () => {
  const x = bars(200);
  const activity: number[] = [];
  for (const weight of [0, 0.1, 1, 3, 10]) {
    seed(2);
    const model = await trained(autoencoder(36, 16), x, { sparse: { target: 0.05, weight } });
    const means = Array.from(await model.encode(x).mean(0).data());
    activity.push(means.reduce((s, v) => s + v, 0) / 16);
    if (weight === 3) expect(means.reduce((s, v) => s + Math.abs(v - 0.05), 0) / 16).toBeLessThan(0.02);
  }
  for (let i = 1; i < activity.length; i++) expect(activity[i]).toBeLessThan(activity[i - 1]);
});

test.each([1, 2, 3])(
  "a denoising auto-encoder takes noise away better, with a stabler code; seed %i",
  async (start) => {
    const [x, held] = [bars(200), bars(100)];
    const noise = new nn.Corrupt("gaussian", 0.3);
    const build = (corruption?: nn.Corrupt): zoo.Autoencoder => {
      seed(start);
      return autoencoder(36, 20, { tied: true, ...(corruption === undefined ? {} : { corruption }) });
    };
    const [plain, denoising] = [await trained(build(), x, {}, 1200), await trained(build(noise), x, {}, 1200)];
    const damaged = training(() => noise.forward(held));
    await damaged.data();
    const error = (model: zoo.Autoencoder): Promise<number> => rms(model.reconstruct(damaged), held);
    expect(await error(denoising)).toBeLessThan(await error(plain));
    const drift = async (model: zoo.Autoencoder): Promise<number> =>
      (await rms(model.encode(damaged), model.encode(held))) / (await rms(model.encode(held), zeros([100, 20])));
    expect(await drift(denoising)).toBeLessThan(await drift(plain));
  },
);

test("a contractive code changes a third as much with its input, at an error at most a tenth larger", async () => {
  const [x, held] = [bars(200, 0.6), bars(100, 0.6)];
  const figures: number[][] = [];
  for (const weight of [0, 0.6]) {
    seed(1);
    const model = await trained(autoencoder(36, 16), x, { contractive: { weight } }, 1500);
    const norm = Math.sqrt((await contraction(model, held).item()) as number);
    figures.push([norm, (await autoencoderLoss(model)({ x: held }).item()) as number]);
  }
  const [plain, contractive] = figures;
  expect(contractive[0]).toBeLessThan(plain[0] / 3);
  expect(contractive[1]).toBeLessThan(1.1 * plain[1]);
});

test("recirculation follows the gradient of the squared error, and learns", async () => {
  const model = double(autoencoder(8, 5));
  const [encoder, decoder] = [model.encoder[0], model.decoder[0]].map((s) => (s as zoo.DenseStage).linear as nn.Linear);
  const weight = { dtype: "f64", shape: [8, 5], data: await encoder.weight.transpose().data() };
  await nn.load(model, new Map([["decoder.0.linear.weight", weight]]), { strict: false });
  const x = f64([10, 8], 0, 1);
  const { gradients } = zoo.recirculation(model, { regression: 0.9999 }).gradients({ x });
  const list = [encoder.weight, encoder.bias!, decoder.weight, decoder.bias!];
  const exact = grad(autoencoderLoss(model)({ x }).div(2), list);
  for (const [i, p] of list.entries()) {
    const scale = i < 2 ? 1e-8 : 1e-4; // (1 − λ)² and 1 − λ
    const off = gradients.get(p)!.div(scale).sub(exact[i]).square().sum();
    expect(((await off.div(exact[i].square().sum()).item()) as number) ** 0.5).toBeLessThan(1e-3);
  }
  const patterns = bars(60);
  const learner = autoencoder(36, 12, { output: nn.sigmoid });
  const optimizer = sgd<Inputs>(learner, zoo.recirculation(learner), { lr: 4 });
  const before = await optimizer.step({ x: patterns });
  let after = before;
  for (let i = 0; i < 1500; i++) after = await optimizer.step({ x: patterns });
  expect(after).toBeLessThan(0.4 * before);
});

test("pretraining trains each pair of stages in its turn, and the model shares what was learned", async () => {
  const model = autoencoder(36, 20, 10, { loss: "cross-entropy" });
  const x = bars(200);
  const before = await autoencoderLoss(model)({ x }).item();
  const stages: string[][] = [];
  const losses = await zoo.pretrain<Inputs>(model, {
    optimizer: (pair, loss) => {
      stages.push([pair.loss, ...[...nn.namedParameters(pair).values()].map((p) => String(p.shape))]);
      return adam(pair, loss, { lr: 0.02 });
    },
    data: [{ x }],
    epochs: 300,
  });
  expect(stages).toEqual([
    ["cross-entropy", "20,36", "20", "36,20", "36"],
    ["squared", "10,20", "10", "20,10", "20"],
  ]);
  expect(losses.length).toBe(2);
  expect(await autoencoderLoss(model)({ x }).item()).toBeLessThan(0.8 * (before as number));
  const classifier = new nn.Sequential(model.encoder, new nn.Linear(10, 3)); // the front end of another net
  expect(classifier.forward(x).shape).toEqual([200, 3]);
  expect(nn.parameters(classifier)[0]).toBe(nn.parameters(model)[0]);
});

test("misuse is refused in one line that names the place", async () => {
  const model = autoencoder(6, 3);
  const x = zeros([2, 6]);
  const misuse = {
    "one width": () => autoencoder(6),
    "a loss of none": () => autoencoder(6, 3, { loss: "absolute" as never }),
    "cross-entropy of tanh": () => autoencoder(6, 3, { loss: "cross-entropy", output: nn.tanh }),
    "more stages one way": () => new zoo.Autoencoder([nn.tanh, nn.tanh], [nn.tanh]),
    "a stage tied to a tied one": () => new zoo.DenseStage(new zoo.DenseStage(new zoo.DenseStage([3, 2]))),
    "convolutions of no maps": () => zoo.convAutoencoder(1, { maps: [] }),
    "corruption of a stranger": () => new nn.Corrupt("rain" as never, 0.1),
    "more than everything masked": () => new nn.Corrupt("masking", 1.5),
    "negative noise": () => new nn.Corrupt("gaussian", -1),
    "a target of nothing": () => nn.sparsePenalty(x, { target: 0 }),
    "a negative weight": () => nn.sparsePenalty(x, { weight: -1 }),
    "running averages of other units": () => nn.sparsePenalty(x, { running: zeros([5]) }),
    "contraction of a scalar": () => nn.contractivePenalty((v) => v.sum(), x),
    expansion: () => autoencoderLoss(model, { contractive: { weight: -1 } }),
    "recirculation of a deep one": () => zoo.recirculation(autoencoder(6, 3, 2)),
    "recirculation without change": () => zoo.recirculation(model, { regression: 1 }),
    "pretraining without data": () => zoo.pretrain(model, { optimizer: adam, data: [] }),
    "pretraining of no epoch": () => zoo.pretrain(model, { optimizer: adam, data: [{ x }], epochs: 0 }),
  };
  expect(await messagesOf(misuse)).toMatchInlineSnapshot(`
    "one width: RangeError: autoencoder: needs the widths of its input and its code at least, got 1
    a loss of none: RangeError: autoencoder: loss must be "squared" or "cross-entropy", got "absolute"
    cross-entropy of tanh: RangeError: autoencoder: the cross-entropy's output is the sigmoid; leave output out, or take the squared error
    more stages one way: RangeError: autoencoder: encoder and decoder need as many stages, at least 1, got 2 and 1
    a stage tied to a tied one: TypeError: DenseStage: the stage has no weights of its own; give the one that it is tied to
    convolutions of no maps: RangeError: convAutoencoder: maps must name the maps of at least one stage, got none
    corruption of a stranger: ShapeError: Corrupt: kind must be one of "masking", "gaussian", "salt-and-pepper", got "rain"
    more than everything masked: ShapeError: Corrupt: amount must lie in [0, 1], got 1.5
    negative noise: ShapeError: Corrupt: amount must be ≥ 0, got -1
    a target of nothing: RangeError: sparsePenalty: target must lie in (0, 1), got 0
    a negative weight: RangeError: sparsePenalty: weight must be a finite number ≥ 0, got -1
    running averages of other units: ShapeError: sparsePenalty: running averages [5] are not those of units [6]
    contraction of a scalar: ShapeError: contractivePenalty: needs samples [B, …] of x and f(x), got [2, 6] and []
    expansion: RangeError: autoencoderLoss: contractive.weight must be a finite number ≥ 0, got -1
    recirculation of a deep one: TypeError: recirculation: needs an auto-encoder of one dense stage each way with weights of its own, e.g. autoencoder(784, 100)
    recirculation without change: RangeError: recirculation: regression must lie in [0, 1), got 1
    pretraining without data: Error: pretrain: the data holds no batches in its last epoch; give an iterable that starts anew
    pretraining of no epoch: RangeError: pretrain: epochs must be a whole number ≥ 1, got 0"
  `);
});
