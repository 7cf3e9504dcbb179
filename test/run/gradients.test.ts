// All gradients in one range of memory, as an all-reduce wants them: computed in place, with no copy.
import { expect, test } from "vitest";
import { compileTrace } from "../../src/compile/program.ts";
import { concat, grad, tensor } from "../../src/graph/index.ts";
import { trace } from "../../src/graph/internal.ts";
import { crossEntropy, Linear, parameters, Sequential, tanh } from "../../src/nn/index.ts";

test("gradients side by side cost no kernel", () => {
  const model = new Sequential(new Linear(12, 20), tanh, new Linear(20, 16), tanh, new Linear(16, 8));
  const loss = crossEntropy(model.forward(tensor(new Float32Array(32 * 12), [32, 12])), tensor(new Int32Array(32)));
  const gradients = grad(loss, parameters(model));
  const apart = compileTrace(trace(gradients), { verify: true });
  const together = compileTrace(trace([concat(gradients.map((g) => g.reshape(-1)))]), { verify: true });
  expect(together.calls.length).toBe(apart.calls.length + 1); // that of the output, which is the caller's memory
  expect(together.copies).toEqual([]);
});
