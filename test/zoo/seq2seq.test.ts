// Sequence to sequence networks: each decoder's steps and derivatives, padding, beams, what attention learns to look at, misuse.
import { beforeAll, describe, expect, test } from "vitest";
import { reverseTask } from "../../src/data/index.ts";
import { compile, concat, device, evaluating, seed, type Tensor, tensor, zeros } from "../../src/index.ts";
import { crossEntropy, logSoftmax, namedTensors, parameters } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import {
  decode,
  type Seq2Seq,
  type Seq2SeqOptions,
  type SourceBatch,
  seq2seq,
  type TeacherBatch,
  translate,
  translators,
} from "../../src/zoo/index.ts";
import { messagesOf } from "../messages.ts";
import { checkDerivatives } from "./derivatives.ts";

beforeAll(() => {
  device("wasm");
});

const tiny = { sourceTokens: 9, targetTokens: 7, hidden: 6, features: 5 } satisfies Seq2SeqOptions;

const kinds: Readonly<Record<string, Seq2SeqOptions>> = {
  Sutskever: { ...tiny, layers: 2 },
  "both ways": { ...tiny, layers: 2, bidirectional: true },
  Cho: { ...tiny, cell: "gru", summary: "steps", readout: "maxout" },
  Bahdanau: { ...tiny, cell: "gru", attention: "bahdanau", readout: "maxout" },
  "Bahdanau, two LSTMs": { ...tiny, layers: 2, attention: "bahdanau", bidirectional: false },
  Luong: { ...tiny, attention: "luong" },
  "Luong, dot": { ...tiny, cell: "rnn", attention: "luong", score: "dot" },
  "Luong, concat, local, fed": {
    ...tiny,
    attention: "luong",
    score: "concat",
    window: 2,
    inputFeeding: true,
    layers: 2,
  },
};

const rows = (values: readonly (readonly number[])[]): Tensor =>
  tensor(Int32Array.from(values.flat()), [values.length, values[0].length]);

const batch = {
  source: rows([[4, 5, 6, 7, 8], [8, 2, 1, 0, 0], [3, 3, 5, 4, 0]]),
  sourceLengths: tensor(Int32Array.of(5, 3, 4)),
  target: rows([[2, 4, 5, 6], [2, 1, 1, 0], [2, 6, 5, 4]]),
}; // biome-ignore format: rows

const largest = (a: Tensor, b: Tensor): Promise<number> => a.sub(b).abs().max().item();

describe.each(Object.entries(kinds))("%s", (_, options) => {
  test("logits with the target told are those of one step after the other", async () => {
    seed(1);
    const model = seq2seq(options);
    const whole = model.forward(batch);
    expect(whole.shape).toEqual([3, 4, 7]);
    let state = model.encode(batch);
    const steps: Tensor[] = [];
    for (let t = 0; t < 4; t++) {
      const step = model.run(batch.target.slice(1, t, t + 1), state);
      steps.push(step.logits);
      state = step.state;
    }
    expect(await largest(whole, concat(steps, 1))).toBeLessThan(1e-5);
  });

  test("padding of the source has no influence, its tokens and their order have", async () => {
    seed(2);
    const model = seq2seq(options);
    const logits = async (source: number[], length: number): Promise<Tensor> =>
      model.forward({
        source: rows([source]),
        sourceLengths: tensor(Int32Array.of(length)),
        target: rows([[2, 4, 5]]),
      });
    const plain = model.forward({ source: rows([[4, 5, 6]]), target: rows([[2, 4, 5]]) });
    expect(await largest(plain, await logits([4, 5, 6, 0, 0, 0, 0, 0], 3))).toBeLessThan(1e-6);
    expect(await largest(plain, await logits([4, 5, 6, 8, 7], 3))).toBeLessThan(1e-6);
    expect(await largest(plain, await logits([4, 5, 6, 8, 7], 5))).toBeGreaterThan(1e-4);
    expect(await largest(plain, await logits([6, 5, 4], 3))).toBeGreaterThan(1e-4);
  });

  test("derivatives in double precision", { timeout: 60_000 }, async () => {
    const build = () => {
      const model = seq2seq(options);
      return Object.assign(model, {
        forward: (target: Tensor) => model.constructor.prototype.forward.call(model, { ...batch, target }),
      });
    };
    await checkDerivatives([build as never, [3, 4], 7]);
  });
});

