// Texts to model: windows and streams of small texts, the published ones where the tests have them, and files that are no text.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { type Dataset, ptb, tinyShakespeare, Vocabulary, windows } from "../../src/data/index.ts";
import { hasData, realData } from "./real-data.ts";

const root = mkdtempSync(join(tmpdir(), "hebb-corpus-"));
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;
const folderWith = (files: Readonly<Record<string, string | Uint8Array>>): string => {
  const dir = join(root, String(folders++));
  mkdirSync(dir);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  return dir;
};
const failure = async (data: Dataset): Promise<string> => {
  const { message } = await data.load().catch((error) => error);
  expect(message).not.toContain("\n");
  return message;
};
const letters = new Vocabulary([..."abcdefghijklmnopqrstuvwxyz"], { special: [] });
const alphabet = { numbers: letters.encode("abcdefghijklmnopqrstuvwxyz"), vocabulary: letters };

describe("windows", () => {
  test("are cut one after the other, y one place further than x", async () => {
    const data = windows(alphabet, { length: 4 });
    expect([(await data.load()).length, data.info.shape, data.info.targetShape]).toEqual([6, [4], [4]]);
    let seen = 0;
    for await (const { x, y } of data.shuffle({ seed: 3 }).batch(4)) {
      const [xs, ys] = [await x.data(), await y.data()];
      for (let i = 0; i < xs.length; i++) expect(ys[i]).toBe(Number(xs[i]) + 1);
      for (let i = 0; i < xs.length; i += 4) expect(Number(xs[i]) % 4).toBe(0);
      expect([x.dtype, y.dtype, y.shape]).toEqual(["i32", "i32", x.shape]);
      seen += x.shape[0];
    }
    expect(seen).toBe(6);
  });

  test("the last token is used where it completes one, and only there", async () => {
    const lengths = [5, 25, 26].map((length) => windows(alphabet, { length }).load().then((data) => data.length, String)); // biome-ignore format: one line
    expect(await Promise.all(lengths)).toEqual([5, 1, "RangeError: text: 26 tokens have no window of 26 and the one after; shorten length"]); // biome-ignore format: one line
    expect(() => windows(alphabet, { length: 0, name: "own" })).toThrow(
      "own: length is a whole number of at least 1, got 0",
    );
    const small = { ...alphabet, vocabulary: new Vocabulary(["a", "b"], { special: [] }) };
    expect(await failure(windows(small, { length: 4 }))).toBe("text: token 2 is 2, but the vocabulary has 2 words; take the text's own"); // biome-ignore format: one line
  });

  test("streams run on from batch to batch, and begin anew with each epoch", async () => {
    const streams = (await windows(alphabet, { length: 3 }).load()).streams(2); // 8 windows: two streams of 12 letters
    expect([streams.batches, streams.batchSize, "shuffle" in streams]).toEqual([4, 2, false]);
    for (let epoch = 0; epoch < 2; epoch++) {
      const rows = ["", ""];
      for await (const { x } of streams) {
        const text = letters.decode(await x.data());
        expect(x.shape).toEqual([2, 3]);
        rows.forEach((_, row) => {
          rows[row] += text.slice(row * 3, row * 3 + 3).join("");
        });
      }
      expect(rows).toEqual(["abcdefghijkl", "mnopqrstuvwx"]);
    }
    for await (const { x, y } of streams.iterate({ skip: 3 })) {
      expect(letters.decode(await x.data()).join("")).toBe("jklvwx");
      expect(letters.decode(await y.data()).join("")).toBe("klmwxy");
    }
    expect(() => windows(alphabet, { length: 3 }).streams(0)).toThrow(
      "streams: expected an integer of at least 1, not 0",
    );
  });
});

test("a vocabulary survives JSON, and says which word it lacks", () => {
  const plain = Vocabulary.of([["the", "cat", "the", "<pad>"]]);
  const again = Vocabulary.from(JSON.parse(JSON.stringify(plain)));
  expect([again.words, [...again.encode(["cat", "dog", "<pad>"])]]).toEqual([
    ["<pad>", "<unknown>", "the", "cat"],
    [3, 1, 1],
  ]);
  const own = Vocabulary.from(
    JSON.parse(JSON.stringify(Vocabulary.of([["a", "<unk>"]], { special: [], unknown: "<unk>" }))),
  );
  expect([...own.encode(["a", "b"])]).toEqual([0, 1]);
  expect(own.decode([1, 0, 0])).toEqual(["<unk>", "a", "a"]);
  expect(again.number("<pad>")).toBe(0);
  expect(() => again.number("<end>")).toThrow('Vocabulary: "<end>" is not one of its 4 words');
  expect(() => letters.encode("Hi")).toThrow(
    'Vocabulary: "H" is not one of its 26 words; take the vocabulary of the same text',
  );
  for (const wrong of [null, [], { words: ["a"], special: 2, unknown: "" }, { words: [1], special: 0, unknown: "" }])
    expect(() => Vocabulary.from(wrong as never, { file: "vocabulary.json" })).toThrow(
      "vocabulary.json: expected a vocabulary { words, special, unknown }",
    );
});

