// Kernels that take turns strip by strip: the same values in less memory, for any number of threads, and nobody sees another's strip.
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { NativeBackend } from "../src/backend/native/index.ts";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import { compileTrace, type Program, printProgram } from "../src/compile/program.ts";
import { nativeTarget, type Target, wasmTarget } from "../src/compile/target.ts";
import { type Data, type Trace, trace } from "../src/graph/internal.ts";
import { arange, grad, param, type Tensor, tensor, training, where } from "../src/index.ts";
import { LayerNorm, MultiHeadAttention, softmax } from "../src/nn/index.ts";
import { bind, breathe, runTrace } from "./harness.ts";
import { build, recipes } from "./random-graph.ts";
import { disagreement, referenceOf } from "./reference.ts";

/** A machine with so little cache that small graphs have runs. */
const narrow: Target = { ...wasmTarget, strips: { least: 2, units: 1, spared: 16, room: 1024 }, parallelWork: 1 };
const without = new Set(["strips"] as const);
const wasm = (threads: number, options = {}): WasmBackend =>
  new WasmBackend({ threads, poison: true, verify: true, target: narrow, ...options });
const backends = [wasm(1), wasm(2), wasm(3)];
const whole = wasm(1, { without });

afterAll(() => Promise.all([...backends, whole].map((b) => b.machine.close())));

const numbers = (...shape: number[]): Float32Array =>
  Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(i * 0.37) * 2);
const values = (...shape: number[]): Tensor => tensor(numbers(...shape), shape);
const compiled = (graph: Trace, target: Target = wasmTarget): Program => compileTrace(graph, { target, verify: true });
const attention = (q: Tensor, k: Tensor, v: Tensor): Tensor => softmax(q.matmul(k.transpose())).matmul(v);
const close = (found: Data, wanted: Data, within = 1e-5): void => {
  expect(found.length).toBe(wanted.length);
  expect(found.findIndex((x, i) => !(Math.abs(x - wanted[i]) <= within))).toBe(-1);
};

test("random graphs agree in strips, with any number of threads", { timeout: 300_000 }, async () => {
  await Promise.all(backends.map((b) => b.machine.ready()));
  let [inStrips, count] = [0, 0];
  const property = fc.asyncProperty(recipes, async (recipe) => {
    const { outputs, updates } = build(recipe);
    const graph = trace(outputs, updates);
    if (++count % 16 === 0) await breathe();
    const forms = [true, false].map((repeated) => compileTrace(graph, { target: narrow, repeated, verify: true }));
    if (forms.every(({ runs }) => runs.length === 0)) return;
    inStrips++;
    const plain = trace(outputs, updates, { simplify: false });
    const known = referenceOf(plain);
    const wanted = [...plain.outputs, ...plain.updates.map((u) => u.value)];
    const results = runTrace(backends[0], graph);
    results.forEach((found, k) => {
      expect(disagreement(found, known.get(wanted[k])!), `result ${k}`).toBeUndefined();
    });
    for (const b of backends.slice(1)) expect(runTrace(b, graph)).toEqual(results);
  });
  await fc.assert(property, { seed: 7, numRuns: 1000 });
  console.log(`random graphs: ${inStrips} of ${count} have kernels that take turns`);
  expect(inStrips).toBeGreaterThan(100);
});

test.each([1, 2])("attention and its gradient, %i threads in C", async (threads) => {
  const native = new NativeBackend({ threads, poison: true, verify: true, leastWork: [0, 0] });
  await native.machine.ready();
  const [q, k, v] = [1, 2, 3].map((n) =>
    param(
      numbers(2, 8, 256, 32).map((x) => x / n),
      [2, 8, 256, 32],
    ),
  );
  const out = attention(q, k, v);
  const graph = trace([out, ...grad(out.mul(out).sum(), [q, k, v])]);
  expect(compiled(graph).runs.length).toBeGreaterThan(0);
  const expected = runTrace(wasm(1, { without, target: wasmTarget }), graph);
  runTrace(native, graph).forEach((found, i) => {
    close(found, expected[i], 1e-3);
  });
  await native.machine.close();
});

test("attention without its matrix in memory", () => {
  const [q, k, v] = [1, 2, 3].map(() => values(4, 1024, 64));
  const graph = trace([attention(q, k, v)]);
  const { runs, arenaBytes, stripBytes, calls } = compiled(graph);
  expect(runs.length).toBe(1);
  expect(runs[0].inside.size).toBeGreaterThanOrEqual(4); // products, greatest of each row, exponentials, their sums
  expect(calls.length - runs[0].calls).toBeLessThanOrEqual(3);
  expect(arenaBytes + 2 * stripBytes).toBeLessThan(5e6);
  expect(compileTrace(graph, { without }).arenaBytes).toBeGreaterThan(3e7); // 4 · 1024 · 1024 of four bytes, twice
});

