// Numbers and host data at the edges: integers that i32 lacks, extremes, arrays that their maker changes, arguments of the wrong kind.
import { beforeAll, describe, expect, test } from "vitest";
import {
  concat,
  device,
  full,
  live,
  param,
  ShapeError,
  stack,
  state,
  type Tensor,
  tensor,
  where,
} from "../../src/index.ts";
import { testDevices } from "../devices.ts";

const least = -(2 ** 31);
const most = 2 ** 31 - 1;
const i32 = (...values: number[]): Tensor => tensor(Int32Array.from(values));

for (const name of testDevices) {
  describe(name, () => {
    beforeAll(() => {
      device(name);
    });

    test("minimum and min know −2³¹", async () => {
      expect(
        await i32(least, 0, most, -5)
          .minimum(i32(3, least, -1, -5))
          .array(),
      ).toEqual([least, least, -1, -5]);
      expect(await i32(7, least, most).minimum(0).array()).toEqual([0, least, 0]);
      expect(await i32(7, least, most, 0).min().item()).toBe(least);
      expect(await i32(7, least).minimum(0.5).array()).toEqual([0.5, least]);
      expect(await tensor(Uint8Array.of(1, 0)).minimum(-3).array()).toEqual([-3, -3]);
      expect(await tensor([1, Number.NaN, -2]).minimum(0).array()).toEqual([0, Number.NaN, -2]);
      expect(await full([2], 5, "i32").minimum(3).array()).toEqual([3, 3]);
    });

    test("subtracting −2³¹ wraps as the sum does", async () => {
      expect(await i32(5).sub(least).array()).toEqual([least + 5]);
      expect(await i32(5).sub(i32(least)).array()).toEqual([least + 5]);
      expect(await i32(least, 3).lt(most).array()).toEqual([1, 1]);
    });
  });
}

test("a number that i32 lacks is refused with its operation", () => {
  const x = i32(1, 2);
  const operations: [string, (value: number) => Tensor][] = [
    ["lt", (v) => x.lt(v)],
    ["gt", (v) => x.gt(v)],
    ["eq", (v) => x.eq(v)],
    ["add", (v) => x.add(v)],
    ["mul", (v) => x.mul(v)],
    ["mod", (v) => x.mod(v)],
    ["max", (v) => x.maximum(v)],
    ["minimum", (v) => x.minimum(v)],
    ["and", (v) => x.and(v)],
    ["where", (v) => where(x.eq(1), x, v)],
    ["pad", (v) => x.pad([[1, 1]], v)],
    ["full", (v) => full([2], v, "i32")],
    ["tensor", (v) => tensor([v], [1], { dtype: "i32" })],
  ];
  for (const [op, make] of operations) {
    for (const value of [2 ** 31, least - 1]) {
      expect(() => make(value)).toThrow(RangeError);
      expect(() => make(value)).toThrow(`${op}: ${value} is no i32`);
    }
    expect(make(least).dtype === "i32" || make(least).dtype === "bool").toBe(true);
  }
  expect(() => x.pad([[1, 1]], 0.5)).toThrow("pad: 0.5 is no i32");
  expect(() => tensor(Uint32Array.of(2 ** 32 - 1) as never)).toThrow("tensor: 4294967295 is no i32");
  expect(() => x.shift(1.5)).toThrow("shift: by 1.5 bits");
});

test("a tensor keeps the values it was made with", async () => {
  for (const make of [tensor, param, state]) {
    const data = Float32Array.of(1, 2);
    const t = make(data);
    data[0] = 9;
    expect(await t.array()).toEqual([1, 2]);
    const words = Int32Array.of(1, 2);
    const u = make(words);
    words[0] = 9;
    expect(await u.array()).toEqual([1, 2]);
  }
  const [p, twin] = [param([1, 2]), state([0, 0])];
  const copy = param(p);
  copy.assign(5);
  twin.assign(p);
  expect(await copy.array()).toEqual([5, 5]);
  expect(await p.array()).toEqual([1, 2]);
});

test("a bool is 0 or 1, whatever byte it is made of", async () => {
  const b = tensor(Uint8Array.of(2, 0, 3), [3], { dtype: "bool" });
  expect(await b.array()).toEqual([1, 0, 1]);
  expect(await b.cast("f32").array()).toEqual([1, 0, 1]);
  expect(
    await live(() => [5, 0], [2], "bool")
      .and(1)
      .array(),
  ).toEqual([1, 0]);
});

test("param and state give a tensor's elements another shape, or refuse it", () => {
  for (const make of [param, state]) {
    expect(make(tensor([1, 2, 3, 4]), [2, 2]).shape).toEqual([2, 2]);
    expect(make(full([4], 2), [2, 2]).shape).toEqual([2, 2]);
    expect(() => make(tensor([1, 2, 3, 4]), [7])).toThrow("4 elements do not fill [7] (7)");
    expect(() => make(full([4], 2), [7])).toThrow("4 elements do not fill [7] (7)");
  }
});

