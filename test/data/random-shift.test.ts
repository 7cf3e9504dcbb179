// Random shifts: every move is one of those allowed, edges repeat, and the draw follows the seed.
import { expect, test } from "vitest";
import { Dataset } from "../../src/data/index.ts";
import { randomShift } from "../../src/data/random-shift.ts";

const image = Float32Array.from({ length: 2 * 3 * 4 }, (_, i) => i);
const shape = [2, 3, 4];

/** The image moved by whole pixels, the slow way. */
function moved(down: number, right: number): string {
  const clamp = (place: number, size: number): number => Math.min(size - 1, Math.max(0, place));
  const pixel = (c: number, y: number, x: number): number =>
    image[(c * 3 + clamp(y - down, 3)) * 4 + clamp(x - right, 4)];
  return String(Array.from({ length: 24 }, (_, i) => pixel(Math.floor(i / 12), Math.floor(i / 4) % 3, i % 4)));
}

test("all moves of up to a pixel come up, no others, the same for the same seed", async () => {
  const count = 300;
  const x = new Float32Array(24 * count);
  for (let i = 0; i < count; i++) x.set(image, 24 * i);
  const samples = { x, y: new Uint8Array(count) };
  const draw = async (epoch: number): Promise<string[]> => {
    const data = new Dataset(samples, { shape }).batch(count).map(randomShift(1), { seed: 3 });
    const seen: string[] = [];
    for await (const batch of data.raw({ epoch }))
      for (let i = 0; i < count; i++) seen.push(String(batch.x.subarray(24 * i, 24 * i + 24)));
    return seen;
  };
  const first = await draw(0);
  const allowed = [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((right) => moved(down, right)));
  expect(new Set(first)).toEqual(new Set(allowed));
  expect(await draw(0)).toEqual(first);
  expect(await draw(1)).not.toEqual(first);
  expect(x.subarray(0, 24)).toEqual(image);
});

test("samples that are no images are refused", () => {
  const sample = { x: image, y: image, shape: [24], index: 0, random: () => 0 };
  expect(() => randomShift(1)(sample)).toThrow("randomShift: takes images [channels, height, width], got samples [24]");
  expect(() => randomShift(2)({ ...sample, shape })).toThrow(
    "randomShift: images of 3 × 4 take a limit from 0 to 1, not 2",
  );
});
