// What is asked for happens in order and on the device of that moment, also where something before it fails; programs are told apart.
import { beforeEach, describe, expect, test } from "vitest";
import { WasmBackend } from "../../src/backend/wasm/index.ts";
import { compileTrace } from "../../src/compile/program.ts";
import { wasmTarget } from "../../src/compile/target.ts";
import { trace } from "../../src/graph/internal.ts";
import {
  compile,
  concat,
  device,
  full,
  grad,
  live,
  param,
  realize,
  type Tensor,
  tensor,
  uniform,
  where,
} from "../../src/index.ts";
import { adam } from "../../src/optim/index.ts";

beforeEach(() => void device("wasm", { threads: 1 }));

test("graphs that differ in what was simplified away are not taken for each other", async () => {
  const [a, b] = [tensor([1, 2, 3]), tensor([10, 20, 30])];
  expect(
    await concat([a.slice(0, 0, 0), b])
      .mul(1)
      .neg()
      .array(),
  ).toEqual([-10, -20, -30]);
  expect(
    await where(full([3], 1, "bool"), full([3], 1).mul(a), b)
      .neg()
      .array(),
  ).toEqual([-1, -2, -3]);
});

test("what was assigned before a failure comes before what is assigned after it", async () => {
  const [p, q] = [param([0, 0]), param([0, 0])];
  p.assign(live(() => [1, 2, 3], [2])); // gives too many numbers
  q.assign(1);
  const failing = tensor([1]).add(1).data();
  q.assign(2);
  const later = q.data();
  await expect(failing).rejects.toThrow("live");
  expect([...(await later)]).toEqual([2, 2]);
  expect(await q.array()).toEqual([2, 2]);
  expect(await p.array()).toEqual([0, 0]);
});

test("a gradient through a value that was read is refused, however many leaves it came from", async () => {
  const many = Array.from({ length: 300 }, (_, i) => param([i + 1]));
  const sum = many.reduce((a: Tensor, p) => a.add(p), full([1], 0));
  await sum.data();
  for (const p of [many[0], many[299]]) expect(() => grad(sum.square().sum(), p)).toThrow("has been read");
  const inputs = Array.from({ length: 300 }, (_, i) => tensor([i + 1]));
  const total = inputs.reduce((a, x) => a.add(x));
  await total.data();
  expect(() => grad(total.square().sum(), inputs[0])).toThrow("has been read");
  const w = param([2]);
  expect(await grad(total.mul(w).sum(), w).item()).toBe(45150); // of w it is a constant
});

test("a call computes on the device of when it was made", async () => {
  const step = compile((x: Tensor) => x.mul(2));
  const first = step(tensor([1]));
  device("js");
  const lazy = tensor([3]).mul(2);
  const computed = realize(lazy);
  device("wasm", { threads: 1 });
  const result = await first;
  await computed;
  const placeOf = (t: Tensor): string => (t.leaf("test").storage.resident!.device as { name: string }).name;
  expect([placeOf(result), placeOf(lazy)]).toEqual(["wasm", "js"]);
});

describe("leaves without elements", () => {
  test.each(["js", "wasm"] as const)("are updated, and trained, on %s", async (name) => {
    device(name);
    const p = param(new Float32Array(0), [0, 3]);
    p.assign(p.add(1));
    expect(await p.array()).toEqual([]);
    const model = { p, w: param([1]) };
    const optimizer = adam(model, () => model.p.sum().add(model.w.square().sum()), { lr: 0.1 });
    expect(await optimizer.step({ x: tensor([1]), y: tensor([1]) })).toBe(1);
  });
});

test("parts of one value are computed by several threads at once, and the verifier knows", () => {
  const a = tensor(new Float32Array(64), [8, 8]);
  const target = { ...wasmTarget, parallelWork: 1, alignment: 64 };
  const graph = trace([concat([a.exp(), a.tanh()], 1).mul(2)]);
  expect(compileTrace(graph, { target, verify: true }).calls.length).toBe(3);
});

test("a backend's own wish to verify holds", async () => {
  const backend = new WasmBackend({ threads: 1, verify: true });
  expect(device(backend)).toBe("wasm");
  expect(await tensor([1, 2]).add(1).array()).toEqual([2, 3]);
});

test("ranges that f32 cannot span are refused", () => {
  expect(() => uniform([3], -2e38, 2e38)).toThrow("uniform: needs low ≤ high, an f32 apart, got -2e+38 and 2e+38");
  expect(() => uniform([3], 1, 0)).toThrow(RangeError);
});

test("a division by almost a power of two stays one", async () => {
  const divisor = 16 * (1 + 2 ** -52);
  expect(await tensor(Float64Array.of(1.5)).div(divisor).item()).toBe(1.5 / divisor);
});
