// Data that a loss cannot be given: named for any model and batch, before any layer is blamed.
import { beforeAll, describe, expect, test } from "vitest";
import { device, param, randomState, seed, state, type Tensor, tensor } from "../../src/index.ts";
import { crossEntropy, Dropout, Linear } from "../../src/nn/index.ts";
import { sgd, wrongData } from "../../src/optim/index.ts";
import { testDevices } from "../devices.ts";

describe.each(testDevices)("%s", (name) => {
  beforeAll(() => {
    device(name);
    seed(1);
  });

  const model = { layer: new Linear(2, 3), drop: new Dropout(0.5), runs: state(tensor([0])), free: param([1]) };
  type Tokens = readonly [Tensor, { readonly labels: Tensor }];
  const loss = ([x, { labels }]: Tokens) => {
    model.runs.assign(model.runs.add(1));
    const outputs = model.drop.forward(model.layer.forward(x)); // [B, T, 3]
    return { loss: crossEntropy(outputs, labels, { ignore: -100 }), outputs };
  };
  const tokens = (...labels: number[]): Tokens => [
    tensor(new Float32Array(8), [2, 2, 2]),
    { labels: tensor(Int32Array.from(labels), [2, 2]) },
  ];

  test("diagnose names a label of no class and the loss that refused it", async () => {
    const optimizer = sgd<Tokens>(model, loss);
    expect(await optimizer.step(tokens(0, 2, 12, -1))).toBeNaN();
    expect(await optimizer.diagnose(tokens(0, 2, 12, -1))).toBe(
      "label 12 is none of the classes 0 … 2, in crossEntropy",
    );
    expect(await optimizer.step(tokens(0, 2, 1, -100))).toBeGreaterThan(0);
    expect(await optimizer.diagnose(tokens(0, 2, 1, -100))).toBeUndefined();
  });

  test("the first wrong one of several batches is found, with nothing updated or drawn", async () => {
    const before = [randomState(), await model.runs.array()];
    expect(await wrongData(loss, [tokens(0, 1, 2, 0), tokens(0, -100, 0, -7), tokens(5, 5, 5, 5)])).toBe(
      "label -7 is none of the classes 0 … 2, in crossEntropy",
    );
    expect([randomState(), await model.runs.array()]).toEqual(before);
    expect(await wrongData(() => model.free.sum(), [undefined])).toBeUndefined();
  });
});

test("a row that is ignored changes neither the loss nor any gradient", async () => {
  device("js");
  const logits = (last: number) =>
    tensor([
      [1, 2, 0],
      [last, 0, 1],
    ]);
  const mean = await crossEntropy(logits(3), tensor(Int32Array.of(1, -1)), { ignore: -1 }).item();
  expect(mean).toBeCloseTo(Math.log(Math.exp(1) + Math.exp(2) + 1) - 2, 6);
  expect(await crossEntropy(logits(-9), tensor(Int32Array.of(1, -1)), { ignore: -1 }).item()).toBe(mean);
  const weights = {
    w: param([
      [1, 2, 0],
      [3, 0, 1],
    ]),
  };
  const before = (await weights.w.array()) as number[][];
  const step = sgd<Tensor>(weights, (labels) => crossEntropy(weights.w, labels, { ignore: -1 }), { lr: 1 });
  await step.step(tensor(Int32Array.of(1, -1)));
  const after = (await weights.w.array()) as number[][];
  expect(after[1]).toEqual(before[1]);
  expect(after[0][1]).toBeGreaterThan(before[0][1]);
  expect(() =>
    crossEntropy(
      logits(0),
      tensor([
        [1, 0, 0],
        [1, 0, 0],
      ]),
      { ignore: 0 },
    ),
  ).toThrow("ignore is a label");
});
