// Transforms and groups against PyTorch: losses of 9 steps on batches that change, parameters at the end, in f64 and f32 (test/fixtures/torch/make.py).
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { type DType, device, param, type Tensor, tensor } from "../../src/index.ts";
import { mse } from "../../src/nn/index.ts";
import {
  type AdamOptions,
  accumulate,
  adam,
  adamw,
  clipByNorm,
  clipByValue,
  type Labelled,
  type Loss,
  type Optimizer,
  sgd,
  weightDecay,
} from "../../src/optim/index.ts";
import { testDevices } from "../devices.ts";

interface Host {
  shape: number[];
  data: number[];
}

type Three = Record<"w" | "b" | "u", Host>;

interface Case {
  name: string;
  batches: { x: Host; y: Host }[];
  start: Three;
  losses: number[];
  after: Three;
}

const cases: Case[] = JSON.parse(readFileSync(new URL("../fixtures/torch/chains.json", import.meta.url), "utf8"));
const given = ({ data, shape }: Host, dtype: DType): Tensor => tensor(data, shape, { dtype });

type Make = (model: object, loss: Loss<Labelled>) => Optimizer<Labelled>;
const momentum =
  (options: AdamOptions): Make =>
  (model, loss) =>
    sgd(model, loss, { lr: 0.05, momentum: 0.9, ...options });

const makes: Record<string, Make> = {
  clipByNorm: momentum({ transforms: [clipByNorm(0.5)] }),
  "clipByNorm loose": momentum({ transforms: [clipByNorm(1e3)] }),
  clipByValue: momentum({ transforms: [clipByValue(0.1)] }),
  "clipByNorm then decay": momentum({ transforms: [clipByNorm(0.5), weightDecay(0.2)] }),
  "groups sgd": momentum({
    groups: [
      { match: /^b$/, lr: 0.2 },
      { match: (name) => name === "u", weightDecay: 0.3 },
    ],
  }),
  "groups adam": (model, loss) =>
    adam(model, loss, {
      lr: 0.05,
      groups: [
        { match: (_, p) => p.rank === 1, lr: () => 0.2, weightDecay: 0.1 },
        { match: /u/, weightDecay: 0.3 },
      ],
    }),
  "groups adamw": (model, loss) =>
    adamw(model, loss, {
      lr: 0.05,
      weightDecay: 0.2,
      groups: [
        { match: /b/g, lr: 0.2, weightDecay: 0 },
        { match: /u/, weightDecay: 0.5 },
      ],
    }),
  frozen: (model, loss) => adam(model, loss, { lr: 0.05, groups: [{ match: /u/, frozen: true }] }),
  accumulate: (model, loss) => adam(model, loss, { lr: 0.05, transforms: [accumulate(3)] }),
  "accumulate then clipByNorm": (model, loss) =>
    adamw(model, loss, { lr: 0.05, weightDecay: 0.2, transforms: [accumulate(3), clipByNorm(0.5)] }),
};

test("every case of the fixture has its optimizer", () => {
  expect(cases.map(({ name }) => name)).toEqual(Object.keys(makes));
});

for (const name of testDevices) {
  describe(name, () => {
    beforeAll(() => {
      device(name);
    });

    for (const [dtype, tolerance] of [
      ["f64", 1e-12],
      ["f32", 2e-6], // relative to the largest parameter, as in golden.test.ts
    ] as const) {
      test.each(cases)(`${dtype} $name`, async (c) => {
        const model = {
          w: param(given(c.start.w, dtype)),
          b: param(given(c.start.b, dtype)),
          u: param(given(c.start.u, dtype)),
        };
        const loss = ({ x, y }: Labelled) => mse(x.matmul(model.w).add(model.b).tanh().matmul(model.u), y);
        const optimizer = makes[c.name](model, loss);
        const batches = c.batches.map(({ x, y }) => ({ x: given(x, dtype), y: given(y, dtype) }));
        for (const [i, expected] of c.losses.entries())
          expect(Math.abs((await optimizer.step(batches[i % 3])) - expected) / expected).toBeLessThan(tolerance);
        for (const key of ["w", "b", "u"] as const) {
          const scale = Math.max(...c.after[key].data.map(Math.abs));
          const found = await model[key].data();
          c.after[key].data.forEach((v, at) => {
            expect(Math.abs(found[at] - v) / scale).toBeLessThan(tolerance);
          });
        }
      });
    }
  });
}
