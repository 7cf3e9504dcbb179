// Sums as text, from an encoder and a decoder without attention (Zaremba & Sutskever, Learning to execute, arXiv:1410.4615; Keras's addition_rnn).
import { beforeAll, expect, test } from "vitest";
import { additionTask } from "../../src/data/index.ts";
import { device, seed, type Tensor } from "../../src/index.ts";
import { crossEntropy } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { decode, seq2seq } from "../../src/zoo/index.ts";

beforeAll(() => {
  device("auto");
});

const start = 12; // after the task's twelve characters

/** The target one place later, after the start. */
const told = (y: Tensor): Tensor => y.pad([[0, 0], [1, 0]], start).slice(1, 0, -1); // biome-ignore format: one line

interface Sums {
  x: Tensor;
  y: Tensor;
}

test("an LSTM of 128 adds numbers of two digits that it has not seen", { timeout: 600_000 }, async () => {
  seed(1);
  const model = seq2seq({ sourceTokens: 12, targetTokens: 13, hidden: 128, features: 32, summary: "steps" });
  const loss = ({ x, y }: Sums): Tensor => crossEntropy(model.forward({ source: x, target: told(y) }), y);
  const optimizer = adam(model, loss, { lr: 3e-3 });
  const all = additionTask({ digits: 2, count: 2500, reversed: true });
  const [train, held] = all.split(2250, { seed: 1 });
  const batches = train.shuffle().batch(50);
  for (let epoch = 1; epoch <= 100; epoch++) {
    let value = 0;
    for await (const { x, y } of batches) value = await optimizer.step({ x, y });
    if (epoch % 10 === 0) console.log(`addition: epoch ${epoch}, loss ${value.toFixed(3)}`);
  }
  let right = 0;
  for await (const { x, y } of held.batch(250)) {
    const said = await decode(model, { source: x }, { length: 3, start, end: -1 });
    const wanted = (await y.array()) as number[][];
    right += said.filter((tokens, i) => tokens.join() === wanted[i].join()).length;
  }
  console.log(`addition: ${right} of 250 new sums`);
  expect(right / 250).toBeGreaterThan(0.8);
});
