// Deep belief nets end to end: greedy training, copies for fine-tuning, up-down, draws.
import { beforeEach, expect, test } from "vitest";
import { DBN, logPartition, pretrain, type UntiedDBN, untie, wakeSleep } from "../../src/energy/index.ts";
import { compile, device, param, seed, type Tensor, tensor } from "../../src/index.ts";
import { crossEntropy, init, namedParameters } from "../../src/nn/index.ts";
import { adam, sgd } from "../../src/optim/index.ts";
import type { BatchSource } from "../../src/train/index.ts";
import { messagesOf } from "../messages.ts";

beforeEach(() => {
  device("wasm");
  seed(1);
});

const states = (n: number): number[][] =>
  Array.from({ length: 2 ** n }, (_, s) => Array.from({ length: n }, (_, i) => (s >> i) & 1));
const bars = states(3)
  .map((on) => on.flatMap((b) => [b, b, b]))
  .slice(1, 7);
const stripes = states(3)
  .map((on) => [...on, ...on, ...on])
  .slice(1, 7);
const x = tensor([...bars, ...stripes]);
const y = tensor(Int32Array.from({ length: 12 }, (_, i) => Number(i >= 6)));
const values = async (t: Tensor): Promise<number[]> => Array.from(await t.data());

/** An epoch of as many batches. */
const repeated = (batches: number, batch: { x: Tensor } = { x: x.tile(10, 1) }): BatchSource<{ x: Tensor }> => ({
  iterate: async function* () {
    for (let i = 0; i < batches; i++) yield batch;
  },
});

/** ln p(v), the mean, of a net of one directed layer below the top machine, over all states of the layer between. */
async function logLikelihood({ generative: [g], top }: UntiedDBN, v: Tensor): Promise<number> {
  const h = tensor(states(top.visible));
  const prior = top
    .freeEnergy(h)
    .neg()
    .sub(await logPartition(top)); // [states]
  const logits = g.forward(h);
  const given = v.matmul(logits.transpose()).sub(logits.exp().add(1).log().sum(-1)); // [B, states]
  return given.add(prior).logsumexp(-1).mean().item();
}

test("greedy training, then copies that compute what the net does, then labels", async () => {
  const dbn = new DBN([9, 12, 6]);
  const reports: { layer: number; epoch: number; loss: number }[] = [];
  await pretrain(dbn, repeated(100), { epochs: 15, onEpoch: (report) => reports.push(report) });
  expect(reports.map(({ layer }) => layer)).toEqual([...new Array(15).fill(0), ...new Array(15).fill(1)]);
  expect(reports[14].loss).toBeLessThan(0.5 * reports[0].loss);
  const classifier = await dbn.classifier(2);
  const encoder = await dbn.autoencoder();
  const hidden = await values(dbn.forward(x));
  expect([...namedParameters(encoder).values()].map((p) => p.shape)).toEqual([
    [12, 9], [12], [6, 12], [6], [12, 6], [12], [9, 12], [9],
  ]); // biome-ignore format: a list
  const means = dbn.layers[0].visibleMeans(dbn.layers[1].visibleMeans(dbn.forward(x)));
  const decoded = await values(encoder.forward(x).sigmoid());
  (await values(means)).forEach((v, i) => void expect(decoded[i]).toBeCloseTo(v, 5));
  const before = await values(dbn.layers[0].weight);
  const student = adam(
    classifier,
    (batch: { x: Tensor; y: Tensor }) => crossEntropy(classifier.forward(batch.x), batch.y),
    { lr: 0.02 },
  );
  const start = await student.step({ x, y });
  for (let i = 0; i < 300; i++) await student.step({ x, y });
  expect(await values(classifier.forward(x).argmax())).toEqual(await values(y));
  expect(await student.step({ x, y })).toBeLessThan(0.1 * start);
  expect(await values(dbn.layers[0].weight)).toEqual(before); // copies
  expect(await values(dbn.forward(x))).toEqual(hidden);
});

test("the copies of a Gaussian net keep its deviation", async () => {
  const dbn = new DBN([3, 4, 2], { kind: "gaussian", deviation: 0.5 });
  for (const rbm of dbn.layers) rbm.weight = param(init.normal(rbm.weight.shape), rbm.weight.shape);
  const v = tensor([[0.3, -2, 1]]);
  const encoder = await dbn.autoencoder();
  const expected = await values(dbn.layers[0].visibleMeans(dbn.layers[1].visibleMeans(dbn.forward(v))));
  (await values(encoder.forward(v))).forEach((found, i) => void expect(found).toBeCloseTo(expected[i], 5));
  const linear = await dbn.autoencoder({ linearCode: true });
  expect(linear.length).toBe(encoder.length - 1);
});

