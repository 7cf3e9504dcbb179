// Folders of images: classes, splits, forms and colours, decoding when needed, and what is wrong with a folder or a file.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { encode } from "fast-png";
import { afterAll, expect, test } from "vitest";
import { decodeImage, imageFolder, randomFlip, readImage } from "../../src/data/index.ts";
import { hasData, realData } from "./real-data.ts";

const folder = mkdtempSync(join(tmpdir(), "hebb-images-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a PNG of one colour; its channels are those of the colour. */
function png(path: string, colour: number[], [height, width]: [number, number] = [4, 4]): void {
  const channels = colour.length as 1 | 3;
  const data = Uint8Array.from({ length: height * width * channels }, (_, i) => colour[i % channels]);
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), encode({ width, height, channels, data }));
}

/** Bytes and labels of all samples. */
async function all(path: string, options: object = {}): Promise<{ x: number[][]; y: number[]; classes: unknown }> {
  const data = imageFolder(join(folder, path), { size: 1, ...options });
  const { x, y } = await data.samples();
  const size = x.length / y.length;
  return { x: [...y].map((_, i) => [...x.subarray(i * size, (i + 1) * size)]), y: [...y], classes: data.info.classes };
}

test("a folder a class, in the order of names; other files are passed over, links followed", async () => {
  png("plain/dog/b.png", [1, 2, 3]);
  png("plain/dog/a.PNG", [4, 5, 6]);
  png("plain/cat/deep/c.png", [7, 7, 7], [9, 3]);
  png("plain/cat/z.png", [8]);
  png("elsewhere/one.png", [9, 9, 9]);
  for (const name of ["readme.txt", "dog/notes.txt", "dog/.hidden.png"])
    writeFileSync(join(folder, "plain", name), "no image");
  symlinkSync(join(folder, "elsewhere"), join(folder, "plain/bird"));
  symlinkSync(join(folder, "plain/cat"), join(folder, "plain/cat/deep/again")); // a circle
  symlinkSync(join(folder, "nowhere.png"), join(folder, "plain/cat/broken.png"));
  const { x, y, classes } = await all("plain");
  expect(classes).toEqual(["bird", "cat", "dog"]);
  expect(y).toEqual([0, 1, 1, 2, 2]);
  expect(x).toEqual([
    [9, 9, 9],
    [8, 8, 8], // grey
    [7, 7, 7],
    [4, 5, 6],
    [1, 2, 3],
  ]);
  const grey = await all("plain", { channels: 1 });
  expect(grey.x.map(([value]) => value)).toEqual([9, 8, 7, 5, 2]); // 0.299 R + 0.587 G + 0.114 B, rounded
  const data = imageFolder(join(folder, "plain"), { size: 2 }).batch(5);
  for await (const { x: values, shape } of data.normalize().raw()) {
    expect(shape).toEqual([5, 3, 2, 2]);
    expect(values[0]).toBeCloseTo((9 / 255 - 0.485) / 0.229, 5);
  }
});

test("train/ and test/ or val/: the classes are those of train/", async () => {
  png("divided/train/a/1.png", [1]);
  png("divided/train/b/2.png", [2]);
  png("divided/val/b/3.png", [3]);
  expect(await all("divided")).toMatchObject({ y: [0, 1], classes: ["a", "b"] });
  expect(await all("divided", { split: "train" })).toMatchObject({ y: [0, 1] });
  expect(await all("divided", { split: "test" })).toEqual({ x: [[3, 3, 3]], y: [1], classes: ["a", "b"] });
  png("divided/test/c/3.png", [3]);
  expect(() => imageFolder(join(folder, "divided"), { size: 1, split: "test" })).toThrow(
    /imageFolder: .*divided\/test\/c is no class of .*divided\/train; rename it/,
  );
  expect(() => imageFolder(join(folder, "plain"), { size: 1, split: "test" })).toThrow("has no train/ and test/; make");
});

test("crop, stretch and pad", async () => {
  const bytes = [10, 20, 30, 40, 50, 60, 70, 80]; // 2 × 4
  mkdirSync(join(folder, "forms/only"), { recursive: true });
  const file = join(folder, "forms/only/a.png");
  writeFileSync(file, encode({ width: 4, height: 2, channels: 1, data: Uint8Array.from(bytes) }));
  const form = async (fit: string) => (await all("forms", { size: 2, channels: 1, fit })).x[0];
  expect(await form("crop")).toEqual([20, 30, 60, 70]);
  expect(await form("stretch")).toEqual([15, 35, 55, 75]);
  expect((await all("forms", { size: [4, 4], channels: 1, fit: "pad" })).x[0]).toEqual([
    ...[0, 0, 0, 0],
    ...bytes,
    ...[0, 0, 0, 0],
  ]);
  expect([...(await readImage(file, [1, 2, 2]))]).toEqual([15, 35, 55, 75]);
});

