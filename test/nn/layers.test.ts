// Layers beyond golden values: dropout's statistics, training mode, extreme losses, and the wording of misuse.
import { beforeAll, describe, expect, test } from "vitest";
import { bernoulli, compile, device, grad, seed, tensor, training, zeros } from "../../src/index.ts";
import {
  AvgPool2d,
  BatchNorm2d,
  binaryCrossEntropy,
  Conv2d,
  crossEntropy,
  Dropout,
  Embedding,
  Flatten,
  identity,
  Linear,
  logSoftmax,
  MaxPool2d,
  mse,
  Sequential,
  softmax,
} from "../../src/nn/index.ts";
import { testDevices } from "../devices.ts";
import { messagesOf } from "../messages.ts";

const labels = (...values: number[]) => tensor(Int32Array.from(values));

for (const name of testDevices) {
  describe(name, () => {
    beforeAll(() => {
      device(name);
    });

    test("dropout keeps the mean, drops anew at each run, and rests outside training", async () => {
      const layer = new Dropout(0.25);
      const x = zeros([4000]).add(1);
      expect(layer.forward(x)).toBe(x);
      seed(3);
      const step = compile(() => training(() => layer.forward(x)));
      const [a, b] = [await (await step()).data(), await (await step()).data()];
      expect(a).not.toEqual(b);
      expect([...new Set(a)].sort()).toEqual([0, Math.fround(1 / 0.75)]);
      expect(a.filter((v) => v === 0).length / 4000).toBeCloseTo(0.25, 1.3);
    });

    test("dropped elements pass no gradient", async () => {
      const x = tensor([1, 2, 3, 4, 5, 6]);
      const y = training(() => new Dropout(0.5).forward(x));
      const g = grad(y.sum(), x);
      expect([...(await y.data())].map((v, i) => v / (i + 1))).toEqual([...(await g.data())]);
    });

    test("dropout of everything gives zeros and passes no gradient, also of values that are not finite", async () => {
      const x = tensor([1, Number.POSITIVE_INFINITY, Number.NaN]);
      const y = training(() => new Dropout(1).forward(x));
      expect([...(await y.data())]).toEqual([0, 0, 0]);
      expect([...(await grad(y.sum(), x).data())]).toEqual([0, 0, 0]);
      expect(new Dropout(1).forward(x)).toBe(x);
    });

    test("batch norm reads its old statistics and moves them only in training", async () => {
      const layer = new BatchNorm2d(1);
      const x = tensor([1, 3, 5, 7], [2, 1, 1, 2]);
      await layer.forward(x).data();
      expect(await layer.running_mean.array()).toEqual([0]);
      await training(() => layer.forward(x)).data();
      expect(await layer.running_mean.item()).toBeCloseTo(0.4);
      expect(await layer.running_var.item()).toBeCloseTo(0.9 + 0.1 * (20 / 3));
    });

    test("logits of ±10⁴ and masked ones give finite losses and gradients", async () => {
      const x = tensor([
        [1e4, -1e4],
        [-1e4, 1e4],
      ]);
      const losses = [
        crossEntropy(x, labels(1, 1)),
        crossEntropy(
          x,
          tensor([
            [0.5, 0.5],
            [1, 0],
          ]),
        ),
        binaryCrossEntropy(x, x.gt(0).float()),
      ];
      for (const loss of [...losses, softmax(x).mean(), logSoftmax(x).mean()]) {
        const g = grad(loss, x);
        expect(Number.isFinite(await loss.item())).toBe(true);
        expect([...(await g.data())].every(Number.isFinite)).toBe(true);
      }
      expect(await crossEntropy(tensor([[0, Number.NEGATIVE_INFINITY, 0]]), labels(2)).item()).toBeCloseTo(Math.log(2));
    });

    test("a label that names no class makes the loss NaN", async () => {
      expect(await crossEntropy(zeros([2, 3]), labels(0, 3)).item()).toBeNaN();
      expect(await crossEntropy(zeros([2, 3]), labels(0, -1)).item()).toBeNaN();
    });

    test("the gradient of binary cross-entropy at 0 is ½ − t", async () => {
      const x = tensor([0, 0]);
      expect(await grad(binaryCrossEntropy(x, tensor([1, 0])), x).array()).toEqual([-0.25, 0.25]);
    });

    test("functions of a model's inputs work in Sequential", async () => {
      const model = new Sequential(identity, (x) => x.mul(2));
      expect(await model.forward(tensor([1, 2])).array()).toEqual([2, 4]);
      expect(await new Sequential().forward(tensor([1])).array()).toEqual([1]);
    });
  });
}

const image = zeros([1, 2, 4, 4]);

