// The curves: stable bits, disjoint splits, and images that vary smoothly with six numbers.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { type CurvesOptions, curves, drawCurve, type Split } from "../../src/data/index.ts";

const pixels = 28 * 28;
const draw = async (split: Split, options: CurvesOptions): Promise<Uint8Array> =>
  (await curves(split, options).samples()).x as Uint8Array;
const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex").slice(0, 16);
const images = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: bytes.length / pixels }, (_, i) => bytes.subarray(i * pixels, (i + 1) * pixels));

test("the bits never change", async () => {
  const sets = [await draw("train", { count: 1000 }), await draw("test", { count: 1000 })];
  expect(sets.map(hash)).toMatchInlineSnapshot(`
    [
      "af3e758eb3746c51",
      "0b677c1c7ccbc186",
    ]
  `);
});

test("a curve depends on its index alone, and splits and seeds share none", async () => {
  const train = await draw("train", { count: 500 });
  expect(train.subarray(0, 100 * pixels)).toEqual(await draw("train", { count: 100 }));
  const others = [await draw("test", { count: 500 }), await draw("train", { count: 500, seed: 2 })];
  expect(new Set([train, ...others].flatMap(images).map(hash)).size).toBe(1500);
});

test("a curve is black on its control points' line, fades within two pixels, and moves with its points", () => {
  const at = (...points: number[]): Uint8Array => {
    const target = new Uint8Array(pixels);
    let i = 0;
    drawCurve(target, () => ((points[i++] - 3) / 21) * 2 ** 32);
    return target;
  };
  const level = at(5, 10, 14, 10, 23, 10);
  const column = (x: number): number[] => Array.from({ length: 7 }, (_, k) => level[(7 + k) * 28 + x]);
  expect(column(14)).toEqual([0, 0, 143, 255, 143, 0, 0]); // (1 − 1/4)² of 255 one pixel off
  expect(level[10 * 28 + 2]).toBe(0);
  const arch = at(5, 20, 14, 4, 23, 20);
  expect(arch[12 * 28 + 14]).toBe(255); // the middle of a quadratic curve: a quarter, a half and a quarter of its points
  const [a, b] = [at(5, 20, 14, 4, 23, 20), at(5.01, 20, 14, 4, 23, 20)];
  expect(Math.max(...a.map((v, i) => Math.abs(v - b[i])))).toBeLessThan(6);
});

test("wrong arguments are named", () => {
  expect(curves("test", { count: 25 }).length).toBe(25);
  expect(() => curves("validation" as Split)).toThrow('curves: split must be "train" or "test", not "validation"');
  expect(() => curves("train", { count: 0.5 })).toThrow("curves: count must be an integer of at least 0, not 0.5");
});
