// Seams for devices that answer late and have limits: the primitive table, random graphs and steps on a backend of that kind.
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { trace } from "../src/graph/internal.ts";
import { compile, device, explain, grad, type Op, ones, param, realize, type Tensor, tensor } from "../src/index.ts";
import { crossEntropy, Linear, relu, Sequential } from "../src/nn/index.ts";
import { adam } from "../src/optim/index.ts";
import { cases } from "./cases.ts";
import { runLater } from "./harness.ts";
import { LateBackend } from "./late-backend.ts";
import { build, recipes } from "./random-graph.ts";
import { disagreement, referenceOf } from "./reference.ts";

const late = new LateBackend();

/** Differences of a graph's results, computed late, from double precision. */
async function problems(outputs: readonly Tensor[], updates: Parameters<typeof trace>[1] = []): Promise<string[]> {
  const plain = trace(outputs, updates, { simplify: false });
  const known = referenceOf(plain);
  const values = await runLater(late, trace(outputs, updates));
  const results = [...plain.outputs, ...plain.updates.map((u) => u.value)];
  return results.flatMap((n, i) => disagreement(values[i], known.get(n)!) ?? []);
}

test.each(Object.keys(cases) as Op[])("%s", async (op) => {
  const list = cases[op].filter((_, i) => i % 5 === 0);
  expect(await problems(list.map((c) => c.output))).toEqual([]);
});

test("random graphs", { timeout: 120_000 }, async () => {
  for (const recipe of fc.sample(recipes, { numRuns: 100, seed: 3 })) {
    const { outputs, updates } = build(recipe);
    expect(await problems(outputs, updates)).toEqual([]);
  }
});

describe("as the current device", () => {
  let before: string;
  beforeEach(() => {
    before = device();
    expect(device(late)).toBe("late");
  });
  afterEach(() => {
    device(before as "wasm");
  });

  test("steps, reads and assignments happen in the order in which they were asked for", async () => {
    const w = param([1, 2]);
    const step = compile((x: Tensor) => {
      w.assign(w.add(x));
      return w.mul(10);
    });
    const [a, b] = [step(tensor([1, 1])), step(tensor([10, 10]))]; // not awaited in between
    w.assign(w.mul(2)); // lands before the next thing that is computed
    const c = w.data();
    const d = step(tensor([100, 100]));
    expect([...(await (await a).data())]).toEqual([10, 20]);
    expect([...(await (await b).data())]).toEqual([20, 30]);
    expect([...(await c)]).toEqual([24, 26]);
    expect([...(await (await d).data())]).toEqual([240, 260]);
    expect([...(await w.data())]).toEqual([124, 126]);
  });

  test("a failed step is nothing to those after it", async () => {
    const huge = compile((x: Tensor) => x.exp());
    const fine = compile((x: Tensor) => x.add(1));
    const failing = huge(ones([2 ** 19])); // 2 MiB, twice what the device holds
    const next = fine(ones([2]));
    await expect(failing).rejects.toThrow("f32 [524288] takes 2097152 bytes, more than the 1048576");
    expect([...(await (await next).data())]).toEqual([2, 2]);
  });

  test("values move between devices", async () => {
    const x = tensor([1, 2, 3]).mul(2);
    await realize(x);
    device("wasm");
    const y = x.add(1);
    await realize(y);
    device("js");
    const z = y.mul(x);
    await realize(z);
    device(late);
    expect([...(await z.add(x).data())]).toEqual([8, 24, 48]);
    const step = compile((t: Tensor) => t.add(y));
    expect([...(await (await step(x)).data())]).toEqual([5, 9, 13]);
  });

  test("a network trains as on other devices, and explain tells of the program that runs", async () => {
    const losses = async (): Promise<number[]> => {
      const model = new Sequential(new Linear(3, 8), relu, new Linear(8, 2));
      for (const [i, p] of [model[0], model[2]].entries()) {
        const { weight, bias } = p as Linear;
        weight.assign(
          tensor(
            Float32Array.from({ length: weight.size }, (_, k) => Math.fround(((k * 7 + i) % 5) / 5 - 0.4)),
            weight.shape,
          ),
        );
        bias!.assign(0);
      }
      const x = tensor(
        Float32Array.from({ length: 30 }, (_, k) => ((k * 11) % 7) / 7),
        [10, 3],
      );
      const y = tensor(Int32Array.from({ length: 10 }, (_, k) => k % 2));
      const optimizer = adam(model, (batch: { x: Tensor; y: Tensor }) => crossEntropy(model.forward(batch.x), batch.y));
      const found: number[] = [];
      for (let i = 0; i < 5; i++) found.push(await optimizer.step({ x, y }));
      return found;
    };
    const here = await losses();
    device("wasm");
    const there = await losses();
    here.forEach((loss, i) => {
      expect(loss).toBeCloseTo(there[i], 5);
    });
    device(late);
    const p = param([1, 2, 3]);
    const explained = await explain(grad(p.square().sum(), p));
    expect(explained.device).toBe("late");
    expect(explained.kernels.length).toBe(1);
  });
});
