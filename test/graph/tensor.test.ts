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
    "tensor: takes a typed array, a number or nested arrays of numbers, got a string",
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

test("lanes past a short axis read nothing, however far apart they lie", async () => {
  const x = tensor(
    Float32Array.from({ length: 3 * 512 * 512 }, (_, i) => i),
    [3, 512, 512],
  );
  const y = await x.flip(0).permute(1, 2, 0).add(0.5).data();
  expect([y[0], y[1], y[2], y[3]]).toEqual([2 * 512 * 512 + 0.5, 512 * 512 + 0.5, 0.5, 2 * 512 * 512 + 1.5]);
});

test("an input that the step updates is read as it was", async () => {
  const w = param([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  await w.add(1).data(); // now on the device
  await compile((x: ReturnType<typeof tensor>) => w.assign(x.flip()))(w);
  expect(await w.array()).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 0]);
});

test("what was assigned outside of steps comes before what reads it", async () => {
  const p = param([1]);
  p.assign(10);
  expect(await (await compile(() => p.mul(2))()).item()).toBe(20);
  p.assign(5);
  expect(await p.mul(2).item()).toBe(10);
});

test("a number beside a bool stays a number", async () => {
  const b = tensor(new Uint8Array([1, 0]));
  expect(await b.mul(0.5).array()).toEqual([0.5, 0]);
  expect(await b.add(2).array()).toEqual([3, 2]);
  expect(await b.eq(2).array()).toEqual([0, 0]);
  expect(await b.not().array()).toEqual([0, 1]);
  expect(() => tensor(new Uint8Array([200, 7]))).toThrow("stands for bool");
});

test("uploads are given back as well", async () => {
  for (let i = 0; i < 60; i++) await tensor(new Float32Array(25e6)).sum().item(); // 6 GB in all
}, 60_000);

test("bad geometry is refused", () => {
  const [x, w] = [tensor(new Float32Array(50), [1, 2, 5, 5]), tensor(new Float32Array(18), [1, 2, 3, 3])];
  expect(() => x.conv(w, { stride: 1.5 })).toThrow("conv: stride, dilation and groups must be whole numbers");
  expect(() => x.conv(w, { stride: [2] })).toThrow("one per spatial axis");
  expect(() => x.conv(w, { padding: 0.5 })).toThrow("conv: padding must be whole numbers");
});

test("gradients through a value that was read are refused, whole or in part", async () => {
  const w = param([2]);
  const hidden = w.mul(3);
  await hidden.data();
  expect(() => grad(hidden.mul(w).sum(), w)).toThrow("has been read");
});
