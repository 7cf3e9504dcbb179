// Vectors of words in word2vec's files: round trips to the bit, the program's bytes, and what is refused.
import { expect, test } from "vitest";
import { FormatError, parseWordVectors, serializeWordVectors, type WordVectorTable } from "../../src/io/index.ts";

const table: WordVectorTable = {
  words: ["the", "naïve", "x"],
  features: 2,
  values: Float32Array.of(0.1, -1e-30, Math.fround(1 / 3), 3.4e38, 0, -5),
};

test.each(["text", "binary"] as const)("%s: what is written is read", (format) => {
  expect(parseWordVectors(serializeWordVectors(table, format), format)).toEqual(table);
});

test("the bytes are those of the format", () => {
  const one = { words: ["ab"], features: 2, values: Float32Array.of(0.5, -2) };
  expect(new TextDecoder().decode(serializeWordVectors(one, "text"))).toBe("1 2\nab 0.5 -2\n");
  const bytes = [..."1 2\nab "].map((c) => c.charCodeAt(0)).concat(0, 0, 0, 0x3f, 0, 0, 0, 0xc0, 10);
  expect([...serializeWordVectors(one, "binary")]).toEqual(bytes);
  const spaced = new TextEncoder().encode("1 2\nab 0.500000 -2.000000 \n"); // as the program writes it
  expect(parseWordVectors(spaced, "text")).toEqual(one);
  expect(parseWordVectors(Uint8Array.from(bytes.slice(0, -1)), "binary")).toEqual(one);
});

test.each([
  ["words\n", "text", 'expected a first line "words features"'],
  ["9999999 100\n", "text", "do not fit in the file"],
  ["1 2\na 1\n", "text", 'expected 2 values after "a", found 1'],
  ["1 2\na 1 z\n", "text", 'expected a number, found "z"'],
  ["2 1\na 1\na 2\n", "text", '"a" is empty or comes twice'],
  ["1 1\na 1\nb 2\n", "text", "goes on after its last word"],
  ["1 2\na 1234567", "binary", "cut short"],
] as const)("%j is refused", (content, format, message) => {
  const read = () => parseWordVectors(new TextEncoder().encode(content), format, { file: "v.bin" });
  expect(read).toThrow(FormatError);
  expect(read).toThrow(message);
});

test("words that a file cannot hold are refused", () => {
  expect(() => serializeWordVectors({ words: ["a b"], features: 1, values: Float32Array.of(1) }, "text")).toThrow(
    'the word "a b" is empty or has a space',
  );
});
