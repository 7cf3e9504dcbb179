// Sentences as numbers, and the sets MR and TREC: the real files where the tests have them, and folders that are wrong.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { encodeCharacters, mr, pad, sst, tokenize, trec, Vocabulary } from "../../src/data/index.ts";
import { hasData, realData } from "./real-data.ts";

const root = mkdtempSync(join(tmpdir(), "hebb-text-"));
afterAll(() => rmSync(root, { recursive: true }));

test("tokens are Kim's", () => {
  expect(tokenize("It's the best -- I've NOT seen, but didn't (really) like!")).toEqual(
    "it 's the best i 've not seen , but did n't ( really ) like !".split(" "),
  );
  expect(tokenize("we'll they're he'd what ? caf\u00e9\u2026")).toEqual([
    "we",
    "'ll",
    "they",
    "'re",
    "he",
    "'d",
    "what",
    "?",
    "caf",
  ]);
  expect(tokenize("  ")).toEqual([]);
  expect(() => tokenize("a".repeat(100_001))).toThrow("tokenize: a sentence has at most 100000 characters");
});

test("a vocabulary has the most frequent words first, of equal ones the earlier, and an end", () => {
  const sentences = ["b a c a", "c d a b"].map((line) => line.split(" "));
  expect(Vocabulary.of(sentences).words).toEqual(["<pad>", "<unknown>", "a", "b", "c", "d"]);
  expect(Vocabulary.of(sentences, { least: 2 }).words.slice(2)).toEqual(["a", "b", "c"]);
  const small = Vocabulary.of(sentences, { size: 4 });
  expect(small.words.slice(2)).toEqual(["a", "b"]);
  expect([...small.encode(["b", "d", "a", "constructor"])]).toEqual([3, 1, 2, 1]);
  expect(small.decode([3, 0, 1, 0, 0])).toEqual(["b", "<pad>", "<unknown>"]);
  expect(() => small.decode([4])).toThrow("4 is none of the numbers 0 … 3");
  expect(() => new Vocabulary(["x", "x"])).toThrow('the word "x" comes twice');
  expect(() => Vocabulary.of([], { size: 1 })).toThrow("size must be at least 2");
});

test("sequences are filled up to the longest, or cut to a length", () => {
  const rows = [[1, 2, 3], [], [4]];
  expect(pad(rows)).toEqual({ data: Int32Array.of(1, 2, 3, 0, 0, 0, 4, 0, 0), length: 3 });
  expect(pad(rows, { length: 2 }).data).toEqual(Int32Array.of(1, 2, 0, 0, 4, 0));
  expect(pad([])).toEqual({ data: new Int32Array(0), length: 0 });
  expect(pad(rows, { multiple: 2, value: -1 })).toEqual({
    data: Int32Array.of(1, 2, 3, -1, -1, -1, -1, -1, 4, -1, -1, -1),
    length: 4,
  });
  expect(() => pad(rows, { multiple: 0 })).toThrow("pad: multiple must be a whole number ≥ 1, got 0");
  expect(() => pad(rows, { length: 1.5 })).toThrow("pad: length must be a whole number ≥ 0, got 1.5");
});

test("characters have the paper's numbers, in lower case", () => {
  expect([...encodeCharacters("Az09\né{", { length: 8 })]).toEqual([1, 26, 27, 36, 69, 0, 67, 0]);
  expect(encodeCharacters("x".repeat(2000))).toHaveLength(1014);
});

describe.skipIf(!hasData("trec/train_5500.label"))("TREC", () => {
  test("is the published set", async () => {
    const [train, held] = [trec("train", { dir: realData }), trec("test", { dir: realData })];
    const counts = async (data: typeof train): Promise<number[]> => {
      const { y } = await data.samples();
      return data.info.classes!.map((_, label) => y.filter((each) => each === label).length);
    };
    expect(await counts(train)).toEqual([86, 1162, 1250, 1223, 835, 896]);
    expect(await counts(held)).toEqual([9, 138, 94, 65, 81, 113]);
    expect([train.length, held.length, train.info.shape, train.info.tokens]).toEqual([5452, 500, [40], 10_000]);
    for await (const { x, y } of held.batch(2)) {
      expect([x.shape, x.dtype, y.dtype]).toEqual([[2, 40], "i32", "i32"]);
      expect([...(await y.data())]).toEqual([5, 4]); // how far is it, what county
      break;
    }
    const { x } = await held.samples();
    expect(Math.max(...(x as Int32Array))).toBeLessThan(10_000);
    expect((x as Int32Array).slice(0, 40).filter((token) => token > 0)).toHaveLength(9); // how far is it from denver to aspen ?
  });

  test("has 50 fine classes, all of them in the training part", async () => {
    const fine = trec("train", { dir: realData, classes: "fine", length: 12 });
    const { x, y } = await fine.samples();
    expect([fine.info.classes!.length, new Set(y).size, x.length]).toEqual([50, 50, 5452 * 12]);
  });
});

