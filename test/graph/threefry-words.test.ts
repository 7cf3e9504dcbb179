// The written-out rounds are those of the generator that kernels use.
import { expect, test } from "vitest";
import { threefry, threefryWords } from "../../src/graph/internal.ts";

test.each([
  [0, 0, 9],
  [1, 2, 10],
  [-5, 0x7fffffff, 1],
  [123456789, -987654321, 64],
])("under the key %i, %i", (key0, key1, n) => {
  const words = new Int32Array(n);
  threefryWords([key0, key1], words);
  const expected = Array.from({ length: Math.ceil(n / 2) }, (_, pair) => threefry(key0, key1, 2 * pair, 0)).flat();
  expect([...words]).toEqual(expected.slice(0, n));
});
