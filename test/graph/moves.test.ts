// Moving elements, indexing, sorting, geometry: against PyTorch (test/fixtures/torch/surface-moves.py), at the edges, and what is refused.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import {
  arange,
  device,
  eye,
  grad,
  interpolate,
  linspace,
  onesLike,
  realize,
  Tensor,
  tensor,
  where,
  zeros,
  zerosLike,
} from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { testDevices } from "../devices.ts";
import { nativeDevice } from "../native-device.ts";

interface Host {
  dtype: "f32" | "i32" | "bool";
  shape: number[];
  data: number[];
}

interface Golden {
  op: string;
  inputs: Host[];
  args: unknown[];
  outputs: Host[];
  weights: (Host | null)[];
  gradients: Host[];
}

const cases: Golden[] = JSON.parse(
  readFileSync(new URL("../fixtures/torch/surface-moves.json", import.meta.url), "utf8"),
);
const given = ({ data, shape, dtype }: Host): Tensor => tensor(data, shape, { dtype });

type Method = (...args: unknown[]) => Tensor | Tensor[] | { values: Tensor; indices: Tensor };

/** The results of a case: a method takes its other tensors first, except that a slice's value comes last. */
function results({ op, args }: Golden, [x, ...others]: Tensor[]): Tensor[] {
  if (op === "layer") {
    const [name, own, names] = args as [string, unknown[], ("weight" | "bias")[]];
    const made = new (nn as unknown as Record<string, new (...args: unknown[]) => nn.Conv2d>)[name](...own);
    names.forEach((key, i) => {
      made[key] = others[i];
    });
    return [made.forward(x)];
  }
  if (op === "interpolate") return [interpolate(x, args[0] as object)];
  const method = (x as unknown as Record<string, Method>)[op].bind(x);
  const y =
    op === "withSlice" || op === "maskedFill" || op === "pad"
      ? method(...(op === "maskedFill" ? others : args), ...(op === "maskedFill" ? args : others))
      : method(...others, ...args);
  return y instanceof Tensor ? [y] : Array.isArray(y) ? y : [y.values, y.indices];
}

async function expectClose(actual: Tensor, expected: Host): Promise<void> {
  expect(actual.shape).toEqual(expected.shape);
  const data = await actual.data();
  const tolerance = expected.dtype === "f32" ? 2e-6 * Math.max(1, ...expected.data.map(Math.abs)) : 0;
  expected.data.forEach((v, i) => {
    expect(Math.abs(data[i] - v), `element ${i}: ${data[i]}, not ${v}`).toBeLessThanOrEqual(tolerance);
  });
}

const list = async (t: Tensor): Promise<unknown> => [...(await t.data())];
const i32 = (...values: number[]): Tensor => tensor(Int32Array.from(values));
const native = nativeDevice();

