// Augmentations: torchvision's values, slow implementations, every allowed draw and no other, the same for the same seed.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  colorAxes,
  colorJitter,
  cutout,
  Dataset,
  type MapFunction,
  mixup,
  pcaNoise,
  randomCrop,
  randomFlip,
  randomResizedCrop,
} from "../../src/data/index.ts";
import { resample } from "../../src/data/resample.ts";
import { tensor } from "../../src/graph/index.ts";
import { crossEntropy } from "../../src/nn/index.ts";

const fixture = JSON.parse(readFileSync(new URL("../fixtures/torch/augment.json", import.meta.url), "utf8"));
const [C, H, W] = [2, 4, 5];
const size = C * H * W;
const image = Float32Array.from({ length: size }, (_, i) => i + 1);
const count = 600;

/** The same image so many times. */
function copies(picture: Float32Array = image, shape = [C, H, W]): Dataset {
  const x = new Float32Array(count * picture.length);
  for (let i = 0; i < count; i++) x.set(picture, i * picture.length);
  const y = Uint8Array.from({ length: count }, (_, i) => i % 3);
  return new Dataset({ x, y }, { shape, classes: ["a", "b", "c"] }).batch(count);
}

/** What becomes of each copy. */
async function drawn(data: Dataset, epoch = 0): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for await (const { x, indices } of data.raw({ epoch })) {
    const length = x.length / indices.length;
    for (let i = 0; i < indices.length; i++) rows.push(x.slice(i * length, (i + 1) * length) as Float32Array);
  }
  return rows;
}

const texts = async (data: Dataset, epoch = 0): Promise<string[]> => (await drawn(data, epoch)).map(String);

/** Image whose pixels are given by a function of their place. */
const built = (h: number, w: number, pixel: (c: number, y: number, x: number) => number): string =>
  String(Array.from({ length: C * h * w }, (_, i) => pixel(Math.floor(i / (h * w)), Math.floor(i / w) % h, i % w)));

/** A pixel, zero outside. */
const at = (c: number, y: number, x: number): number =>
  y < 0 || y >= H || x < 0 || x >= W ? 0 : image[(c * H + y) * W + x];

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** All outcomes come up, no others, about equally often. */
function expectEach(seen: readonly string[], allowed: readonly string[]): void {
  expect(new Set(seen)).toEqual(new Set(allowed));
  const wanted = seen.length / allowed.length;
  for (const each of allowed)
    expect(Math.abs(seen.filter((other) => other === each).length - wanted)).toBeLessThan(5 * Math.sqrt(wanted));
}

/** Calls a map function on one sample with the random numbers given. */
function call(fn: MapFunction, x: Float32Array, shape: number[], random: number[], statistics?: never): Float32Array {
  const sample = { x: x.slice(), y: new Int32Array(1), shape, index: 0, random: () => random.shift()!, statistics };
  const change = fn(sample) as { x?: Float32Array } | undefined;
  return change?.x ?? sample.x;
}