test("a small treebank is numbered by its training words, each line ended", async () => {
  const dir = folderWith({ "ptb.train.txt": " the cat <unk> \n\n the end\n", "ptb.valid.txt": "the dog\r\nthe cat" });
  const train = ptb("train", { dir, verify: false, length: 2 });
  const words = await train.vocabulary();
  expect(words.words).toEqual(["<eos>", "the", "cat", "<unk>", "end"]);
  expect(words.decode((await train.samples()).x).join(" ")).toBe("the cat <unk> <eos> <eos> the");
  const valid = ptb("valid", { dir, verify: false, length: 2 });
  expect(words.decode((await valid.samples()).y).join(" ")).toBe("<unk> <eos> the cat");
  const given = ptb("valid", { dir, verify: false, length: 2, vocabulary: new Vocabulary(["the", "cat"]) });
  expect([...(await given.samples()).x, given.info.tokens]).toEqual([2, 1, 1, 2, 4]);
});

test("what is no text is refused in one line that names the file and the byte", async () => {
  const shakespeare = (content: string | Uint8Array, name = "input.txt"): Promise<string> =>
    failure(tinyShakespeare("train", { dir: folderWith({ [name]: content }), verify: false, length: 2 }));
  expect(await shakespeare(Uint8Array.of(65, 66, 67, 0xc3, 0x28, 65))).toMatch(/input.txt at byte [34]: expected UTF-8 text, found bytes that are none/); // biome-ignore format: one line
  expect(await shakespeare(Uint8Array.of(65, 66, 0xe2, 0x82))).toContain("expected UTF-8 text");
  expect(await shakespeare(Uint8Array.of(65, 0, 66))).toContain(
    "input.txt at byte 1: expected text, found a zero byte",
  );
  expect(await shakespeare("")).toContain("input.txt: expected lines of text, found none");
  expect(await shakespeare("ab")).toContain("tiny-shakespeare: 1 tokens have no window of 2");
  expect(await shakespeare(gzipSync("To be, or not to be").subarray(0, 30))).toContain("input.txt");
  expect(await failure(tinyShakespeare("train", { dir: folderWith({}) }))).toContain("input.txt is not in");
  const other = new Vocabulary([..."abc"], { special: [] });
  const dir = folderWith({ "input.txt": "To be, or not to be" });
  expect(await failure(tinyShakespeare("train", { dir, verify: false, vocabulary: other }))).toContain('Vocabulary: "T" is not one of its 3 words'); // biome-ignore format: one line
  expect(() => ptb("dev" as "valid")).toThrow('ptb: split must be "train" or "valid" or "test", not "dev"');
  expect(() => tinyShakespeare("test" as "valid")).toThrow("tiny-shakespeare: split must be");
});

describe.skipIf(!hasData("tiny-shakespeare/input.txt"))("Tiny Shakespeare", () => {
  test("is the published text, numbered as by its codes", async () => {
    const [train, valid] = [tinyShakespeare("train", { dir: realData }), tinyShakespeare("valid", { dir: realData })];
    expect([train.length, valid.length, train.info.tokens]).toEqual([7842, 871, 65]);
    const vocabulary = await train.vocabulary();
    expect(vocabulary.words.join("")).toBe("\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    const { x, y } = await train.samples();
    expect([...x.subarray(0, 5), y[0]]).toEqual([18, 47, 56, 57, 58, 47]);
    expect([x.length, (await valid.samples()).x.length]).toEqual([7842 * 128, 871 * 128]);
    expect(train.length).toBe(7842);
  });
});

describe.skipIf(!hasData("ptb/ptb.train.txt"))("the Penn Treebank", () => {
  test("has the published counts, and Zaremba's 1,327 steps of 20 streams", async () => {
    const sets = (["train", "valid", "test"] as const).map((split) => ptb(split, { dir: realData, length: 1 }));
    const lengths = await Promise.all(sets.map(async (set) => (await set.samples()).x.length + 1));
    expect(lengths).toEqual([929_589, 73_760, 82_430]);
    expect(sets.map((set) => set.length + 1)).toEqual(lengths);
    const vocabulary = await sets[0].vocabulary();
    expect([vocabulary.size, ...vocabulary.words.slice(0, 4)]).toEqual([10_000, "the", "<unk>", "<eos>", "N"]);
    const streams = await ptb("train", { dir: realData }).streams(20).load();
    expect(streams.batches).toBe(1327);
  });
});
