// Nodes that the user holds stay nodes: derivatives with respect to any value on the way, and values apart from the parameters they came from.
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  concat,
  device,
  full,
  grad,
  hvp,
  jvp,
  param,
  realize,
  stack,
  state,
  type Tensor,
  tensor,
  where,
} from "../../src/index.ts";
import { testDevices } from "../devices.ts";

const same = [1, 2, 3, 4];

/** Ways to write the very same value. */
const identities: Record<string, (x: Tensor) => Tensor> = {
  "reshape to its own shape": (x) => x.reshape(4),
  "reshape there and back": (x) => x.reshape(2, 2).reshape(4),
  "minus minus": (x) => x.neg().neg(),
  "add 0": (x) => x.add(0),
  "subtract 0": (x) => x.sub(0),
  "times 1": (x) => x.mul(1),
  "divided by 1": (x) => x.div(1),
  "to the power 1": (x) => x.pow(1),
  "a whole slice": (x) => x.slice(0, 0),
  "no padding": (x) => x.pad([[0, 0]]),
  "a cast to its own dtype": (x) => x.cast("f32"),
  "an expansion to its own shape": (x) => x.expand(4),
  "an expansion of an expansion": (x) => x.reshape(1, 4).expand(3, 4).expand(3, 4).at(1),
  "a permutation of one axis": (x) => x.permute(0),
  "two transpositions": (x) => x.reshape(2, 2).transpose().transpose().reshape(4),
  "a flip of nothing": (x) => x.flip([]),
  "two flips": (x) => x.flip().flip(),
  "a sum over no axes": (x) => x.sum([]),
  "a maximum over no axes": (x) => x.max([]),
  "a choice that is settled": (x) => where(full([4], 1, "bool"), x, 0),
  "a concatenation of one": (x) => concat([x]),
  "a concatenation with nothing": (x) => concat([x.slice(0, 0, 0), x]),
  "a slice of a stack": (x) => stack([x, x.mul(2)]).at(0),
};