test("parameters are counted as the papers' equations say", () => {
  const count = (model: object): number => parameters(model).reduce((sum, p) => sum + p.size, 0);
  const gru = (inputs: number): number => 3 * (6 * inputs + 6 * 6 + 12);
  const both = 9 * 5 + 7 * 5; // embeddings
  expect(count(seq2seq(kinds.Cho))).toBe(
    both + gru(5) + (36 + 6) + (36 + 6) + gru(5 + 6) + ((12 + 5) * 6 + 6) + (3 * 7 + 7),
  );
  expect(count(seq2seq(kinds.Bahdanau))).toBe(
    both + 2 * gru(5) + (12 * 6 + 6) + (36 + 72 + 6) + gru(5 + 12) + ((6 + 5 + 12) * 6 + 6) + (3 * 7 + 7),
  );
  const lstm = 4 * (6 * 5 + 36 + 12);
  expect(count(seq2seq(kinds.Luong))).toBe(both + 2 * lstm + 36 + 72 + (6 * 7 + 7));
  const names = [...namedTensors(seq2seq({ ...kinds.Sutskever, init: (shape) => uniform(shape) })).keys()];
  expect(names).toContain("decoder.recurrent.weight_hh_l1");
});

test("those called by name are counted for their vocabularies", () => {
  const count = (name: string): number =>
    parameters(translators.find((entry) => entry.name === name)!.build()).reduce((sum, p) => sum + p.size, 0);
  const [h, source, target] = [256, 7857, 5977];
  const gru = (inputs: number): number => 3 * (h * inputs + h * h + 2 * h);
  const lstm = 4 * (h * h + h * h + 2 * h);
  const maxout = (inputs: number): number => (inputs + 1) * h; // of h / 2 units
  const embeddings = (source + target) * h;
  expect(count("seq2seq")).toBe(embeddings + 4 * lstm + (h + 1) * target);
  const attention = h * h + 2 * h * h + h;
  const decoder = gru(h + 2 * h) + maxout(h + h + 2 * h) + (h / 2 + 1) * target;
  expect(count("attention")).toBe(embeddings + 2 * gru(h) + (2 * h + 1) * h + attention + decoder);
  const [f, characters] = [128, 14];
  const summary = 2 * (h + 1) * h; // c, and the first state from it
  const steps = gru(f + h) + maxout(h + f + h) + (h / 2 + 1) * characters;
  expect(count("encoder-decoder")).toBe(2 * characters * f + gru(f) + summary + steps);
});

const uniform = (shape: readonly number[]): Float32Array =>
  new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(0.01);

test("as many beams as there are texts find the likeliest of all; one beam, and a batch, take the likeliest token", async () => {
  seed(3);
  const model = seq2seq({ sourceTokens: 6, targetTokens: 4, hidden: 5, cell: "gru", attention: "luong" });
  for (const p of parameters(model)) p.assign(p.mul(4)); // surer of itself
  const source = [4, 5, 1];
  const options = { length: 3, start: 2, end: 3 };
  const texts: { tokens: number[]; logProbability: number }[] = [];
  const visit = async (tokens: number[], logProbability: number): Promise<void> => {
    if (tokens.length === 3 || tokens.at(-1) === 3) return void texts.push({ tokens, logProbability });
    const logits = model.forward({ source: rows([source]), target: rows([[2, ...tokens]]) });
    const p = await logSoftmax(logits.at(-1, 1)).data();
    for (let token = 0; token < 4; token++) await visit([...tokens, token], logProbability + Number(p[token]));
  };
  await visit([], 0);
  texts.sort((a, b) => b.logProbability - a.logProbability);
  const [found] = await translate(model, [source], { ...options, beams: 64 });
  texts.slice(0, 6).forEach(({ tokens, logProbability }, i) => {
    expect(found[i].tokens).toEqual(tokens);
    expect(found[i].logProbability).toBeCloseTo(logProbability, 4);
  });
  const sources = [[4, 5, 1], [5, 1, 0], [1, 1, 4]]; // biome-ignore format: rows
  const greedy = await decode(model, { source: rows(sources) }, options);
  const single = await translate(model, sources, { ...options, beams: 1 });
  expect(single.map(([best]) => best.tokens)).toEqual(greedy);
});

/** The target one place later, after a token to start with. */
const told = (y: Tensor): Tensor => concat([zeros([y.shape[0], 1], "i32"), y.slice(1, 0, -1)], 1);

interface Reversing extends SourceBatch {
  y: Tensor;
}

async function reversing(options: Partial<Seq2SeqOptions>, epochs: number): Promise<Seq2Seq> {
  seed(4);
  const model = seq2seq({ sourceTokens: 10, targetTokens: 10, cell: "gru", hidden: 32, ...options });
  const loss = ({ source, y }: Reversing): Tensor => crossEntropy(model.forward({ source, target: told(y) }), y);
  const optimizer = adam(model, loss, { lr: 0.01 });
  const set = reverseTask({ length: 6, symbols: 9, count: 6400 }).shuffle().batch(64);
  for (let epoch = 0; epoch < epochs; epoch++) for await (const { x, y } of set) await optimizer.step({ source: x, y });
  return model;
}

