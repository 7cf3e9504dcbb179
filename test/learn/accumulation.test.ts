// The sum and the mean of 10⁸ equal values are within 4 ULP.
import { expect, test } from "vitest";
import { WasmBackend } from "../../src/backend/wasm/index.ts";
import { full } from "../../src/graph/index.ts";
import { run } from "../harness.ts";

test.each([0.1, 1 / 3, 1.1, 0.7])("10⁸ times %d", (value) => {
  const x = full([10 ** 8], value);
  const [sum, mean] = run(new WasmBackend({ threads: 1 }), [x.sum(), x.mean()]);
  const ulps = (actual: number, expected: number): number =>
    Math.abs(actual - expected) / 2 ** (Math.floor(Math.log2(expected)) - 23);
  expect(ulps(sum[0], Math.fround(value) * 10 ** 8)).toBeLessThanOrEqual(4);
  expect(ulps(mean[0], Math.fround(value))).toBeLessThanOrEqual(4);
});