test("up-down raises the likelihood, and draws are patterns of the data", async () => {
  const dbn = new DBN([9, 10, 8]);
  await pretrain(dbn, repeated(100), { epochs: 3 });
  const net = await untie(dbn);
  expect((await values(net.forward(x))).map((p) => p.toFixed(5))).toEqual(
    (await values(dbn.forward(x))).map((p) => p.toFixed(5)),
  );
  const before = await logLikelihood(net, x);
  const student = sgd(net, wakeSleep(net, { k: 5 }), { lr: 0.05, momentum: 0.5 });
  const batch = { x: x.tile(10, 1) };
  for (let i = 0; i < 6000; i++) await student.step(batch);
  const after = await logLikelihood(net, x);
  const share = async (t: Tensor): Promise<number> => {
    const rows = await values(t.gt(0.5).cast("f32"));
    const known = new Set([...bars, ...stripes].map(String));
    const drawn = Array.from({ length: t.shape[0] }, (_, i) => String(rows.slice(9 * i, 9 * i + 9)));
    return drawn.filter((row) => known.has(row)).length / drawn.length;
  };
  const found = await share(await net.sample(500, { steps: 300 }));
  expect(after).toBeGreaterThan(before + 1);
  expect(after).toBeGreaterThan(-4); // fair coins: −6.24
  expect(found).toBeGreaterThan(0.5); // of fair coins 12 in 512
});

test("each part of up-down learns from its own draws", async () => {
  const dbn = new DBN([9, 5, 4]);
  const net = await untie(dbn);
  const loss = wakeSleep(net);
  const { grad } = await import("../../src/index.ts");
  const ps = [...namedParameters(net).entries()];
  const run = compile((batch: { x: Tensor }) =>
    grad(
      loss(batch) as Tensor,
      ps.map(([, p]) => p),
    ),
  );
  const mean = new Array<number>(9).fill(0);
  const at = ps.findIndex(([name]) => name === "generative.0.bias");
  for (let i = 0; i < 50; i++)
    (await values((await run({ x }))[at])).forEach((g, j) => {
      mean[j] += g / 50;
    });
  // weights are near 0: the generative bias's gradient is ½ less the data's mean
  const expected = await values(x.mean(0).neg().add(0.5));
  mean.forEach((g, j) => void expect(g).toBeCloseTo(expected[j], 1));
  expect(ps.map(([name]) => name)).toEqual([
    "recognition.0.weight", "recognition.0.bias", "generative.0.weight", "generative.0.bias", "top.weight", "top.visibleBias", "top.hiddenBias",
  ]); // biome-ignore format: a list
});

test("what is wrong is said in one line", async () => {
  // biome-ignore lint/suspicious/noExplicitAny: this is about callers without types
  const untyped = (value: unknown): any => value;
  const dbn = new DBN([9, 4]);
  const misuse = {
    sizes: () => new DBN(untyped(9)),
    "one size": () => new DBN([9]),
    layer: () => dbn.contrastiveDivergence(1),
    x: () => dbn.forward(tensor([[1, 0]])),
    epochs: () => pretrain(dbn, repeated(1), { epochs: 0 }),
    "no batch": () => pretrain(dbn, repeated(0)),
    untie: () => untie(dbn),
    gaussian: () => untie(new DBN([2, 2, 2], { kind: "gaussian" })),
    classes: () => dbn.classifier(0),
    sample: () => dbn.sample(0),
  };
  expect(await messagesOf(misuse)).toMatchInlineSnapshot(`
    "sizes: TypeError: DBN: sizes must be a list, such as [784, 500], got a number
    one size: RangeError: DBN: needs two sizes or more, such as [784, 500], got 1
    layer: RangeError: DBN: there is no layer 1, but 0 to 0
    x: ShapeError: DBN: needs [B, 9], or as many in other axes, got x [1, 2], in DBN
    epochs: ShapeError: pretrain: epochs must be a whole number ≥ 1, got 0
    no batch: RangeError: pretrain: the data have no batch
    untie: RangeError: untie: the net is one machine, which has nothing to untie
    gaussian: TypeError: untie: needs bits as data, those of this net are gaussian
    classes: ShapeError: classifier: classes must be a whole number ≥ 1, got 0
    sample: ShapeError: sample: count must be a whole number ≥ 1, got 0"
  `);
});
