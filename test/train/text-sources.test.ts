// A Trainer takes text: streams of a corpus, whose bigrams a table learns exactly, and pairs of sequences of unequal length.
import { beforeAll, expect, test } from "vitest";
import { additionTask, type EncodedPairs, type PairBatch, SequencePairs, Vocabulary, windows } from "../../src/data/index.ts"; // biome-ignore format: one line
import { device, seed, type Tensor } from "../../src/index.ts";
import { crossEntropy, Embedding, Linear, Sequential } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { accuracy, evaluator, perplexity, Trainer } from "../../src/train/index.ts";

beforeAll(() => device("wasm"));

const special = ["<pad>", "<unknown>", "<start>", "<end>"];

test("streams: a table of bigrams comes near the text's own perplexity", async () => {
  // a b or a c, evenly: two choices at every second place, so √2
  const text = Array.from({ length: 2001 }, (_, i) => (i % 2 === 0 ? "a" : (i * 7919) % 13 < 6 ? "b" : "c"));
  const vocabulary = Vocabulary.of([text], { special: [] });
  const corpus = windows({ numbers: vocabulary.encode(text), vocabulary }, { length: 5, name: "letters" });
  const streams = (await corpus.load()).streams(8);
  seed(1);
  const model = new Sequential(new Embedding(3, 3));
  const loss = ({ x, y }: { x: Tensor; y: Tensor }): Tensor => crossEntropy(model.forward(x), y);
  const trainer = new Trainer(model, adam(model, loss, { lr: 0.05 }), { metrics: { perplexity: perplexity() } });
  await trainer.fit(streams, { epochs: 12, progress: false });
  const { metrics } = (await evaluator({ model, loss, metrics: { perplexity: perplexity() } })(streams))!;
  const b = text.filter((letter) => letter === "b").length / 1000;
  const entropy = -(b * Math.log(b) + (1 - b) * Math.log(1 - b)) / 2;
  expect(metrics.perplexity).toBeGreaterThan(Math.exp(entropy) - 0.01);
  expect(metrics.perplexity).toBeLessThan(Math.exp(entropy) + 0.05);
});

test("pairs: padding counts neither in the loss nor in the metrics", async () => {
  const words = Array.from({ length: 37 }, (_, i) => Array.from({ length: 1 + (i % 9) }, (_, j) => "xyz"[(i + j) % 3]));
  const vocabulary = new Vocabulary([..."xyz"], { special });
  const load = async (): Promise<EncodedPairs> => {
    const numbers = words.map((each) => vocabulary.encode(each));
    const pairs = words.map((each) => ({ source: each, target: each }));
    return { pairs, source: numbers, target: numbers, vocabularies: { source: vocabulary, target: vocabulary } };
  };
  const data = new SequencePairs(load, { name: "cycles" }).batch(8, { multiple: 4 });
  seed(1);
  const model = new Sequential(new Embedding(vocabulary.size, 8), new Linear(8, vocabulary.size));
  const loss = ({ target, y }: PairBatch): { loss: Tensor; outputs: Tensor } => {
    const outputs = model.forward(target);
    return { loss: crossEntropy(outputs, y), outputs };
  };
  const metrics = { accuracy, tokens: perplexity() };
  const trainer = new Trainer<PairBatch>(model, adam(model, loss, { lr: 0.05 }), { metrics });
  await trainer.fit(data, { epochs: 15, progress: false });
  const found = (await evaluator<PairBatch>({ model, loss, metrics })(data))!;
  expect(found.samples).toBe(37);
  // after each letter comes its successor or the end; a table cannot tell which, nor the first letter
  const tokens = words.reduce((sum, each) => sum + each.length + 1, 0);
  const wrongAtLeast = 37; // the end of each, as its successor is likelier
  expect(found.metrics.accuracy).toBeLessThanOrEqual(1 - wrongAtLeast / tokens + 1e-6);
  expect(found.metrics.accuracy).toBeGreaterThan(0.65);
});

test("sums as text are a Dataset as any other", async () => {
  const [train, held] = additionTask({ digits: 2, count: 500 }).split(400);
  const questions = new Set<string>();
  for (const part of [train, held])
    for await (const { x } of part.batch(100)) {
      const numbers = Array.from(await x.data());
      for (let row = 0; row < x.shape[0]; row++) questions.add(numbers.slice(row * 5, row * 5 + 5).join());
    }
  expect([train.length, held.length, questions.size]).toEqual([400, 100, 500]);
});
