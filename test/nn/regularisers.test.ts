// Layers that draw masks, and layers of layers: which masks, which moments, which names, and the wording of misuse.
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { compile, device, grad, realize, seed, tensor, training, uniform, zeros } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { testDevices } from "../devices.ts";
import { messagesOf } from "../messages.ts";

const round = (values: ArrayLike<number>): number[] => Array.from(values, Math.fround);

for (const name of testDevices) {
  describe(name, () => {
    beforeAll(() => {
      device(name);
    });
    beforeEach(() => seed(7));

    test.each([
      ["Dropout1d", new nn.Dropout1d(0.25), [6]],
      ["Dropout2d", new nn.Dropout2d(0.25), [2, 3]],
      ["Dropout3d", new nn.Dropout3d(0.25), [1, 3, 2]],
    ])(
      "%s drops whole maps, each sample its own, keeps the mean, and rests outside training",
      async (_, layer, size) => {
        const x = zeros([40, 50, ...size]).add(1);
        expect(layer.forward(x)).toBe(x);
        const step = compile(() => training(() => layer.forward(x)));
        const [a, b] = [await (await step()).data(), await (await step()).data()];
        expect(a).not.toEqual(b);
        const maps = Array.from({ length: 2000 }, (_, i) => [...new Set(a.slice(6 * i, 6 * i + 6))]);
        expect(maps.every((values) => values.length === 1)).toBe(true);
        expect([...new Set(a)].sort()).toEqual([0, Math.fround(1 / 0.75)]);
        expect(maps.filter(([v]) => v === 0).length / 2000).toBeCloseTo(0.25, 1.3);
        expect(new Set([0, 1, 2].map((n) => a.slice(300 * n, 300 * n + 300).join())).size).toBe(3);
      },
    );

    test("DropConnect masks weights and biases anew for each example, and dropped ones have no gradient", async () => {
      const layer = new nn.DropConnect(3, 2, { p: 0.4 });
      await nn.load(layer, new Map([["weight", f32([2, 3], [1, 2, 4, 8, 16, 32])], ["bias", f32([2], [64, 128])]])); // biome-ignore format: pairs
      const x = tensor([[1, 1, 1], [1, 1, 1], [1, 1, 1], [0, 0, 2]]); // biome-ignore format: a matrix
      seed(3);
      const masks = await uniform([4, 2, 3]).data();
      const biasMasks = await uniform([4, 2]).data();
      seed(3);
      const y = training(() => layer.forward(x));
      const [dw, db] = grad(y.sum(), [layer.weight, layer.bias!]);
      await realize(y, dw, db);
      const kept = (values: ArrayLike<number>, i: number): number => (values[i] < Math.fround(0.6) ? 1 : 0);
      const examples = [[1, 1, 1], [1, 1, 1], [1, 1, 1], [0, 0, 2]]; // biome-ignore format: a matrix
      const weights = [[1, 2, 4], [8, 16, 32]]; // biome-ignore format: a matrix
      const expected = examples.flatMap((row, n) =>
        weights.map((w, o) =>
          w.reduce(
            (sum, v, i) => sum + kept(masks, (n * 2 + o) * 3 + i) * v * row[i],
            kept(biasMasks, n * 2 + o) * [64, 128][o],
          ),
        ),
      );
      expect([...(await y.data())]).toEqual(expected);
      expect(new Set(expected.slice(0, 6)).size).toBeGreaterThan(3); // examples differ in their masks alone
      expect([...(await db.data())]).toEqual([0, 1].map((o) => [0, 1, 2, 3].reduce((s, n) => s + kept(biasMasks, n * 2 + o), 0))); // biome-ignore format: a sum
      const sums = [0, 1].flatMap((o) => [0, 1, 2].map((i) => examples.reduce((s, row, n) => s + kept(masks, (n * 2 + o) * 3 + i) * row[i], 0))); // biome-ignore format: a sum
      expect([...(await dw.data())]).toEqual(sums);
    });

    test("DropConnect's draws have the mean and variance of its masks, before and after the activation", async () => {
      const options = { p: 0.3, samples: 20000 };
      const layer = new nn.DropConnect(40, 1, options);
      const x = nn.init.normal([40]);
      const one = tensor(x, [1, 40]);
      const many = one.expand(20000, 40);
      for (const activation of [nn.softplus, nn.relu]) {
        const averaged = new nn.DropConnect(40, 1, { ...options, activation });
        [averaged.weight, averaged.bias] = [layer.weight, layer.bias];
        const masked = training(() => averaged.forward(many));
        const [inference, sampled] = [await averaged.forward(one).item(), await masked.mean().item()];
        const spread = await masked.std().item();
        expect(Math.abs(inference - sampled)).toBeLessThan(0.04 * spread); // four standard errors of each, and the sum is nearly Gaussian
      }
      const u = training(() => layer.forward(many));
      const [mean, variance] = [await u.mean().item(), await u.variance().item()];
      const terms = Array.from(await layer.weight.mul(one).data());
      const bias = await layer.bias!.item();
      expect(Math.abs(mean - 0.7 * (terms.reduce((s, t) => s + t, 0) + bias))).toBeLessThan(0.03 * Math.sqrt(variance));
      expect(variance / (0.21 * (terms.reduce((s, t) => s + t * t, 0) + bias * bias))).toBeCloseTo(1, 1.3);
    });

    test("DropConnect's draws vary with the bias's mask: E[u²] = q·b²", async () => {
      const layer = new nn.DropConnect(1, 1, { p: 0.3, samples: 20000, activation: (u) => u.square() });
      await nn.load(layer, new Map([["weight", f32([1, 1], [0])], ["bias", f32([1], [2])]])); // biome-ignore format: pairs
      expect(await layer.forward(tensor([[1]])).item()).toBeCloseTo(2.8, 0.9); // of the mean's alone: 1.96
    });

    test("Subsample2d starts from U(±2.4 / elements of a window)", async () => {
      const values = Array.from(await new nn.Subsample2d(4000, [2, 3]).coefficient.data());
      const largest = values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      expect(largest).toBeLessThanOrEqual(Math.fround(0.4));
      expect(largest).toBeGreaterThan(0.399);
    });

    test("DropConnect of no input and of p = 0 or 1 gives finite values and gradients", async () => {
      for (const p of [0, 0.5, 1]) {
        const layer = new nn.DropConnect(2, 2, { p, samples: 2, bias: false });
        const x = zeros([1, 2]);
        const values = layer.forward(x);
        expect([...(await values.data())]).toEqual([0, 0]);
        expect((await grad(values.sum(), x).data()).every(Number.isFinite)).toBe(true);
        const y = training(() => layer.forward(x.add(1)));
        if (p === 1) expect([...(await y.data())]).toEqual([0, 0]);
      }
    });

    test("Standout keeps units with probability σ(α·u + β·Σx), and no gradient passes through it in training", async () => {
      const layer = new nn.Standout(2, 3, { alpha: 0.5, beta: -0.25 });
      const x = tensor(nn.init.normal([500, 2]), [500, 2]);
      seed(9);
      const draws = await uniform([500, 3]).data();
      seed(9);
      const y = training(() => layer.forward(x));
      const gradient = grad(y.sum(), layer.linear.bias!);
      const u = layer.linear.forward(x);
      await realize(y, gradient, u);
      const [found, us, xs] = [await y.data(), await u.data(), await x.data()];
      let kept = 0;
      let expected = 0;
      for (let i = 0; i < 1500; i++) {
        const row = Math.floor(i / 3);
        const p = 1 / (1 + Math.exp(-(0.5 * us[i] - 0.25 * (xs[2 * row] + xs[2 * row + 1] + 1))));
        if (Math.abs(draws[i] - p) < 1e-5) continue;
        expect(found[i]).toBeCloseTo(draws[i] < p ? Math.max(0, us[i]) : 0, 5);
        kept += draws[i] < p ? 1 : 0;
        expected += p;
      }
      expect(Math.abs(kept - expected) / 1500).toBeLessThan(0.04);

      const live = [0, 1, 2].map((j) => found.filter((v, i) => i % 3 === j && v > 0).length);
      expect([...(await gradient.data())]).toEqual(live);
    });

    test("the gradient of a tie goes to Maxout's first piece", async () => {
      const layer = new nn.Maxout(1, 1, { pieces: 3, bias: false });
      await nn.load(layer, new Map([["linear.weight", f32([3, 1], [1, 2, 2])]]));
      const g = grad(layer.forward(tensor([[5]])).sum(), layer.linear.weight);
      expect([...(await g.data())]).toEqual([0, 5, 0]);
    });

    test("Residual and Parallel: values, and names of their parts", async () => {
      const linear = () => new nn.Linear(2, 2);
      const residual = new nn.Residual(new nn.Sequential(linear(), nn.relu), linear());
      expect([...(await nn.stateDict(residual)).keys()]).toEqual([
        "body.0.weight",
        "body.0.bias",
        "shortcut.weight",
        "shortcut.bias",
      ]);
      const parallel = new nn.Parallel([nn.identity, new nn.Residual(nn.tanh), linear()], { axis: -1 });
      expect([...(await nn.stateDict(parallel)).keys()]).toEqual(["2.weight", "2.bias"]);
      await nn.load(parallel, new Map([["2.weight", f32([2, 2], [0, 1, 1, 0])], ["2.bias", f32([2], [0, 10])]])); // biome-ignore format: pairs
      const y = await parallel.forward(tensor([[3, 0]])).data();
      expect(round(y)).toEqual([3, 0, Math.fround(3 + Math.tanh(3)), 0, 0, 13].map(Math.fround));
    });

    test("Parallel puts channels together by default", async () => {
      const y = new nn.Parallel([nn.identity, (x) => x.mul(2)]).forward(tensor([1, 2, 3, 4], [1, 2, 1, 2]));
      expect(y.shape).toEqual([1, 4, 1, 2]);
      expect([...(await y.data())]).toEqual([1, 2, 3, 4, 2, 4, 6, 8]);
    });
  });
}