describe.each(testDevices)("on %s", (name) => {
  beforeAll(() => void device(name, { threads: 1 }));

  test.each(Object.entries(identities))("%s: gradients pass through it, and stop at it", async (_, of) => {
    const x = param(same);
    const before = of(x);
    const after = of(before.mul(1.5));
    const loss = after.square().sum();
    const found = grad(loss, [x, before, after]);
    expect(await Promise.all(found.map((g) => g.array()))).toEqual([
      same.map((v) => 4.5 * v),
      same.map((v) => 4.5 * v),
      same.map((v) => 3 * v),
    ]);
    const [second] = hvp(loss, [before], [tensor([1, 0, 0, 2])]);
    expect(await second.array()).toEqual([4.5, 0, 0, 9]);
    const [forward] = jvp([after], [before], [tensor([1, 0, 0, 2])]);
    expect(await forward.array()).toEqual([1.5, 0, 0, 3]);
  });

  test.each(Object.entries(identities))("%s of a parameter keeps its value when that changes", async (_, of) => {
    for (const leaf of [param(same), state(same)]) {
      const kept = of(leaf);
      await realize(kept);
      leaf.assign(tensor([5, 6, 7, 8]));
      await realize();
      expect(await kept.array()).toEqual(same);
      expect(await leaf.array()).toEqual([5, 6, 7, 8]);
    }
  });

  test("gradients with respect to constants and to what a subtraction takes away", async () => {
    const [x, b, c] = [param([1, 2]), param([3, 4]), full([2], 2)];
    const h = b.neg();
    const loss = x.sub(h).mul(c).square().sum();
    expect(await Promise.all(grad(loss, [h, c]).map((g) => g.array()))).toEqual([
      [-32, -48],
      [64, 144],
    ]);
  });

  test("slices of one value: their gradients are put together, with zeros where nothing was read", async () => {
    const x = param(Array.from({ length: 12 }, (_, i) => i)).reshape(4, 3);
    const pieces = [x.slice(0, 3, 4).mul(2), x.slice(0, 0, 2).mul(3)];
    const loss = concat(pieces).sum().add(x.at(0).sum());
    expect(await grad(loss, x).array()).toEqual([
      [4, 4, 4],
      [3, 3, 3],
      [0, 0, 0],
      [2, 2, 2],
    ]);
    const overlapping = x
      .slice(0, 0, 3)
      .sum()
      .add(x.slice(0, 1, 4).mul(2).sum());
    expect(await grad(overlapping, x).array()).toEqual([
      [1, 1, 1],
      [3, 3, 3],
      [3, 3, 3],
      [2, 2, 2],
    ]);
  });

  test("derivatives at ties, kinks and jumps", async () => {
    const kink = param([0, -0, 1, -1]);
    expect(await grad(kink.abs().sum(), kink).array()).toEqual([0, 0, 1, -1]);
    expect(await hvp(kink.abs().sum(), [kink], [tensor([1, 1, 1, 1])])[0].array()).toEqual([0, 0, 0, 0]);
    const x = param([-1, 0]);
    expect(await grad(x.max().sqrt(), x).array()).toEqual([0, Number.POSITIVE_INFINITY]);
    const tied = param([2, 2, 1]);
    expect(await grad(tied.max(), tied).array()).toEqual([0.5, 0.5, 0]);
    for (const dtype of ["i32", "bool"] as const)
      expect(await jvp([x.cast(dtype)], [x], [tensor([1, 1])])[0].array()).toEqual([0, 0]);
    expect(await grad(x.sign().mul(x).sum(), x).array()).toEqual([-1, 0]);
  });

  test("the derivative of a remainder counts whole divisors, however many", async () => {
    const [x, y] = [param([7, -7, 1e9, 6]), param([3, 3, 7, 3])];
    const [dx, dy] = grad(x.mod(y).sum(), [x, y]);
    expect(await dx.array()).toEqual([1, 1, 1, 1]);
    expect(await dy.array()).toEqual([-2, 3, Math.fround(-142857142), -2]);
  });

  test("signs of zeros are kept", async () => {
    const zero = tensor([-0]);
    expect(await concat([zero, tensor([1])]).array()).toEqual([-0, 1]);
    expect(await zero.add(0).array()).toEqual([0]);
    expect(await zero.sub(0).array()).toEqual([-0]);
    expect(await stack([zero, zero]).sum([]).array()).toEqual([[-0], [-0]]);
  });
});

describe("values without elements", () => {
  afterEach(() => void device("wasm", { threads: 1 }));

  test.each(testDevices)("reach no kernel on %s", async (name) => {
    device(name, { threads: 1 });
    const empty = tensor(new Float32Array(0), [2, 3, 0]);
    expect(await empty.permute(1, 0, 2).reshape(6, 0).pad([[0, 0], [1, 1]]).array()).toEqual(new Array(6).fill([0, 0])); // biome-ignore format: a line
    const x = param([[1, 2], [3, 4]]); // biome-ignore format: a line
    expect(await grad(x.slice(1, 2, undefined, 2).exp().sum(), x).array()).toEqual([[0, 0], [0, 0]]); // biome-ignore format: a line
    expect(await x.matmul(tensor(new Float32Array(0), [2, 0])).array()).toEqual([[], []]);
    expect(await tensor(new Float32Array(0), [2, 0]).matmul(tensor(new Float32Array(0), [0, 3])).array()).toEqual([[0, 0, 0], [0, 0, 0]]); // biome-ignore format: a line
    expect(await empty.sum().array()).toBe(0);
    expect(await empty.sum(2).array()).toEqual([[0, 0, 0], [0, 0, 0]]); // biome-ignore format: a line
    const rows = tensor(new Int32Array(0), [0]);
    const table = param([[1], [2]]);
    expect(await grad(table.gather(rows).sum(), table).array()).toEqual([[0], [0]]);
    expect(await concat([empty, tensor(new Float32Array(6), [2, 3, 1])], 2).array()).toEqual([[[0], [0], [0]], [[0], [0], [0]]]); // biome-ignore format: a line
    expect(await empty.flip().cast("i32").data()).toEqual(new Int32Array(0));
    expect(() => empty.max()).toThrow("max: of no elements");
  });
});
