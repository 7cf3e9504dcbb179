// Metrics: accuracy of classes, of one output and of tokens, perplexity, the confusion table and how it is drawn.
import { beforeAll, describe, expect, test } from "vitest";
import { device, type Tensor, tensor } from "../../src/index.ts";
import type { HostTensor } from "../../src/nn/index.ts";
import {
  accuracy,
  accuracyOf,
  confusion,
  confusionMatrix,
  type MeanMetric,
  perplexity,
  renderConfusion,
} from "../../src/train/index.ts";

const labels = (...values: number[]): Tensor => tensor(Int32Array.from(values));
const nan = Number.NaN;

/** The figure of a metric over one batch. */
async function figure(metric: MeanMetric, outputs: Tensor, y: Tensor): Promise<number> {
  const { sum, count } = metric({ x: y, y }, outputs);
  return (await sum.item()) / (typeof count === "number" ? count : await count.item());
}

describe.each(["js", "wasm"] as const)("accuracy on %s", (name) => {
  beforeAll(() => {
    device(name);
  });

  const scores = tensor([
    [3, 1, 2],
    [0, 0, -1],
    [0, 1, 2],
  ]);
  const oneHot = tensor([
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ]);
  const tokens = tensor([1, 0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1], [2, 3, 2]); // tell 0, 1, 1 and 0, 0, 1
  const unsure = tensor([
    [nan, 0],
    [0, nan],
    [0, 1],
  ]);
  const nextTo = tensor([-1, 2, 5, 0]);

  test.each<[string, Tensor, Tensor, number]>([
    ["labels, the first class at ties", scores, labels(0, 0, 1), 2 / 3],
    ["one-hot targets", scores, oneHot, 2 / 3],
    ["softened targets", scores, oneHot.mul(0.7).add(0.1), 2 / 3],
    ["several classes at once", scores, oneHot.add(oneHot.flip(0)), nan],
    ["tokens", tokens, labels(0, 1, 1, 1, 1, 1).reshape(2, 3), 4 / 6],
    ["NaN of the first class", unsure, labels(0, 1, 1), 1 / 3],
    ["NaN of the other class", unsure, labels(1, 0, 1), 1 / 3],
    ["one output a sample, targets [B, 1]", nextTo.reshape(4, 1), tensor([[1], [1], [1], [0]]), 3 / 4],
    ["one output a sample, targets [B]", nextTo.reshape(4, 1), tensor([0, 0, 1, 0]), 3 / 4],
    ["outputs [B], labels [B]", nextTo, labels(1, 0, 0, 1), 0],
    ["one output that is NaN", tensor([nan, nan, 1]), tensor([0, 1, 1]), 1 / 3],
    ["one target that is NaN", tensor([-1, 1, 1]), tensor([nan, nan, 1]), 1 / 3],
  ])("%s", async (_, outputs, y, expected) => {
    const found = await figure(accuracy, outputs, y);
    if (Number.isNaN(expected)) expect(found).toBeNaN();
    else expect(found).toBeCloseTo(expected, 12);
  });

  test("labels that are ignored", async () => {
    const y = labels(0, -1, 1, 1, -1, -1).reshape(2, 3);
    expect(await figure(accuracyOf({ ignore: -1 }), tokens, y)).toBeCloseTo(2 / 3, 12);
    expect(await figure(accuracyOf({ ignore: 9 }), tensor([1, -1, 1]), labels(1, 9, 0))).toBe(0.5);
  });

  test("perplexity is that of the tokens that count", async () => {
    const { sums, figure: last } = perplexity({ ignore: -1 });
    const logits = tensor([0, Math.log(3), 0, 0, 0, 0], [3, 2]);
    const found = sums({ x: logits, y: labels(1, 0, -1) }, logits); // probabilities 3/4 and 1/2
    const [sum, count] = [await (found.sum as Tensor).item(), await (found.count as Tensor).item()];
    expect(last({ sum, count })).toBeCloseTo(Math.sqrt((4 / 3) * 2), 5);
    const none = sums({ x: logits, y: labels(-1, -1, -1) }, logits);
    expect([await (none.sum as Tensor).item(), await (none.count as Tensor).item()]).toEqual([0, 0]);
  });
});

test("targets of another shape are refused", () => {
  const outputs = tensor(new Float32Array(12), [4, 3]);
  for (const [y, got] of [
    [labels(0, 1, 2), "i32 [3]"],
    [tensor(new Float32Array(4), [4, 1]), "f32 [4, 1]"],
    [tensor(1), "f32 []"],
  ] as const)
    expect(() => accuracy({ x: y, y }, outputs)).toThrow(
      `accuracy: outputs [4, 3] take labels [4] or targets of their own shape, got ${got}`,
    );
});

test("confusion collects classes, and refuses outputs that tell none", async () => {
  const { collect, finish } = confusion(2, { ignore: -1 });
  const row = async (outputs: Tensor, y: Tensor): Promise<Record<string, HostTensor>> => {
    const { predicted, actual } = collect({ x: y, y }, outputs);
    const host = async (t: Tensor): Promise<HostTensor> => ({ dtype: t.dtype, shape: t.shape, data: await t.data() });
    return { predicted: await host(predicted), actual: await host(actual) };
  };
  const logits = tensor([
    [1, 0],
    [0, 1],
    [0, 1],
  ]);
  expect(finish([await row(logits, labels(0, 0, -1)), await row(tensor([[-2], [3]]), tensor([[1], [1]]))])).toEqual([
    [1, 1],
    [1, 1],
  ]);
  const spoilt = await row(tensor([[0, nan]]), labels(0));
  expect(() => finish([spoilt])).toThrow("the outputs for sample 0 tell NaN, which is not one of 2 classes");
});

test("the confusion matrix counts by actual and predicted class", () => {
  const matrix = confusionMatrix([0, 1, 1, 0, 2], [0, 1, 0, 0, 1], 3);
  expect(matrix).toEqual([
    [2, 1, 0],
    [0, 1, 1],
    [0, 0, 0],
  ]);
  expect(renderConfusion(matrix, ["cat", "dog", "hippopotamus"])).toMatchInlineSnapshot(`
    "actual            cat     dog hippopo    right
    cat                 2       1       ·    66.7%
    dog                 ·       1       1    50.0%
    hippopotamus        ·       ·       ·        –"
  `);
  expect(() => confusionMatrix([0], [3], 3)).toThrow("label 3 of sample 0 is not one of 3 classes");
  expect(() => confusionMatrix([3], [0], 3)).toThrow("sample 0 tell class 3, which is not one of 3 classes");
});