function f32(shape: number[], data: number[]): nn.HostTensor {
  return { dtype: "f32", shape, data: Float32Array.from(data) };
}

const image = zeros([1, 2, 4, 4]);
const vectors = zeros([3, 2]);

const misuse: Record<string, () => unknown> = {
  "ConvTranspose2d groups": () => new nn.ConvTranspose2d(3, 4, 3, { groups: 2 }),
  "ConvTranspose2d outputPadding": () => new nn.ConvTranspose2d(3, 4, 3, { outputPadding: 1 }),
  "ConvTranspose2d padding": () => new nn.ConvTranspose2d(3, 4, 3, { padding: -1 }),
  "ConvTranspose2d on other channels": () => new nn.Sequential(new nn.ConvTranspose2d(3, 4, 3)).forward(image),
  "ConvTranspose1d on images": () => new nn.ConvTranspose1d(2, 4, 3).forward(image),
  "ConvTranspose2d that leaves nothing": () => new nn.ConvTranspose2d(2, 4, 1, { padding: 2 }).forward(image),
  "LocallyConnected2d of a large kernel": () => new nn.LocallyConnected2d(2, 3, 4, 5),
  "LocallyConnected2d on another image": () => new nn.LocallyConnected2d(2, 3, 5, 3).forward(image),
  "LocallyConnected2d, init of another length": () =>
    new nn.LocallyConnected2d(1, 1, 2, 1, { init: () => new Float32Array(0) }),
  "AdaptiveAvgPool2d of nothing": () => new nn.AdaptiveAvgPool2d(0),
  "AdaptiveMaxPool2d on vectors": () => new nn.AdaptiveMaxPool2d(2).forward(vectors),
  "AdaptiveAvgPool2d on empty images": () => new nn.AdaptiveAvgPool2d(1).forward(zeros([1, 2, 0, 4])),
  "GlobalAvgPool2d on vectors": () => new nn.GlobalAvgPool2d().forward(vectors),
  "Subsample2d on other channels": () => new nn.Subsample2d(3).forward(image),
  "Subsample2d on a small image": () => new nn.Subsample2d(2, 5).forward(image),
  "LocalResponseNorm of k = 0": () => new nn.LocalResponseNorm({ k: 0 }),
  "LocalResponseNorm of no channels": () => new nn.LocalResponseNorm({ size: 0 }),
  "LocalResponseNorm on one axis": () => new nn.LocalResponseNorm().forward(zeros([3])),
  "Dropout2d of less than nothing": () => new nn.Dropout2d(-0.1),
  "Dropout2d on vectors": () => new nn.Dropout2d().forward(vectors),
  "Dropout1d on images": () => new nn.Dropout1d().forward(zeros([1, 2, 3, 4])),
  "AdaptiveMaxPool3d on images": () => new nn.AdaptiveMaxPool3d(1).forward(zeros([1, 2, 3, 4])),
  "GlobalAvgPool1d on images": () => new nn.GlobalAvgPool1d().forward(zeros([1, 2, 3, 4])),
  "DropConnect of more than everything": () => new nn.DropConnect(2, 2, { p: 2 }),
  "DropConnect of half a sample": () => new nn.DropConnect(2, 2, { samples: 0.5 }),
  "DropConnect on other features": () => new nn.DropConnect(3, 2).forward(vectors),
  "Standout of no alpha": () => new nn.Standout(3, 2, { alpha: Number.NaN }),
  "Standout on other features": () => new nn.Standout(3, 2).forward(vectors),
  "Maxout of no pieces": () => new nn.Maxout(3, 2, { pieces: 0 }),
  "Residual of no body": () => new nn.Residual(undefined as never),
  "Residual of other shapes": () => new nn.Residual(new nn.Linear(2, 1)).forward(vectors),
  "Parallel of nothing": () => new nn.Parallel([]),
  "Parallel of no layer": () => new nn.Parallel([nn.tanh, 3 as never]),
  "Parallel of two tensors": () => new nn.Parallel([(x) => [x, x] as never]).forward(vectors),
  "Parallel of other sizes": () => new nn.Parallel([nn.identity, new nn.AvgPool2d(2)]).forward(image),
  "gain of no slope": () => nn.init.gain("leakyRelu", { slope: Number.NaN }),
  "gain of a stranger": () => nn.init.gain("swish" as never),
  "sparse of nothing": () => nn.init.sparse([2, 3], { connections: 0 }),
  "identity of a vector": () => nn.init.identity([3]),
  "identity of groups": () => nn.init.identity([3, 1, 3], { groups: 2 }),
  "orthogonal of a vector": () => nn.init.orthogonal([3]),
  "truncatedNormal the wrong way round": () => nn.init.truncatedNormal([3], 0, 1, 2, -2),
};

