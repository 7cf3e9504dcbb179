// Made-up pairs: each target worked out anew from its source, the same ones from the same seed.
import { expect, test } from "vitest";
import { type Pair, type PairTask, pairTask } from "../../src/data/index.ts";

const answers: Record<PairTask, (source: string) => string> = {
  addition: (source) => `${source.split("+").reduce((sum, each) => sum + Number(each), 0)}`,
  copy: (source) => source,
  reverse: (source) => [...source].reverse().join(""),
  sort: (source) => [...source].sort().join(""),
};
const small = { count: 300, seed: 5 };
const textOf = (words: readonly string[]): string => words.join("");
const sourcesOf = (pairs: readonly Pair[]): string[] => pairs.map(({ source }) => textOf(source));

test.each(Object.keys(answers) as PairTask[])("%s is right, and its parts share no source", async (task) => {
  const parts = await Promise.all((["train", "valid", "test"] as const).map((s) => pairTask(task, s, small).samples()));
  expect(parts.map(({ pairs }) => pairs.length)).toEqual([300, 1000, 1000]);
  const all = parts.flatMap(({ pairs }) => pairs);
  for (const { source, target } of all) expect(textOf(target)).toBe(answers[task](textOf(source)));
  expect(new Set(sourcesOf(all)).size).toBe(2300);
  const [{ pairs, source, target, vocabularies }] = parts;
  expect(source.map((numbers) => vocabularies.source.decode(numbers))).toEqual(pairs.map((pair) => pair.source));
  expect(target.map((numbers) => vocabularies.target.decode(numbers))).toEqual(pairs.map((pair) => pair.target));
  expect(pairTask(task, "valid", small).length).toBe(1000);
});

test("seeds, and the source backwards", async () => {
  const sources = async (seed: number): Promise<string[]> =>
    sourcesOf((await pairTask("sort", "train", { count: 50, seed }).samples()).pairs);
  expect(await sources(1)).toEqual(await sources(1));
  expect(await sources(1)).not.toEqual(await sources(2));
  const [plain, backwards] = [
    await pairTask("copy", "test").samples(),
    await pairTask("copy", "test", { reversed: true }).samples(),
  ];
  expect(backwards.source.map((numbers) => numbers.toReversed())).toEqual(plain.source);
  expect(backwards.target).toEqual(plain.target);
});

test("misuse in one line", () => {
  expect(() => pairTask("add" as "copy", "train")).toThrow(
    new RangeError('pairTask: there is no task "add"; there are addition, copy, reverse, sort'),
  );
  expect(() => pairTask("copy", "dev" as "test")).toThrow(
    'copy: split must be "train" or "valid" or "test", not "dev"',
  );
  expect(() => pairTask("copy", "train", { count: 0 })).toThrow(
    "pairTask: count is a whole number of at least 1, got 0",
  );
});
