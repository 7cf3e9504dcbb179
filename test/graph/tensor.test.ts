// The tensor's surface: broadcasting, views, reductions, indexing, compiled steps, on the reference backend.
import { beforeAll, expect, test } from "vitest";
import {
  compile,
  concat,
  device,
  grad,
  hvp,
  live,
  param,
  seed,
  state,
  tensor,
  uniform,
  where,
} from "../../src/index.ts";

beforeAll(() => {
  device("wasm", { threads: 1 });
});

test("arithmetic broadcasts", async () => {
  const a = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  expect(await a.add(tensor([10, 20, 30])).array()).toEqual([
    [11, 22, 33],
    [14, 25, 36],
  ]);
  expect(await a.sub(a.mean(1, { keepDims: true })).array()).toEqual([
    [-1, 0, 1],
    [-1, 0, 1],
  ]);
  expect(await a.transpose().matmul(a).at(0).array()).toEqual([17, 22, 27]);
  expect(await where(a.gt(2), a, 0).sum().item()).toBe(18);
  expect(await a.argmax().array()).toEqual([2, 2]);
  expect(await concat([a, a.mul(2)], 1).array()).toEqual([
    [1, 2, 3, 2, 4, 6],
    [4, 5, 6, 8, 10, 12],
  ]);
});

test("gradients of gradients", async () => {
  const x = tensor([0.5, -1.5]);
  const y = x.mul(x).mul(x).sum();
  const [g] = grad(y, [x]);
  expect(await g.array()).toEqual([0.75, 6.75]);
  expect(await hvp(y, [x], [tensor([1, 1])])[0].array()).toEqual([3, -9]);
});

test("a compiled step replays with new inputs, updates and live values", async () => {
  const w = param([1, 2]);
  const counter = state([0]);
  let rate = 1;
  const lr = live(() => rate);
  const step = compile(({ x }: { x: ReturnType<typeof tensor> }) => {
    const loss = w.mul(x).sum();
    w.assign(w.sub(grad(loss, w).mul(lr)));
    counter.assign(counter.add(1));
    return loss;
  });
  expect(await (await step({ x: tensor([1, 1]) })).item()).toBe(3);
  rate = 0.5;
  expect(await (await step({ x: tensor([2, 4]) })).item()).toBe(4);
  expect(await w.array()).toEqual([-1, -1]);
  expect(await counter.item()).toBe(2);
});

test("random draws follow the seed", async () => {
  seed(7);
  const a = await uniform([4]).array();
  seed(7);
  expect(await uniform([4]).array()).toEqual(a);
});

test("errors name the operation and the shapes", () => {
  expect(() => tensor([[1, 2]]).matmul(tensor([[1, 2]]))).toThrow(
    "matmul: inner sizes differ, [1, 2] · [1, 2] (2 ≠ 1)",
  );
  expect(() => tensor([1, 2, 3]).reshape(2, 2)).toThrow("reshape: element counts differ, [3] → [2, 2]");
});

test("a tight loop over large results does not pile them up", async () => {
  const big = compile((x: ReturnType<typeof tensor>) => x.add(1).expand(16, 1024, 1024)); // 64 MiB a call, 5 GiB in all
  for (let i = 0; i < 80; i++) await big(tensor([i]));
  using last = await big(tensor([1]));
  expect(last.shape).toEqual([16, 1024, 1024]);
}, 60_000);

test("what was disposed of, or read before grad, is refused", async () => {
  const x = param([1, 2]);
  const y = x.square();
  await y.data();
  expect(() => grad(y.sum(), x)).toThrow("grad: a value that it passes through has been read");
  y[Symbol.dispose]();
  await expect(y.data()).rejects.toThrow("tensor: it has no value");
});

test("misuse is named", () => {
  const w = param([1, 2, 3]);
  const loss = w.square().sum();
  expect(() => hvp(loss, [w], [tensor([1, 1])])).toThrow("jvp: vector 0 has the shape [2], its x [3]");
  expect(() => hvp(loss, [w], [])).toThrow("jvp: needs one vector for each x, got 0 for 1");
  expect(() => tensor("abc" as never)).toThrow(
    "tensor: takes a typed array, a number or nested arrays of numbers, got string",
  );
  expect(() => device("wasm", { threads: 0 })).toThrow("threads must be a whole number from 1 to 256, got 0");
});

test("plain values of a compiled function select the trace", async () => {
  const scale = compile((x: ReturnType<typeof tensor>, by: { factor: number }, shift: number) =>
    x.mul(by.factor).add(shift),
  );
  class Scale {
    factor: number;
    constructor(factor: number) {
      this.factor = factor;
    }
  }
  expect(await (await scale(tensor([1]), new Scale(2), 0)).item()).toBe(2);
  expect(await (await scale(tensor([1]), new Scale(3), 1)).item()).toBe(4);
});

test("a realized input does not stop gradients of others", async () => {
  const [w, unused] = [param([2]), param([5])];
  const x = tensor([3]).mul(2);
  await x.data();
  expect(await Promise.all(grad(w.mul(x).sum(), [w, unused]).map((g) => g.item()))).toEqual([6, 0]);
});
