// Optimizers against PyTorch: losses of 20 steps, parameters after 3 and 20, in f64 and f32 (test/fixtures/torch/make.py, adaptive.py).
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { type DType, device, param, type Tensor, tensor } from "../../src/index.ts";
import { mse } from "../../src/nn/index.ts";
import { adadelta, adagrad, adam, adamax, adamw, rmsprop, sgd } from "../../src/optim/index.ts";
import { testDevices } from "../devices.ts";
import { isSampled, nativeDevice } from "../native-device.ts";

interface Host {
  shape: number[];
  data: number[];
}

interface Case {
  optimizer: keyof typeof optimizers;
  options: object;
  lr: number | null;
  x: Host;
  y: Host;
  start: Record<"w" | "b" | "u", Host>;
  losses: number[];
  after: Record<"3" | "20", Record<"w" | "b" | "u", Host>>;
}

const optimizers = { sgd, adam, adamw, adagrad, rmsprop, adadelta, adamax };
const cases = ["optimizers", "adaptive"].flatMap((file): Case[] =>
  JSON.parse(readFileSync(new URL(`../fixtures/torch/${file}.json`, import.meta.url), "utf8")),
);
const given = ({ data, shape }: Host, dtype: DType): Tensor => tensor(data, shape, { dtype });

const native = nativeDevice();

for (const chosen of [...testDevices, ...(native === undefined ? [] : [native])]) {
  describe(typeof chosen === "string" ? chosen : "native", () => {
    beforeAll(() => {
      device(chosen);
    });

    for (const [dtype, tolerance] of [
      ["f64", 1e-12],
      // relative to the largest parameter; Adam divides a gradient that cancels by its own small size, up to 1.1e-6
      ["f32", 2e-6],
    ] as const) {
      for (const [at, c] of cases.entries()) {
        if (chosen === native && !isSampled(at)) continue;
        test(`${dtype} ${c.optimizer} ${JSON.stringify(c.options)}, lr ${c.lr ?? "0.1 / (t + 1)"}`, async () => {
          const model = {
            w: param(given(c.start.w, dtype)),
            b: param(given(c.start.b, dtype)),
            u: param(given(c.start.u, dtype)),
          };
          const loss = ({ x, y }: { x: Tensor; y: Tensor }) =>
            mse(x.matmul(model.w).add(model.b).tanh().matmul(model.u), y);
          const lr = c.lr ?? ((step: number) => 0.1 / (step + 1));
          const optimizer = optimizers[c.optimizer](model, loss, { lr, ...c.options });
          const batch = { x: given(c.x, dtype), y: given(c.y, dtype) };
          for (const [i, expected] of c.losses.entries()) {
            expect(Math.abs((await optimizer.step(batch)) - expected) / expected).toBeLessThan(tolerance);
            const after = c.after[String(i + 1) as "3" | "20"];
            for (const key of after === undefined ? [] : (["w", "b", "u"] as const)) {
              const scale = Math.max(...after[key].data.map(Math.abs));
              const found = await model[key].data();
              after[key].data.forEach((v, k) => {
                expect(Math.abs(found[k] - v) / scale).toBeLessThan(tolerance);
              });
            }
          }
        });
      }
    }
  });
}
