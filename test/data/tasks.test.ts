// Made-up tasks: each answer worked out anew from its question, the same ones from the same seed.
import { describe, expect, test } from "vitest";
import {
  addingProblem,
  additionTask,
  binaryAddition,
  copyTask,
  type Dataset,
  mergeTask,
  parityTask,
  reverseTask,
  searchTask,
  sortTask,
  type TaskOptions,
} from "../../src/data/index.ts";

async function rows(data: Dataset): Promise<{ x: number[]; y: number[] }[]> {
  const { x, y } = await data.samples();
  const [size, targets] = [x.length / data.length, y.length / data.length];
  return Array.from({ length: data.length }, (_, i) => ({
    x: Array.from(x.subarray(i * size, (i + 1) * size)),
    y: Array.from(y.subarray(i * targets, (i + 1) * targets)),
  }));
}
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const binary = (bits: readonly number[]): number => sum(bits.map((bit, i) => bit * 2 ** i));

const tasks: Record<string, [(options?: TaskOptions) => Dataset, (x: number[], y: number[]) => void]> = {
  addingProblem: [
    addingProblem,
    (x, y) => {
      const marks = x.flatMap((value, i) => (i % 2 === 1 && value === 1 ? [i >> 1] : []));
      expect([marks.length, marks[0] < 50, marks[1] >= 50, x.length]).toEqual([2, true, true, 200]);
      expect(y[0]).toBeCloseTo(x[2 * marks[0]] + x[2 * marks[1]], 6);
      expect(sum(x.filter((_, i) => i % 2 === 1))).toBe(2);
    },
  ],
  copyTask: [
    copyTask,
    (x, y) => {
      expect(x.slice(0, 10).every((symbol) => symbol >= 1 && symbol <= 8)).toBe(true);
      expect(x.slice(10)).toEqual([...new Array(19).fill(0), 9, ...new Array(10).fill(0)]);
      expect(y).toEqual([...new Array(30).fill(0), ...x.slice(0, 10)]);
    },
  ],
  reverseTask: [reverseTask, (x, y) => expect(y).toEqual([...x].reverse())],
  sortTask: [sortTask, (x, y) => expect(y).toEqual(ascending(x))],
  mergeTask: [
    mergeTask,
    (x, y) => {
      expect([...ascending(x.slice(0, 8)), ...ascending(x.slice(8))]).toEqual(x);
      expect(y).toEqual(ascending(x));
    },
  ],
  searchTask: [
    searchTask,
    (x, y) => {
      const keys = x.slice(0, 32).filter((_, i) => i % 2 === 0);
      expect(ascending([...new Set(keys)])).toEqual(keys);
      expect(y).toEqual([x[2 * keys.indexOf(x[32]) + 1]]);
      expect(keys).toContain(x[32]);
    },
  ],
  parityTask: [parityTask, (x, y) => expect(y).toEqual([sum(x) % 2])],
  binaryAddition: [binaryAddition, (x, y) => expect(binary(y)).toBe(binary(x.slice(0, 8)) + binary(x.slice(8)))],
};

describe.each(Object.entries(tasks))("%s", (_, [make, expectRight]) => {
  test("has right answers, decided by the seed", async () => {
    const samples = await rows(make({ count: 200, seed: 1 }));
    for (const { x, y } of samples) expectRight(x, y);
    expect(new Set(samples.map(({ x }) => x.join())).size).toBeGreaterThan(190);
    expect(await rows(make({ count: 50, seed: 1 }))).toEqual(samples.slice(0, 50));
    expect(await rows(make({ count: 50, seed: 2 }))).not.toEqual(samples.slice(0, 50));
    const { tokens, shape } = make().info;
    if (tokens !== undefined) expect(Math.max(...samples.flatMap(({ x, y }) => [...x, ...y]))).toBeLessThan(tokens);
    for await (const { x } of make({ count: 3 })) expect(x.shape).toEqual([3, ...shape]);
  });
});

test("sums as text are right, no two alike, and read backwards where asked", async () => {
  const data = additionTask({ digits: 2, count: 2000, seed: 4 });
  const characters = await data.vocabulary();
  const seen = new Set<string>();
  const samples = await rows(data);
  for (const { x, y } of samples) {
    const [question, answer] = [x, y].map((numbers) => characters.decode(numbers).join(""));
    expect([question.length, answer.length]).toEqual([5, 3]);
    const [a, b] = question.trim().split("+").map(Number);
    expect(Number(answer)).toBe(a + b);
    expect(answer).toBe(`${a + b}`.padEnd(3));
    seen.add(ascending([a, b]).join());
  }
  expect(seen.size).toBe(2000);
  const backwards = await rows(additionTask({ digits: 2, count: 10, seed: 4, reversed: true }));
  expect(backwards).toEqual(samples.slice(0, 10).map(({ x, y }) => ({ x: [...x].reverse(), y })));
});

test("what no task has is refused", () => {
  expect(() => additionTask({ digits: 1, count: 28 })).toThrow("additionTask: 28 sums of 1 digits are too many");
  expect(() => addingProblem({ length: 1 })).toThrow("addingProblem: length is a whole number of at least 2, got 1");
  expect(() => mergeTask({ length: 7 })).toThrow("mergeTask: length must be even, for two halves, got 7");
  expect(() => searchTask({ length: 9, symbols: 8 })).toThrow("9 different keys need as many symbols, got 8");
  expect(() => sortTask({ symbols: 0 })).toThrow("sortTask: symbols is a whole number of at least 1, got 0");
  expect(() => parityTask({ count: -1 })).toThrow("parityTask: count is a whole number of at least 0, got -1");
});
