// What one process has compiled the next need not plan again: the same bits, and nothing that is damaged or was made otherwise.
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { hasCompiler, NativeBackend, type NativeOptions } from "../src/backend/native/index.ts";
import { trace } from "../src/graph/internal.ts";
import { device, explain, param, type Tensor, tensor } from "../src/index.ts";
import { softmax } from "../src/nn/index.ts";
import { bind } from "./harness.ts";

const folders: string[] = [];
let folder = "";
beforeEach(() => {
  folders.push((folder = mkdtempSync(join(tmpdir(), "hebb-recall-"))));
});
afterAll(async () => {
  await device("wasm");
  for (const made of folders) rmSync(made, { recursive: true });
});

const numbers = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 0.7));
const [x, w] = [tensor(numbers(300 * 64), [300, 64]), param(numbers(64 * 32), [64, 32])];
const step = (): Tensor => softmax(x.matmul(w).tanh());
const graph = trace([step()], [{ leaf: w, value: w.mul(0.5) }]);
const native = (options: NativeOptions = {}): NativeBackend =>
  new NativeBackend({ threads: 1, leastWork: [0, 0], folder, ...options });
const records = (): string[] => readdirSync(folder).filter((f) => f.startsWith("program-"));

/** What a backend's program gives, twice, and whether it was there already. */
function results(backend: NativeBackend, what = graph): { values: unknown; recalled: boolean } {
  const bound = bind(backend, what);
  const values = [bound.step(), bound.step(), bound.leaf(w)];
  bound.free();
  return { values, recalled: backend.prepare(what, { repeated: true }).program === undefined };
}

test.skipIf(!hasCompiler())("the same bits from what was compiled before", () => {
  const first = native();
  const bound = bind(first, graph);
  const values = [bound.step(), bound.step(), bound.leaf(w)];
  expect(first.prepare(graph, { repeated: true, shown: true }).program).toBeDefined();
  const made = records().length;
  expect(made).toBeGreaterThan(0);
  const again = results(native());
  expect(again).toEqual({ values, recalled: true });
  expect(records().length).toBe(made);
});

test.skipIf(!hasCompiler())("what is damaged or gone is made again", () => {
  const { values } = results(native());
  const record = join(folder, records()[0]);
  const text = readFileSync(record, "utf8");
  const shared = (): string[] => readdirSync(folder).filter((f) => f.endsWith(".so"));
  const damages: (() => void)[] = [
    () => writeFileSync(record, ""),
    () => writeFileSync(record, text.slice(0, 40)),
    () => writeFileSync(record, text.replace('"arenaBytes":', '"arenaBytes":1')),
    () => writeFileSync(record, "{}\n{}"),
    () => {
      for (const file of shared()) appendFileSync(join(folder, file), "x");
    },
    () => {
      for (const file of shared()) rmSync(join(folder, file));
    },
  ];
  for (const damage of damages) {
    damage();
    expect(results(native()).values).toEqual(values);
    expect(readFileSync(record, "utf8")).toBe(text);
  }
});

test.skipIf(!hasCompiler())("a program is another one where it is compiled otherwise", () => {
  results(native());
  const made = records().length;
  const others: NativeOptions[] = [{ leastWork: [0, 1] }, { without: new Set(["unroll"] as const) }, { verify: true }];
  for (const options of others)
    expect(results(native(options)).recalled, Object.keys(options)[0]).toBe(options.verify !== true);
  expect(records().length).toBeGreaterThan(made);
  const given = trace([softmax(x.matmul(tensor(numbers(64 * 32), [64, 32])).tanh())]);
  const kept = trace([softmax(x.matmul(param(numbers(64 * 32), [64, 32])).tanh())]);
  expect(given.key).toBe(kept.key);
  const before = records().length;
  native().prepare(given, { repeated: true });
  native().prepare(kept, { repeated: true }); // of a parameter that no update changes, more is kept
  expect(records().length).toBe(before + 2);
});

test.skipIf(!hasCompiler())("a program that is looked at is there to be looked at", async () => {
  const large = x.matmul(w).tanh();
  for (let round = 0; round < 2; round++) {
    await device(native());
    await large.data();
    const { kernels, source, program } = await explain(x.matmul(w).tanh(), { repeated: true });
    expect([kernels.length > 0, source.includes("hebb_main"), program.includes("kernel k0")]).toEqual([
      true,
      true,
      true,
    ]);
  }
});
