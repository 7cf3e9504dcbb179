// The procedural digits: stable bits, disjoint streams, and enough in them to learn from.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { type GlyphOptions, glyphs, type Split } from "../../src/data/index.ts";

const pixels = 28 * 28;
const draw = async (split: Split, options: GlyphOptions): Promise<Uint8Array> =>
  (await glyphs(split, options).samples()).x as Uint8Array;
const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex").slice(0, 16);
const images = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: bytes.length / pixels }, (_, i) => bytes.subarray(i * pixels, (i + 1) * pixels));

test("the bits never change", async () => {
  expect([
    hash(await draw("train", { count: 2000 })),
    hash(await draw("test", { count: 2000 })),
    hash(await draw("train", { count: 200, seed: 7 })),
  ]).toMatchInlineSnapshot(`
    [
      "a6687e9c29ff6f27",
      "17811876865b98a8",
      "a4a838785b10a7d1",
    ]
  `);
});

test("a glyph depends on its index, not on how many are drawn", async () => {
  expect((await draw("train", { count: 500 })).subarray(0, 100 * pixels)).toEqual(await draw("train", { count: 100 }));
});

test("splits and seeds share no image", async () => {
  const sets = await Promise.all([
    draw("train", { count: 1000 }),
    draw("test", { count: 1000 }),
    draw("train", { count: 1000, seed: 2 }),
  ]);
  expect(new Set(sets.flatMap(images).map(hash)).size).toBe(3000);
});

test("every image has ink inside the frame, and the stated statistics hold", async () => {
  const bytes = await draw("train", { count: 2000 });
  for (const image of images(bytes)) expect(image.filter((value) => value > 100).length).toBeGreaterThan(10);
  const mean = bytes.reduce((sum, value) => sum + value, 0) / bytes.length / 255;
  const square = bytes.reduce((sum, value) => sum + value * value, 0) / bytes.length / 255 ** 2;
  const { info } = glyphs("train");
  expect(mean).toBeCloseTo(info.mean![0], 2);
  expect(Math.sqrt(square - mean * mean)).toBeCloseTo(info.std![0], 2);
});

test("the nearest class mean reads most test glyphs, but far from all", async () => {
  const train = images(await draw("train", { count: 2000 }));
  const test = images(await draw("test", { count: 1000 }));
  const means = Array.from({ length: 10 }, () => new Float64Array(pixels));
  train.forEach((image, i) => {
    for (let k = 0; k < pixels; k++) means[i % 10][k] += image[k] / 200;
  });
  const distance = (image: Uint8Array, mean: Float64Array): number =>
    image.reduce((sum, value, k) => sum + (value - mean[k]) ** 2, 0);
  const right = test.filter((image, i) => {
    const distances = means.map((mean) => distance(image, mean));
    return distances.indexOf(Math.min(...distances)) === i % 10;
  });
  expect(right.length / test.length).toBeGreaterThan(0.6);
  expect(right.length / test.length).toBeLessThan(0.95);
});

test("labels go round, the length is known at once, wrong arguments are named", async () => {
  const data = glyphs("test", { count: 25 });
  expect([data.length, data.info.shape]).toEqual([25, [1, 28, 28]]);
  expect([...(await data.samples()).y].slice(8, 12)).toEqual([8, 9, 0, 1]);
  expect(() => glyphs("validation" as Split)).toThrow('glyphs: split must be "train" or "test", not "validation"');
  expect(() => glyphs("train", { count: -1 })).toThrow("glyphs: count must be an integer of at least 0, not -1");
});