test("live leaves are read themselves, and give as many numbers as their shape takes", async () => {
  let n = 0;
  const count = live(() => ++n);
  expect(await count.mul(1).item()).toBe(1);
  expect(await count.item()).toBe(2);
  expect(await count.add(0.5).item()).toBe(3.5);
  expect(await count.data()).toEqual(Float32Array.of(4));
  expect(await live(() => [7], [1, 1]).array()).toEqual([[7]]);
  await expect(
    live(() => [1], [3])
      .add(1)
      .data(),
  ).rejects.toThrow("live: its function gives 1 numbers, [3] takes 3");
  await expect(
    live(() => 5, [3])
      .add(1)
      .data(),
  ).rejects.toThrow("live: its function gives 1 numbers, [3] takes 3");
  await expect(live(() => [1, 2, 3], [2]).data()).rejects.toThrow("live: its function gives 3 numbers, [2] takes 2");
  await expect(live(() => 0.5, [], "i32").data()).rejects.toThrow("live: 0.5 is no i32");
  expect(() => live(() => 1, [-1])).toThrow("live: sizes must be whole numbers");
});

test("data of the wrong form is named with its place", () => {
  const wrong = (data: unknown): unknown => {
    try {
      return tensor(data as never);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      return error.message;
    }
  };
  expect(wrong([true, false])).toBe(
    'tensor: takes numbers, got a boolean at [0] (write 1 and 0, with { dtype: "bool" })',
  );
  expect(
    wrong([
      [1, 2],
      [3, 4, 5],
    ]),
  ).toBe("tensor: rows differ: an array of 3 at [1], where the rows before have an array of 2");
  expect(wrong([[1, 2], 3])).toBe("tensor: rows differ: a number at [1], where the rows before have an array of 2");
  expect(wrong([1, [2]])).toBe("tensor: rows differ: an array of 1 at [1], where the rows before have a number");
  expect(wrong([[1], ["2"]])).toBe("tensor: takes numbers, got a string at [1][0]");
  expect(wrong([1, undefined])).toBe("tensor: takes numbers, got undefined at [1]");
  expect(wrong([Float32Array.of(1)])).toBe("tensor: takes numbers, got a Float32Array at [0]");
  expect(wrong(null)).toBe("tensor: takes a typed array, a number or nested arrays of numbers, got null");
  expect(wrong(BigInt64Array.of(1n))).toContain("takes arrays of numbers, got a BigInt64Array");
  expect(wrong(new DataView(new ArrayBuffer(8)))).toContain("got a DataView");
  const cycle: unknown[] = [];
  cycle[0] = cycle;
  expect(wrong(cycle)).toBe("tensor: takes arrays nested at most 32 deep");
  expect(wrong([[1], cycle])).toBe("tensor: rows differ: an array of 1 at [1][0], where the rows before have a number");
  expect((wrong([[], []]) as Tensor).shape).toEqual([2, 0]);
  expect((wrong([[[1], [2]]]) as Tensor).shape).toEqual([1, 2, 1]);
});

test("operands of the wrong kind are named with the operation", () => {
  const x = tensor([1, 2]);
  // biome-ignore lint/suspicious/noExplicitAny: what callers without types may do
  const call = (f: (x: any) => unknown) => () => f(x);
  expect(call((t) => t.add(undefined))).toThrow("add: takes a tensor or a number, got undefined");
  expect(call((t) => t.sub("1"))).toThrow("sub: takes a tensor or a number, got a string");
  expect(call((t) => t.div(null))).toThrow("div: takes a tensor or a number, got null");
  expect(call((t) => t.lt([1]))).toThrow("lt: takes a tensor or a number, got an array");
  expect(call((t) => t.pow({}))).toThrow("pow: takes a tensor or a number, got an Object");
  expect(call((t) => t.matmul(3))).toThrow("matmul: takes tensors, got a number");
  expect(call((t) => t.conv(undefined))).toThrow("conv: takes tensors, got undefined");
  expect(call((t) => t.gather([0]))).toThrow("gather: takes tensors, got an array");
  expect(call((t) => where(true as never, t, 1))).toThrow("where: takes tensors, got a boolean");
  expect(call((t) => where(t.gt(0), t, undefined as never))).toThrow("where: takes a tensor or a number");
  expect(call((t) => concat([t, 1 as never]))).toThrow("concat: takes tensors, got a number");
  expect(() => stack([])).toThrow("stack: needs at least one tensor");
  expect(() => concat([])).toThrow("concat: needs at least one tensor");
  expect(() => stack([x, tensor([1])])).toThrow("stack: shapes differ, [2] and [1]");
  expect(() => stack([x], 2)).toThrow("stack: axis 2 does not exist");
});
