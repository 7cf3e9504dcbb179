// Recurrent layers in use: names, starting values, dropout between layers, compiled steps, sequences turned round, misuse.
import { beforeAll, expect, test } from "vitest";
import {
  compile,
  device,
  evaluating,
  ones,
  seed,
  state,
  type Tensor,
  tensor,
  training,
  uniform,
  zeros,
} from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";

beforeAll(() => {
  device("wasm");
});

const ids = (values: readonly number[]): Tensor => tensor(values, [values.length], { dtype: "i32" });

test("parameters have PyTorch's names, shapes and order", () => {
  const shapes = (layer: object): string[] => [...nn.namedParameters(layer)].map(([name, t]) => `${name} ${t.shape}`);
  expect(shapes(new nn.LSTM(3, 5, { layers: 2, bidirectional: true }))).toEqual(
    ["l0", "l0_reverse", "l1", "l1_reverse"].flatMap((at) => [
      `weight_ih_${at} 20,${at.startsWith("l0") ? 3 : 10}`,
      `weight_hh_${at} 20,5`,
      `bias_ih_${at} 20`,
      `bias_hh_${at} 20`,
    ]),
  );
  expect(shapes(new nn.GRUCell(3, 5))).toEqual(["weight_ih 15,3", "weight_hh 15,5", "bias_ih 15", "bias_hh 15"]);
  expect(shapes(new nn.RNN(3, 5, { bias: false }))).toEqual(["weight_ih_l0 5,3", "weight_hh_l0 5,5"]);
  expect(shapes(new nn.LSTM(3, 5, { peepholes: true, coupled: true })).slice(2)).toEqual(
    ["bias_ih_l0 15", "bias_hh_l0 15", "peephole_f_l0 5", "peephole_o_l0 5"], // prettier-ignore
  );
});

test("parameters start from U(±1/√hidden); the forget bias is added to one of the two", async () => {
  seed(3);
  const layer = new nn.LSTM(8, 64, { forgetBias: 1.5 });
  for (const [name, t] of nn.namedParameters(layer)) {
    const values = [...(await t.data())] as number[];
    const forget = name === "bias_ih_l0" ? values.splice(64, 64) : [];
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(1 / 8);
    expect(Math.max(...values.map(Math.abs))).toBeGreaterThan(0.115);
    if (name !== "bias_ih_l0") continue;
    expect(Math.min(...forget)).toBeGreaterThanOrEqual(1.375);
    expect(Math.max(...forget)).toBeLessThanOrEqual(1.625);
    expect(new Set(forget).size).toBeGreaterThan(32);
  }
});

test("an IRNN adds up its inputs", async () => {
  seed(4);
  const layer = nn.irnn(40, 30, { layers: 2 });
  const values = async (t: Tensor): Promise<number[]> => [...(await t.data())] as number[];
  expect(await values(layer.weight_hh_l1)).toEqual(Array.from({ length: 900 }, (_, i) => (i % 31 === 0 ? 1 : 0)));
  expect([...(await values(layer.bias_ih_l0!)), ...(await values(layer.bias_hh_l0!))]).toEqual(new Array(60).fill(0));
  const weights = await values(layer.weight_ih_l0);
  const deviation = Math.sqrt(weights.reduce((sum, w) => sum + w * w, 0) / weights.length);
  expect(Math.abs(deviation / 0.001 - 1)).toBeLessThan(0.1);
  layer.weight_ih_l0 = ones([30, 40]);
  const first = nn.irnn(40, 30);
  first.weight_ih_l0 = ones([30, 40]).div(40);
  expect(
    await values(
      first
        .forward(ones([1, 4, 40]))
        .at(0)
        .slice(1, 0, 1),
    ),
  ).toEqual([1, 2, 3, 4].map((v) => expect.closeTo(v, 5)));
});

test("a layer is a part of Sequential and learns what came three steps before", async () => {
  seed(5);
  const net = new nn.Sequential(new nn.Embedding(2, 4), new nn.GRU(4, 8), (h) => h.at(-1, 1), new nn.Linear(8, 2));
  expect([...nn.namedParameters(net).keys()].slice(0, 3)).toEqual(["0.weight", "1.weight_ih_l0", "1.weight_hh_l0"]);
  const bits = Array.from({ length: 16 }, (_, n) => [n >> 3, (n >> 2) & 1, (n >> 1) & 1, n & 1]);
  const x = tensor(bits, [16, 4], { dtype: "i32" });
  const y = x.at(0, 1);
  const optimizer = adam(net, (batch: { x: Tensor; y: Tensor }) => nn.crossEntropy(net.forward(batch.x), batch.y), {
    lr: 0.05,
  });
  for (let step = 0; step < 60; step++) await optimizer.step({ x, y });
  expect(await net.forward(x).argmax(-1).eq(y).all().cast("i32").item()).toBe(1);
});