test("keys that are too large for the second-level cache are read from the third", () => {
  const [q, k, v] = [1, 2, 3].map(() => values(6, 4096, 64));
  for (const target of [wasmTarget, nativeTarget(16)]) {
    const { runs, arenaBytes, stripBytes } = compiled(
      trace(grad(attention(q, k, v).square().sum(), [q, k, v])),
      target,
    );
    expect(Math.max(...runs.map((r) => r.calls))).toBeGreaterThan(4);
    expect(arenaBytes + 2 * stripBytes).toBeLessThan(2.3 * 4 * 6 * 4096 ** 2); // what the gradient keeps: two of them
  }
  const { arenaBytes, runs } = compiled(trace([attention(q, k, v)]), nativeTarget(16));
  expect([runs.length, arenaBytes < 2e7]).toEqual([1, true]);
});

test("softmax and layer norm take one pass over memory", () => {
  const x = values(4096, 500);
  for (const y of [softmax(x), new LayerNorm(500).forward(x)]) {
    const { runs, calls } = compiled(trace([y]));
    expect([runs.length, runs[0].calls]).toEqual([1, calls.length]);
  }
  expect(printProgram(compiled(trace([softmax(x)])))).toMatch(/\d+ strips of\n {2}k0\(leaf0, strip@0\)\n {2}k1/);
});

test("small programs, rows that differ and chains over the batch are left as they are", () => {
  const x = values(4096, 500);
  const none = [
    softmax(values(64, 10)), // in the cache anyhow
    x.sub(x.mean(0)).square().sum(0), // each strip needs all of the means
    x.flip().mul(2).sum(1), // one kernel
    softmax(values(4099, 500)), // 4099 is prime: strips of one row or all
  ];
  const strips = none.map((y) => compiled(trace([y])).runs.map((r) => r.strips));
  expect(strips).toEqual([[], [], [], [4099]]);
});

/** Each reads of C, or of A, what other strips of the kernel before would have to write first. */
test.each([
  (x: Tensor, y: Tensor) => {
    const [a, c] = [x.max(1, { keepDims: true }), y.max(1)];
    return x.sub(a).mul(y).add(c.reshape(1, 1024)).max(1);
  },
  (x: Tensor, y: Tensor) => {
    const [a, c] = [x.max(1, { keepDims: true }), y.max(1, { keepDims: true })];
    return x.sub(a).mul(y).add(c).add(c.transpose()).max(1);
  },
  (x: Tensor, y: Tensor) => grad(x.tanh().max(-2).mul(y.max(1)).sum(), [x])[0],
])("what strips read of others is written before, %#", (make) => {
  const start = (k: number): Tensor => {
    const values = Float32Array.from({ length: 1024 * 1024 }, (_, i) => Math.sin(i * k) * 500);
    return param(values, [1024, 1024]);
  };
  const graph = trace([make(start(0.1), start(0.3))]);
  const [wanted] = runTrace(wasm(1, { without, target: wasmTarget }), graph);
  for (const target of [wasmTarget, { ...wasmTarget, strips: { ...wasmTarget.strips, room: 4096, spared: 16 } }]) {
    compiled(graph, target);
    for (const threads of [1, 3]) close(runTrace(wasm(threads, { target }), graph)[0], wanted, 0);
  }
});

test("of values inside a run a strip has to fit, and no more buffers than a device allows", () => {
  const [q, k, v] = [1, 2, 3].map(() => values(4, 1024, 64));
  const graph = trace([attention(q, k, v)]);
  const small: Target = { ...wasmTarget, mostBytes: 2 ** 20 };
  expect(compiled(graph, small).runs.length).toBe(1);
  expect(() => compileTrace(graph, { target: small, without })).toThrow(
    /matmul: f32 \[4, 1024, 1024\] takes 16777216 bytes/,
  );
  const gradients = trace(grad(attention(q, k, v).square().sum(), [q, k, v]));
  const few = compiled(gradients, { ...wasmTarget, mostBuffers: 4, alignment: 256 });
  for (const { tiled } of few.kernels) expect(tiled.buffers.length).toBeLessThanOrEqual(4);
});

