// Pairs of sentences: batches of similar lengths, small files that are wrong, and the published sets where the tests have them.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { buckets, cmnEng, multi30k, randomStream, type SequencePairs, splitCharacters, splitWords } from "../../src/data/index.ts"; // biome-ignore format: one line
import { ignoredLabel } from "../../src/nn/cross-entropy.ts";
import type { BatchSource } from "../../src/train/index.ts";
import { hasData, realData } from "./real-data.ts";

const root = mkdtempSync(join(tmpdir(), "hebb-pairs-"));
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;
const folderWith = (files: Readonly<Record<string, string | Uint8Array>>): string => {
  const dir = join(root, String(folders++));
  mkdirSync(dir);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  return dir;
};
const failure = async (data: SequencePairs): Promise<string> => {
  const { message } = await data.load().catch((error) => error);
  expect(message).not.toContain("\n");
  return message;
};

test("buckets visit each place once and hold similar lengths", () => {
  const next = randomStream(3);
  const lengths = Array.from({ length: 1003 }, () => [1 + (next() % 40), 1 + (next() % 40)]);
  const of = (epoch: number): Uint32Array[] =>
    buckets(lengths, { batchSize: 10, multiple: 8, random: randomStream(1, epoch) });
  const batches = of(0);
  expect(batches).toHaveLength(101);
  expect(batches.filter((batch) => batch.length !== 10).map((batch) => batch.length)).toEqual([3]);
  expect(batches.flatMap((batch) => [...batch]).sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
  const shapes = batches.map((batch) => [0, 1].map((side) => Math.max(...[...batch].map((i) => Math.ceil(lengths[i][side] / 8)))).join()); // biome-ignore format: one line
  expect(new Set(shapes).size).toBeLessThanOrEqual(25);
  const padded = batches.reduce((sum, batch) => sum + batch.length * 8 * Math.max(...[...batch].map((i) => Math.ceil(lengths[i][0] / 8))), 0); // biome-ignore format: one line
  expect(padded / lengths.reduce((sum, [source]) => sum + source, 0)).toBeLessThan(1.25);
  expect(of(0)).toEqual(batches);
  expect(of(1)).not.toEqual(batches);
  expect(buckets([[9], [1], [20], [3]], { batchSize: 2, multiple: 1 })).toEqual([
    Uint32Array.of(1, 3),
    Uint32Array.of(0, 2),
  ]);
});

test("sentences become words in lower case, Chinese ones characters", () => {
  expect(splitWords("Don't stop: Zwei T-Shirts, „Größe“ 42!")).toEqual(["don't", "stop", ":", "zwei", "t-shirts", ",", "„", "größe", "“", "42", "!"]); // biome-ignore format: one line
  expect(splitCharacters("我有3个 iPad。")).toEqual(["我", "有", "3", "个", "ipad", "。"]);
});

const small = (files: Record<string, string> = {}): string =>
  folderWith({
    "train.de.gz": gzipSync(files.de ?? "Ein Hund.\nEin Hund und ein Ball.\n\u00dcber den Hund\n"),
    "train.en.gz": gzipSync(files.en ?? "A dog.\nA dog and a ball.\nAbout the dog\n"),
    "val.de": "Ein Ball.\n",
    "val.en": "A ball.\n",
  });

test("a batch is what an encoder and a decoder take", async () => {
  const data = multi30k("train", { dir: small(), verify: false }).batch(3, { multiple: 2 });
  expect(() => data.length).toThrow("multi30k: its length is known once loaded");
  const { source: de, target: en } = await data.vocabularies();
  expect(en.words).toEqual(["<pad>", "<unknown>", "<start>", "<end>", "a", "dog", "."]);
  expect(de.words.slice(4)).toEqual(["ein", "hund", "."]);
  expect([data.length, data.batches]).toEqual([3, 1]);
  for await (const { source, sourceLengths, target, y } of data) {
    expect([source.shape, sourceLengths.shape, target.shape, y.shape]).toEqual([[3, 6], [3], [3, 8], [3, 8]]);
    expect([...(await sourceLengths.data())]).toEqual([3, 3, 6]);
    expect([...(await source.data()).slice(0, 6)]).toEqual([4, 5, 6, 0, 0, 0]);
    const [given, told] = [await target.data(), await y.data()];
    expect([...given.slice(0, 8)]).toEqual([2, 4, 5, 6, 0, 0, 0, 0]);
    expect([...told.slice(0, 8)]).toEqual([4, 5, 6, 3, ...new Array(4).fill(ignoredLabel)]);
    expect(en.sentence(Array.from(told).slice(0, 8).map(Number))).toEqual(["a", "dog", "."]);
    expect(en.sentence(Array.from(given).slice(0, 8).map(Number))).toEqual(["a", "dog", "."]);
    expect([source, sourceLengths, target, y].map((t) => t.dtype)).toEqual(["i32", "i32", "i32", "i32"]);
  }
  const valid = multi30k("valid", { dir: small(), verify: false, reversed: true, from: "en", to: "de" });
  const { source, target, pairs } = await valid.samples();
  expect([[...source[0]], [...target[0]], pairs[0].target]).toEqual([
    [6, 1, 4],
    [4, 1, 6],
    ["ein", "ball", "."],
  ]);
  const source2: BatchSource<object> = data; // what a Trainer takes
  expect(typeof source2.shuffle).toBe("function");
  const short = await multi30k("train", { dir: small(), verify: false, longest: 3 }).load();
  expect(short.length).toBe(2);
});

test("an epoch has each pair once, in an order of its seed and number, and can be continued", async () => {
  const lines = Array.from({ length: 53 }, (_, i) => `w${i}${" x".repeat((i * 7) % 23)}`).join("\n");
  const data = multi30k("train", { dir: small({ de: lines, en: lines }), verify: false, least: 1 }).batch(4);
  const { source: vocabulary } = await data.vocabularies();
  const visit = async (set: SequencePairs, position: { epoch: number; skip?: number }): Promise<string[]> => {
    const seen: string[] = [];
    for await (const { source } of set.iterate(position)) {
      const [numbers, [rows, length]] = [await source.data(), source.shape];
      for (let row = 0; row < rows; row++) seen.push(vocabulary.words[Number(numbers[row * length])]);
    }
    return seen;
  };
  const shuffled = data.shuffle({ seed: 5 });
  const first = await visit(shuffled, { epoch: 0 });
  expect(first).toHaveLength(53);
  expect(new Set(first).size).toBe(53);
  expect(await visit(shuffled, { epoch: 0 })).toEqual(first);
  expect(await visit(data.shuffle({ seed: 5 }), { epoch: 1 })).not.toEqual(first);
  expect((await visit(shuffled, { epoch: 0, skip: 10 })).every((word) => first.slice(37).includes(word))).toBe(true);
  expect(await visit(data.take(4), { epoch: 0 })).toEqual(["w0", "w1", "w2", "w3"]);
  expect([data.shuffled, shuffled.shuffled, shuffled.batches, data.take(4).batches]).toEqual([false, true, 14, 1]);
});

test("files that are no pairs are refused in one line", async () => {
  const german = { verify: false } as const;
  expect(await failure(multi30k("train", { ...german, dir: small({ en: "A dog.\n" }) }))).toMatch(/train.en.gz: has 1 lines for 3 of .*train.de.gz/); // biome-ignore format: one line
  expect(await failure(multi30k("train", { ...german, dir: small({ de: "Ein\n\nHund\n" }) }))).toContain("train.de.gz: expected a sentence and its translation, found none in line 2"); // biome-ignore format: one line
  expect(await failure(multi30k("train", { dir: small() }))).toContain("SHA-256");
  const cut = folderWith({ "train.de.gz": gzipSync("Ein Hund. Ein anderer Hund.\n").subarray(0, 25), "train.en.gz": gzipSync("A\n") }); // biome-ignore format: one line
  expect(await failure(multi30k("train", { ...german, dir: cut }))).toContain("train.de.gz");
  expect(await failure(cmnEng("train", { ...german, dir: folderWith({ "cmn.txt": "Hi.\t嗨。\nRun.\n" }) }))).toContain("found none in line 2"); // biome-ignore format: one line
  expect(() => multi30k("train", { from: "en" })).toThrow('multi30k: from and to are "de" and "en", got "en" and "en"');
  expect(() => cmnEng("train", { least: 0 })).toThrow("cmn-eng: least is a whole number of at least 1, got 0");
  expect(() => cmnEng("all" as "train")).toThrow("cmn-eng: split must be");
  expect(() => cmnEng("train").batch(0)).toThrow("batch: expected an integer of at least 1, not 0");
});

describe.skipIf(!hasData("multi30k/train.de.gz"))("Multi30k", () => {
  test("has the published pairs, few shapes and little padding", async () => {
    const train = multi30k("train", { dir: realData });
    const vocabularies = await train.vocabularies();
    expect([train.length, (await train.samples()).source.length]).toEqual([29_000, 29_000]);
    for (const [split, count] of [["valid", 1014], ["test", 1000], ["test2017", 1000]] as const) // biome-ignore format: pairs
      expect((await multi30k(split, { dir: realData, vocabularies }).samples()).pairs).toHaveLength(count);
    expect((await train.samples()).pairs[0].target.join(" ")).toBe(
      "two young , white males are outside near many bushes .",
    );
    const shapes = new Set<string>();
    let [cells, words] = [0, 0];
    for await (const { source, sourceLengths, target } of train.shuffle({ seed: 1 }).batch(64)) {
      shapes.add(`${source.shape} ${target.shape}`);
      cells += source.size;
      for (const length of await sourceLengths.data()) words += Number(length);
    }
    console.log(`multi30k: ${vocabularies.source.size} and ${vocabularies.target.size} words, ${shapes.size} shapes, ${(cells / words).toFixed(3)} cells a word`); // biome-ignore format: one line
    expect(shapes.size).toBeLessThan(30);
    expect(cells / words).toBeLessThan(1.45);
  });
});

describe.skipIf(!hasData("cmn-eng/cmn.txt"))("English and Chinese", () => {
  test("have 26,388 pairs", async () => {
    const sets = (["train", "valid", "test"] as const).map((split) => cmnEng(split, { dir: realData }));
    const parts = await Promise.all(sets.map(async (set) => (await set.samples()).pairs));
    expect(parts.map((part) => part.length)).toEqual(sets.map((set) => set.length));
    expect(parts.map((part) => part.length)).toEqual([23_736, 1335, 1317]);
    expect(parts[0][0]).toEqual({ source: ["hi", "."], target: ["嗨", "。"] });
  });
});
