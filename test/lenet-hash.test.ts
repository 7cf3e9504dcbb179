// The same bits on every machine: the parameters of LeNet-5 after 100 steps on wasm, as a hash that is kept in lenet-steps.ts.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { device } from "../src/index.ts";
import { lenetBytes, lenetHash } from "./lenet-steps.ts";

for (const threads of [1, 2]) {
  test(`LeNet-5 after 100 steps has the known bits, ${threads} thread(s)`, async () => {
    device("wasm", { threads });
    expect(
      createHash("sha256")
        .update(await lenetBytes())
        .digest("hex"),
    ).toBe(lenetHash);
  });
}
