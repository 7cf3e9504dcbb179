// Values at the edges of what numbers can be, on every device: quotients, remainders, angles, draws, places.
import { beforeAll, describe, expect, test } from "vitest";
import { arange, concat, device, iota, randomState, restoreRandom, seed, tensor, uniform } from "../../src/index.ts";
import { testDevices } from "../devices.ts";

describe.each(testDevices)("on %s", (name) => {
  beforeAll(() => void device(name, { threads: 1 }));

  test("quotients are rounded once, and their divisor's inverse need not exist", async () => {
    const tiny = tensor([[1, 1, 1]]).mul(1e-39);
    expect(await tiny.div(tiny.max(1, { keepDims: true })).array()).toEqual([[1, 1, 1]]);
    expect(
      await tensor([2 ** -130, 0])
        .div(2 ** -140)
        .array(),
    ).toEqual([1024, 0]);
    expect(
      await tensor(Float64Array.of(2 ** -1060))
        .div(2 ** -1070)
        .array(),
    ).toEqual([1024]);
    const [x, y] = [[-3, 5, 1, 10], [7, 3, 49, 3]]; // biome-ignore format: a line
    const exact = x.map((v, i) => v / y[i]);
    expect(
      await tensor(Float64Array.from(x))
        .div(tensor(Float64Array.from(y)))
        .array(),
    ).toEqual(exact);
    if (name !== "js") expect(await tensor(x).div(tensor(y)).array()).toEqual(exact.map(Math.fround));
    const [row, column] = [tensor([[-3], [5]]), tensor([[7, 3]])]; // biome-ignore format: a line
    if (name !== "js")
      expect(await row.div(column).array()).toEqual([[-3 / 7, -1], [5 / 7, 5 / 3]].map((r) => r.map(Math.fround))); // biome-ignore format: a line
  });

  test("remainders of large numbers, and by infinity", async () => {
    expect((await tensor([1e9]).mod(Math.PI).data())[0]).toBeCloseTo(1.0241947, 6);
    expect(await tensor([2749682432]).mod(36).array()).toEqual([20]);
    const infinity = Number.POSITIVE_INFINITY;
    expect(await tensor([5, -5]).mod(infinity).array()).toEqual([5, infinity]);
    expect(await tensor([5, -5]).mod(-infinity).array()).toEqual([-infinity, -5]);
  });

  test("angles of any size", async () => {
    const [sine] = await tensor([1e7]).sin().data();
    expect(sine).toBeCloseTo(Math.sin(1e7), 6);
    const [cosine] = await tensor([2 ** 100])
      .cos()
      .data();
    expect(cosine).toBeCloseTo(Math.cos(2 ** 100), 6);
  });

  test("argmax takes the first NaN, as the maximum is NaN then", async () => {
    const { NaN: nan } = Number;
    expect(await tensor([[nan, 1, 2], [1, nan, nan], [nan, nan, nan], [3, 5, 5]]).argmax().array()).toEqual([0, 1, 0, 1]); // biome-ignore format: a line
  });

  test("slices with steps of either sign", async () => {
    const picks: [start: number, stop: number | undefined, step: number][] = [
      [4, 0, -1], [4, undefined, -1], [-1, undefined, -2], [3, -6, -2], [9, 1, -3], [2, 2, -1], [0, 4, -1], [1, undefined, 2],
      [-4, -1, 1], [5, 2, 1], [0, undefined, 7], [-9, undefined, -1],
    ]; // biome-ignore format: a table
    const list = Array.from({ length: 5 }, (_, i) => i);
    for (const [start, stop, step] of picks) {
      const at = (p: number, [low, high]: [number, number]): number => Math.min(high, Math.max(low, p < 0 ? p + 5 : p));
      const range: [number, number] = step > 0 ? [0, 5] : [-1, 4];
      const end = stop === undefined ? (step > 0 ? 5 : -1) : at(stop, range);
      const expected: number[] = [];
      for (let i = at(start, range); step > 0 ? i < end : i > end; i += step) expected.push(list[i]);
      expect(await arange(5).slice(0, start, stop, step).array(), `${start} to ${stop} by ${step}`).toEqual(expected);
    }
    for (const step of [0, 0.5, Number.NaN])
      expect(() => arange(5).slice(0, 0, 5, step)).toThrow(
        `slice: the step must be a whole number other than 0, got ${step}`,
      );
    expect(() => arange(5).slice(0, 0.5)).toThrow("slice: positions must be whole numbers, got 0.5 to undefined");
  });

  test("draws stay below the upper bound, and above the lower one", async () => {
    seed(1);
    const draws = await uniform([300_000], 100, 100.001).data();
    expect(draws.every((v) => v >= 100 && v < Math.fround(100.001))).toBe(true);
    expect(draws.some((v) => v > 100.0005)).toBe(true);
    const below = await uniform([300_000], -1e-7, 0).data();
    expect(below.every((v) => v >= Math.fround(-1e-7) && v < 0)).toBe(true);
    expect(await uniform([3], 5, 5).array()).toEqual([5, 5, 5]);
  });

  test("seeds that differ anywhere draw other numbers, and are saved whole", async () => {
    const drawn: string[] = [];
    for (const value of [
      1,
      -1,
      0,
      2 ** 32 - 1,
      2 ** 32,
      2 ** 32 + 1,
      2 ** 33 + 1,
      2 ** 31,
      -(2 ** 40),
      Number.MAX_SAFE_INTEGER,
    ]) {
      seed(value);
      expect(randomState()).toEqual({ seed: value, counter: 0 });
      const first = `${await uniform([4]).data()}`;
      restoreRandom({ seed: value, counter: 0 });
      expect(`${await uniform([4]).data()}`).toBe(first);
      drawn.push(first);
    }
    expect(new Set(drawn).size).toBe(drawn.length);
    expect(() => seed(0.5)).toThrow("seed: needs a whole number within ±2⁵³, got 0.5");
    expect(() => seed(2 ** 53)).toThrow(RangeError);
  });

  test.skipIf(name === "js")("as many elements as whole numbers can count", async () => {
    expect(await iota([2 ** 31], 0).max().item()).toBe(2 ** 31 - 1);
    expect(await iota([2 ** 31], 0).lt(1000).sum().item()).toBe(1000);
  }, 60_000); // biome-ignore format: a line

  test("parts of several dtypes are joined in the one that holds them all", async () => {
    const joined = concat([tensor([1.5]), arange(2), arange(2).lt(1)]);
    expect([joined.dtype, await joined.array()]).toEqual(["f32", [1.5, 0, 1, 1, 0]]);
  });
});