test("dropout acts in training, between layers only", async () => {
  seed(6);
  const x = uniform([2, 3, 4]);
  const values = async (layer: nn.Recurrent, mode: typeof training): Promise<number[]> =>
    [...(await mode(() => layer.forward(x)).data())] as number[];
  const two = new nn.RNN(4, 16, { layers: 2, dropout: 0.5 });
  expect(await values(two, training)).not.toEqual(await values(two, evaluating));
  const one = new nn.RNN(4, 16, { dropout: 0.5 });
  expect(await values(one, training)).toEqual(await values(one, evaluating));
  const all = new nn.RNN(4, 16, { layers: 2, dropout: 1 });
  const upper = new nn.RNN(16, 16);
  for (const name of ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] as const)
    Object.assign(upper, { [`${name}_l0`]: (all as unknown as Record<string, Tensor>)[`${name}_l1`] });
  expect(await values(all, training)).toEqual([...(await upper.forward(zeros([2, 3, 16])).data())]);
});

test("a compiled step takes lengths as a tensor and carries its state on", async () => {
  seed(7);
  const layer = new nn.LSTM(2, 3);
  const carried = [state(zeros([1, 2, 3])), state(zeros([1, 2, 3]))];
  const step = compile((x: Tensor, lengths: Tensor) => {
    const { outputs, state: last } = layer.run(x, { state: carried, lengths });
    carried.forEach((t, i) => {
      t.assign(last[i]);
    });
    return outputs;
  });
  const [a, b] = [uniform([2, 4, 2]), uniform([2, 4, 2])];
  const first = layer.run(a, { lengths: [4, 2] });
  const second = layer.run(b, { state: first.state, lengths: [1, 3] });
  const close = async (t: Tensor, expected: Tensor): Promise<void> =>
    expect(await t.sub(expected).abs().max().item()).toBeLessThan(1e-6);
  await close(await step(a, ids([4, 2])), first.outputs);
  await close(await step(b, ids([1, 3])), second.outputs);
  for (const [i, t] of carried.entries()) await close(t, second.state[i]);
});

test("sequenceMask and reverseSequences", async () => {
  const mask = nn.sequenceMask([2, 3, 1], 3);
  expect([mask.dtype, mask.shape, [...(await mask.data())]]).toEqual(["bool", [3, 3], [1, 1, 0, 1, 1, 1, 1, 0, 0]]);
  const x = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 3]);
  expect([...(await nn.reverseSequences(x, ids([2, 3, 1])).data())]).toEqual([2, 1, 3, 6, 5, 4, 7, 8, 9]);
  const wide = nn.reverseSequences(tensor([1, 2, 3, 4, 5, 6], [1, 3, 2]), [3]);
  expect([wide.shape, [...(await wide.data())]]).toEqual([
    [1, 3, 2],
    [5, 6, 3, 4, 1, 2],
  ]);
});

test("backwards is forwards over sequences turned round", async () => {
  seed(8);
  const both = new nn.GRU(2, 3, { bidirectional: true });
  const one = new nn.GRU(2, 3);
  for (const name of ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] as const)
    Object.assign(one, { [`${name}_l0`]: (both as unknown as Record<string, Tensor>)[`${name}_l0_reverse`] });
  const [x, lengths] = [uniform([3, 4, 2]), [2, 4, 1]];
  const turned = one.run(nn.reverseSequences(x, lengths), { lengths });
  const run = both.run(x, { lengths });
  const difference = run.outputs.slice(2, 3).sub(nn.reverseSequences(turned.outputs, lengths));
  expect(await difference.abs().max().item()).toBeLessThan(1e-6);
  expect(await run.state[0].at(1).sub(turned.state[0].at(0)).abs().max().item()).toBeLessThan(1e-6);
});

// biome-ignore lint/suspicious/noExplicitAny: this is about callers without types
type Untyped = any;
const { RNN, LSTM, GRU, LSTMCell, GRUCell, sequenceMask, reverseSequences }: Untyped = nn;
const lstm = new LSTM(2, 3);
const x = zeros([4, 5, 2]);
const part = zeros([1, 4, 3]);

