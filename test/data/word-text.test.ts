// Texts to learn words' vectors from, and what vectors are judged by: readers, the published files, batches of tensors.
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  countWords,
  readAnalogies,
  readSimilarities,
  text8,
  textFile,
  WordContexts,
  type WordTensors,
  wordAnalogies,
  wordSim353,
  wordsRead,
} from "../../src/data/index.ts";
import { hasData, realData } from "./real-data.ts";

const fileOf = (content: string | Uint8Array, name = "book.txt"): File =>
  new File([content as Uint8Array<ArrayBuffer>], name);

test("a text's words: lower case, apostrophes and hyphens within, sentences of 1000", async () => {
  const said = "Don’t stop—the well-known 'word', été 42 times!\n";
  const { vocabulary, sentences, words, counts } = await textFile(fileOf(said.repeat(126)), { least: 1 });
  expect(vocabulary.words).toEqual(["don’t", "stop", "the", "well-known", "word", "été", "42", "times"]);
  expect(sentences.map(({ length }) => length)).toEqual([1000, 8]);
  expect(words).toBe(1008);
  expect([...counts]).toEqual(new Array(8).fill(126));
  const some = await textFile(fileOf(gzipSync(said.repeat(126)), "book.gz"), { least: 2, size: 3, take: 10 });
  expect(some.vocabulary.words).toEqual(["don’t", "stop"]);
  expect(some.sentences).toEqual([Int32Array.of(0, 1, 0, 1)]);
});

test("what is no text is named", async () => {
  await expect(textFile(fileOf(""))).rejects.toThrow("book.txt: expected lines of text, found none");
  await expect(textFile(fileOf("a\0b"))).rejects.toThrow("found a zero byte");
  await expect(textFile(fileOf("... 5!"), {})).rejects.toThrow("no word comes 5 times");
  const files = [fileOf("the end", "text8-first-6500000")];
  await expect(text8({ files })).rejects.toThrow(/text8-first-6500000: SHA-256 differs/);
  expect((await text8({ files, verify: false, least: 1 })).vocabulary.words).toEqual(["the", "end"]);
  await expect(
    wordAnalogies({ files: [fileOf(": s\na b c\n", "questions-words.txt")], verify: false }),
  ).rejects.toThrow("questions-words.txt: line 2: expected four words");
  await expect(wordSim353({ files: [fileOf("h\na,b\n", "combined.csv")], verify: false })).rejects.toThrow(
    "combined.csv: line 2: expected",
  );
  expect(() => readAnalogies("a b c d e")).toThrow("line 1: expected four words");
  expect(readSimilarities("h\r\na,b,1.5\r\n")).toEqual([{ words: ["a", "b"], score: 1.5 }]);
});

describe("the published files", () => {
  const options = { dir: realData };
  test.runIf(hasData("text8-prefix/text8-first-6500000.gz"))("text8", { timeout: 30_000 }, async () => {
    const { vocabulary, words, sentences } = await text8({ ...options, least: 1 });
    expect([words, vocabulary.size, sentences.length]).toEqual([1_107_369, 56_213, 1108]);
    expect(vocabulary.words.slice(0, 2)).toEqual(["the", "of"]);
    const first = [...sentences[0].slice(0, 5)].map((number) => vocabulary.words[number]);
    expect(first).toEqual(["anarchism", "originated", "as", "a", "term"]);
  });
  test.runIf(hasData("word2vec-analogy/questions-words.txt"))("analogies", async () => {
    const questions = await wordAnalogies(options);
    expect(questions).toHaveLength(19_544);
    expect(new Set(questions.map(({ section }) => section)).size).toBe(14);
    expect(questions[0]).toEqual({
      section: "capital-common-countries",
      words: ["Athens", "Greece", "Baghdad", "Iraq"],
    });
  });
  test.runIf(hasData("wordsim353/combined.csv"))("WordSim-353", async () => {
    const pairs = await wordSim353(options);
    expect(pairs).toHaveLength(353);
    expect(pairs[0]).toEqual({ words: ["love", "sex"], score: 6.77 });
    for (const { score } of pairs) expect(score >= 0 && score <= 10).toBe(true);
  });
});

test("a text longer than a string is refused before it is read", async () => {
  const largest = 2 ** 29 - 24;
  const message = `book.txt: expected at most ${largest} bytes of text, found ${largest + 1}; take a part of it`;
  const slice = (): never => {
    throw new Error("it is read");
  };
  const book = { name: "book.txt", size: largest + 1, arrayBuffer: slice, slice } as unknown as File;
  await expect(textFile(book)).rejects.toThrow(message);
  await expect(textFile({ ...book, size: largest } as File)).rejects.toThrow("it is read");
  const gzip = gzipSync("a b");
  gzip.writeUInt32LE(largest + 1, gzip.length - 4);
  await expect(textFile(fileOf(gzip))).rejects.toThrow(message);
});

const text = countWords(
  Array.from({ length: 30 }, (_, i) => Array.from({ length: 40 }, (_, j) => `w${(i * j + j) % 17}`)),
);

async function all(contexts: WordContexts, position: { epoch: number; skip?: number }): Promise<WordTensors[]> {
  const found: WordTensors[] = [];
  for await (const batch of contexts.iterate(position)) found.push(batch);
  return found;
}
const valuesOf = (batches: readonly WordTensors[]): Promise<ArrayLike<number>[]> =>
  Promise.all(batches.map(({ inputs, outputs }) => inputs.reshape(-1).sum().add(outputs.mul(3).sum()).data()));

test.each(["skip-gram", "cbow"] as const)("%s: epochs differ, and go on from any batch", async (architecture) => {
  const contexts = new WordContexts(text, { architecture, batch: 16, seed: 3, subsample: 0.01 });
  const [first, second] = [await all(contexts, { epoch: 0 }), await all(contexts, { epoch: 1 })];
  for (const epoch of [first, second, await all(contexts, { epoch: 7 })]) expect(epoch).toHaveLength(contexts.batches);
  expect(await valuesOf(first)).not.toEqual((await valuesOf(second)).slice(0, first.length));
  const rest = await all(contexts, { epoch: 1, skip: 5 });
  expect(await valuesOf(rest)).toEqual((await valuesOf(second)).slice(5));
  expect(rest.map(wordsRead)).toEqual(second.map(wordsRead).slice(5));
  for (const epoch of [first, second]) {
    const read = epoch.reduce((sum, batch) => sum + wordsRead(batch), 0) / text.words;
    expect(read > 0.98 && read < 1.1).toBe(true); // the last words may be passed over
    for (const { signs } of epoch) expect(Number(await signs.slice(1, 0, 1).sum().data())).toBe(16); // all full
  }
  const width = architecture === "cbow" ? 10 : 1;
  for (const { inputs, outputs, weights } of first) {
    expect([inputs.shape, outputs.shape]).toEqual([
      [16, width],
      [16, 6],
    ]);
    expect(weights?.shape).toEqual(architecture === "cbow" ? [16, 10] : undefined);
  }
  expect(() => wordsRead({ ...first[0] })).toThrow("wordsRead: takes a batch that WordContexts gave");
  const other = new WordContexts(text, { architecture, batch: 16, seed: 4, subsample: 0.01 });
  expect(await valuesOf(await all(other, { epoch: 0 }))).not.toEqual(await valuesOf(first));
  expect(await all(contexts, { epoch: 0, skip: contexts.batches })).toEqual([]);
  expect(() => new WordContexts(text, { window: 0 }).batches).toThrow("wordWindows: window is a whole number");
});