for (const chosen of [...testDevices, ...(native === undefined ? [] : [native])]) {
  describe(`on ${typeof chosen === "string" ? chosen : "native"}`, () => {
    beforeAll(() => {
      device(chosen as "js");
    });

    test.each(cases.map((c, i) => [`${i} ${c.op} ${JSON.stringify(c.args)}`, c] as const))("%s", async (_, c) => {
      const inputs = c.inputs.map(given);
      const outputs = results(c, inputs);
      expect(outputs).toHaveLength(c.outputs.length);
      const terms = outputs.flatMap((y, i) => (c.weights[i] === null ? [] : [y.mul(given(c.weights[i])).sum()]));
      const gradients = grad(
        terms.reduce((sum, term) => sum.add(term)),
        inputs.filter((x) => x.dtype === "f32"),
      );
      await realize(...outputs, ...gradients);
      for (const [i, y] of outputs.entries()) await expectClose(y, c.outputs[i]);
      for (const [i, g] of gradients.entries()) await expectClose(g, c.gradients[i]);
    });

    test("an index out of range reads NaN, −2³¹ or false, writes nothing and has no gradient", async () => {
      const [x, rows] = [tensor([10, 20, 30]), i32(-1, 3, 1, -(2 ** 31), 2 ** 31 - 1)];
      expect(await list(x.gather(rows))).toEqual([Number.NaN, Number.NaN, 20, Number.NaN, Number.NaN]);
      expect(await list(i32(1, 2, 3).gather(rows))).toEqual([-(2 ** 31), -(2 ** 31), 2, -(2 ** 31), -(2 ** 31)]);
      expect(await list(tensor([1, 1, 1], undefined, { dtype: "bool" }).gather(rows))).toEqual([0, 0, 1, 0, 0]);
      expect(await list(grad(where(x.gather(rows).gt(0), x.gather(rows), 0).sum(), x))).toEqual([0, 1, 0]);
      expect(await list(grad(x.gather(rows).sum(), x))).toEqual([0, 1, 0]);
      const values = tensor([1, 2, 3, 4, 5]);
      const sums = x.scatterAdd(rows, values);
      const slope = grad(sums.mul(tensor([5, 7, 9])).sum(), values);
      expect([await list(sums), await list(slope)]).toEqual([
        [10, 23, 30],
        [0, 0, 7, 0, 0],
      ]);
      expect(await list(x.scatter(rows, values))).toEqual([10, 3, 30]);
      expect(await list(x.indexAdd(rows, values))).toEqual([10, 23, 30]);
      const rowsOfThree = tensor([[3, 1, 2], [9, 7, 8]]); // biome-ignore format: a table
      expect(await rowsOfThree.takeAlong(rowsOfThree.argsort()).array()).toEqual([[1, 2, 3], [7, 8, 9]]); // biome-ignore format: a table
      // an index along one axis never reads a neighbouring row
      const square = tensor([
        [1, 2],
        [3, 4],
      ]); // prettier-ignore
      expect(
        await square
          .takeAlong(
            tensor(
              [
                [-1, 2],
                [1, 0],
              ],
              undefined,
              { dtype: "i32" },
            ),
            1,
          )
          .array(),
      ).toEqual([
        [Number.NaN, Number.NaN],
        [4, 3],
      ]); // prettier-ignore
      expect(await square.take(i32(2, 0), 1).array()).toEqual([
        [Number.NaN, 1],
        [Number.NaN, 3],
      ]); // prettier-ignore
      expect(await list(new nn.Embedding(2, 1).forward(i32(2)))).toEqual([Number.NaN]);
    });

    test("scatter: the last of several stays, bit for bit, and alone has a gradient", async () => {
      const [x, v] = [tensor([1, 2, 3]), tensor([4, 5, -0, 7])];
      const y = x.scatter(i32(2, 2, 2, 0), v);
      const [gx, gv] = grad(y.mul(tensor([1, 2, 4])).sum(), [x, v]);
      const [a, b, c] = await y.data();
      expect([a, b, Object.is(c, -0)]).toEqual([7, 2, true]);
      expect([await list(gx), await list(gv)]).toEqual([
        [0, 2, 0],
        [0, 0, 4, 1],
      ]); // prettier-ignore
      expect(await list(x.scatter(i32(1, 1), 9))).toEqual([1, 9, 3]);
      const random = Array.from({ length: 200 }, (_, i) => (i * 7919 + (i >> 2)) % 37);
      const expected = new Array<number>(37).fill(-1);
      random.forEach((place, i) => {
        expected[place] = i;
      });
      expect(
        await list(
          i32(...expected)
            .full(-1)
            .scatter(i32(...random), arange(200)),
        ),
      ).toEqual(expected); // prettier-ignore
    });

    test("sorting is stable, NaN last either way; ties of ±0, infinities, integers, bools", async () => {
      const x = tensor([3, Number.NaN, 0, -0, Number.POSITIVE_INFINITY, 3, Number.NaN, Number.NEGATIVE_INFINITY]);
      expect(await list(x.argsort())).toEqual([7, 2, 3, 0, 5, 4, 1, 6]);
      expect(await list(x.argsort(0, { descending: true }))).toEqual([4, 0, 5, 2, 3, 7, 1, 6]);
      expect(await list(x.topk(2).values)).toEqual([Number.POSITIVE_INFINITY, 3]);
      const extremes = i32(5, 2 ** 31 - 1, -(2 ** 31), 5);
      expect(await list(extremes.argsort())).toEqual([2, 0, 3, 1]);
      expect(await list(extremes.argsort(0, { descending: true }))).toEqual([1, 0, 3, 2]);
      expect(await list(tensor([1, 0, 1, 0], undefined, { dtype: "bool" }).argsort())).toEqual([1, 3, 0, 2]);
      expect((await zeros([0, 3]).sort(0).values.data()).length).toBe(0);
      expect(
        await tensor([[2], [1]])
          .sort(1)
          .values.array(),
      ).toEqual([[2], [1]]); // prettier-ignore
    });

    test.each([1, 2, 127, 128, 129, 257, 1000])("sorting rows of %i against the host, with ties and NaN", async (n) => {
      let bits = n;
      const draw = (): number => (bits = (Math.imul(bits, 1664525) + 1013904223) | 0) >>> 24;
      const data = Array.from({ length: 3 * n }, () => (draw() < 20 ? Number.NaN : draw() % 23));
      const x = tensor(data, [3, n]);
      for (const descending of [false, true]) {
        const expected = [0, 1, 2].flatMap((row) => {
          const key = (i: number): number => data[row * n + i];
          const order = Array.from({ length: n }, (_, i) => i);
          const sides = (i: number): number => (Number.isNaN(key(i)) ? 1 : 0);
          return order.sort(
            (i, j) => sides(i) - sides(j) || (sides(i) === 1 ? 0 : (descending ? -1 : 1) * (key(i) - key(j))) || i - j,
          ); // prettier-ignore
        });
        expect(await list(x.argsort(1, { descending }))).toEqual(expected);
        expect(await list(x.sort(1, { descending }).indices)).toEqual(expected);
        if (n < 300) expect(await list(x.cast("f64").argsort(1, { descending }))).toEqual(expected);
      }
    });

    test("slices replaced, makers, two numbers in where", async () => {
      const x = tensor([1, 2, 3, 4]);
      expect(await list(x.withSlice(0, -2, undefined, 9))).toEqual([1, 2, 9, 9]);
      expect(await list(x.withSlice(0, 1, 3, tensor([7])))).toEqual([1, 7, 7, 4]);
      expect(await list(x.withSlice(0, 2, 2, 9))).toEqual([1, 2, 3, 4]);
      expect(await list(where(x.gt(2), 1, -1))).toEqual([-1, -1, 1, 1]);
      expect(await list(arange(2, 9, 3))).toEqual([2, 5, 8]);
      expect(await list(arange(5, 0, -2))).toEqual([5, 3, 1]);
      expect([arange(2, 9, 3).dtype, arange(0, 1, 0.25).dtype, arange(3, 3).shape]).toEqual(["i32", "f32", [0]]);
      expect(await list(arange(0, 1, 0.25))).toEqual([0, 0.25, 0.5, 0.75]);
      expect(await list(linspace(-1, 1, 5))).toEqual([-1, -0.5, 0, 0.5, 1]);
      expect(await list(linspace(3, 8, 1))).toEqual([3]);
      expect((await linspace(0, 0.7, 50).data())[49]).toBe(Math.fround(0.7));
      expect(await eye(2, 3, "i32").array()).toEqual([
        [1, 0, 0],
        [0, 1, 0],
      ]); // prettier-ignore
      expect([await list(zerosLike(x)), await list(onesLike(x))]).toEqual([
        [0, 0, 0, 0],
        [1, 1, 1, 1],
      ]); // prettier-ignore
      expect(
        await list(
          tensor([
            [1, 2],
            [3, 4],
          ]).ravel(),
        ),
      ).toEqual([1, 2, 3, 4]); // prettier-ignore
      expect(await list(i32(1, 2, 3).maskedFill(i32(1, 2, 3).gt(1), 7))).toEqual([1, 7, 7]);
      expect(
        await tensor(
          [
            [1, 2],
            [3, 4],
          ],
          undefined,
          { dtype: "i32" },
        )
          .tril()
          .array(),
      ).toEqual([
        [1, 0],
        [3, 4],
      ]); // prettier-ignore
      const spoilt = tensor([
        [Number.NaN, Number.POSITIVE_INFINITY],
        [1, Number.NaN],
      ]); // prettier-ignore
      expect(await spoilt.triu(2).array()).toEqual([
        [0, 0],
        [0, 0],
      ]); // prettier-ignore
    });

    test("same padding with a stride gives ⌈size / stride⌉", async () => {
      const x = tensor([1, 2, 3, 4, 5], [1, 1, 5]);
      const ones = tensor([1, 1, 1, 1], [1, 1, 4]);
      expect(await list(x.conv(ones, { padding: "same", stride: 2 }))).toEqual([6, 14, 9]); // [0 1 2 3], [2 3 4 5], [4 5 0 0]
      expect(await list(new nn.MaxPool1d(3, { padding: "same", stride: 1 }).forward(x))).toEqual([2, 3, 4, 5, 5]);
      expect(await list(new nn.MaxPool1d(2, { padding: [[1, 0]], stride: 2 }).forward(x))).toEqual([1, 3, 5]);
      expect(
        await list(new nn.AvgPool1d(2, { padding: "same", stride: 1, countIncludePad: false }).forward(x)),
      ).toEqual([1.5, 2.5, 3.5, 4.5, 5]); // prettier-ignore
    });
  });
}