describe("crops and flips", () => {
  test.each([1, 2, 3])("randomCrop with padding %d takes every window once in so often", async (padding) => {
    const windows = range(-padding, padding).flatMap((top) =>
      range(-padding, padding).map((left) => built(H, W, (c, y, x) => at(c, y + top, x + left))),
    );
    expectEach(await texts(copies().map(randomCrop({ padding }))), windows);
  });

  test("a padding wider than the image leaves some of it black", async () => {
    const seen = await texts(copies().map(randomCrop({ padding: 6 })));
    expect(seen).toContain(built(H, W, () => 0));
    const allowed = range(-6, 6).flatMap((top) =>
      range(-6, 6).map((left) => built(H, W, (c, y, x) => at(c, y + top, x + left))),
    );
    for (const each of seen) expect(allowed).toContain(each);
  });

  test("randomCrop to another size", async () => {
    const windows = range(-1, 2).flatMap((top) =>
      range(-1, 3).map((left) => built(3, 3, (c, y, x) => at(c, y + top, x + left))),
    );
    const data = copies().map(randomCrop({ padding: 1, size: 3 }));
    expectEach(await texts(data), windows);
    for await (const { shape } of data.raw()) expect(shape).toEqual([count, C, 3, 3]);
    const wide = call(randomCrop({ padding: 2, size: 6 }), image, [C, H, W], [0.5, 0.5]);
    expect(String(wide)).toBe(built(6, 6, (c, y, x) => at(c, y - 1, x)));
  });

  test("randomFlip mirrors half of them, or as many as is said", async () => {
    const mirrored = built(H, W, (c, y, x) => at(c, y, W - 1 - x));
    expectEach(await texts(copies().map(randomFlip())), [String(image), mirrored]);
    expectEach(await texts(copies().map(randomFlip({ probability: 1 }))), [mirrored]);
    expectEach(await texts(copies().map(randomFlip({ probability: 0 }))), [String(image)]);
  });

  test("cutout covers a square around any pixel", async () => {
    for (const side of [2, 3]) {
      const half = Math.floor(side / 2);
      const squares = range(0, H - 1).flatMap((cy) =>
        range(0, W - 1).map((cx) => {
          const inside = (place: number, centre: number) => place >= centre - half && place < centre - half + side;
          return built(H, W, (c, y, x) => (inside(y, cy) && inside(x, cx) ? 0 : at(c, y, x)));
        }),
      );
      expectEach(await texts(copies().map(cutout({ size: side }))), squares);
    }
  });

  test("randomResizedCrop shows parts of the allowed area and form", async () => {
    const [h, w] = [20, 30];
    const places = Float32Array.from({ length: 2 * h * w }, (_, i) =>
      i < h * w ? Math.floor(i / w) : (i - h * w) % w,
    );
    const rows = await drawn(copies(places, [2, h, w]).map(randomResizedCrop({ size: 60, scale: [0.1, 0.5] })));
    const areas = rows.map((row) => {
      const [ys, xs] = [row.subarray(0, 3600), row.subarray(3600)];
      const height = ys[3599] - ys[0] + 1; // enlarged, the outermost pixels are those of the region
      const width = xs[3599] - xs[0] + 1;
      expect(width / height).toBeGreaterThan(0.75 * 0.85);
      expect(width / height).toBeLessThan(1.18 / 0.75);
      expect([ys[0] >= 0, ys[3599] < h, xs[0] >= 0, xs[3599] < w]).toEqual([true, true, true, true]);
      return (height * width) / (h * w);
    });
    expect(Math.min(...areas)).toBeGreaterThan(0.08);
    expect(Math.max(...areas)).toBeLessThan(0.55);
    expect(areas.reduce((sum, area) => sum + area) / count).toBeCloseTo(0.3, 1);
  });

  test("where no form fits, the middle is taken", () => {
    const bar = Float32Array.from({ length: 40 }, (_, i) => i % 20); // 2 × 20
    const fn = randomResizedCrop({ size: 2, scale: [1, 1], ratio: [1, 1] });
    const draws = Array.from({ length: 20 }, () => 0.5);
    expect([...call(fn, bar, [1, 2, 20], draws)]).toEqual([9, 10, 9, 10]);
  });
});

test("chained functions follow the seed, the epoch and the index, and leave the stored samples alone", async () => {
  const plain = copies();
  const data = plain.map(randomCrop({ padding: 2 })).map(randomFlip(), { seed: 5 });
  const first = await texts(data);
  expect(await texts(data)).toEqual(first);
  expect(await texts(data.batch(7))).toEqual(first);
  expect(await texts(data, 1)).not.toEqual(first);
  expect(await texts(plain.map(randomCrop({ padding: 2 })).map(randomFlip(), { seed: 6 }))).not.toEqual(first);
  expect(new Set(await texts(plain))).toEqual(new Set([String(image)]));
});

test("functions that work in place cost no copy of the batch", async () => {
  const seen: ArrayBufferLike[] = [];
  const watch: MapFunction = ({ x }) => {
    seen.push(x.buffer);
  };
  const data = copies().map(watch).map(randomFlip());
  for await (const { x } of data.raw()) expect(x.buffer).toBe(seen[0]);
});

