// Metrics: accuracy against labels and one-hot targets, the confusion table and how it is drawn.
import { beforeAll, expect, test } from "vitest";
import { device, tensor } from "../../src/index.ts";
import { accuracy, confusionMatrix, renderConfusion } from "../../src/train/index.ts";

beforeAll(() => {
  device("js");
});

test("accuracy is 1 for each right sample, the first class at ties", async () => {
  const outputs = tensor([
    [3, 1, 2],
    [0, 0, -1],
    [0, 1, 2],
  ]);
  expect(await accuracy(outputs, tensor(Int32Array.of(0, 0, 1))).array()).toEqual([1, 1, 0]);
  const oneHot = tensor([
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ]);
  expect(await accuracy(outputs, oneHot).array()).toEqual([1, 0, 1]);
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
});
