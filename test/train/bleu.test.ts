// BLEU against values of a script (test/fixtures/text/make.py).
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { bleu } from "../../src/train/index.ts";

interface Case {
  candidates: string[][];
  references: string[][][];
  expected: { score: number; precisions: number[]; brevityPenalty: number; length: number; referenceLength: number };
}

const { bleu: cases }: { bleu: Case[] } = JSON.parse(
  readFileSync(new URL("../fixtures/text/golden.json", import.meta.url), "utf8"),
);

test("BLEU is the paper's, of one and of several references", () => {
  expect(cases.map(({ expected }) => expected.score > 0)).toEqual([true, true, true, false]);
  expect(cases.some(({ expected }) => expected.brevityPenalty < 1)).toBe(true);
  for (const { candidates, references, expected } of cases) {
    const { score, precisions, ...others } = bleu(candidates, references);
    expect(score).toBeCloseTo(expected.score, 10);
    expect(precisions).toEqual(expected.precisions);
    expect(others.brevityPenalty).toBeCloseTo(expected.brevityPenalty, 12);
    expect([others.length, others.referenceLength]).toEqual([expected.length, expected.referenceLength]);
  }
});

test("the paper's example is clipped; the same text has 100, none has 0", () => {
  const words = (text: string): string[] => text.split(" ");
  const the = bleu([words("the the the the the the the")], [[words("the cat is on the mat")]]);
  expect(the.precisions[0]).toBe(2 / 7);
  expect(bleu([words("the cat is on the mat")], [[words("the cat is on the mat")]]).score).toBeCloseTo(100, 12);
  expect(bleu([[]], [[words("the cat")]]).score).toBe(0);
  expect(() => bleu([["a"]], [])).toThrow(
    "bleu: takes a list of references for each candidate, got 1 candidates and 0 lists",
  );
  expect(() => bleu([["a"]], [[]])).toThrow("bleu: candidate 0 takes a list of references");
  expect(() => bleu([["a"]], [["a"]] as never)).toThrow("each a list of words, e.g. [words]");
});
