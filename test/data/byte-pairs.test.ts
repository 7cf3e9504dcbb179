// Byte-pair encoding: against a slow script (test/fixtures/text/make.py), random Unicode, GPT-2's files in small, and its speed.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { BytePairs, randomStream } from "../../src/data/index.ts";
import { hasData, realData } from "./real-data.ts";

const { bytePairs: golden } = JSON.parse(
  readFileSync(new URL("../fixtures/text/golden.json", import.meta.url), "utf8"),
);
const learned = BytePairs.learn([golden.text], { size: 256 + 150 });

test("merges and tokens are those of the slow way", () => {
  expect(learned.merges).toEqual(golden.merges);
  expect([...learned.encode(golden.sample)]).toEqual(golden.numbers);
  expect(golden.numbers.length).toBeLessThan(golden.sample.length * 0.7);
});

test("every text comes back, whatever its characters", () => {
  const next = randomStream(7);
  const ranges = [[32, 95], [0, 0x250], [0x4e00, 0x5000], [0x1f300, 0x400], [0xfe00, 0x100], [0, 40]]; // biome-ignore format: one line
  for (let i = 0; i < 300; i++) {
    const length = next() % 40;
    const text = Array.from({ length }, () => {
      const [start, size] = ranges[next() % ranges.length];
      return String.fromCodePoint(start + (next() % size));
    }).join("");
    expect(learned.decode(learned.encode(text))).toBe(text);
  }
  expect(learned.decode(learned.encode("\ud800a"))).toBe("\ufffda");
  expect([...learned.encode("")]).toEqual([]);
  expect(learned.decode([0xe2, 0x82])).toBe("\ufffd");
});

test("an encoding survives JSON, and says what is wrong", () => {
  const again = BytePairs.from(JSON.parse(JSON.stringify(learned)));
  expect([again.size, ...again.encode(golden.sample)]).toEqual([learned.size, ...golden.numbers]);
  expect(() => learned.decode([learned.size])).toThrow(`BytePairs: ${learned.size} is none of the numbers 0 …`);
  expect(() => BytePairs.learn(["a"], { size: 255 })).toThrow("size is a whole number of at least 256");
  expect(() => new BytePairs([[97, 300]])).toThrow("BytePairs: merge 0 joins 97 and 300, but there are 256 tokens");
  expect(() => BytePairs.from({ merges: [[1]] } as never, { file: "pairs.json" })).toThrow(
    "pairs.json: expected an encoding",
  );
  expect(BytePairs.learn(["abcd"], { size: 1000 }).size).toBe(256);
});

describe("GPT-2's files", () => {
  // its order of bytes: the printable ones first, then the others, written from U+0100 on
  const printable = [...Array(94).keys()].map((i) => i + 33).concat([...Array(12).keys()].map((i) => i + 161), [...Array(82).keys()].map((i) => i + 174)); // biome-ignore format: one line
  const others = [...Array(256).keys()].filter((byte) => !printable.includes(byte));
  const characters = [...printable, ...others.map((_, i) => 256 + i)].map((code) => String.fromCharCode(code));
  const tokens = [...characters, "\u0120t", "he", "\u0120the", "<|endoftext|>"];
  const vocabulary = Object.fromEntries(tokens.map((token, number) => [token, number]));
  const merges = "#version: 0.2\n\u0120 t\nh e\n\u0120t he\n";

  test("give their numbers", () => {
    const pairs = BytePairs.fromGpt2({ vocabulary, merges });
    expect([pairs.size, ...pairs.encode("! the he\n")]).toEqual([259, 0, 258, 220, 257, 198]); // 220 is a space, 198 a line's end, as published
    expect(pairs.decode(pairs.encode("Größe \u0000 the 猫"))).toBe("Größe \u0000 the 猫");
    const again = BytePairs.from(JSON.parse(JSON.stringify(pairs)));
    expect([...again.encode("! the")]).toEqual([0, 258]);
  });

  test("of two models are refused", () => {
    expect(() => BytePairs.fromGpt2({ vocabulary, merges: "t h\n" })).toThrow('merges: expected two tokens that the vocabulary joins as 256, found "t h"'); // biome-ignore format: one line
    expect(() => BytePairs.fromGpt2({ vocabulary: {}, merges })).toThrow("vocabulary: expected the 256 bytes");
  });
});

test("a long word takes no quadratic time", () => {
  const text = "ab".repeat(200_000);
  const started = performance.now();
  expect(learned.decode(learned.encode(text))).toBe(text);
  const pairs = BytePairs.learn([text], { size: 270 });
  expect(pairs.encode(text).length).toBeLessThan(100);
  expect(performance.now() - started).toBeLessThan(10_000);
});

test.skipIf(!hasData("tiny-shakespeare/input.txt"))(
  "Shakespeare takes a third of its characters in 2,000 tokens",
  () => {
    const text = readFileSync(`${realData}/tiny-shakespeare/input.txt`, "utf8");
    const pairs = BytePairs.learn([text], { size: 2000 });
    const numbers = pairs.encode(text);
    expect([pairs.size, pairs.decode(numbers) === text]).toEqual([2000, true]);
    expect(numbers.length / text.length).toBeLessThan(0.36);
  },
);