describe("colours", () => {
  for (const { change, factor, shape, x, y } of fixture.colours)
    test(`${change} by ${factor} of [${shape}] is torchvision's, also after normalize()`, () => {
      const fn = colorJitter({ [change]: 1 });
      const found = call(fn, Float32Array.from(x), shape, [factor / 2]);
      y.forEach((value: number, i: number) => {
        expect(found[i]).toBeCloseTo(value, 6);
      });
      const statistics = { mean: [0.4], std: [0.3] } as never;
      const normalized = Float32Array.from(x, (value: number) => (value - 0.4) / 0.3);
      const again = call(fn, normalized, shape, [factor / 2], statistics);
      y.forEach((value: number, i: number) => {
        expect(again[i] * 0.3 + 0.4).toBeCloseTo(value, 6);
      });
    });

  test("colorJitter draws the factor from its range and the order from all", async () => {
    const picture = Float32Array.of(0.25, 0.5, 0.125, 0.375, 0.2, 0.4); // [3, 1, 2]
    const factors = (await drawn(copies(picture, [3, 1, 2]).map(colorJitter({ brightness: 0.5 })))).map(
      (row) => row[0] / 0.25,
    );
    expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.5);
    expect(Math.min(...factors)).toBeLessThan(0.52);
    expect(Math.max(...factors)).toBeLessThanOrEqual(1.5);
    expect(Math.max(...factors)).toBeGreaterThan(1.48);
    expect(factors.reduce((sum, factor) => sum + factor) / count).toBeCloseTo(1, 1);
    const both = colorJitter({ brightness: 1, contrast: 1 });
    const outcome = (order: number): string => String(call(both, picture, [3, 1, 2], [order, 0.9, 0.1]));
    expect(outcome(0.2)).not.toBe(outcome(0.8));
  });

  test("colorAxes are numpy's, of the chosen samples", async () => {
    const x = Float32Array.from([...fixture.axes.x, ...Array(48).fill(9)]);
    const data = new Dataset({ x, y: new Uint8Array(3) }, { shape: [3, 4, 4] });
    const { values, vectors } = await colorAxes(data.take(2));
    values.forEach((value, k) => {
      expect(value).toBeCloseTo(fixture.axes.values[k], 7);
      const along = vectors[k].reduce((sum, each, c) => sum + each * fixture.axes.vectors[k][c], 0);
      expect(Math.abs(along)).toBeCloseTo(1, 7);
    });
  });

  test("pcaNoise shifts the colour of a whole image along the axes, with their spread", async () => {
    const axes = {
      values: [4, 2, 1],
      vectors: [
        [0, 1, 0],
        [0.6, 0, 0.8],
        [-0.8, 0, 0.6],
      ],
    };
    const data = copies(new Float32Array(6), [3, 1, 2]).normalize({ mean: 0, std: [1, 2, 4] });
    const rows = await drawn(data.map(pcaNoise({ deviation: 0.5, axes })));
    for (const row of rows) expect([row[1], row[3], row[5]]).toEqual([row[0], row[2], row[4]]);
    const spread = (of: (row: Float32Array) => number): number =>
      Math.sqrt(rows.reduce((sum, row) => sum + of(row) ** 2, 0) / count);
    const relative = [
      spread((row) => 2 * row[2]) / 2,
      spread((row) => 0.6 * row[0] + 0.8 * 4 * row[4]),
      spread((row) => -0.8 * row[0] + 0.6 * 4 * row[4]) / 0.5,
    ];
    for (const each of relative) expect(Math.abs(each - 1)).toBeLessThan(0.12); // 4 σ of a deviation of 600
  });
});

describe("mixup", () => {
  const samples = { x: Float32Array.of(1, 10, 100, 1000), y: Uint8Array.of(0, 1, 2, 1) };
  const data = new Dataset(samples, { name: "four", shape: [1], classes: ["a", "b", "c"] }).batch(4);

  test("samples and targets are mixed in the same share with the same partner", async () => {
    const shares: number[] = [];
    for (let epoch = 0; epoch < 400; epoch++)
      for await (const { x, y, targetShape } of data.mapBatch(mixup({ alpha: 0.5 })).raw({ epoch })) {
        expect(targetShape).toEqual([4, 3]);
        const found = range(0, 3).flatMap((row) => [...samples.x].map((other) => ({ row, other })));
        const partner = (row: number, share: number) =>
          found.some((each) => each.row === row && close(share * samples.x[row] + (1 - share) * each.other, x[row]));
        for (const row of range(0, 3)) expect(y[3 * row] + y[3 * row + 1] + y[3 * row + 2]).toBeCloseTo(1, 6);
        const share = y[0]; // of sample 0 where it has another partner, which is of another class
        if (share < 1) {
          for (const row of range(0, 3)) expect(partner(row, share)).toBe(true);
          shares.push(share);
        }
      }
    const mean = shares.reduce((sum, share) => sum + share) / shares.length;
    const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.08);
    expect(Math.abs(variance - 0.125)).toBeLessThan(0.025); // Beta(α, α): 1 / (4 (2α + 1))
  });

  test("crossEntropy of mixed targets is the mix of both losses", async () => {
    const logits = tensor(
      Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
      [4, 3],
    );
    const loss = async (y: ReturnType<typeof tensor>): Promise<number> => crossEntropy(logits, y).item();
    for await (const { x, y } of data.mapBatch(mixup({ alpha: 1 }), { seed: 2 }).iterate()) {
      const probabilities = await y.data();
      const rows = await crossEntropy(logits, y, { reduction: "none" }).data();
      for (const row of range(0, 3)) {
        let expected = 0;
        for (const label of range(0, 2)) {
          const one = tensor(Int32Array.from(Array(4).fill(label)));
          expected +=
            probabilities[3 * row + label] * (await crossEntropy(logits, one, { reduction: "none" }).data())[row];
        }
        expect(rows[row]).toBeCloseTo(expected, 5);
      }
      expect(x.shape).toEqual([4, 1]);
      expect(Number.isFinite(await loss(y))).toBe(true);
    }
  });

  test("follows seed and epoch", async () => {
    const mixed = data.mapBatch(mixup({ alpha: 1 }), { seed: 1 });
    expect(await texts(mixed)).toEqual(await texts(mixed));
    expect(await texts(mixed, 1)).not.toEqual(await texts(mixed));
    expect(await texts(data.mapBatch(mixup({ alpha: 1 }), { seed: 2 }))).not.toEqual(await texts(mixed));
  });
});

