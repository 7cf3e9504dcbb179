// Recurrent language models: over a whole text as step by step, states carried from batch to batch, sizes and names.
import { expect, test } from "vitest";
import { evaluating, seed, shapesOnly, type Tensor, tensor, training } from "../../src/index.ts";
import { crossEntropy, namedTensors, parameters } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { type LanguageModelOptions, languageModel, zoo } from "../../src/zoo/index.ts";

const text = (rows: number, length: number, from = 0): Tensor =>
  tensor(
    Int32Array.from({ length: rows * length }, (_, i) => (from + i * i + 3 * Math.floor(i / length)) % 7),
    [rows, length],
  );

test.each<LanguageModelOptions["cell"]>(["lstm", "gru", "rnn"])("%s: step by step as over the whole", async (cell) => {
  seed(1);
  const model = languageModel({ tokens: 7, cell, hidden: 5, layers: 2, dropout: 0.5 });
  const x = text(2, 6);
  const whole = await model.forward(x).data();
  let state: Parameters<typeof model.run>[1];
  for (let t = 0; t < 6; t++) {
    const { logits, state: next } = model.run(x.slice(1, t, t + 1), state);
    state = next;
    const row = await logits.data();
    for (let b = 0; b < 2; b++)
      for (let k = 0; k < 7; k++) expect(row[b * 7 + k]).toBeCloseTo(whole[(b * 6 + t) * 7 + k], 6);
  }
});

test("in training, streams go on from the states of the batch before; elsewhere texts begin anew", async () => {
  seed(2);
  const model = languageModel({ tokens: 7, hidden: 4, layers: 2, streams: 3 });
  const [first, second] = [text(3, 5), text(3, 5, 2)];
  const fresh = await evaluating(() => model.run(second).logits).data();
  const { state } = evaluating(() => model.run(first));
  const going = await evaluating(() => model.run(second, state).logits).data();
  const optimizer = sgd(model, ({ x, y }: { x: Tensor; y: Tensor }) => crossEntropy(model.forward(x), y), { lr: 0 });
  await optimizer.step({ x: first, y: second });
  for (const [i, leaf] of model.carried!.entries()) {
    const [carried, expected] = [await leaf.data(), await state[i].data()];
    carried.forEach((value, k) => {
      expect(value).toBeCloseTo(expected[k] as number, 6);
    });
  }
  const loss = await optimizer.step({ x: second, y: first });
  expect(loss).toBeCloseTo(await crossEntropy(tensor(going as Float32Array, [3, 5, 7]), first).item(), 5);
  expect(Math.abs(loss - (await crossEntropy(tensor(fresh as Float32Array, [3, 5, 7]), first).item()))).toBeGreaterThan(
    1e-4,
  );
  expect(await evaluating(() => model.forward(second)).data()).toEqual(fresh);
  await expect(async () => training(() => model.forward(text(2, 5))).data()).rejects.toThrow("[2, 2, 4]");
});

test("sizes are the papers', names PyTorch's", () => {
  const count = (name: string): number => {
    const model = shapesOnly(() => zoo.find((entry) => entry.name === name)!.build());
    return parameters(model).reduce((sum, p) => sum + p.size, 0);
  };
  expect(count("wordlstm")).toBe(2 * 10_000 * 200 + 10_000 + 2 * (4 * 200 * (200 + 200) + 2 * 800)); // 4 653 200
  expect(count("charlstm")).toBe(2 * 65 * 256 + 65 + 4 * 256 * (256 + 256) + 2 * 1024);
  expect(count("chargru")).toBe(2 * 65 * 256 + 65 + 3 * 256 * (256 + 256) + 2 * 768);
  const names = [...namedTensors(shapesOnly(() => languageModel({ tokens: 3, streams: 2 }))).keys()];
  expect(names).toEqual([
    "embedding.weight",
    ...["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"].map((name) => `recurrent.${name}`),
    "output.weight",
    "output.bias",
    "carried.0",
    "carried.1",
  ]);
});
