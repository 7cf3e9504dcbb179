// Memory of a device that runs short: forgotten tensors are freed and the run is repeated; runs that fail leave nothing behind.
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { OutOfMemory } from "../../src/backend/backend.ts";
import { WasmBackend } from "../../src/backend/wasm/index.ts";
import {
  compile,
  device,
  live,
  param,
  randomState,
  realize,
  seed,
  type Tensor,
  tensor,
  uniform,
} from "../../src/index.ts";
import { currentBackend } from "../../src/run/device.ts";

let backend: WasmBackend;

beforeAll(() => {
  device("wasm", { threads: 1 });
  const current = currentBackend();
  if (!(current instanceof WasmBackend)) throw new Error("needs the wasm backend");
  backend = current;
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** The next `times` allocations of at least so many elements fail. */
function starve(times: number, elements = 0): void {
  vi.restoreAllMocks();
  const real = backend.allocate.bind(backend);
  let left = times;
  vi.spyOn(backend, "allocate").mockImplementation((dtype, size) => {
    if (size >= elements && left-- > 0) throw new OutOfMemory("starved");
    return real(dtype, size);
  });
}

test("a full memory is emptied of what is forgotten", async () => {
  const room = 160 * 2 ** 20;
  const hog = backend.machine.alloc(2 ** 32 - backend.machine.used - 2 ** 20 - room);
  try {
    const step = compile((x: Tensor) => x.add(1).expand(8, 1024, 1024)); // 32 MiB a call
    for (let i = 0; i < 12; i++) await step(tensor([i]));
    for (let i = 0; i < 12; i++) await realize(tensor([i]).mul(2).expand(8, 1024, 1024));
    for (let i = 0; i < 12; i++)
      expect(
        (
          await tensor(new Float32Array(2 ** 23))
            .max()
            .data()
        )[0],
      ).toBe(0);
  } finally {
    backend.machine.free(hog);
  }
}, 30_000);

test("what was short at first is done once, with the same random numbers", async () => {
  const w = param([1]);
  const step = compile((x: Tensor) => {
    w.assign(w.add(1));
    return x.mul(2).add(uniform([3]));
  });
  seed(5);
  const expected = [...(await (await step(tensor([1, 2, 3]))).data())];
  expect(randomState().counter).toBe(1);
  seed(5);
  starve(1, 3);
  expect([...(await (await step(tensor([1, 2, 3]))).data())]).toEqual(expected);
  expect(randomState().counter).toBe(1);
  expect(await w.array()).toEqual([3]);
  starve(1);
  expect(await tensor([1, 2]).mul(3).array()).toEqual([3, 6]);
});

test("a run that fails gives back what it had", async () => {
  const x = tensor([1, 2, 3]);
  const two = compile((t: Tensor) => [t.add(1), t.expand(1000, 3).add(t)]);
  await two(x);
  await x.add(0.5).data();
  starve(2, 3000);
  await expect(two(x)).rejects.toThrow("starved"); // and frees what other tests have left
  const before = backend.machine.used;
  starve(2, 3000);
  await expect(two(x)).rejects.toThrow("starved");
  expect(backend.machine.used).toBe(before);
  const lazy = x.add(1).expand(1000, 3).add(x);
  for (let i = 0; i < 2; i++) {
    starve(2, 3000);
    await expect(lazy.data()).rejects.toThrow("starved");
  }
  expect(backend.machine.used - before).toBeLessThanOrEqual(64); // its program's table
  vi.spyOn(backend.machine, "run").mockImplementation(() => {
    throw new Error("trapped");
  });
  const now = backend.machine.used;
  await expect(two(x)).rejects.toThrow("trapped");
  expect(backend.machine.used).toBe(now);
});

test("a first call that fails for want of memory can be made again, and traces once", async () => {
  let traced = 0;
  const step = compile((x: Tensor) => {
    traced++;
    return x.add(7);
  });
  starve(2, 5);
  await expect(step(tensor([1, 2, 3, 4, 5]))).rejects.toThrow("starved");
  starve(1, 5);
  expect(await (await step(tensor([1, 2, 3, 4, 5]))).array()).toEqual([8, 9, 10, 11, 12]);
  expect(traced).toBe(1);
});

test("live leaves are read once for a run, however often it is tried", async () => {
  let reads = 0;
  const l = live(() => ++reads);
  const [t, p] = [l.expand(5).add(1), param([0])];
  starve(1, 5);
  expect(await t.array()).toEqual([2, 2, 2, 2, 2]);
  const step = compile((x: Tensor) => l.expand(5).add(x));
  starve(1, 5);
  expect(await (await step(tensor([1]))).array()).toEqual([3, 3, 3, 3, 3]);
  for (let i = 0; i < 2; i++) p.assign(p.add(l));
  starve(1, 5);
  expect(await l.expand(5).array()).toEqual([5, 5, 5, 5, 5]); // the assignments are runs of their own
  expect(await p.array()).toEqual([7]);
});