const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-3 * Math.max(1, Math.abs(b));

describe("scaling", () => {
  for (const { from, to, x, y } of fixture.scaled)
    test(`${from} to ${to} is torch's`, () => {
      const region = { left: 0, top: 0, width: from[1], height: from[0] };
      const [found] = resample([x], from[1], region, to);
      y.forEach((value: number, i: number) => {
        expect(found[i]).toBeCloseTo(value, 6);
      });
    });

  test("a region counts alone, and areas count by their share", () => {
    const plane = Float32Array.from({ length: 42 }, (_, i) => (i * 37) % 11);
    const [found] = resample([plane], 7, { left: 1, top: 2, width: 5, height: 3 }, [2, 2]);
    const share = (place: number, to: number, step: number): number =>
      Math.max(0, Math.min(place + 1, (to + 1) * step) - Math.max(place, to * step)) / step;
    for (let i = 0; i < 4; i++) {
      let sum = 0;
      for (let y = 0; y < 3; y++)
        for (let x = 0; x < 5; x++) sum += share(y, i >> 1, 1.5) * share(x, i & 1, 2.5) * plane[(y + 2) * 7 + x + 1];
      expect(found[i]).toBeCloseTo(sum, 5);
    }
  });
});

test("misuse is named", async () => {
  const sample = { x: image, y: image, shape: [40], index: 0, random: () => 0 };
  for (const [name, fn] of Object.entries({ randomCrop, randomFlip, cutout, randomResizedCrop, pcaNoise }))
    expect(() => fn()(sample)).toThrow(`${name}: takes images [channels, height, width], got samples [40]`);
  expect(() => colorJitter({})({ ...sample, shape: [C, H, W] })).toThrow(
    "images of 1 or 3 channels, got samples [2,4,5]",
  );
  expect(() => colorJitter({ hue: 1 } as never)).toThrow('there is no option "hue"; take brightness');
  expect(() => colorJitter({ contrast: -1 })).toThrow("colorJitter: contrast must be a number ≥ 0, not -1");
  expect(() => randomCrop({ padding: 1.5 })).toThrow("randomCrop: padding must be a whole number ≥ 0, not 1.5");
  expect(() => randomCrop({ size: 9 })({ ...sample, shape: [C, H, W] })).toThrow("have no window of 9 × 9");
  expect(() => randomFlip({ probability: 2 })).toThrow("randomFlip: probability must lie in [0, 1], not 2");
  expect(() => cutout({ size: 0 })).toThrow("cutout: size must be a whole number ≥ 1, not 0");
  expect(() => randomResizedCrop({ scale: [0.5, 2] })).toThrow("scale must be [least, greatest] within (0, 1]");
  expect(() => pcaNoise({ deviation: Number.NaN })).toThrow("pcaNoise: deviation must be a number ≥ 0, not NaN");
  expect(() => mixup({ alpha: 0 })).toThrow("mixup: alpha must be a positive number, not 0");
  await expect(colorAxes(copies())).rejects.toThrow("colorAxes: takes images of 3 channels, got samples [2,4,5]");
  const unnamed = new Dataset({ x: image, y: new Uint8Array(1) }, { name: "plain", shape: [C, H, W] });
  await expect(texts(unnamed.mapBatch(mixup()))).rejects.toThrow("mixup: plain does not state its classes");
});
