// What follows from parameters alone is computed once, and again when they have changed, however that came about.
import { afterAll, expect, test } from "vitest";
import { NativeBackend } from "../src/backend/native/index.ts";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import { compileTrace, printProgram } from "../src/compile/program.ts";
import { trace } from "../src/graph/internal.ts";
import { compile, concat, device, live, param, state, type Tensor, tensor } from "../src/index.ts";
import { Linear } from "../src/nn/index.ts";
import { sgd } from "../src/optim/index.ts";
import { bind } from "./harness.ts";

const [rows, depth, columns] = [300, 130, 96];
const values = (n: number, seed: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => Math.sin(i * seed));
const product = (x: Float32Array, w: Float32Array): number[] =>
  Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let k = 0; k < depth; k++) sum += x[i * depth + k] * w[k * columns + j];
    return sum;
  });
const near = (found: Iterable<number>, wanted: readonly number[]): void => {
  const errors = Array.from(found, (v, i) => Math.abs(v - wanted[i]));
  expect(Math.max(...errors)).toBeLessThan(1e-3);
};
const x = values(rows * depth, 0.37);
const [first, second, third] = [0.11, 0.53, 0.91].map((s) => values(depth * columns, s));
afterAll(() => device("wasm"));

test("only what no update, no input and no live value reaches is kept", () => {
  const w = param(first, [depth, columns]);
  const given = tensor(x, [rows, depth]);
  const program = compileTrace(trace([given.matmul(w)]), { repeated: true, verify: true });
  expect(program.calls.map((c) => c.once)).toEqual([true, false]);
  expect(program.kept).toEqual([4 * depth * columns]);
  expect(printProgram(program)).toContain("once k0(leaf1, kept0)");
  expect(compileTrace(trace([given.matmul(w)])).kept).toEqual([]); // run once
  const without = new Set(["steady"] as const);
  expect(compileTrace(trace([given.matmul(w)]), { repeated: true, without }).kept).toEqual([]);
  const trained = compileTrace(trace([given.matmul(w)], [{ leaf: w, value: w.mul(0.5) }]), { repeated: true });
  expect(trained.kept).toEqual([]);
  const data = compileTrace(trace([given.matmul(tensor(first, [depth, columns]))]), { repeated: true });
  expect(data.kept).toEqual([]);
  const grown = compileTrace(trace([w.reshape(-1, 1).mul(w.reshape(1, -1)).sum(0)]), { repeated: true });
  expect(grown.kept.every((bytes) => bytes <= 8 * depth * columns)).toBe(true);
});

test.each([
  ["wasm", 1],
  ["wasm", 2],
  ["native", 2],
] as const)("%s, %i threads: kept values follow writes to their leaves", (name, threads) => {
  const backend = name === "wasm" ? new WasmBackend({ threads }) : new NativeBackend({ threads, leastWork: [0, 0] });
  const w = param(first, [depth, columns]);
  const bound = bind(backend, trace([tensor(x, [rows, depth]).matmul(w)]));
  near(bound.step()[0] as Float32Array, product(x, first));
  near(bound.step()[0] as Float32Array, product(x, first));
  bound.write(w, second);
  near(bound.step()[0] as Float32Array, product(x, second));
  bound.free();
});

test("kept values follow training, assignment and loading between calls", async () => {
  for (const name of ["wasm", "native"] as const) {
    await device(name);
    const model = new Linear(depth, columns, { bias: false });
    const input = tensor(x, [rows, depth]);
    const forward = compile((t: Tensor) => model.forward(t));
    const wanted = async (): Promise<number[]> => {
      const weight = Float32Array.from(await model.weight.data()); // [columns, depth]
      const turned = Float32Array.from(
        { length: depth * columns },
        (_, at) => weight[(at % columns) * depth + Math.floor(at / columns)],
      );
      return product(x, turned);
    };
    const check = async (): Promise<void> =>
      near((await (await forward(input)).data()) as Float32Array, await wanted());
    await check();
    await check();
    await sgd(model, ({ t }: { t: Tensor }) => model.forward(t).square().mean(), { lr: 0.5 }).step({ t: input });
    await check();
    model.weight.assign(tensor(third, [columns, depth]));
    await check();
    model.weight.assign(model.weight.mul(-2));
    await check();
  }
});

test("rows scattered onto a parameter are scattered onto what it is, each time", async () => {
  for (const name of ["wasm", "native"] as const) {
    await device(name);
    const table = param(new Float32Array(32).fill(1), [8, 4]);
    const ones = tensor(new Float32Array(16).fill(1), [4, 4]);
    const use = compile((rows: Tensor, v: Tensor) => table.indexAdd(rows, v).matmul(ones));
    const [rows, v] = [tensor(Int32Array.of(1, 2)), tensor(new Float32Array(8).fill(1), [2, 4])];
    for (let call = 0; call < 3; call++)
      expect(Array.from(await (await use(rows, v)).data()).slice(0, 13)).toEqual([
        4, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 8, 4,
      ]);
  }
});