test("pictures are decoded when they are first in a batch or ahead of it, and once", async () => {
  for (let i = 0; i < 8; i++) png(`later/a/${i}.png`, [10 * i]);
  const data = await imageFolder(join(folder, "later"), { size: 1 }).load();
  expect(data.length).toBe(8);
  for (let i = 0; i < 8; i++) png(`later/a/${i}.png`, [10 * i + 1]); // after listing, before decoding
  const small = data.batch(2).map(randomFlip(), { ahead: 0 });
  const first = async (epoch: number): Promise<number> => {
    for await (const { x } of small.raw({ epoch })) return Math.round(255 * x[3]);
    return -1;
  };
  expect(await first(0)).toBe(11);
  for (let i = 0; i < 8; i++) png(`later/a/${i}.png`, [10 * i + 2]);
  expect(await first(1)).toBe(11); // kept
  expect([...(await data.samples()).x].filter((_, i) => i % 3 === 0)).toEqual([1, 11, 22, 32, 42, 52, 62, 72]);
});

test("JPEG and WebP go through sharp; a 16-bit and a transparent PNG", async (context) => {
  const sharp = await import("sharp").catch(() => undefined);
  if (sharp === undefined) return context.skip("the optional package sharp is not installed");
  const image = sharp.default({ create: { width: 8, height: 8, channels: 3, background: { r: 200, g: 100, b: 50 } } });
  mkdirSync(join(folder, "kinds/a"), { recursive: true });
  await image.clone().jpeg({ quality: 95 }).toFile(join(folder, "kinds/a/1.jpg"));
  await image.clone().webp({ lossless: true }).toFile(join(folder, "kinds/a/2.webp"));
  const half = encode({ width: 1, height: 1, channels: 4, data: Uint8Array.of(0, 100, 50, 51) });
  writeFileSync(join(folder, "kinds/a/3.png"), half);
  const deep = encode({ width: 1, height: 1, channels: 1, depth: 16, data: Uint16Array.of(25700) });
  writeFileSync(join(folder, "kinds/a/4.png"), deep);
  const { x } = await all("kinds");
  [200, 100, 50].forEach((value, c) => {
    expect(Math.abs(x[0][c] - value)).toBeLessThanOrEqual(3);
    expect(x[1][c]).toBe(value);
  });
  expect(x[2]).toEqual([204, 224, 214]); // on white, α = 0.2
  expect(x[3]).toEqual([100, 100, 100]);
});

test.skipIf(!hasData("images/coffee.png"))("real pictures", async () => {
  const { width, height, planes } = await decodeImage(`${realData}/images/coffee.png`);
  expect([width, height, planes.length, planes[0].length]).toEqual([600, 400, 3, 240_000]);
  const mean = (values: Uint8Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const small = await readImage(`${realData}/images/coffee.png`, [3, 40, 60]);
  planes.forEach((plane, c) => {
    expect(mean(small.subarray(2400 * c, 2400 * (c + 1)))).toBeCloseTo(mean(plane), 0);
  });
});

test("what is wrong is named, with the place and the fix", async () => {
  const open = (path: string, options: object = {}) => imageFolder(join(folder, path), { size: 1, ...options });
  expect(() => open("none")).toThrow(/imageFolder: there is no folder .*none; name one with a folder a class/);
  expect(() => open("plain/readme.txt")).toThrow(/plain\/readme\.txt is a file; name the folder/);
  mkdirSync(join(folder, "empty"));
  expect(() => open("empty")).toThrow(/imageFolder: .*empty has no folders; make one for each class/);
  png("gap/a/1.png", [1]);
  mkdirSync(join(folder, "gap/b"));
  await expect(open("gap").load()).rejects.toThrow(/gap\/b has no images \(\.png, .*\); put some there, or remove it/);
  png("torn/a/1.png", [1]);
  writeFileSync(join(folder, "torn/a/2.jpg"), "no image");
  const torn = await open("torn").load();
  await expect(torn.samples()).rejects.toThrow(/^imageFolder: .*torn\/a\/2\.jpg is .*; remove or replace it$/);
  png("torn/a/2.jpg", [2]);
  expect([...(await torn.samples()).x]).toEqual([1, 1, 1, 2, 2, 2]); // put right, it is read
  await expect(open("plain", { size: 100, memory: 149_999 }).load()).rejects.toThrow(
    "imageFolder: 5 images of [3,100,100] take 150000 bytes, more than memory allows (149999); take a smaller size",
  );
  expect(() => open("plain", { size: undefined })).toThrow("imageFolder: size must be a whole number");
  expect(() => open("plain", { fit: "cover" })).toThrow('fit must be "crop", "stretch" or "pad", not "cover"');
  expect(() => open("plain", { channels: 2 })).toThrow("channels must be 1 or 3, not 2");
  expect(() => open("plain", { split: "val" })).toThrow('split must be "train" or "test", not "val"');
});
