// Dataset: batches, order and resumption, disjoint parts, normalisation, map functions, ownership of arrays.
import { describe, expect, test } from "vitest";
import { type Batch, Dataset, type RawBatch, type Sample, type Samples } from "../../src/data/index.ts";

const count = 103;
const bytes = (): Dataset =>
  new Dataset(
    {
      x: Uint8Array.from({ length: count * 4 }, (_, i) => i % 251),
      y: Uint8Array.from({ length: count }, (_, i) => i % 10),
    },
    { name: "toy", shape: [1, 2, 2] },
  );

async function all(batches: AsyncIterable<RawBatch>): Promise<RawBatch[]> {
  const list: RawBatch[] = [];
  for await (const batch of batches) list.push(batch);
  return list;
}
const visits = async (data: Dataset, position: { epoch?: number; skip?: number } = {}): Promise<number[]> =>
  (await all(data.raw(position))).flatMap((batch) => [...batch.indices]);

describe("batches", () => {
  test("cover the set once, the last one smaller", async () => {
    const data = bytes().batch(10);
    const batches = await all(data.raw());
    expect([data.length, data.batches, batches.length]).toEqual([count, 11, 11]);
    expect(batches[0].shape).toEqual([10, 1, 2, 2]);
    expect(batches[10].shape).toEqual([3, 1, 2, 2]);
    expect(batches[10].targetShape).toEqual([3]);
    expect(batches.flatMap((batch) => [...batch.indices])).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(batches[1].x[0]).toBeCloseTo(40 / 255, 7);
    expect([...batches[1].y]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("dropLast leaves the smaller one out", async () => {
    const data = bytes().batch(10, { dropLast: true });
    expect([data.batches, (await all(data.raw())).length]).toEqual([10, 10]);
  });

  test("are tensors: x f32, y i32", async () => {
    const batches: Batch[] = [];
    for await (const batch of bytes().batch(100)) batches.push(batch);
    expect(batches.map(({ x, y }) => [x.shape, x.dtype, y.shape, y.dtype])).toEqual([
      [[100, 1, 2, 2], "f32", [100], "i32"],
      [[3, 1, 2, 2], "f32", [3], "i32"],
    ]);
  });

  test("own their arrays", async () => {
    const data = bytes().batch(50);
    const first = await all(data.raw());
    for (const batch of first) for (const own of [batch.x, batch.y, batch.indices]) own.fill(7);
    const again = await all(data.raw());
    expect(again[0].x[1]).toBeCloseTo(1 / 255, 7);
    expect(again[1].y[0]).toBe(0);
    expect(new Set([...first, ...again].map((batch) => batch.x.buffer)).size).toBe(6);
    const floats = new Dataset({ x: Float32Array.of(1, 2), y: Float32Array.of(3, 4) }, { shape: [1] });
    for (const batch of await all(floats.raw())) for (const own of [batch.x, batch.y]) own.fill(9);
    expect(await floats.samples()).toEqual({ x: Float32Array.of(1, 2), y: Float32Array.of(3, 4) });
  });

  test("keep integers and real targets as they are", async () => {
    const data = new Dataset(
      { x: Int32Array.of(5, 6, 7, 8), y: Float32Array.of(0.5, 1.5, 2.5, 3.5) },
      { shape: [2], targetShape: [2] },
    );
    const [batch] = await all(data.raw());
    expect(batch.x).toEqual(Int32Array.of(5, 6, 7, 8));
    expect(batch.y).toEqual(Float32Array.of(0.5, 1.5, 2.5, 3.5));
    expect(batch.targetShape).toEqual([2, 2]);
    await expect(all(data.normalize().raw())).rejects.toThrow("integers cannot be normalized");
  });

  test("of nothing are none", async () => {
    expect(await all(bytes().take(0).raw())).toEqual([]);
  });
});

describe("order", () => {
  test("is decided by seed and epoch", async () => {
    const data = bytes().shuffle({ seed: 3 }).batch(7);
    const first = await visits(data, { epoch: 0 });
    expect(await visits(bytes().shuffle({ seed: 3 }).batch(20), { epoch: 0 })).toEqual(first);
    expect(await visits(data, { epoch: 1 })).not.toEqual(first);
    expect(await visits(bytes().shuffle({ seed: 4 }), { epoch: 0 })).not.toEqual(first);
    const low = bytes().shuffle({ seed: 1 });
    expect(low.order(0)).not.toEqual(
      bytes()
        .shuffle({ seed: 2 ** 32 + 1 })
        .order(0),
    );
    expect(low.order(0)).not.toEqual(bytes().shuffle({ seed: -1 }).order(0));
    for (const seed of [0.5, Number.NaN, 2 ** 53])
      expect(() => bytes().shuffle({ seed }).order(0)).toThrow(
        `seed: expected a whole number within ±2⁵³, not ${seed}`,
      );
    expect(first.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
    expect([...data.order(0)]).toEqual(first);
  });

  test("is the same on every machine", () => {
    expect([...bytes().shuffle({ seed: 1 }).order(0).subarray(0, 8)]).toMatchInlineSnapshot(`
      [
        43,
        93,
        82,
        5,
        1,
        39,
        80,
        40,
      ]
    `);
    expect([...bytes().split(5, { seed: 1 })[0].order(0)]).toMatchInlineSnapshot(`
      [
        0,
        3,
        64,
        77,
        101,
      ]
    `);
  });

  test("changes with each for-await, and resumes inside an epoch", async () => {
    const data = bytes().shuffle().normalize().batch(10);
    const xs: number[][] = [];
    for (let epoch = 0; epoch < 2; epoch++) for await (const { x } of data) xs.push([...(await x.data())] as number[]);
    expect(data.epoch).toBe(2);
    const resumed: number[][] = [];
    const fresh = bytes().shuffle().normalize().batch(10);
    for await (const { x } of fresh.iterate({ epoch: 1, skip: 4 })) resumed.push([...(await x.data())] as number[]);
    expect(resumed).toEqual(xs.slice(15));
    expect(fresh.epoch).toBe(0);
    expect(xs.slice(0, 11)).not.toEqual(xs.slice(11));
  });

  test("visits every order about equally often", () => {
    const three = new Dataset({ x: new Uint8Array(3), y: new Uint8Array(3) }, { shape: [1] }).shuffle({ seed: 9 });
    const seen = new Map<string, number>();
    for (let epoch = 0; epoch < 6000; epoch++) {
      const key = three.order(epoch).join("");
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    expect(seen.size).toBe(6);
    for (const times of seen.values()) expect(Math.abs(times - 1000)).toBeLessThan(150);
  });
});

describe("parts", () => {
  test("take and skip choose by stored place, whenever they are called", async () => {
    expect(await visits(bytes().take(5).skip(2))).toEqual([2, 3, 4]);
    expect(await visits(bytes().skip(100).take(50))).toEqual([100, 101, 102]);
    const shuffled = bytes().shuffle();
    const [train, validation] = [await visits(shuffled.take(80)), await visits(shuffled.skip(80), { epoch: 5 })];
    expect(Math.max(...train)).toBe(79);
    expect(Math.min(...validation)).toBe(80);
  });

  test("of a split are disjoint, complete and fixed by the seed", async () => {
    for (const part of [0.8, 21, 1]) {
      const [a, b] = bytes().split(part, { seed: 5 });
      const [left, right] = [await visits(a), await visits(b)];
      expect(left.length).toBe(part < 1 ? 82 : part);
      expect([...left, ...right].toSorted((x, y) => x - y)).toEqual(Array.from({ length: count }, (_, i) => i));
      expect((await visits(bytes().shuffle().split(part, { seed: 5 })[0])).toSorted((x, y) => x - y)).toEqual(left);
      if (part > 1) expect(await visits(bytes().split(part, { seed: 6 })[0])).not.toEqual(left);
    }
  });

  test("can be split again", async () => {
    const [rest, test] = bytes().split(0.5);
    const [train, validation] = rest.split(0.5);
    const everything = [...(await visits(train)), ...(await visits(validation)), ...(await visits(test))];
    expect(new Set(everything).size).toBe(count);
  });
});

describe("normalize", () => {
  test("measures the set when it states no statistics", async () => {
    const [{ x }] = await all(bytes().normalize().batch(count).raw());
    const mean = [...x].reduce((sum, value) => sum + value, 0) / x.length;
    const square = [...x].reduce((sum, value) => sum + value * value, 0) / x.length;
    expect(mean).toBeCloseTo(0, 5);
    expect(square).toBeCloseTo(1, 5);
  });

  test("uses the set's statistics, or given ones, for each channel", async () => {
    const samples = { x: Float32Array.of(1, 2, 10, 20), y: new Uint8Array(1) };
    const data = new Dataset(samples, { shape: [2, 1, 2], mean: [1, 10], std: [2, 5] });
    expect((await all(data.normalize().raw()))[0].x).toEqual(Float32Array.of(0, 0.5, 0, 2));
    expect((await all(data.normalize({ mean: 0, std: 10 }).raw()))[0].x).toEqual(Float32Array.of(0.1, 0.2, 1, 2));
    expect((await all(data.normalize({ mean: [0, 20] }).raw()))[0].x).toEqual(Float32Array.of(0.5, 1, -2, 0));
    expect((await all(data.raw()))[0].x).toEqual(samples.x);
    expect(() => data.normalize({ std: 0 })).toThrow("std must be 2 finite positive number(s), not [0]");
    expect(() => data.normalize({ mean: [1, 2, 3] })).toThrow("normalize: mean");
    expect(() => data.normalize({ means: 0 } as object)).toThrow('normalize: there is no option "means"');
  });

  test.each([0, 1, 2])("a channel beside larger ones, as number %i, gets mean 0 and deviation 1", async (place) => {
    const channels = [(i: number) => 1.7e9 + 1000 * i, (i: number) => -3e30 * (1 + i)];
    channels.splice(place, 0, (i) => (i % 10) / 10);
    const n = 1000;
    const x = Float32Array.from({ length: 3 * n }, (_, at) => channels[at % 3](Math.floor(at / 3)));
    const data = new Dataset({ x, y: new Int32Array(n) }, { shape: [3, 1, 1] });
    const [batch] = await all(data.normalize().batch(n).raw());
    for (const channel of [0, 1, 2]) {
      const values = [...batch.x].filter((_, at) => at % 3 === channel);
      const mean = values.reduce((sum, value) => sum + value, 0) / n;
      expect(mean).toBeCloseTo(0, 6);
      expect(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n).toBeCloseTo(1, 6);
    }
  });

  test("values that are not finite are named, unless mean and deviation are given", async () => {
    const x = Float32Array.of(1, 2, 3, 4, 5, Number.NaN);
    const data = new Dataset({ x, y: new Int32Array(3) }, { shape: [2], name: "measured" });
    await expect(all(data.normalize().raw())).rejects.toThrow("measured: sample 2 holds NaN; replace it");
    expect((await all(data.normalize({ mean: 1, std: 1 }).raw()))[0].x.slice(0, 2)).toEqual(Float32Array.of(0, 1));
  });

  test("arrays that a batch would round or cut are refused", () => {
    const make = (x: unknown, y: unknown) => () => new Dataset({ x, y } as Samples, { shape: [1], name: "own" });
    expect(make(new Float32Array(1), Float64Array.of(0.5))).toThrow("own: y is Float64Array; make it a Uint8Array");
    expect(make([1], new Int32Array(1))).toThrow("own: x is Array");
    expect(make(undefined, new Int32Array(1))).toThrow("own: x is");
  });

  test.each([0.1, 1e20, -7])("a constant channel of %f becomes 0", async (value) => {
    const x = Float32Array.from({ length: 3000 }, (_, at) => (at % 2 === 0 ? at : value));
    const data = new Dataset({ x, y: new Int32Array(1500) }, { shape: [2, 1, 1] });
    const [batch] = await all(data.normalize().batch(1500).raw());
    expect(batch.x.filter((each, at) => at % 2 === 1 && each !== 0)).toEqual(new Float32Array(0));
  });

  test("a constant channel does not divide by zero", async () => {
    const data = new Dataset({ x: new Uint8Array(8).fill(7), y: new Uint8Array(2) }, { shape: [4] });
    expect((await all(data.normalize().raw()))[0].x).toEqual(new Float32Array(8));
  });
});

describe("map", () => {
  test("writes in place or replaces, and may change the shape", async () => {
    const label = ({ x, index }: Sample): void => {
      x.fill(index);
    };
    const inPlace = bytes().map(label);
    const [batch] = await all(inPlace.batch(3).raw());
    expect(batch.x).toEqual(Float32Array.of(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2));
    const cropped = bytes()
      .map(async ({ x }) => ({ x: x.slice(0, 2), shape: [1, 1, 2] }))
      .map(({ y }) => ({ y: Float32Array.of(y[0] / 2, 1) }));
    const [small] = await all(cropped.batch(2).raw());
    expect([small.shape, small.targetShape]).toEqual([
      [2, 1, 1, 2],
      [2, 2],
    ]);
    expect(small.y).toEqual(Float32Array.of(0, 1, 0.5, 1));
  });

  test("random numbers follow from seed, epoch and index, not from batch or time", async () => {
    const noisy = (seed: number, size: number): Dataset =>
      bytes()
        .shuffle()
        .map(
          async ({ random, index }) => {
            if (index % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
            return { x: Float32Array.of(index, random()), shape: [2] };
          },
          { seed },
        )
        .batch(size);
    const values = async (data: Dataset, epoch: number): Promise<Map<number, number>> => {
      const pairs = (await all(data.raw({ epoch }))).flatMap((batch) =>
        Array.from(batch.indices, (index, row): [number, number] => [index, batch.x[2 * row + 1]]),
      );
      return new Map(pairs.toSorted(([a], [b]) => a - b));
    };
    const reference = await values(noisy(1, 10), 2);
    expect(await values(noisy(1, 32), 2)).toEqual(reference);
    expect(await values(noisy(1, 10), 3)).not.toEqual(reference);
    expect(await values(noisy(2, 10), 2)).not.toEqual(reference);
    expect(new Set(reference.values()).size).toBe(count);
  });

  test("runs a bounded number of batches ahead", async () => {
    let begun = 0;
    const data = bytes()
      .map(async () => void begun++, { ahead: 2 })
      .batch(10);
    const iterator = data.raw();
    await iterator.next();
    expect(begun).toBe(30);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(begun).toBe(30);
    await iterator.next();
    expect(begun).toBe(40);
    await iterator.return();
  });

  test("an error surfaces at its batch, and only there", async () => {
    const data = bytes()
      .map(async ({ index }) => {
        if (index === 25) throw new Error("bad sample");
      })
      .batch(10);
    const iterator = data.raw();
    await iterator.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await iterator.next();
    await expect(iterator.next()).rejects.toThrow("bad sample");
  });

  test("sizes that do not fit are named", async () => {
    const unshaped = bytes().map(() => ({ x: new Float32Array(3) }));
    await expect(all(unshaped.raw())).rejects.toThrow(
      "sample 0 has 3 values for shape [1,2,2]; return the new shape too",
    );
    const ragged = bytes().map(({ index }) => ({ x: new Float32Array(index + 1), shape: [index + 1] }));
    await expect(all(ragged.raw())).rejects.toThrow("samples of one batch have shapes [1] and [2]");
    const raggedTargets = bytes().map(({ index }) => ({ y: new Int32Array(index + 1) }));
    await expect(all(raggedTargets.raw())).rejects.toThrow("samples of one batch have 1 and 2 values");
    const turned = bytes().map(({ x, index }) => ({ x, shape: index === 0 ? [1, x.length] : [x.length, 1] }));
    await expect(all(turned.raw())).rejects.toThrow("samples of one batch have shapes [1,");
    const mixed = bytes().map(({ index }) => ({ y: (index === 0 ? Int32Array : Float32Array).of(1.5) }));
    await expect(all(mixed.raw())).rejects.toThrow("samples of one batch are Float32Array and Int32Array");
  });
});

describe("loading", () => {
  test("is lazy, happens once and is shared by derived sets", async () => {
    let loads = 0;
    const load = () => {
      loads++;
      return { x: new Uint8Array(6), y: new Uint8Array(6) };
    };
    const data = new Dataset(load, { shape: [1], length: 6 });
    const [a, b] = data.shuffle().split(0.5);
    expect([a.length, b.length, loads]).toEqual([3, 3, 0]);
    await Promise.all([visits(a), visits(b), data.load()]);
    expect(loads).toBe(1);
  });

  test("of unknown length says so until it is done", async () => {
    const data = new Dataset(async () => ({ x: new Uint8Array(6), y: new Uint8Array(6) }), {
      name: "mine",
      shape: [1],
    });
    const half = data.split(0.5)[0].batch(2);
    expect(() => half.length).toThrow("mine: its length is known once loaded; await load() first");
    await half.load();
    expect([half.length, half.batches, data.length]).toEqual([3, 2, 6]);
  });

  test("is tried again after a failure", async () => {
    let tries = 0;
    const data = new Dataset(
      () => {
        if (tries++ === 0) throw new Error("disk on fire");
        return { x: new Uint8Array(1), y: new Uint8Array(1) };
      },
      { shape: [1] },
    );
    await expect(data.load()).rejects.toThrow("disk on fire");
    expect((await data.load()).length).toBe(1);
  });

  test("checks that arrays and shapes agree", () => {
    expect(() => new Dataset({ x: new Uint8Array(5), y: new Uint8Array(1) }, { name: "odd", shape: [2, 2] })).toThrow(
      "odd: 5 values of x and 1 of y are not N samples of shape [2,2] and targets of shape []",
    );
  });
});

test("wrong arguments are named", () => {
  const data = bytes();
  expect(() => data.batch(0)).toThrow("batch: expected an integer of at least 1, not 0");
  expect(() => data.take(-1)).toThrow("take: expected an integer of at least 0, not -1");
  expect(() => data.skip(1.5)).toThrow("skip: expected");
  expect(() => data.split(0)).toThrow("split: expected a fraction between 0 and 1 or a count of samples, not 0");
  expect(() => data.split(1.5)).toThrow("split: expected");
  expect(() => data.order(-1)).toThrow("epoch: expected");
});