const misuse: Record<string, () => unknown> = {
  "Linear of a fraction": () => new Linear(2.5, 1),
  "Linear of nothing": () => new Linear(3, 0),
  "Linear on other features": () => new Sequential(new Linear(3, 2)).forward(zeros([1, 4])),
  "Linear, init of another length": () => new Linear(2, 2, { init: () => new Float32Array(3) }),
  "Conv2d groups": () => new Conv2d(3, 4, 3, { groups: 2 }),
  "Conv2d stride": () => new Conv2d(3, 4, 3, { stride: [1, 0] }),
  "Conv2d padding": () => new Conv2d(3, 4, 3, { padding: -1 }),
  "Conv2d on other channels": () => new Sequential(new Flatten(3), new Conv2d(3, 4, 3)).forward(image),
  "Conv2d on a small image": () => new Conv2d(2, 4, 5).forward(image),
  "Conv2d on vectors": () => new Conv2d(2, 4, 5).forward(zeros([3, 2])),
  "pool on vectors": () => new MaxPool2d(2).forward(zeros([3, 2])),
  "pool window": () => new AvgPool2d([5, 1]).forward(image),
  "pool padding": () => new MaxPool2d(3, { padding: 2 }),
  "pool size": () => new AvgPool2d(0),
  "BatchNorm2d on other channels": () => new BatchNorm2d(3).forward(image),
  "BatchNorm2d on one value": () => training(() => new BatchNorm2d(1).forward(zeros([1, 1, 1, 1]))),
  "Dropout of more than everything": () => new Dropout(1.1),
  "a size of three": () => new Conv2d(1, 1, [3, 3, 3] as unknown as [number, number]),
  "Flatten past the end": () => new Flatten(2).forward(zeros([3, 2])),
  "Flatten of a negative axis": () => new Flatten(-1),
  "Embedding of floats": () => new Embedding(5, 2).forward(bernoulli([3])),
  "Sequential of no layer": () => new Sequential(identity, undefined as never),
  "mse of other shapes": () => mse(zeros([3, 1]), zeros([3])),
  "crossEntropy of float labels": () => crossEntropy(zeros([2, 3]), tensor([0, 1])),
  "crossEntropy of other rows": () => crossEntropy(zeros([2, 3]), labels(1, 1, 1)),
  "crossEntropy of a number": () => crossEntropy(zeros([]), zeros([])),
  "binaryCrossEntropy of other shapes": () => binaryCrossEntropy(zeros([3, 1]), zeros([3])),
  "softmax of an absent axis": () => softmax(zeros([3]), 1),
};

test("misuse is refused in one line that names the place", async () => {
  expect(await messagesOf(misuse)).toMatchInlineSnapshot(`
    "Linear of a fraction: ShapeError: Linear: inputs must be a whole number ≥ 1, got 2.5
    Linear of nothing: ShapeError: Linear: outputs must be a whole number ≥ 1, got 0
    Linear on other features: ShapeError: matmul: inner sizes differ, [1, 4] · [3, 2] (4 ≠ 3), in Linear "0"
    Linear, init of another length: ShapeError: param: its function gave 3 elements, [2, 2] takes a Float32Array of 4
    Conv2d groups: ShapeError: Conv2d: 3 inputs and 4 outputs do not both divide into 2 groups
    Conv2d stride: ShapeError: Conv2d: stride must be a whole number ≥ 1, got 0
    Conv2d padding: ShapeError: Conv2d: padding must be a whole number ≥ 0, got -1
    Conv2d on other channels: ShapeError: conv: channels differ, input [1, 2, 4, 4] has 2, weights [4, 3, 3, 3] in 1 group(s) take 3, in Conv2d "1"
    Conv2d on a small image: ShapeError: conv: the kernel does not fit, input [1, 2, 4, 4] padded to 4, kernel [4, 2, 5, 5] spans 5, in Conv2d
    Conv2d on vectors: ShapeError: conv: needs an input [batch, channels, …] and weights [outputs, channels / groups, …] of one rank, got [3, 2] and [4, 2, 5, 5], in Conv2d
    pool on vectors: ShapeError: pool: needs images [N, C, H, W], got [3, 2], in MaxPool2d
    pool window: ShapeError: pool: the window does not fit, image [1, 2, 4, 4] padded to [4, 4], window [5, 1], in AvgPool2d
    pool padding: ShapeError: MaxPool2d: padding [2, 2] is more than half of the window [3, 3]
    pool size: ShapeError: AvgPool2d: size must be a whole number ≥ 1, got 0
    BatchNorm2d on other channels: ShapeError: batchNorm: needs [N, 3, H, W], got [1, 2, 4, 4], in BatchNorm2d
    BatchNorm2d on one value: ShapeError: batchNorm: training needs more than one value per channel, got [1, 1, 1, 1], in BatchNorm2d
    Dropout of more than everything: ShapeError: Dropout: p must lie in [0, 1], got 1.1
    a size of three: ShapeError: Conv2d: kernel must be one number or [height, width], got [3, 3, 3]
    Flatten past the end: ShapeError: flatten: axis 2 does not exist in [3, 2], in Flatten
    Flatten of a negative axis: ShapeError: Flatten: start must be a whole number ≥ 0, got -1
    Embedding of floats: ShapeError: gather: indices must be i32, got f32; take x.cast("i32"), in Embedding
    Sequential of no layer: ShapeError: Sequential: part 1 is neither a function nor a layer with forward(x), got undefined
    mse of other shapes: ShapeError: mse: shapes differ, prediction [3, 1] and target [3]
    crossEntropy of float labels: ShapeError: crossEntropy: labels must be i32, got f32 [2]
    crossEntropy of other rows: ShapeError: crossEntropy: logits [2, 3] take labels [2] or probabilities of their own shape, got i32 [3]
    crossEntropy of a number: ShapeError: crossEntropy: logits [] take labels [] or probabilities of their own shape, got f32 []
    binaryCrossEntropy of other shapes: ShapeError: binaryCrossEntropy: shapes differ, prediction [3, 1] and target [3]
    softmax of an absent axis: ShapeError: max: axis 1 does not exist, the tensor has 1 axis"
  `);
});
