// Texts from language models: what is drawn and how often, the likeliest by beams, models with a state and without one.
import { expect, test } from "vitest";
import { seed, tensor } from "../../src/index.ts";
import { crossEntropy, logSoftmax } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { beamSearch, gatedConv, generate, languageModel, sampleToken, stepped } from "../../src/zoo/index.ts";
import { messagesOf } from "../messages.ts";

const random = (values: readonly number[]): (() => number) => {
  let i = 0;
  return () => values[i++ % values.length];
};

test("a token is drawn as often as the softmax says, at any temperature, from what is kept", () => {
  const logits = [0, Math.log(2), Math.log(5), Math.log(2)]; // p = 0.1, 0.2, 0.5, 0.2
  const shares = (options: object): number[] => {
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 1000; i++) counts[sampleToken(logits, options, () => (i + 0.5) / 1000)]++;
    return counts.map((count) => count / 1000);
  };
  expect(shares({})).toEqual([0.1, 0.2, 0.5, 0.2]);
  expect(shares({ temperature: 0 })).toEqual([0, 0, 1, 0]);
  const square = [1, 4, 25, 4].map((w) => w / 34);
  shares({ temperature: 0.5 }).forEach((share, i) => {
    expect(share).toBeCloseTo(square[i], 2);
  });
  expect(shares({ topK: 1 })).toEqual([0, 0, 1, 0]);
  shares({ topK: 2 }).forEach((share, i) => {
    expect(share).toBeCloseTo([0, 2 / 7, 5 / 7, 0][i], 2);
  });
  expect(shares({ topP: 0.5 })).toEqual([0, 0, 1, 0]);
  expect(shares({ topP: 0.9 }).map((share) => share > 0)).toEqual([false, true, true, true]);
  expect(shares({ topP: 0.69 }).map((share) => share > 0)).toEqual([false, true, true, false]);
  expect(() => sampleToken([Number.NaN, Number.NaN], {}, random([0.5]))).toThrow("generate: the model gives NaN");
});

/** A small model that has learnt 0 1 2 3 0 1 2 3 … and says so surely. */
async function counting(): Promise<ReturnType<typeof languageModel>> {
  seed(3);
  const model = languageModel({ tokens: 4, hidden: 12, cell: "gru" });
  const x = tensor(
    Int32Array.from({ length: 48 }, (_, i) => (i + Math.floor(i / 12)) % 4),
    [4, 12],
  );
  const y = tensor(
    Int32Array.from({ length: 48 }, (_, i) => (i + Math.floor(i / 12) + 1) % 4),
    [4, 12],
  );
  const optimizer = adam(
    model,
    (batch: { x: typeof x; y: typeof y }) => crossEntropy(model.forward(batch.x), batch.y),
    {
      lr: 0.05,
    },
  );
  for (let i = 0; i < 60; i++) await optimizer.step({ x, y });
  return model;
}

test("a model goes on as it has learnt, step by step as over the whole, and the same from the same seed", async () => {
  const model = await counting();
  expect(await generate(model, [1, 2, 3], { length: 6, temperature: 0 })).toEqual([0, 1, 2, 3, 0, 1]);
  expect(await generate(model, [1, 2], { length: 9, temperature: 0, stop: 0 })).toEqual([3, 0]);
  const told: number[] = [];
  seed(5);
  const first = await generate(model, [0], { length: 20, temperature: 3, onToken: (token) => void told.push(token) });
  expect(told).toEqual(first);
  seed(5);
  expect(await generate(model, [0], { length: 20, temperature: 3 })).toEqual(first);
  expect(await generate(model, [0], { length: 20, temperature: 3 })).not.toEqual(first);
  const aborted = AbortSignal.abort();
  expect(await generate(model, [0], { signal: aborted })).toEqual([]);
});