test("what inputs, live values, joins and several kernels have to do with is not kept", () => {
  const w = param(first, [depth, columns]);
  const turned = w.transpose();
  const of = (...outputs: Tensor[]): number =>
    compileTrace(trace(outputs), { repeated: true, verify: true }).kept.length;
  const given = tensor(x, [rows, depth]);
  expect(
    of(
      given.matmul(
        w
          .mul(live(() => 2))
          .exp()
          .add(1),
      ),
    ),
  ).toBe(0);
  expect(of(turned.add(1))).toBe(0); // a result
  const joined = concat([w.exp(), w.sigmoid()]);
  expect(of(tensor(new Float32Array(rows * 2 * depth), [rows, 2 * depth]).matmul(joined))).toBe(0);
});

test("memory that grows for kept values, where it cannot be shared", async () => {
  const shared = globalThis.SharedArrayBuffer;
  Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
  try {
    const backend = new WasmBackend({ threads: 1 });
    const [k, n] = [2100, 1500];
    const w = param(new Float32Array(k * n).fill(1), [k, n]);
    const bound = bind(backend, trace([tensor(new Float32Array(100 * k).fill(1), [100, k]).matmul(w)]));
    expect(bound.step()[0][0]).toBe(k);
    expect(bound.step()[0][0]).toBe(k);
  } finally {
    globalThis.SharedArrayBuffer = shared;
  }
});

test("kept values go with the leaves that they follow from, and where memory runs short", () => {
  const backend = new WasmBackend({ threads: 1 });
  const used = (): number => backend.machine.used;
  const w = param(first, [depth, columns]);
  const graph = trace([tensor(x, [rows, depth]).matmul(w)]);
  const bound = bind(backend, graph);
  const before = used();
  bound.step();
  bound.step();
  const kept = 4 * depth * columns;
  expect(used() - before).toBeGreaterThan(kept);
  const arena = used() - before - kept;
  expect(() => backend.allocate("f32", 2 ** 30 + 2 ** 29)).toThrow("are in use");
  expect(used() - before).toBeLessThan(arena + 4096); // given back
  near(bound.step()[0] as Float32Array, product(x, first));
  near(bound.step()[0] as Float32Array, product(x, first));
  const all = used();
  bound.free();
  expect(all - used()).toBeGreaterThan(kept + 4 * (depth * columns + rows * depth + rows * columns));
});

test("a step that stops in the middle leaves nothing that is taken for what it was", () => {
  const backend = new WasmBackend({ threads: 1 });
  const w = param(first, [depth, columns]);
  const bound = bind(backend, trace([tensor(x, [rows, depth]).matmul(w)]));
  bound.step();
  const run = backend.machine.run.bind(backend.machine);
  backend.machine.run = (...given) => {
    run(...given);
    throw new Error("stopped");
  };
  bound.write(w, second);
  expect(() => bound.step()).toThrow("stopped");
  backend.machine.run = run;
  near(bound.step()[0] as Float32Array, product(x, second));
  bound.free();
});

test("what a step wrote before it stopped is seen by those that keep what follows from it", () => {
  const backend = new WasmBackend({ threads: 1 });
  const w = param(first, [depth, columns]);
  const graphs = [trace([tensor(x, [rows, depth]).matmul(w)]), trace([], [{ leaf: w, value: w.mul(2) }])];
  const [use, change] = graphs.map((graph) => backend.prepare(graph, { repeated: true }));
  const [given, weights, out] = [rows * depth, depth * columns, rows * columns].map((n) => backend.allocate("f32", n));
  backend.write(given, x);
  backend.write(weights, first);
  const leaves = graphs[0].leaves.map((leaf) => (leaf === w ? weights : given));
  use.run(leaves, [out]);
  const run = backend.machine.run.bind(backend.machine);
  backend.machine.run = (...of) => {
    run(...of);
    throw new Error("stopped");
  };
  expect(() => change.run([weights], [])).toThrow("stopped");
  backend.machine.run = run;
  use.run(leaves, [out]);
  const doubled = product(x, first).map((v) => 2 * v);
  near(backend.read(out, "f32", rows * columns) as Float32Array, doubled);
});

test("a state that another step counts up is seen by one that keeps what follows from it", async () => {
  await device("wasm");
  const scale = state(values(depth * columns, 0.2), [depth, columns]);
  const input = tensor(x, [rows, depth]);
  const use = compile((t: Tensor) => t.matmul(scale));
  const change = compile(() => {
    scale.assign(scale.add(1));
  });
  const before = await (await use(input)).data();
  await change();
  const after = await (await use(input)).data();
  const sums = Array.from({ length: rows }, (_, i) =>
    x.subarray(i * depth, (i + 1) * depth).reduce((a, b) => a + b, 0),
  );
  near(
    after as Float32Array,
    Array.from(before, (v, at) => (v as number) + sums[Math.floor(at / columns)]),
  );
});
