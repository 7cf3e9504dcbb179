// Calls that overlap, and values that move between devices: results as if all happened one after another, on one device.
import { describe, expect, test } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import { JsBackend } from "../../src/backend/js/index.ts";
import { WasmBackend } from "../../src/backend/wasm/index.ts";
import { compile, device, grad, live, param, realize, state, type Tensor, tensor } from "../../src/index.ts";
import { mse } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { nativeDevice } from "../native-device.ts";

const native = nativeDevice();
const backends: Record<string, Backend> = {
  js: new JsBackend(),
  wasm: new WasmBackend({ threads: 1, poison: true }),
  ...(native === undefined ? {} : { native }),
};

describe.each(Object.keys(backends))("overlapping calls on %s", (name) => {
  test("of one function, and of two that share a leaf", async () => {
    device(backends[name]);
    const [w, count] = [param([1, 2]), state([0])];
    const grow = compile((x: Tensor) => {
      w.assign(w.mul(2).add(x));
      count.assign(count.add(1));
      return { before: w, sum: w.add(x) };
    });
    const halve = compile((x: Tensor) => {
      w.assign(w.sub(x).mul(0.5));
      return w.mul(x);
    });
    const calls: Promise<Tensor[]>[] = [];
    const expected: number[][] = [];
    let value = [1, 2];
    for (let i = 0; i < 12; i++) {
      const x = [i, 3 - i];
      if (i % 3 === 2) {
        calls.push(halve(tensor(x)).then((t) => [t]));
        expected.push(value.map((v, k) => v * x[k]));
        value = value.map((v, k) => (v - x[k]) / 2);
      } else {
        calls.push(grow(tensor(x)).then(({ before, sum }) => [before, sum]));
        expected.push([...value, ...value.map((v, k) => v + x[k])]);
        value = value.map((v, k) => 2 * v + x[k]);
      }
    }
    const found = await Promise.all(calls.map(async (call) => Promise.all((await call).map((t) => t.array()))));
    expect(found.map((f) => f.flat())).toEqual(expected);
    expect([await w.array(), await count.item()]).toEqual([value, 8]);
  });

  test("of which some fail: while they are traced, by a live value, by an input that cannot be computed", async () => {
    device(backends[name]);
    const w = param([1]);
    let reads = 0;
    const shaky = live(() => {
      if (++reads % 2 === 0) throw new Error("no value now");
      return 1;
    });
    const add = compile((x: Tensor) => {
      w.assign(w.add(x).add(shaky));
      return w.mul(10);
    });
    const refuse = compile((x: Tensor) => {
      w.assign(w.mul(100));
      return x.reshape(2, 3);
    });
    const broken = live(() => {
      throw new Error("never a value");
    });
    const [x, failing] = [tensor([1]), tensor([5]).add(broken)];
    const calls = [add(x), refuse(x), add(x), add(failing), add(x), w.add(shaky).data(), w.data(), add(x)];
    const settled = await Promise.allSettled(calls);
    expect(settled.map((s) => (s.status === "rejected" ? (s.reason as Error).message : "fine"))).toEqual([
      "fine",
      expect.stringContaining("reshape"),
      "no value now",
      "never a value",
      "fine",
      "no value now",
      "fine",
      "fine",
    ]);
    const value = async (i: number): Promise<number[]> => [
      ...(await (settled[i] as PromiseFulfilledResult<Tensor>).value.data()),
    ];
    expect([await value(0), await value(4), await value(7)]).toEqual([[10], [30], [50]]);
    expect([...(settled[6] as PromiseFulfilledResult<Float32Array>).value]).toEqual([5]);
    expect(await w.item()).toBe(7);
  });

  test("of an optimizer's step are refused, which is nothing to the step under way", async () => {
    device(backends[name]);
    const run = async (together: boolean): Promise<number[]> => {
      const w = param([1, -2, 3]);
      const optimizer = adam({ w }, (x: Tensor) => mse(w.mul(x), tensor([1, 1, 1])), { lr: 0.1 });
      const losses: number[] = [];
      for (let i = 0; i < 4; i++) {
        const step = optimizer.step(tensor([i - 2, 1, 0.5 * i]));
        if (together)
          await expect(optimizer.step(tensor([9, 9, 9]))).rejects.toThrow(
            "step: the step before has not finished (await it)",
          );
        losses.push(await step);
      }
      return [...losses, ...(await w.data())];
    };
    expect(await run(true)).toEqual(await run(false));
  });
});

describe("values that move", () => {
  const names = Object.keys(backends);
  const pairs = names.flatMap((a) => names.filter((b) => b !== a).map((b) => [a, b] as const));

  test.each(pairs)("from %s to %s: computed values, parameters, results of steps", async (from, to) => {
    device(backends[from]);
    const [w, x] = [param([[1, 2], [3, 4]]), tensor([[1, -1], [2, 0]]).mul(2)]; // biome-ignore format: a line
    const step = compile((t: Tensor) => {
      w.assign(w.add(t));
      return t.matmul(w);
    });
    await realize(x);
    const first = await step(x); // [[−4, −4], [4, 8]], w = [[3, 0], [7, 4]]
    device(backends[to]);
    expect(await x.add(first).array()).toEqual([[-2, -6], [8, 8]]); // biome-ignore format: a line
    const second = await step(first); // w = [[−1, −4], [11, 12]]
    expect(await second.array()).toEqual([[-40, -16], [68, 32]]); // biome-ignore format: a line
    const pending = step(x); // w = [[1, −6], [15, 12]]
    device(backends[from]);
    w.assign(w.mul(2));
    const g = grad(w.mul(second).sum(), w);
    expect(await g.array()).toEqual(await second.array());
    expect(await w.array()).toEqual([[2, -12], [30, 24]]); // biome-ignore format: a line
    expect(await (await pending).add(first).array()).toEqual([[-28, -36], [0, -8]]); // biome-ignore format: a line
  });

  test("a training that changes the device at every step is that of one device", async () => {
    const train = async (places: readonly Backend[]): Promise<number[]> => {
      const model = { w: param([[0.5, -1], [2, 0.25]]), b: param([0, 1]) }; // biome-ignore format: a line
      const loss = ({ x, y }: { x: Tensor; y: Tensor }): Tensor => mse(x.matmul(model.w).add(model.b).tanh(), y);
      const optimizer = adam(model, loss, { lr: 0.05 });
      const found: number[] = [];
      for (let i = 0; i < 9; i++) {
        device(places[i % places.length]);
        const x = tensor([[i % 3, 1], [-1, 0.5 * (i % 2)], [2, -1]]).mul(0.5); // biome-ignore format: a line
        found.push(await optimizer.step({ x, y: x.add(0.25) }));
      }
      return [...found, ...(await model.w.data()), ...(await model.b.data())];
    };
    const [alone, moving] = [await train([backends.js]), await train(Object.values(backends))];
    moving.forEach((v, i) => {
      expect(v).toBeCloseTo(alone[i], 5);
    });
  });
});
