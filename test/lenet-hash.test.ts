// The same bits on every machine: the parameters of LeNet-5 after 100 steps on wasm, as a hash that is kept here.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { glyphs } from "../src/data/index.ts";
import { device, seed } from "../src/index.ts";
import { crossEntropy, stateDict } from "../src/nn/index.ts";
import { sgd } from "../src/optim/index.ts";
import { lenet5 } from "../src/zoo/index.ts";

/** SHA-256 over all parameters in the order of their names; equal on Node 20, 22 and 24, for any number of threads. */
const expected = "cb6c1252f573c4a6fd7e49de55b119e81c9ca6b6f70a5dee6dd29ad74fac8dd6";

for (const threads of [1, 2]) {
  test(`LeNet-5 after 100 steps has the known bits, ${threads} thread(s)`, async () => {
    device("wasm", { threads });
    seed(1998);
    const model = lenet5();
    const optimizer = sgd(model, ({ x, y }) => crossEntropy(model.forward(x), y), { lr: 0.05, momentum: 0.9 });
    for await (const batch of glyphs("train", { count: 3200, seed: 5 }).shuffle({ seed: 5 }).batch(32)) {
      await optimizer.step(batch);
    }
    expect(optimizer.steps).toBe(100);
    const hash = createHash("sha256");
    for (const [name, { data }] of [...(await stateDict(model))].sort(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    expect(hash.digest("hex")).toBe(expected);
  });
}