test("as many beams as there are texts find the likeliest of them all", async () => {
  seed(7);
  const model = languageModel({ tokens: 3, hidden: 5, layers: 2 });
  const length = 4;
  const scores: { tokens: number[]; logProbability: number }[] = [];
  for (let code = 0; code < 3 ** length; code++) {
    const tokens = Array.from({ length }, (_, i) => Math.floor(code / 3 ** i) % 3);
    const x = tensor(Int32Array.from([1, ...tokens.slice(0, -1)]), [1, length]);
    const p = await logSoftmax(model.forward(x)).data();
    scores.push({ tokens, logProbability: tokens.reduce((sum, token, t) => sum + p[3 * t + token], 0) });
  }
  scores.sort((a, b) => b.logProbability - a.logProbability);
  const found = await beamSearch(model, [1], { beams: 27, length });
  found.slice(0, 5).forEach(({ tokens, logProbability }, i) => {
    expect(tokens).toEqual(scores[i].tokens);
    expect(logProbability).toBeCloseTo(scores[i].logProbability, 5);
  });
  const greedy = await generate(model, [1], { length, temperature: 0 });
  expect((await beamSearch(model, [1], { beams: 1, length }))[0].tokens).toEqual(greedy);
});

test("a text that has ended is not gone on with, and length normalisation favours longer ones", async () => {
  seed(8);
  const model = languageModel({ tokens: 4, hidden: 6 });
  const found = await beamSearch(model, [1], { beams: 4, length: 6, stop: 0 });
  for (const { tokens, logProbability, score } of found) {
    expect(tokens.slice(0, -1)).not.toContain(0);
    expect(score).toBe(logProbability);
  }
  const length = (beams: readonly { tokens: readonly number[] }[]): number =>
    beams.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const longer = await beamSearch(model, [1], { beams: 4, length: 6, stop: 0, lengthPenalty: 2 });
  expect(length(longer)).toBeGreaterThanOrEqual(length(found));
  const [{ tokens, logProbability, score }] = longer;
  expect(score).toBeCloseTo(logProbability / ((5 + tokens.length) / 6) ** 2, 10);
});

test("a model without a state is asked over its last tokens, also past its context", async () => {
  seed(9);
  const model = gatedConv({ tokens: 5, features: 6, blocks: 2, kernel: 3 }); // sees 5 places
  const tokens = await generate(stepped(model, 8), [1, 2, 3], { length: 12, temperature: 0 });
  const all = [1, 2, 3];
  for (let i = 0; i < 12; i++) {
    const last = all.slice(-8);
    const logits = await model
      .forward(tensor(Int32Array.from(last), [1, last.length]))
      .at(-1, 1)
      .data();
    all.push(logits.indexOf(Math.max(...logits) as never));
  }
  expect([1, 2, 3, ...tokens]).toEqual(all);
});

test("misuse is told in one line", async () => {
  const model = languageModel({ tokens: 4, hidden: 3 });
  expect(
    await messagesOf({
      prompt: () => generate(model, []),
      length: () => generate(model, [1], { length: 0 }),
      temperature: () => generate(model, [1], { temperature: -1 }),
      topK: () => generate(model, [1], { topK: 0.5 }),
      topP: () => generate(model, [1], { topP: 0 }),
      beams: () => beamSearch(model, [1], { beams: 0 }),
      cell: () => languageModel({ tokens: 4, cell: "lstn" as "lstm" }),
    }),
  ).toMatchInlineSnapshot(`
    "prompt: RangeError: generate: the prompt is empty; give at least one token
    length: RangeError: generate: length is a whole number of at least 1, got 0
    temperature: RangeError: generate: temperature is a number of at least 0, got -1
    topK: RangeError: generate: topK is a whole number of at least 1, got 0.5
    topP: RangeError: generate: topP is a number above 0, at most 1, got 0
    beams: RangeError: beamSearch: beams is a whole number of at least 1, got 0
    cell: RangeError: languageModel: cell is "lstm", "gru" or "rnn", not "lstn""
  `);
});