test("what is refused names the operation, the argument and the value", () => {
  const [x, image] = [zeros([2, 3]), zeros([1, 1, 3, 3])];
  const refused = (call: () => unknown): string => {
    try {
      call();
    } catch (error) {
      return String(error);
    }
    return "taken";
  };
  const calls: Record<string, () => unknown> = {
    "take of floats": () => x.take(zeros([2])),
    "take along no axis": () => x.take(i32(0), 2),
    "takeAlong of another rank": () => x.takeAlong(i32(0)),
    "takeAlong of another size": () => x.takeAlong(i32(0, 1, 2, 0, 1, 2, 0, 1).reshape(2, 4), 0),
    "scatter beside": () => x.scatter(i32(0, 1, 2, 0, 1, 2, 0, 1).reshape(2, 4), 1, 0),
    "indexAdd of another shape": () => x.indexAdd(i32(0), zeros([2, 3])),
    "withSlice too wide": () => x.withSlice(0, 0, 1, zeros([2, 3])),
    "maskedFill by numbers": () => x.maskedFill(x, 0),
    "maskedFill of i32 by halves": () => i32(1, 2).maskedFill(i32(1, 2).gt(1), 0.5),
    "scatter of wider values": () => i32(1, 2).scatter(i32(0), zeros([1])),
    "scatterAdd to bools": () => i32(1, 2).gt(1).scatterAdd(i32(0), 1),
    "maskedFill too large": () => x.maskedFill(zeros([4, 2, 3]).gt(0), 0),
    "split by 0": () => x.split(0),
    "split short": () => x.split([1, 3], 1),
    "chunk by text": () => x.chunk("2" as never),
    "tile by half": () => x.tile(0.5),
    "roll of two": () => x.roll([1, 2], 0),
    "tril of a vector": () => zeros([3]).tril(),
    "diagonal of one axis": () => x.diagonal(0, 1, -1),
    "moveAxis twice": () => x.moveAxis([0, 0], [0, 1]),
    "topk too many": () => x.topk(4),
    "sort along no axis": () => x.sort(2),
    "reflect too wide": () =>
      x.pad(
        [
          [0, 0],
          [3, 0],
        ],
        "reflect",
      ), // prettier-ignore
    "another pad mode": () =>
      x.pad(
        [
          [0, 0],
          [1, 0],
        ],
        "mirror" as never,
      ), // prettier-ignore
    "arange by 0": () => arange(0, 1, 0),
    "arange to nowhere": () => arange(Number.POSITIVE_INFINITY),
    "linspace of half": () => linspace(0, 1, 0.5),
    "eye of −1": () => eye(-1),
    "interpolate to nothing": () => interpolate(image, {}),
    "interpolate to 0": () => interpolate(image, { size: 0 }),
    "interpolate by −1": () => interpolate(image, { scale: -1 }),
    "interpolate otherwise": () => interpolate(image, { size: 2, mode: "area" as never }),
    "conv padding": () => image.conv(image, { padding: "full" as never }),
    "layer padding": () => new nn.Conv2d(1, 1, 3, { padding: [1, 1, 1] }),
    "layer padding below 0": () => new nn.Conv1d(1, 1, 3, { padding: [[0, -1]] }),
    "layer padding mode": () => new nn.Conv2d(1, 1, 3, { paddingMode: "mirror" as never }),
    "pool padding": () => new nn.MaxPool1d(3, { padding: [[0, 2]] }),
    "pool divisor": () => new nn.AvgPool3d(3, { divisorOverride: 0 }),
    "pool of images": () => new nn.MaxPool1d(3).forward(image),
  };
  const lines = Object.entries(calls).map(([name, call]) => `${name}: ${refused(call)}`);
  expect(lines.join("\n")).toMatchInlineSnapshot(`
    "take of floats: ShapeError: gather: indices must be i32, got f32; take x.cast("i32")
    take along no axis: ShapeError: take: axis 2 does not exist, the tensor has 2 axes
    takeAlong of another rank: ShapeError: takeAlong: indices need as many axes as the tensor, 2, got [1]
    takeAlong of another size: ShapeError: takeAlong: shapes do not broadcast, [1, 3] and [1, 4] (3 ≠ 4)
    scatter beside: ShapeError: scatter: indices [2, 4] do not fit beside [2, 3], axis 1 is longer
    indexAdd of another shape: ShapeError: indexAdd: values must be [1, 3], got [2, 3]
    withSlice too wide: ShapeError: withSlice: a value [2, 3] does not fit the slice [1, 3]
    maskedFill by numbers: ShapeError: maskedFill: the mask must be bool, got f32
    maskedFill of i32 by halves: RangeError: maskedFill: 0.5 is no i32, a whole number from −2³¹ to 2³¹ − 1 (take f32 or f64)
    scatter of wider values: ShapeError: scatter: values of f32 do not fit in i32 (cast one of them)
    scatterAdd to bools: ShapeError: scatterAdd: takes numbers, got bool (cast first)
    maskedFill too large: ShapeError: maskedFill: mask and value give [4, 2, 3], not [2, 3]
    split by 0: RangeError: split: size must be a whole number ≥ 1, got 0
    split short: ShapeError: split: sizes [1, 3] add up to 4, axis 1 of [2, 3] has 3
    chunk by text: TypeError: chunk: n must be a number, got string
    tile by half: RangeError: tile: times must be a whole number ≥ 0, got 0.5
    roll of two: ShapeError: roll: takes one shift per axis, got [1, 2] for [0]
    tril of a vector: ShapeError: tril: needs matrices, got [3]
    diagonal of one axis: ShapeError: diagonal: needs two axes, got 1 and -1
    moveAxis twice: ShapeError: moveAxis: axis 0 is named twice
    topk too many: RangeError: topk: k must be at most 3, the size of axis -1, got 4
    sort along no axis: ShapeError: sort: axis 2 does not exist, the tensor has 2 axes
    reflect too wide: ShapeError: pad: widths [3, 0] are more than reflect takes from axis 1 of [2, 3]
    another pad mode: RangeError: pad: mode must be constant, reflect, replicate or circular, got mirror
    arange by 0: RangeError: arange: step must not be 0, got 0
    arange to nowhere: RangeError: arange: stop must be a finite number, got Infinity
    linspace of half: RangeError: linspace: n must be a whole number ≥ 0, got 0.5
    eye of −1: RangeError: eye: rows must be a whole number ≥ 0, got -1
    interpolate to nothing: TypeError: interpolate: takes either size or scale, got neither
    interpolate to 0: RangeError: interpolate: size must be a whole number ≥ 1, got 0
    interpolate by −1: RangeError: interpolate: scale must be a number > 0, got -1
    interpolate otherwise: RangeError: interpolate: mode must be nearest, linear, bilinear, cubic or bicubic, got area
    conv padding: TypeError: conv: padding must be a number, "same", "valid" or a list, got "full"
    layer padding: ShapeError: Conv2d: padding must be one number or one per axis, [height, width], got 3
    layer padding below 0: ShapeError: Conv1d: padding must be a whole number ≥ 0, got -1
    layer padding mode: RangeError: Conv2d: paddingMode must be zeros, reflect, replicate or circular, got mirror
    pool padding: ShapeError: MaxPool1d: padding [2] is more than half of the window [3]
    pool divisor: ShapeError: AvgPool3d: divisorOverride must be a whole number ≥ 1, got 0
    pool of images: ShapeError: pool: needs images [N, C, W], got [1, 1, 3, 3], in MaxPool1d"
  `);
});