test.each<[string, () => unknown, string]>([
  ["no hidden size", () => new RNN(2), "ShapeError: RNN: hidden must be a whole number ≥ 1, got undefined"],
  ["no layers", () => new GRU(2, 3, { layers: 0 }), "ShapeError: GRU: layers must be a whole number ≥ 1, got 0"],
  ["dropout 2", () => new GRU(2, 3, { dropout: 2 }), "ShapeError: GRU: dropout must lie in [0, 1], got 2"],
  ["nonlinearity", () => new RNN(2, 3, { nonlinearity: "elu" }), "RangeError: RNN: nonlinearity must be one of tanh, relu, sigmoid, got elu"],
  ["without a word", () => new LSTM(2, 3, { without: "inputGate" }), 'TypeError: LSTM: without is a list, e.g. ["inputGate"], got a string'],
  ["without what is none", () => new LSTM(2, 3, { without: ["gate"] }), "RangeError: LSTM: without can list inputGate, forgetGate, outputGate, inputActivation, outputActivation, got gate"],
  ["coupled to nothing", () => new LSTM(2, 3, { coupled: true, without: ["forgetGate"] }), "RangeError: LSTM: coupled gates are i = 1 − f, so without can list neither inputGate nor forgetGate"],
  ["forgetBias", () => new LSTM(2, 3, { forgetBias: Number.NaN }), "RangeError: LSTM: forgetBias must be a finite number, got NaN"],
  ["forgetBias without biases", () => new LSTM(2, 3, { forgetBias: 1, bias: false }), "RangeError: LSTM: forgetBias 1 needs biases (leave bias: false out)"],
  ["an array", () => lstm.forward([[1, 2]]), "TypeError: LSTM: takes a tensor, got an array (make it one by tensor(…))"],
  ["other inputs", () => lstm.forward(zeros([4, 5, 3])), "ShapeError: recurrent: needs x [B, T, 2] with T ≥ 1, got [4, 5, 3], in LSTM"],
  ["one step", () => lstm.forward(zeros([4, 2])), "ShapeError: recurrent: needs x [B, T, 2] with T ≥ 1, got [4, 2], in LSTM"],
  ["no steps", () => lstm.forward(zeros([4, 0, 2])), "ShapeError: recurrent: needs x [B, T, 2] with T ≥ 1, got [4, 0, 2], in LSTM"],
  ["a tensor for a state", () => lstm.run(x, { state: part }), "TypeError: recurrent: the state must be [h, c], each [1, 4, 3], got a Tensor, in LSTM"],
  ["half a state", () => lstm.run(x, { state: [part] }), "ShapeError: recurrent: the state must be [h, c], each [1, 4, 3], got [[1, 4, 3]], in LSTM"],
  ["a state of another batch", () => lstm.run(x, { state: [part, zeros([1, 5, 3])] }), "ShapeError: recurrent: the state must be [h, c], each [1, 4, 3], got [[1, 4, 3], [1, 5, 3]], in LSTM"],
  ["a state of numbers", () => lstm.run(x, { state: [part, 0] }), "TypeError: recurrent: the state must be [h, c], each [1, 4, 3], got a number for c, in LSTM"],
  ["a length beyond T", () => lstm.run(x, { lengths: [1, 6, 2, 3] }), "ShapeError: recurrent: lengths must be whole numbers within 1 … 5, got 6 for sequence 1, in LSTM"],
  ["a length of 0", () => lstm.run(x, { lengths: [1, 5, 0, 3] }), "ShapeError: recurrent: lengths must be whole numbers within 1 … 5, got 0 for sequence 2, in LSTM"],
  ["too few lengths", () => lstm.run(x, { lengths: [1, 5] }), "ShapeError: recurrent: there must be a length for each of 4 sequences, got 2, in LSTM"],
  ["lengths as f32", () => lstm.run(x, { lengths: tensor([1, 2, 3, 4]) }), "ShapeError: recurrent: lengths must be i32 [B], got f32 [4], in LSTM"],
  ["a number of lengths", () => lstm.run(x, { lengths: 4 }), "TypeError: recurrent: lengths are an array of numbers or an i32 tensor, got a number, in LSTM"],
  ["a mask of fractions", () => sequenceMask([1.5], 3), "ShapeError: sequenceMask: lengths must be whole numbers within 1 … 3, got 1.5 for sequence 0"],
  ["nothing to turn round", () => reverseSequences(zeros([3]), [1]), "ShapeError: reverseSequences: needs [B, T, …], got [3]"],
  ["a cell over time", () => new GRUCell(2, 3).forward(x), "ShapeError: cell: needs x [B, 2], got [4, 5, 2], in GRUCell"],
  ["a layer's state in a cell", () => new LSTMCell(2, 3).forward(zeros([4, 2]), [part, part]), "ShapeError: cell: the state must be [h, c], each [4, 3], got [[1, 4, 3], [1, 4, 3]], in LSTMCell"],
])("%s", (_, wrong, message) => {
  let thrown = "nothing was thrown";
  try {
    wrong();
  } catch (error) {
    thrown = String(error);
  }
  expect(thrown).toBe(message);
}); // biome-ignore format: a table