test("with more threads than units each unit has a room", async () => {
  const [q, k, v] = [1, 2, 3].map((n) =>
    param(
      numbers(5, 512, 32).map((x) => x / n),
      [5, 512, 32],
    ),
  );
  const graph = trace(grad(attention(q, k, v).square().sum(), [q, k, v]));
  const { runs, stripRooms } = compiled(graph);
  expect(stripRooms).toBe(Math.max(...runs.map((r) => r.units)));
  expect(Math.min(...runs.map((r) => r.units))).toBe(5);
  const expected = runTrace(wasm(1, { target: wasmTarget }), graph);
  const many = [wasm(8, { target: wasmTarget }), new NativeBackend({ threads: 8, poison: true, leastWork: [0, 0] })];
  for (const backend of many) {
    await backend.machine.ready();
    for (let i = 0; i < 20; i++)
      runTrace(backend, graph).forEach((found, n) => {
        close(found, expected[n], 1e-3);
      });
    await backend.machine.close();
  }
});

test("a leaf is overwritten where it lies only if no other strip reads the old value", () => {
  const start = Float32Array.from({ length: 4096 * 64 }, (_, i) => Math.cos(i));
  const p = param(start, [4096, 64]);
  const scale = p.square().sum(1, { keepDims: true }).add(1).sqrt(); // reads all rows before any is replaced
  const value = p.div(scale).add(p.mul(scale).sum(1, { keepDims: true }));
  const graph = trace([value.sum()], [{ leaf: p, value }]);
  expect(compiled(graph).runs.length).toBeGreaterThan(0);
  const expected = runTrace(wasm(1, { without, target: wasmTarget }), graph);
  for (const b of [...backends, wasm(2, { target: wasmTarget })])
    runTrace(b, graph).forEach((found, i) => {
      close(found, expected[i], i === 0 ? 10 : 1e-5);
    });
});

test("a step in strips is repeated: rows that are read from memory, values that are kept", () => {
  const table = param(values(300, 64), [300, 64]);
  const rows = tensor(Int32Array.from({ length: 8192 }, (_, i) => (i * 7919) % 300));
  const y = softmax(table.take(rows).mul(2));
  const graph = trace([y, y.square().sum(1)]);
  expect(compileTrace(graph, { target: narrow, repeated: true, verify: true }).runs.length).toBeGreaterThan(0);
  const bound = bind(backends[1], graph);
  const [first, again] = [bound.step(), bound.step()];
  expect(again).toEqual(first);
  close(first[0], runTrace(whole, trace([y]))[0]);
  bound.free();
});

test("long attention keeps no weights for its gradient, with dropout or without", async () => {
  const steps = 1500; // 8 · 1500² weights are more than a layer keeps
  const layer = new MultiHeadAttention(16, 8, { causal: true });
  const x = param(numbers(1, steps, 16), [1, steps, 16]);
  const loss = (y: Tensor): Tensor => y.mul(values(1, steps, 16)).sum();
  const graph = trace([loss(layer.forward(x)), ...grad(loss(layer.forward(x)), [x, layer.in_proj_weight])]);
  const [weight, seen] = [layer.in_proj_weight, arange(steps).reshape(-1, 1).ge(arange(steps))];
  const [q, k, v] = x
    .matmul(weight.transpose())
    .add(layer.in_proj_bias)
    .split(16, -1)
    .map((t) => t.reshape(1, steps, 8, 2).transpose(1, 2));
  const scores = q.mul(Math.SQRT1_2).matmul(k.transpose());
  const heads = softmax(where(seen, scores, Number.NEGATIVE_INFINITY)).matmul(v);
  const plain = loss(layer.out_proj.forward(heads.transpose(1, 2).reshape(1, steps, 16)));
  const expected = runTrace(wasm(1, { target: wasmTarget }), trace([plain, ...grad(plain, [x, weight])]));
  runTrace(wasm(2, { target: wasmTarget }), graph).forEach((found, i) => {
    close(found, expected[i], 2e-3);
  });
  const targets = [wasmTarget, nativeTarget(16)];
  const matrix = 4 * 8 * steps * steps;
  for (const [p, target] of [0, 0.1].flatMap((p) => targets.map((t) => [p, t] as const))) {
    const dropping = new MultiHeadAttention(16, 8, { causal: true, dropout: p });
    const gradients = training(() => grad(loss(dropping.forward(x)), [x, dropping.in_proj_weight]));
    const { arenaBytes, stripBytes } = compiled(trace(gradients), target);
    expect(arenaBytes + 4 * stripBytes).toBeLessThan((p > 0 ? 1.5 : 0.5) * matrix);
  }
});
