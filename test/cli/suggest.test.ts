// Nearest names: edit distances and the sentence that offers one.
import { expect, test } from "vitest";
import { editDistance, nearest, noSuch } from "../../src/cli/suggest.ts";

test.each([
  ["", "", 0],
  ["", "abc", 3],
  ["lenet", "lenet5", 1],
  ["LeNet5", "lenet5", 0],
  ["mnits", "mnist", 1],
  ["kitten", "sitting", 3],
  ["ab", "ba", 1],
])("from %j to %j in %d edits", (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
  expect(editDistance(b, a)).toBe(distance);
});

test.each([
  ["cifar", ["mnist", "cifar10"], "cifar10"],
  ["sdg", ["adam", "sgd"], "sgd"],
  ["--epocs", ["--data", "--epochs"], "--epochs"],
  ["cuda", ["auto", "wasm", "js"], undefined],
  ["--epochs", ["--data", "--batch", "--device"], undefined],
  ["", ["js"], undefined],
])("%j among %j is %j", (word, names, meant) => {
  expect(nearest(word, names)).toBe(meant);
});

test("all names are listed, after the one that was probably meant", () => {
  expect(noSuch("device", "wsam", ["auto", "wasm", "js"])).toBe(
    'there is no device "wsam"; did you mean wasm? (there are auto, wasm, js)',
  );
  expect(noSuch("device", "webgpu", ["auto", "wasm", "js"])).toBe(
    'there is no device "webgpu"; there are auto, wasm, js',
  );
});
