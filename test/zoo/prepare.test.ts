// What comes before the training of classifiers that begin without labels: whose weights they get, and which stay as drawn.
import { expect, test } from "vitest";
import { DBN, pretrain } from "../../src/energy/index.ts";
import { seed, type Tensor, tensor } from "../../src/graph/index.ts";
import { crossEntropy, namedParameters } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import type { BeliefClassifier } from "../../src/zoo/deep-belief-net.ts";
import { zoo } from "../../src/zoo/index.ts";

const patterns = tensor([1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1], [2, 6]);
const data = {
  async *iterate(): AsyncGenerator<{ x: Tensor }> {
    yield { x: patterns };
  },
};
const entryOf = (name: string) => zoo.find((entry) => entry.name === name)!;

async function valuesOf(model: object): Promise<Map<string, number[]>> {
  const values = new Map<string, number[]>();
  for (const [name, parameter] of namedParameters(model)) values.set(name, Array.from(await parameter.data(), Number));
  return values;
}

test("dbn gets the weights of a deep belief net trained on the data, but for the last layer's", async () => {
  const { build, prepare } = entryOf("dbn");
  seed(7);
  const model = build({ input: [6], classes: 2 });
  const before = await valuesOf(model);
  const lines: string[] = [];
  seed(8);
  await prepare!(model, data, (line) => lines.push(line));
  expect(lines).toHaveLength(30);
  expect(lines[10]).toMatch(/^machine 500-500, epoch 1 of 10: squared error 0\.\d{4} a unit$/);
  seed(8);
  const dbn = new DBN([6, 500, 500, 2000]);
  await pretrain(dbn, data, { epochs: 10 });
  const after = await valuesOf(model);
  for (const [i, { weight, hiddenBias }] of dbn.layers.entries()) {
    expect(after.get(`${2 * i + 1}.weight`)).toEqual(Array.from(await weight.data(), Number));
    expect(after.get(`${2 * i + 1}.bias`)).toEqual(Array.from(await hiddenBias.data(), Number));
  }
  expect(after.get("7.weight")).toEqual(before.get("7.weight"));
});

test("dbn keeps the net as it was before the labels, which no training with them moves", async () => {
  const { build, prepare } = entryOf("dbn");
  seed(7);
  const model = build({ input: [6], classes: 2 }) as BeliefClassifier;
  await prepare!(model, data, () => {});
  const kept = async (): Promise<number[][]> => {
    const lists: number[][] = [];
    for (const { weight, visibleBias, hiddenBias } of model.belief.layers)
      for (const t of [weight, visibleBias, hiddenBias]) lists.push(Array.from(await t.data(), Number));
    return lists;
  };
  const before = await kept();
  expect(before[0]).toEqual((await valuesOf(model)).get("1.weight"));
  expect(before[2]).toEqual((await valuesOf(model)).get("1.bias"));
  for (const list of before) expect(list.some((v) => v !== 0)).toBe(true);
  const y = tensor(Int32Array.of(0, 1));
  await sgd(model, ({ x }: { x: Tensor }) => crossEntropy(model.forward(x), y), { lr: 0.1 }).step({ x: patterns });
  expect(await kept()).toEqual(before);
  expect((await valuesOf(model)).get("1.weight")).not.toEqual(before[0]);
  const drawn = await model.belief.sample(20, { steps: 30 });
  expect(drawn.shape).toEqual([20, 6]);
});

test("stacked-autoencoder trains its stages in turn, and leaves its last layer as drawn", async () => {
  const { build, prepare } = entryOf("stacked-autoencoder");
  seed(7);
  const model = build({ input: [6], classes: 2 });
  const before = await valuesOf(model);
  const seen: Map<string, number[]>[] = [];
  const lines: string[] = [];
  await prepare!(model, { iterate: () => noted(seen, model) }, (line) => lines.push(line));
  expect([lines[0], lines[14]]).toEqual(["stage 6-500, epoch 1 of 5", "stage 500-500, epoch 5 of 5"]);
  expect(lines).toHaveLength(15);
  const changed = [before, seen[5], seen[10], await valuesOf(model)];
  for (let stage = 0; stage < 3; stage++)
    for (let k = 0; k < 3; k++) {
      const name = `encoder.${k}.linear.weight`;
      const same = `${changed[stage].get(name)}` === `${changed[stage + 1].get(name)}`;
      expect(same, `${name} in stage ${stage}`).toBe(k !== stage);
    }
  expect(changed[3].get("output.weight")).toEqual(before.get("output.weight"));
});

/** The data, with the model's values as each epoch found them. */
async function* noted(seen: Map<string, number[]>[], model: object): AsyncGenerator<{ x: Tensor }> {
  seen.push(await valuesOf(model));
  yield* data.iterate();
}