test.each([["bahdanau"], ["luong"]] as const)(
  "with attention of %s it learns to reverse digits, and looks at the one it says",
  { timeout: 60_000 },
  async (attention) => {
    const model = await reversing({ attention, bidirectional: true }, 6);
    const [{ x, y }] = [...(await batchesOf(256))];
    const said = await decode(model, { source: x }, { length: 6, start: 0, end: -1 });
    const wanted = (await y.array()) as number[][];
    const right = said.filter((tokens, i) => tokens.join() === wanted[i].join()).length;
    expect(right / 256).toBeGreaterThan(0.9);
    const align = compile((batch: TeacherBatch) => evaluating(() => model.align(batch)));
    const mean = (await (await align({ source: x, target: told(y) })).mean(0).array()) as number[][]; // [T, S]
    mean.forEach((row, t) => {
      const near = row.reduce((sum, a, j) => (Math.abs(j - (5 - t)) <= 1 ? sum + a : sum), 0); // neighbours of a state know of it too
      expect(near).toBeGreaterThan(0.7);
      if (attention === "luong") expect(row[5 - t]).toBeGreaterThan(0.8);
    });
  },
);

async function batchesOf(count: number): Promise<{ x: Tensor; y: Tensor }[]> {
  const batches: { x: Tensor; y: Tensor }[] = [];
  const set = reverseTask({ length: 6, symbols: 9, count, seed: 99 }).batch(count);
  for await (const { x, y } of set) batches.push({ x, y });
  return batches;
}

test("misuse is refused in one line", async () => {
  const model = seq2seq(tiny);
  const source = rows([[1, 2]]);
  expect(
    await messagesOf({
      cell: () => seq2seq({ ...tiny, cell: "qrnn" as "gru" }),
      attention: () => seq2seq({ ...tiny, attention: "dot" as "luong" }),
      readout: () => seq2seq({ ...tiny, readout: "softmax" as "maxout" }),
      score: () => seq2seq({ ...tiny, score: "dot" }),
      window: () => seq2seq({ ...tiny, window: 2 }),
      feeding: () => seq2seq({ ...tiny, attention: "bahdanau", inputFeeding: true }),
      summary: () => seq2seq({ ...tiny, attention: "luong", summary: "steps" }),
      sizes: () => seq2seq({ ...tiny, attention: "luong", score: "dot", bidirectional: true }),
      source: () => model.encode({ source: tensor(Int32Array.of(1, 2)) }),
      target: () => model.forward({ source, target: rows([[1], [2]]) }),
      lengths: () => model.forward({ source, sourceLengths: tensor(Int32Array.of(1, 2)), target: source }),
      align: () => model.align({ source, target: source }),
      run: () => model.run(source),
      empty: () => translate(model, [[1], []]),
      beams: () => translate(model, [[1]], { beams: 0 }),
      length: () => decode(model, { source }, { length: 0 }),
    }),
  ).toMatchInlineSnapshot(`
    "cell: RangeError: seq2seq: cell is "lstm", "gru" or "rnn", not "qrnn"
    attention: RangeError: seq2seq: attention is "bahdanau" or "luong", not "dot"
    readout: RangeError: seq2seq: readout is "linear" or "maxout", not "softmax"
    score: RangeError: seq2seq: score is attention's; give attention, "bahdanau" or "luong"
    window: RangeError: seq2seq: window is attention's; give attention, "bahdanau" or "luong"
    feeding: RangeError: seq2seq: inputFeeding is of attention "luong"; leave it away, or take that
    summary: RangeError: seq2seq: summary "steps" is for models without attention; leave one of them away
    sizes: ShapeError: Attention: "dot" needs queries and keys of one size, got 6 and 12; take "general"
    source: RangeError: seq2seq: source is [B, S], got [2]
    target: RangeError: seq2seq: target is [1, T], a row for each source, got [2, 1]
    lengths: ShapeError: recurrent: there must be a length for each of 1 sequences, got 2, in LSTM
    align: Error: seq2seq: a model without attention aligns nothing; build it with attention: "luong"
    run: TypeError: seq2seq: run needs the state that encode(batch) or a run gives
    empty: RangeError: translate: source 1 is empty; give at least one token
    beams: RangeError: translate: beams is a whole number of at least 1, got 0
    length: RangeError: decode: length is a whole number of at least 1, got 0"
  `);
});
