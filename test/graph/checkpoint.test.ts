// Values computed again for derivatives: the same gradients to the bit, one forward pass more, and less memory.
import { expect, test } from "vitest";
import { WasmBackend } from "../../src/backend/wasm/index.ts";
import { trace } from "../../src/graph/internal.ts";
import {
  checkpoint,
  compile,
  grad,
  hvp,
  param,
  seed,
  type Tensor,
  tensor,
  training,
  uniform,
} from "../../src/index.ts";
import {
  BatchNorm1d,
  checkpoint as checkpointed,
  Dropout,
  Linear,
  namedTensors,
  relu,
  Sequential,
  tanh,
} from "../../src/nn/index.ts";

const noise = (...shape: number[]): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(1 + 7 * i)),
    shape,
  );

test("gradients, second derivatives and draws are those without", async () => {
  const w = [0, 1, 2].map((i) =>
    param(
      Float32Array.from({ length: 16 }, (_, k) => Math.cos(k + i)),
      [4, 4],
    ),
  );
  const x = noise(5, 4);
  const block = (h: Tensor, m: Tensor): Tensor =>
    h
      .matmul(m)
      .tanh()
      .mul(uniform([5, 4]).lt(0.8).cast("f32"))
      .add(h);
  const loss = (wrap: (fn: () => Tensor) => (h: Tensor, m: Tensor) => Tensor) =>
    compile((h: Tensor) => {
      const last = w
        .reduce((at, m) => wrap(block as never)(at, m), h)
        .square()
        .sum();
      return { last, gradients: grad(last, w), curved: hvp(last, w, w) };
    });
  const plain = loss((fn) => fn as never);
  const again = loss((fn) => (h, m) => checkpoint(fn as never, h, m));
  const nested = loss(
    (fn) => (h, m) => checkpoint((a: Tensor, b: Tensor) => checkpoint(fn as never, a, b).neg(), h, m).neg(),
  );
  const of = async (step: typeof plain) => {
    seed(3);
    const { last, gradients, curved } = await step(x);
    return Promise.all([last, ...gradients, ...curved].map(async (t) => [...(await t.data())]));
  };
  const expected = await of(plain);
  for (const found of [await of(again), await of(nested)])
    found.forEach((values, i) => {
      const scale = Math.max(...expected[i].map(Math.abs));
      for (const [k, v] of values.entries()) expect(Math.abs(v - expected[i][k]) / scale).toBeLessThan(2e-6);
    });
});

test("a chain takes less memory", () => {
  const backend = new WasmBackend({ threads: 1 });
  const arena = (wrap: (h: Tensor, f: (h: Tensor) => Tensor) => Tensor): number => {
    const layers = Array.from({ length: 16 }, (_, i) =>
      param(noise(64, 64).size ? Float32Array.from({ length: 4096 }, (_, k) => Math.sin(k * i)) : [], [64, 64]),
    );
    let h: Tensor = noise(256, 64);
    for (let i = 0; i < 16; i += 4)
      h = wrap(h, (t) => layers.slice(i, i + 4).reduce((at, m) => at.matmul(m).tanh(), t));
    const gradients = grad(h.sum(), layers);
    return backend.prepare(
      trace(
        [],
        gradients.map((g, i) => ({ leaf: layers[i], value: layers[i].sub(g) })),
      ),
    ).program!.arenaBytes;
  };
  const without = arena((h, f) => f(h));
  const withThem = arena((h, f) => checkpoint(f, h));
  expect(withThem).toBeLessThan(0.7 * without);
});

test("a layer keeps its names, and updates are made once", async () => {
  const layer = new Sequential(new Linear(4, 8), new BatchNorm1d(8), relu, new Dropout(0.5), new Linear(8, 4), tanh);
  const wrapped = checkpointed(layer);
  expect([...namedTensors(wrapped).keys()]).toEqual([...namedTensors(layer).keys()]);
  const step = (model: { forward(x: Tensor): Tensor }) =>
    compile((x: Tensor) => {
      const loss = training(() => model.forward(x))
        .square()
        .sum();
      return grad(
        loss,
        [...namedTensors(layer).values()].filter((t) => t.leaf("test").role === "param"),
      );
    });
  const mean = namedTensors(layer).get("1.running_mean")!;
  const before = await mean.data();
  seed(5);
  const first = await step(layer)(noise(6, 4));
  const moved = await mean.data();
  mean.assign(tensor(before));
  seed(5);
  const second = await step(wrapped)(noise(6, 4));
  expect([...(await mean.data())]).toEqual([...moved]);
  for (let i = 0; i < first.length; i++) {
    const [a, b] = [await first[i].data(), await second[i].data()];
    for (const [k, v] of a.entries()) expect(b[k]).toBeCloseTo(v, 5);
  }
});

test("refuses what is no tensor, and what is no layer", () => {
  expect(() => checkpoint((() => [noise(2)]) as never, noise(2))).toThrowErrorMatchingInlineSnapshot(
    `[TypeError: checkpoint: its function must give one tensor, got an array]`,
  );
  expect(() => checkpointed(undefined as never)).toThrow("checkpoint: takes a layer, got undefined");
});
