// Losses beyond golden values: what does not count, what is wrong, extreme values, and the wording of misuse.
import { beforeAll, describe, expect, test } from "vitest";
import { device, grad, type Tensor, tensor, zeros } from "../../src/index.ts";
import {
  binaryCrossEntropy,
  cosineSimilarity,
  crossEntropy,
  huber,
  klDivergence,
  logSoftmax,
  mae,
  mse,
  nll,
  type Reduction,
  smoothL1,
} from "../../src/nn/index.ts";
import { wrongData } from "../../src/optim/check.ts";
import { accuracy, confusion, perplexity } from "../../src/train/index.ts";
import { testDevices } from "../devices.ts";
import { messagesOf } from "../messages.ts";

const labels = (...values: number[]) => tensor(Int32Array.from(values));
const finite = async (t: Tensor) => [...(await t.data())].every(Number.isFinite);
const logits = tensor([[2, 1, 0], [0, 3, 1], [5, 5, 9]]); // biome-ignore format: a matrix
const two = logits.slice(0, 0, 2);

for (const name of testDevices) {
  describe(name, () => {
    beforeAll(() => {
      device(name);
    });

    test("rows labelled −100 count neither in the loss, nor in its gradient, nor in the metrics", async () => {
      const y = labels(1, 1, -100);
      const all = await crossEntropy(two, labels(1, 1)).item();
      expect(await crossEntropy(logits, y).item()).toBeCloseTo(all, 6);
      expect(await nll(logSoftmax(logits), y).item()).toBeCloseTo(all, 6);
      const g = await grad(crossEntropy(logits, y), logits).data();
      expect([...g.slice(6)]).toEqual([0, 0, 0]);
      expect(g.slice(0, 6)).toEqual(await grad(crossEntropy(two, labels(1, 1)), two).data());
      const { sum, count } = accuracy({ x: logits, y }, logits);
      expect([await sum.item(), await (count as Tensor).item()]).toEqual([1, 2]);
      const sums = perplexity().sums({ x: logits, y }, logits);
      expect(await (sums.count as Tensor).item()).toBe(2);
      expect(await (sums.sum as Tensor).item()).toBeCloseTo(2 * all, 5);
      const { actual, predicted } = confusion(3).collect({ x: logits, y }, logits);
      const row = {
        actual: { ...actual, data: await actual.data() },
        predicted: { ...predicted, data: await predicted.data() },
      };
      expect(confusion(3).finish([row])).toEqual([[0, 0, 0], [1, 1, 0], [0, 0, 0]]); // biome-ignore format: a table
    });

    test("another label to ignore makes −100 a wrong one again", async () => {
      expect(await crossEntropy(logits, labels(1, -1, -1), { ignore: -1 }).item()).toBeCloseTo(1.4076, 4);
      expect(await crossEntropy(logits, labels(1, -1, -100), { ignore: -1 }).item()).toBeNaN();
    });

    test("a mean over nothing is NaN, a sum over nothing 0", async () => {
      const none = labels(-100, -100, -100);
      for (const loss of [crossEntropy, nll]) {
        expect(await loss(logits, none).item()).toBeNaN();
        expect(await loss(logits, none, { reduction: "sum" }).item()).toBe(0);
        expect(await loss(logits, none, { reduction: "none" }).array()).toEqual([0, 0, 0]);
      }
    });

    test("a wrong label is NaN in its own row and named, for both losses", async () => {
      for (const loss of [crossEntropy, nll]) {
        const terms = await loss(logits, labels(1, 3, -100), { reduction: "none" }).data();
        expect([...terms].map(Number.isNaN)).toEqual([false, true, false]);
        const problem = await wrongData((y: Tensor) => loss(logits, y), [labels(0, -100, 2), labels(0, 7, 2)]);
        expect(problem).toBe(`label 7 is none of the classes 0 … 2, in ${loss.name}`);
      }
    });

    test("a class of weight 0 does not count", async () => {
      const options = { classWeights: tensor([1, 1, 0]) };
      expect(await crossEntropy(logits, labels(1, 1, 2), options).item()).toBeCloseTo(
        await crossEntropy(two, labels(1, 1)).item(),
        6,
      );
    });

    test("large errors and logits give finite losses and gradients", async () => {
      const x = tensor([1e30, -1e30, 0, 1e-30]);
      for (const loss of [
        huber(x, zeros([4]), { delta: 0.5 }),
        smoothL1(x, zeros([4])),
        mae(x, zeros([4])),
        binaryCrossEntropy(x, tensor([0, 1, 1, 0]), { positiveWeight: 3 }),
        crossEntropy(x.mul(1e-26), tensor([1, 0, 0, 0]), { labelSmoothing: 0.1 }),
      ]) {
        const g = grad(loss, x);
        expect([await finite(loss), await finite(g)]).toEqual([true, true]);
      }
    });

    test("weighted binary cross-entropy at 0 has the gradient of its formula", async () => {
      const x = tensor([0, 0]);
      const loss = binaryCrossEntropy(x, tensor([1, 0]), { positiveWeight: 3, reduction: "sum" });
      expect(await grad(loss, x).array()).toEqual([-1.5, 0.5]);
    });

    test("a vector of zeros is like none, with a finite gradient", async () => {
      const [x, y] = [zeros([3]).add(0), tensor([1, 2, 2])];
      const similarity = cosineSimilarity(x, y);
      const gradients = grad(similarity, [x, y]);
      expect(await similarity.item()).toBe(0);
      for (const g of gradients) expect(await finite(g)).toBe(true);
      expect(await cosineSimilarity(tensor([[3, 4], [-4, 3]]), tensor([6, 8])).array()).toEqual([1, 0]); // biome-ignore format: a matrix
    });

    test("distributions that agree have no divergence, and what is absent adds nothing", async () => {
      const p = tensor([[0.5, 0.5, 0], [1, 0, 0]]); // biome-ignore format: a matrix
      expect(await klDivergence(p.log(), p, { reduction: "none" }).array()).toEqual([0, 0]);
    });

    test("losses of whole numbers are of their difference, not of 32 bits of it", async () => {
      const [x, y] = [labels(2_000_000_000, 0), labels(-2_000_000_000, 0)];
      expect(await mae(x, y, { reduction: "sum" }).item()).toBe(4e9);
      expect(await mse(x, y, { reduction: "sum" }).item()).toBe(Math.fround(1.6e19));
    });
  });
}

