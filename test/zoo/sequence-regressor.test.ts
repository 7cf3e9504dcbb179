// Recurrent networks that tell a number of a sequence: parameters, what they start from, that they learn, misuse.
import { expect, test } from "vitest";
import { addingProblem } from "../../src/data/index.ts";
import { seed, zeros } from "../../src/index.ts";
import { mse, namedParameters, parameters } from "../../src/nn/index.ts";
import { adam, clipByNorm, type Labelled } from "../../src/optim/index.ts";
import { type RegressorCell, sequenceRegressor, zoo } from "../../src/zoo/index.ts";
import { messagesOf } from "../messages.ts";
import { checkDerivatives } from "./derivatives.ts";

const count = (model: object): number => parameters(model).reduce((sum, p) => sum + p.size, 0);
const gates: Readonly<Record<RegressorCell, number>> = { lstm: 4, gru: 3, rnn: 1, irnn: 1 };
const cells = Object.keys(gates) as RegressorCell[];

test.each(cells)("%s: the entry has the parameters of its layers and tells one number", (cell) => {
  const model = zoo.find(({ name }) => name === `adding${cell}`)!.build();
  expect(count(model)).toBe(gates[cell] * 64 * (2 + 64 + 2) + 65);
  expect(model.forward(zeros([3, 100, 2])).shape).toEqual([3, 1]);
});

test("an IRNN begins by keeping what it has", async () => {
  const named = new Map(namedParameters(sequenceRegressor({ inputs: 2, cell: "irnn", hidden: 3 })));
  expect([...(await named.get("recurrent.weight_hh_l0")!.data())]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
});

test.each(["lstm", "irnn"] as const)("%s: short sums are learnt", async (cell) => {
  seed(3);
  const model = sequenceRegressor({ inputs: 2, cell, hidden: 32 });
  const optimizer = adam<Labelled>(model, ({ x, y }) => mse(model.forward(x), y), {
    lr: 0.01,
    transforms: [clipByNorm(1)],
  });
  let recent = 1 / 6;
  for await (const batch of addingProblem({ length: 4, count: 9600, seed: 4 }).batch(32))
    recent += 0.05 * ((await optimizer.step(batch)) - recent);
  expect(recent).toBeLessThan(0.02);
});

test("derivatives", async () => {
  await checkDerivatives([() => sequenceRegressor({ inputs: 2, outputs: 2, hidden: 3 }), [2, 4, 2]]);
});

test("misuse is refused in one line", async () => {
  expect(
    await messagesOf({
      cell: () => sequenceRegressor({ inputs: 2, cell: "qrnn" as "gru" }),
      input: () => zoo.find(({ name }) => name === "addinggru")!.build({ input: [1, 28, 28] }),
      features: () => sequenceRegressor({ inputs: 2 }).forward(zeros([1, 4, 3])),
    }),
  ).toMatchInlineSnapshot(`
    "cell: RangeError: sequenceRegressor: cell is "lstm", "gru", "rnn" or "irnn", not "qrnn"
    input: RangeError: addinggru: takes sequences of vectors [T, inputs], got [1, 28, 28]
    features: ShapeError: recurrent: needs x [B, T, 2] with T ≥ 1, got [1, 4, 3], in LSTM"
  `);
});
