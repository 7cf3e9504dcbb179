// What follows from parameters alone is computed once, and again when they have changed, however that came about.
import { afterAll, expect, test } from "vitest";
import { NativeBackend } from "../src/backend/native/index.ts";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import { compileTrace, printProgram } from "../src/compile/program.ts";
import { trace } from "../src/graph/internal.ts";
import { compile, device, param, state, type Tensor, tensor } from "../src/index.ts";
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