const misuse: Record<string, () => unknown> = {
  "a reduction that there is not": () => mse(logits, logits, { reduction: "avg" as Reduction }),
  "a reduction of another kind": () => mae(logits, logits, { reduction: null as unknown as Reduction }),
  "crossEntropy, reduction": () => crossEntropy(logits, labels(0, 1, 2), { reduction: "batchmean" as Reduction }),
  "huber, delta": () => huber(logits, logits, { delta: 0 }),
  "smoothL1, beta": () => smoothL1(logits, logits, { beta: Number.NaN }),
  "mae of other shapes": () => mae(logits, two),
  "crossEntropy, smoothing": () => crossEntropy(logits, labels(0, 1, 2), { labelSmoothing: 1.5 }),
  "crossEntropy, weights": () => crossEntropy(logits, labels(0, 1, 2), { classWeights: [1, 2] }),
  "crossEntropy, weights of probabilities": () => crossEntropy(logits, logits, { classWeights: [1, 2, 3, 4] }),
  "nll of floats": () => nll(logits, tensor([0, 1, 2])),
  "nll of other rows": () => nll(logits, labels(0, 1)),
  "binaryCrossEntropy, weight": () => binaryCrossEntropy(logits, logits, { positiveWeight: -1 }),
  "binaryCrossEntropy, weights": () => binaryCrossEntropy(two, two, { positiveWeight: zeros([4, 2, 3]) }),
  "klDivergence of other shapes": () => klDivergence(logits, two),
  "cosineSimilarity, eps": () => cosineSimilarity(logits, logits, { eps: 0 }),
};

test("misuse is refused in one line that names the argument", async () => {
  expect(await messagesOf(misuse)).toMatchInlineSnapshot(`
    "a reduction that there is not: TypeError: mse: reduction must be "mean", "sum" or "none", got "avg"
    a reduction of another kind: TypeError: mae: reduction must be "mean", "sum" or "none", got null
    crossEntropy, reduction: TypeError: crossEntropy: reduction must be "mean", "sum" or "none", got "batchmean"
    huber, delta: RangeError: huber: delta must be a finite number above 0, got 0
    smoothL1, beta: RangeError: smoothL1: beta must be a finite number ≥ 0, got NaN
    mae of other shapes: ShapeError: mae: shapes differ, prediction [3, 3] and target [2, 3]
    crossEntropy, smoothing: RangeError: crossEntropy: labelSmoothing must lie in [0, 1], got 1.5
    crossEntropy, weights: ShapeError: crossEntropy: classWeights must be [3], a number a class, got [2]
    crossEntropy, weights of probabilities: ShapeError: crossEntropy: classWeights must be [3], a number a class, got [4]
    nll of floats: ShapeError: nll: labels must be i32, got f32 [3]
    nll of other rows: ShapeError: nll: log-probabilities [3, 3] take labels [3], got i32 [2]
    binaryCrossEntropy, weight: RangeError: binaryCrossEntropy: positiveWeight must be a finite number ≥ 0, got -1
    binaryCrossEntropy, weights: ShapeError: binaryCrossEntropy: positiveWeight [4, 2, 3] does not broadcast to targets [2, 3]
    klDivergence of other shapes: ShapeError: klDivergence: shapes differ, prediction [3, 3] and target [2, 3]
    cosineSimilarity, eps: RangeError: cosineSimilarity: eps must be a number above 0, got 0"
  `);
});
