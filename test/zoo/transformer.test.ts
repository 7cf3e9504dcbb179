// Transformer language models: their counts, what each output may depend on, derivatives, copying, generation.
import { beforeAll, expect, test } from "vitest";
import { copyTask } from "../../src/data/index.ts";
import { device, evaluating, seed, shapesOnly, type Tensor, tensor } from "../../src/index.ts";
import { crossEntropy, parameters, stateDict } from "../../src/nn/index.ts";
import { adam, type Labelled } from "../../src/optim/index.ts";
import { generate, gpt, stepped } from "../../src/zoo/index.ts";
import { checkDerivatives } from "./derivatives.ts";

beforeAll(() => {
  device("wasm");
});

const numbers = (...rows: readonly (readonly number[])[]): Tensor =>
  tensor(Int32Array.from(rows.flat()), [rows.length, rows[0].length]);

test("a layer has 12 f² + 13 f parameters, tokens and places a row each; tied weights are one", async () => {
  const count = (tied: boolean): number =>
    parameters(shapesOnly(() => gpt({ tokens: 65, context: 128, tied }))).reduce((sum, p) => sum + p.size, 0);
  const body = 4 * (12 * 128 ** 2 + 13 * 128) + 2 * 128;
  expect(count(true)).toBe(65 * 128 + 128 * 128 + body);
  expect(count(false)).toBe(2 * 65 * 128 + 128 * 128 + body);
  for (const [name, { shape, data }] of await stateDict(gpt({ tokens: 65, context: 32, features: 64, layers: 2 }))) {
    const values = data as Float32Array;
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
    const expected = name.endsWith("bias") ? 0 : shape.length === 2 ? 0.02 : 1;
    expect(Math.abs(deviation - expected), name).toBeLessThan(0.05 * expected + 1e-9);
  }
});

test("its derivatives hold in double precision", async () => {
  const build = (tied: boolean) => () => gpt({ tokens: 7, context: 5, features: 6, heads: 2, layers: 2, tied });
  await checkDerivatives([build(false), [2, 5], 7]);
  await checkDerivatives([build(true), [2, 4], 7]);
});

test("each output sees the past alone, and a text that is too long is refused", async () => {
  seed(1);
  const model = gpt({ tokens: 6, context: 8, features: 8, heads: 2, layers: 2 });
  const outputs = async (x: Tensor): Promise<ArrayLike<number>> =>
    evaluating(() => model.forward(x)).data() as Promise<ArrayLike<number>>;
  const [before, after] = [await outputs(numbers([1, 2, 3, 4, 5, 0])), await outputs(numbers([1, 2, 3, 0, 5, 0]))];
  const changed = [0, 1, 2, 3, 4, 5].map((t) => [0, 1, 2, 3, 4, 5].some((k) => before[6 * t + k] !== after[6 * t + k]));
  expect(changed).toEqual([false, false, false, true, true, true]);
  expect(() => model.forward(numbers([1, 2, 3, 4, 5, 0, 1, 2, 3]))).toThrow(
    "gpt: takes texts [B, T] of at most 8 places, got [1, 9]",
  );
  expect(() => gpt({ tokens: 6, context: 8, layers: 0 })).toThrow("gpt: layers must be a whole number ≥ 1, got 0");
});

test("it learns to copy", async () => {
  seed(3);
  const data = copyTask({ length: 4, symbols: 4, delay: 2, count: 2048 }).shuffle({ seed: 1 }).batch(64);
  const model = gpt({ tokens: 6, context: 10, features: 32, heads: 4, layers: 2, dropout: 0 });
  const optimizer = adam<Labelled>(model, ({ x, y }) => crossEntropy(model.forward(x), y), { lr: 3e-3 });
  for (let epoch = 0; epoch < 12; epoch++) for await (const batch of data) await optimizer.step(batch);
  const fresh = copyTask({ length: 4, symbols: 4, delay: 2, count: 256, seed: 1 }).batch(256);
  for await (const { x, y } of fresh) {
    const right = await evaluating(() => model.forward(x).argmax(-1).eq(y).mean()).item();
    expect(right).toBeGreaterThan(0.99); // blanks alone are 0.6
  }
});

test("generation step by step is that over the whole", async () => {
  seed(9);
  const model = gpt({ tokens: 5, context: 8, features: 8, heads: 2, layers: 2 });
  const tokens = await generate(stepped(model, 8), [1, 2, 3], { length: 9, temperature: 0 });
  const all = [1, 2, 3];
  for (let i = 0; i < 9; i++) {
    const logits = await evaluating(() => model.forward(numbers(all.slice(-8))).at(-1, 1)).data();
    all.push(logits.indexOf(Math.max(...logits) as never));
  }
  expect([1, 2, 3, ...tokens]).toEqual(all);
});