describe.skipIf(!hasData("mr/rt-polarity.pos"))("MR", () => {
  test("splits into ten folds that are disjoint and together are the set", async () => {
    let tests = 0;
    for (let fold = 0; fold < 10; fold++) {
      const [train, held] = [mr("train", { dir: realData, fold }), mr("test", { dir: realData, fold })];
      await train.load();
      await held.load();
      tests += held.length;
      expect(train.length + held.length).toBe(10_662);
    }
    expect(tests).toBe(10_662);
    const { y } = await mr("test", { dir: realData, fold: 3 }).samples();
    expect([y.length, y.filter((label) => label === 1).length]).toEqual([1066, 533]);
  });
});

describe.skipIf(!hasData("sst/stsa.fine.train"))("SST", () => {
  test("is the published set, in two classes or five", async () => {
    for (const [classes, counts] of [
      ["binary", [6920, 872, 1821]],
      ["fine", [8544, 1101, 2210]],
    ] as const) {
      // biome-ignore format: pairs
      const parts = (["train", "valid", "test"] as const).map((split) => sst(split, { dir: realData, classes }));
      const lengths = await Promise.all(parts.map(async (part) => (await part.samples()).y.length));
      expect([lengths, parts.map((part) => part.length)]).toEqual([counts, counts]);
      expect(new Set((await parts[0].samples()).y).size).toBe(parts[0].info.classes!.length);
    }
  });
});

test("what is not the set, or asked for in vain, is refused in one line", async () => {
  const dir = join(root, "bad");
  mkdirSync(dir);
  const write = (content: string | Uint8Array): void => writeFileSync(join(dir, "train_5500.label"), content);
  const failure = async (verify: boolean): Promise<string> =>
    (
      await trec("train", { dir, verify })
        .load()
        .catch((error) => error)
    ).message;
  expect(await failure(true)).toContain("train_5500.label");
  write("NUM:dist How far ?\n");
  expect(await failure(true)).toContain("SHA-256");
  const own = await trec("train", { dir, verify: false, length: 4 }).samples();
  expect(own).toEqual({ x: Int32Array.of(2, 3, 4, 0), y: Int32Array.of(5) });
  expect((await trec("train", { dir, verify: false }).vocabulary()).decode(own.x)).toEqual(["How", "far", "?"]);
  const characters = await trec("train", { level: "characters" }).vocabulary();
  expect([...characters.encode([..."ab"])]).toEqual([...encodeCharacters("ab", { length: 2 })]);
  write("NUM:dist How far ?\nWHAT:not A question ?\n");
  expect(await failure(false)).toContain('found "WHAT:not A question " in line 2');
  write(Uint8Array.of(78, 0, 10));
  expect(await failure(false)).toContain("found a zero byte");
  write("");
  expect(await failure(false)).toContain("found none");
  writeFileSync(join(dir, "stsa.binary.train"), "1 good\n0 bad\n\n");
  expect((await sst("train", { dir, verify: false }).load().catch((error) => error)).message).toMatch(/begins with a class from 0 to 1, found "" in line 3/); // biome-ignore format: one line
  expect(() => mr("train", { fold: 10 })).toThrow("mr: fold is a whole number from 0 to 9, got 10");
  expect(() => mr("all" as "train")).toThrow('mr: split must be "train" or "test", not "all"');
  expect(() => trec("train", { length: 0 })).toThrow("trec: length is a whole number of at least 1, got 0");
  expect(() => trec("train", { tokens: 1 })).toThrow("trec: tokens is a whole number of at least 2, got 1");
  expect(() => trec("train", { classes: "all" as "fine" })).toThrow('trec: classes are "coarse" or "fine"');
});
