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

test("the nearest name is offered, with all there are", () => {
  expect(nearest("cifar", ["mnist", "cifar10"])).toBe("cifar10");
  expect(noSuch("device", "webgpu", ["auto", "wasm", "js"])).toBe(
    'there is no device "webgpu"; did you mean wasm? (there are auto, wasm, js)',
  );
});