test("misuse is refused in one line that names the place", async () => {
  expect(await messagesOf(misuse)).toMatchInlineSnapshot(`
    "ConvTranspose2d groups: ShapeError: ConvTranspose2d: 3 inputs and 4 outputs do not both divide into 2 groups
    ConvTranspose2d outputPadding: ShapeError: ConvTranspose2d: outputPadding [1, 1] must be less than stride or dilation
    ConvTranspose2d padding: ShapeError: ConvTranspose2d: padding must be a whole number ≥ 0, got -1
    ConvTranspose2d on other channels: ShapeError: convTranspose: needs 3 channels, [N, 3, size, size], got [1, 2, 4, 4], in ConvTranspose2d "0"
    ConvTranspose1d on images: ShapeError: convTranspose: needs 2 channels, [N, 2, size], got [1, 2, 4, 4], in ConvTranspose1d
    ConvTranspose2d that leaves nothing: ShapeError: convTranspose: nothing is left of [1, 2, 4, 4], axis 2 would have the size 0, in ConvTranspose2d
    LocallyConnected2d of a large kernel: ShapeError: LocallyConnected2d: the kernel does not fit, image [4, 4], padding [0, 0], kernel [5, 5]
    LocallyConnected2d on another image: ShapeError: locallyConnected: needs [N, 2, 5, 5], got [1, 2, 4, 4], in LocallyConnected2d
    LocallyConnected2d, init of another length: ShapeError: LocallyConnected2d: init gave 0 elements, [1, 1, 1, 1] takes 1
    AdaptiveAvgPool2d of nothing: ShapeError: AdaptiveAvgPool2d: size must be a whole number ≥ 1, got 0
    AdaptiveMaxPool2d on vectors: ShapeError: adaptivePool: needs images [N, C, H, W] of at least one element, got [3, 2], in AdaptiveMaxPool2d
    AdaptiveAvgPool2d on empty images: ShapeError: adaptivePool: needs images [N, C, H, W] of at least one element, got [1, 2, 0, 4], in AdaptiveAvgPool2d
    GlobalAvgPool2d on vectors: ShapeError: globalPool: needs images [N, C, H, W] of at least one element, got [3, 2], in GlobalAvgPool2d
    Subsample2d on other channels: ShapeError: subsample: needs images [N, 3, H, W] of at least [2, 2], got [1, 2, 4, 4], in Subsample2d
    Subsample2d on a small image: ShapeError: subsample: needs images [N, 2, H, W] of at least [5, 5], got [1, 2, 4, 4], in Subsample2d
    LocalResponseNorm of k = 0: RangeError: LocalResponseNorm: needs k > 0, alpha ≥ 0 and a finite beta, got 0, 0.0001 and 0.75
    LocalResponseNorm of no channels: ShapeError: LocalResponseNorm: size must be a whole number ≥ 1, got 0
    LocalResponseNorm on one axis: ShapeError: localResponseNorm: needs channels, [N, C, …], got [3], in LocalResponseNorm
    Dropout2d of less than nothing: ShapeError: Dropout2d: p must lie in [0, 1], got -0.1
    Dropout2d on vectors: ShapeError: dropout: needs images [N, C, H, W], got [3, 2], in Dropout2d
    Dropout1d on images: ShapeError: dropout: needs sequences [N, C, L], got [1, 2, 3, 4], in Dropout1d
    AdaptiveMaxPool3d on images: ShapeError: adaptivePool: needs volumes [N, C, D, H, W] of at least one element, got [1, 2, 3, 4], in AdaptiveMaxPool3d
    GlobalAvgPool1d on images: ShapeError: globalPool: needs sequences [N, C, L] of at least one element, got [1, 2, 3, 4], in GlobalAvgPool1d
    DropConnect of more than everything: ShapeError: DropConnect: p must lie in [0, 1], got 2
    DropConnect of half a sample: ShapeError: DropConnect: samples must be a whole number ≥ 0, got 0.5
    DropConnect on other features: ShapeError: dropConnect: needs [..., 3], got [3, 2], in DropConnect
    Standout of no alpha: RangeError: Standout: alpha and beta must be finite numbers, got NaN and 0
    Standout on other features: ShapeError: matmul: inner sizes differ, [3, 2] · [3, 2] (2 ≠ 3), in Linear
    Maxout of no pieces: ShapeError: Maxout: pieces must be a whole number ≥ 1, got 0
    Residual of no body: ShapeError: Residual: part body is neither a function nor a layer with forward(x), got undefined
    Residual of other shapes: ShapeError: residual: the body gave [3, 1] and the shortcut [3, 2]; give a shortcut that fits, in Residual
    Parallel of nothing: ShapeError: Parallel: needs at least one branch
    Parallel of no layer: ShapeError: Parallel: part 1 is neither a function nor a layer with forward(x), got 3
    Parallel of two tensors: ShapeError: Parallel: part 0 (a function) gave an array of 2: a part gives one tensor; write a class whose forward takes apart what this one gives, in Parallel
    Parallel of other sizes: ShapeError: concat: shapes differ off axis 1, [1, 2, 4, 4] and [1, 2, 2, 2], in Parallel
    gain of no slope: RangeError: gain: slope must be a finite number, got NaN
    gain of a stranger: RangeError: gain: there is none for "swish", but for linear, sigmoid, tanh, relu, leakyRelu, selu
    sparse of nothing: ShapeError: sparse: connections must be a whole number ≥ 1, got 0
    identity of a vector: ShapeError: init: fans need weights [outputs, inputs, …], got [3]
    identity of groups: ShapeError: identity: 3 outputs do not divide into 2 groups
    orthogonal of a vector: ShapeError: init: fans need weights [outputs, inputs, …], got [3]
    truncatedNormal the wrong way round: RangeError: truncatedNormal: needs low < high and a deviation above 0, got 2, -2 and 1"
  `);
});
