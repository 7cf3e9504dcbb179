// Models of text: their counts, what each output may depend on, given word vectors, and that they learn.
import { beforeAll, expect, test } from "vitest";
import { device, evaluating, seed, type Tensor, tensor } from "../../src/index.ts";
import { crossEntropy, type Layer, parameters, stateDict } from "../../src/nn/index.ts";
import { adam, type Labelled, maxNorm } from "../../src/optim/index.ts";
import { charCnn, gatedConv, type TextCnnOptions, textCnn } from "../../src/zoo/index.ts";

beforeAll(() => {
  device("wasm");
});

const count = (model: object): number => parameters(model).reduce((sum, p) => sum + p.size, 0);
const numbers = (values: readonly number[][]): Tensor =>
  tensor(Int32Array.from(values.flat()), [values.length, values[0].length]);
const outputs = async (model: Layer, x: Tensor): Promise<number[]> =>
  Array.from(await evaluating(() => model.forward(x)).data(), Number);

const small = { tokens: 12, classes: 2, features: 4, maps: 3, widths: [2, 3] } satisfies TextCnnOptions;
const vectors = Float32Array.from({ length: 48 }, (_, i) => (i < 4 ? 0 : Math.sin(i)));

test("the text CNN has the paper's parameters in each form", () => {
  expect(count(textCnn({ tokens: 10_000, classes: 6 }))).toBe(3_000_000 + 300 * 100 * 12 + 300 + 1806);
  const filters = (features: number): number => features * 3 * 5 + 6 + 14;
  expect(count(textCnn(small))).toBe(48 + filters(4));
  expect(count(textCnn({ ...small, vectors }))).toBe(48 + filters(4));
  expect(count(textCnn({ ...small, vectors, form: "static" }))).toBe(filters(4));
  expect(count(textCnn({ ...small, vectors, form: "multichannel" }))).toBe(48 + filters(8));
});

test("padding after a sentence changes nothing, the order of its words does, and where it begins does not", async () => {
  seed(2);
  const model = textCnn(small);
  const short = await outputs(model, numbers([[5, 6, 7, 8, 0, 0, 0]]));
  const long = await outputs(model, numbers([[5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0]]));
  const late = await outputs(model, numbers([[0, 0, 0, 5, 6, 7, 8, 0, 0, 0]]));
  short.forEach((value, i) => {
    expect(long[i]).toBeCloseTo(value, 5);
    expect(late[i]).toBeCloseTo(value, 5);
  });
  expect(await outputs(model, numbers([[8, 6, 7, 5, 0, 0, 0]]))).not.toEqual(short);
  expect(await outputs(model, numbers([[5]]))).toHaveLength(2); // shorter than a filter
});

test("given vectors stay where they are static, and the padding's stays zero", async () => {
  for (const form of ["static", "non-static", "multichannel"] as const) {
    seed(4);
    const model = textCnn({ ...small, vectors, form });
    const optimizer = adam<Labelled>(model, ({ x, y }) => crossEntropy(model.forward(x), y), {
      lr: 0.05,
      constraints: [maxNorm(0.5, { mask: (name) => name === "output.weight" })],
    });
    const batch = { x: numbers([[5, 6, 7, 0], [8, 2, 3, 0]]), y: tensor(Int32Array.of(0, 1)) }; // biome-ignore format: rows
    for (let i = 0; i < 60; i++) await optimizer.step(batch);
    const values = await stateDict(model);
    const trained = values.get("words.trained.weight");
    expect(values.get("words.fixed")?.data).toEqual(form === "non-static" ? undefined : vectors);
    expect(trained === undefined).toBe(form === "static");
    if (trained !== undefined) {
      expect([...(trained.data as Float32Array).slice(0, 4)]).toEqual([0, 0, 0, 0]);
      expect(trained.data).not.toEqual(vectors);
    }
    const weight = values.get("output.weight")!.data as Float32Array;
    for (const unit of [weight.slice(0, 6), weight.slice(6)]) expect(Math.hypot(...unit)).toBeLessThan(0.5 + 1e-6);
    const logits = await outputs(model, batch.x);
    expect(logits[0]).toBeGreaterThan(logits[1]);
    expect(logits[3]).toBeGreaterThan(logits[2]);
  }
});

test("the gated language model sees the past alone, blocks · (kernel − 1) places of it, and learns a rule", async () => {
  seed(7);
  const model = gatedConv({ tokens: 6, features: 16, blocks: 2, kernel: 3 });
  expect(count(model)).toBe(6 * 16 + 2 * (32 * 16 * 3 + 32) + 6 * 16 + 6);
  const line = [1, 2, 3, 4, 5, 0, 1, 2, 3, 4];
  const before = await outputs(model, numbers([line]));
  const after = await outputs(model, numbers([line.map((token, i) => (i === 4 ? 2 : token))]));
  const changed = line.map((_, i) => before.slice(i * 6, i * 6 + 6).some((value, k) => value !== after[i * 6 + k]));
  expect(changed).toEqual([false, false, false, false, true, true, true, true, true, false]);
  const optimizer = adam<Labelled>(model, ({ x, y }) => crossEntropy(model.forward(x), y), { lr: 0.02 });
  const batch = { x: numbers([line]), y: numbers([[...line.slice(1), 5]]) };
  let loss = 0;
  for (let i = 0; i < 80; i++) loss = await optimizer.step(batch);
  expect(loss).toBeLessThan(0.05);
});

test("the character network has the paper's layers: 34 places are left of 1014 characters", () => {
  const convolutions = 70 * 7 * 8 + 8 * 7 * 8 + 4 * 8 * 3 * 8 + 6 * 8;
  expect(count(charCnn({ classes: 4, maps: 8, units: 16 }))).toBe(convolutions + 34 * 8 * 16 + 16 * 16 + 32 + 4 * 17);
});

test("the character network tells characters apart, but not those that are none", async () => {
  seed(1);
  const model = charCnn({ classes: 2, length: 123, maps: 8, units: 8 });
  const of = async (character: number): Promise<number[]> =>
    outputs(model, numbers([new Array<number>(123).fill(character)]));
  expect(await of(1)).not.toEqual(await of(70));
  expect(await of(0)).toEqual(await of(71));
});

test("misuse is refused", () => {
  expect(() => textCnn({ ...small, form: "static" })).toThrow('the form "static" needs vectors, [12, 4]');
  expect(() => textCnn({ ...small, vectors, form: "dynamic" as "static" })).toThrow('not "dynamic"');
  expect(() => textCnn({ ...small, vectors: new Float32Array(3) })).toThrow("vectors are 12 · 4 = 48 numbers, got 3");
  expect(() => charCnn({ classes: 2, length: 122 })).toThrow("charCnn: length must be at least 123, got 122");
  expect(() => gatedConv({ tokens: 6, blocks: 0 })).toThrow("gatedConv: blocks must be a whole number ≥ 1, got 0");
});
