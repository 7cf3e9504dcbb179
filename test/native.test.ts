// The native backend against double precision: primitives of every kind, random graphs, threads, and what happens without a compiler.
import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { CompilerError, NativeBackend } from "../src/backend/native/index.ts";
import { findToolchain } from "../src/backend/native/toolchain.ts";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import { type Op, param, type Tensor, tensor } from "../src/graph/index.ts";
import { type Trace, trace } from "../src/graph/internal.ts";
import { executableFor } from "../src/run/execute.ts";
import { cases } from "./cases.ts";
import { runTrace, stream } from "./harness.ts";
import { isSampled, nativeDevice } from "./native-device.ts";
import { build, recipes } from "./random-graph.ts";
import { disagreement, referenceOf } from "./reference.ts";
import { convStep } from "./training-graphs.ts";

const graphs = Number(process.env.NATIVE_GRAPHS ?? 40);
const seed = Number(process.env.SEED ?? 1);

const noiseOf =
  (draw: () => number) =>
  (...shape: number[]): Tensor =>
    tensor(
      Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => draw() - 0.5),
      shape,
    );

const device = nativeDevice();
const native = device as NativeBackend;

describe.skipIf(device === undefined)("native", () => {
  test.each(Object.keys(cases) as Op[])("%s", { timeout: 600_000 }, (op) => {
    const list = cases[op].filter((_, i) => isSampled(i));
    const graph = trace(list.map((c) => c.output));
    const known = referenceOf(graph);
    const values = runTrace(native, graph);
    const problems = graph.outputs.flatMap((n, i) => {
      const problem = disagreement(values[i], known.get(n)!);
      return problem === undefined ? [] : [`${list[i].name}: ${problem}`];
    });
    expect(problems).toEqual([]);
  });

  test("random graphs", { timeout: 600_000 }, () => {
    const drawn = fc.sample(recipes, { numRuns: graphs, seed });
    for (let first = 0; first < drawn.length; first += 20) {
      const built = drawn.slice(first, first + 20).map(build);
      const graph = trace(
        built.flatMap((g) => g.outputs),
        built.flatMap((g) => g.updates),
      );
      const known = referenceOf(graph);
      const results = [...graph.outputs, ...graph.updates.map((u) => u.value)];
      const values = runTrace(native, graph);
      const problems = results.map((n, i) => disagreement(values[i], known.get(n)!));
      expect(problems.filter((p) => p !== undefined)).toEqual([]);
    }
  });

  test("what follows a tile's sums is a loop over the tile where it is long, for tiles of every width and for scattered results", () => {
    const noise = noiseOf(stream(9));
    const longTail = (t: Tensor): Tensor =>
      t
        .tanh()
        .mul(noise(...t.shape))
        .add(noise(1, t.shape.at(-1)!))
        .sigmoid();
    let loops = 0;
    for (const columns of [3, 37, 48])
      for (const rows of [1, 14, 29]) {
        const product = noise(rows, 24).matmul(noise(24, columns));
        const image = noise(2, 6, rows + 2, columns + 2).conv(noise(8, 6, 3, 3));
        const kept = param(new Float32Array(rows * columns).fill(0.5), [rows, columns]);
        const outputs = [
          longTail(product),
          product.exp().transpose().add(1),
          longTail(image.max(1)),
          image.relu().permute(2, 3, 0, 1),
        ];
        const graph = trace(outputs, [{ leaf: kept, value: longTail(product.mul(2).add(kept)) }]);
        const known = referenceOf(graph);
        loops += native.prepare(graph, { shown: true }).source!().match(/ all0\[\] = /g)?.length ?? 0;
        const results = [...graph.outputs, ...graph.updates.map((u) => u.value)];
        const values = runTrace(native, graph);
        expect(results.map((n, i) => disagreement(values[i], known.get(n)!)).filter((p) => p !== undefined)).toEqual(
          [],
        );
      }
    expect(loops).toBeGreaterThan(10);
  });

  test("what a tile's sums and what follows them both need is each element's own", () => {
    const noise = noiseOf(stream(10));
    const outputs: Tensor[] = [];
    for (const [rows, columns] of [
      [32, 64],
      [29, 48],
      [5, 33],
    ] as const) {
      const [x, s] = [noise(rows, columns), noise(rows, 1)];
      for (const t of [s, s.square().add(1), s.exp()]) {
        const after = (sum: Tensor, again: Tensor): Tensor => sum.mul(0.01).sub(again).tanh().exp();
        outputs.push(after(x.sub(t).square().sum(1), t.reshape(rows)));
        outputs.push(after(x.transpose().sub(t.reshape(1, rows)).square().sum(0), t.reshape(rows)));
        const deep = x
          .reshape(rows, columns, 1)
          .mul(noise(1, columns, 24))
          .sub(t.reshape(rows, 1, 1));
        outputs.push(after(deep.square().sum(1), t));
        outputs.push(
          after(
            noise(2, rows, columns)
              .sub(t.reshape(1, rows, 1))
              .abs()
              .max(2),
            t.reshape(rows),
          ),
        );
      }
    }
    const graph = trace(outputs);
    const known = referenceOf(graph);
    expect(native.prepare(graph, { shown: true }).source!()).toContain(" all0[] = ");
    const values = runTrace(native, graph);
    const wrong = graph.outputs.map((n, i) => disagreement(values[i], known.get(n)!)).filter((p) => p !== undefined);
    expect(wrong).toEqual([]);
  });

  test("what is read again and again becomes C once that would have paid, whatever is prepared meanwhile", async () => {
    const backend = new NativeBackend({ threads: 1, leastWork: [100, 10_000] });
    const square = trace([tensor(new Float32Array(1000).fill(3)).square()]); // 1,000 operations, or 2,000 with their costs
    const small = trace([tensor(new Float32Array(10).fill(3)).square()]);
    const native = async (graph: Trace): Promise<boolean> =>
      (await executableFor(backend, graph, false, true)).source!().includes("hebb_main");
    const found: boolean[] = [];
    for (let i = 0; i < 14; i++) found.push(await native(square));
    const changed = found.indexOf(true);
    expect(changed).toBeGreaterThan(3);
    expect(changed).toBeLessThan(12);
    expect(found.slice(changed)).not.toContain(false);
    for (let i = 0; i < 14; i++) expect(await native(small)).toBe(false);
  });

  test("rows that lie far apart are asked for ahead, also where the taps choose the rows", () => {
    const draw = stream(4);
    const noise = noiseOf(draw);
    const rows = tensor(
      Int32Array.from({ length: 192 }, () => Math.floor(50 * draw())),
      [64, 3],
    );
    const chosen = noise(50, 8, 512)
      .gather(rows)
      .mul(noise(64, 3, 8, 1))
      .permute(0, 2, 1, 3)
      .sum([1, 2]);
    const convolved = noise(4, 16, 32, 32).conv(noise(8, 16, 3, 3), { padding: 1 });
    for (const output of [chosen, convolved]) {
      const graph = trace([output]);
      const code = native.prepare(graph, { shown: true }).source!();
      expect(code).toContain("__builtin_prefetch");
      expect(code).toContain("hebb_main"); // no WebAssembly in its place
      expect(disagreement(runTrace(native, graph)[0], referenceOf(graph).get(graph.outputs[0])!)).toBeUndefined();
    }
  });

  test("so are the rows that a tile's stores touch, of results in either order, and what they are added to", () => {
    const noise = noiseOf(stream(5));
    const wasm = new WasmBackend({ threads: 1 }); // the reference takes half a minute for values that no cache holds
    const image = (side: number): Tensor => noise(2, 65, side, side).conv(noise(230, 65, 1, 1));
    const added = [20, 24].map((side) =>
      image(side)
        .add(noise(2, 230, side, side))
        .relu(),
    );
    const wide = noise(300, 70).matmul(noise(70, 600)).mul(noise(300, 600));
    for (const output of [...added, image(24), wide]) {
      const graph = trace([output]);
      const code = native.prepare(graph, { shown: true }).source!();
      expect(code).toMatch(/k\d+ < \d+; k\d+\+\+, i\d+ \+= 1\) \{\n(char.*\n)?__builtin_prefetch/);
      const [found, wanted] = [native, wasm].map((backend) => Array.from(runTrace(backend, graph)[0], Number));
      const apart = found.reduce((most, v, i) => Math.max(most, Math.abs(v - wanted[i])), 0);
      expect(apart).toBeLessThan(1e-4);
    }
  });

  test("results do not depend on the thread count", async () => {
    const { machine } = native;
    expect(machine.threads).toBe(1);
    const { loss, updates } = convStep(16, 28, 6, 10);
    const graph = trace([loss], updates);
    const alone = runTrace(native, graph);
    for (const threads of [2, 3, 7]) {
      const several = new NativeBackend({ threads, leastWork: [0, 0] });
      for (let i = 0; i < 6; i++) expect(runTrace(several, graph)).toEqual(alone); // more than there are cores take turns
      await several.machine.close();
    }
  });

  test("steps of many kernels that depend on each other come out the same however threads share them", async () => {
    const several = new NativeBackend({ threads: 3, leastWork: [0, 0] });
    const draw = stream(8);
    const matrix = () =>
      tensor(
        Float32Array.from({ length: 128 * 128 }, () => draw() / 8 - 1 / 16),
        [128, 128],
      );
    let [x, y] = [matrix(), matrix()];
    for (let i = 0; i < 60; i++) {
      const small = x
        .slice(0, 0, 1)
        .tanh()
        .add(y.sum(0, { keepDims: true }).tanh()); // [1, 128]
      [x, y] = [x.matmul(y).add(small).tanh(), y.add(x.mul(0.1)).sin()];
    }
    const graph = trace([x, y, x.sum()]);
    const alone = runTrace(native, graph);
    for (let i = 0; i < 10; i++) expect(runTrace(several, graph)).toEqual(alone);
    await several.machine.close();
  });

  test("a compiled file that is cut short or changed is made again", () => {
    const folder = mkdtempSync(join(tmpdir(), "hebb-native-"));
    const toolchain = findToolchain(folder);
    const source = ["int answer(void) { return 42; }\n"];
    const [file] = toolchain.compile(source);
    const whole = readFileSync(file);
    const changed = Buffer.from(whole);
    changed[100] ^= 1;
    for (const damaged of [whole.subarray(0, 500), Buffer.alloc(0), changed]) {
      writeFileSync(file, damaged);
      expect(toolchain.compile(source)[0]).toBe(file);
      expect(readFileSync(file).length).toBeGreaterThan(10_000);
      expect(readFileSync(file).equals(changed)).toBe(false);
    }
    expect(readdirSync(folder)).toEqual([basename(file)]); // nothing else is left behind
    rmSync(folder, { recursive: true });
  });

  test("processes that compile the same at once end with one file", async () => {
    const [folder, plain] = ["hebb-native-", "hebb-plain-"].map((name) => mkdtempSync(join(tmpdir(), name)));
    await promisify(execFile)("node_modules/.bin/tsc", [
      ...["--ignoreConfig", "--outDir", plain, "--rootDir", "src", "--target", "es2023", "--module", "nodenext"],
      ...["--rewriteRelativeImportExtensions", "--types", "node", "src/backend/native/toolchain.ts"],
    ]);
    writeFileSync(join(plain, "package.json"), '{ "type": "module" }');
    const source = Array.from({ length: 200 }, (_, i) => `int answer${i}(int x) { return x * x / ${i + 1}; }`).join(
      "\n",
    );
    const script = `import { findToolchain } from ${JSON.stringify(join(plain, "backend/native/toolchain.js"))};
      console.log(findToolchain(${JSON.stringify(folder)}).compile([${JSON.stringify(source)}])[0]);`;
    const compile = () => promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    const files = (await Promise.all([compile(), compile(), compile()])).map(({ stdout }) => stdout.trim());
    expect(new Set(files).size).toBe(1);
    expect(readdirSync(folder)).toEqual([basename(files[0])]);
    expect(findToolchain(folder).compile([source])[0]).toBe(files[0]);
    for (const made of [folder, plain]) rmSync(made, { recursive: true });
  });

  test("tiles are measured once, kept, and change no result", { timeout: 120_000 }, () => {
    const told = vi.spyOn(console, "warn").mockImplementation(() => {});
    const folder = mkdtempSync(join(tmpdir(), "hebb-tiles-"));
    try {
      const a = tensor(Array.from({ length: 200 * 300 }, (_, i) => Math.sin(i))).reshape(200, 300);
      const b = tensor(Array.from({ length: 300 * 200 }, (_, i) => Math.cos(i))).reshape(300, 200);
      const graph = trace([a.matmul(b)]);
      const values = (tune: boolean) =>
        runTrace(new NativeBackend({ threads: 1, leastWork: [0, 0], folder, tune }), graph)[0];
      const products = () => readdirSync(folder).filter((f) => f.endsWith(".so")).length;
      const plain = values(false);
      expect(readdirSync(folder).filter((f) => f.startsWith("tiles-"))).toEqual([]);
      expect(values(true)).toEqual(plain);
      expect(told).toHaveBeenCalledTimes(1);
      const [name, ...others] = readdirSync(folder).filter((f) => f.startsWith("tiles-"));
      expect(others).toEqual([]);
      const file = join(folder, name);
      const [[kernel, tiles]] = Object.entries(JSON.parse(readFileSync(file, "utf8")) as Record<string, string>);
      expect(tiles).toMatch(/^\dv\d/);
      const count = products();
      expect(values(true)).toEqual(plain);
      expect(values(false)).toEqual(plain);
      expect([products(), told.mock.calls.length], "what was found is used again").toEqual([count, 1]);
      for (const other of ["1v1 0x8", "1v2 0x8", "1v1 0x12", "1v2 0x12"]) {
        writeFileSync(file, JSON.stringify({ [kernel]: other }));
        expect(values(false)).toEqual(plain);
      }
      expect(products(), "a choice that is kept is followed").toBeGreaterThan(count);
      for (const damaged of ["{", "null", JSON.stringify({ [kernel]: 7 })]) {
        writeFileSync(file, damaged);
        expect(values(false), damaged).toEqual(plain);
      }
      writeFileSync(file, "[");
      expect(values(true)).toEqual(plain);
      expect(Object.keys(JSON.parse(readFileSync(file, "utf8")))).toEqual([kernel]);
    } finally {
      rmSync(folder, { recursive: true });
      told.mockRestore();
    }
  });

  test("C that does not compile is named in one line, and nothing is left behind", () => {
    const folder = mkdtempSync(join(tmpdir(), "hebb-native-"));
    expect(() => findToolchain(folder).compile(["int answer(void) { return"])).toThrow(
      /^the C compiler "cc" fails .*error/,
    );
    expect(readdirSync(folder)).toEqual([]);
    rmSync(folder, { recursive: true });
  });
});

describe("without a compiler", () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });
  const product = () => trace([tensor([[1, 2]]).matmul(tensor([[3], [4]]))]);

  test.each([
    ["there is none", "no-such-compiler", undefined, /"no-such-compiler" cannot be run/],
    ["it fails", "false", undefined, /"false" fails \(status 1\)/],
    ["it makes nothing", "true", undefined, /writes no file/],
    ["the folder cannot be made", "cc", "/dev/null/native", /\/dev\/null\/native cannot be used/],
  ])("%s: WebAssembly, with one line that says why", (_, compiler, folder, problem) => {
    vi.stubEnv("CC", compiler);
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const own = mkdtempSync(join(tmpdir(), "hebb-native-"));
    const backend = new NativeBackend({ threads: 1, leastWork: [0, 0], folder: folder ?? own });
    for (let i = 0; i < 2; i++) expect([...runTrace(backend, product())[0]]).toEqual([11]);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0][0]).toMatch(problem);
    expect(warn.mock.calls[0][0]).not.toContain("\n");
    expect(backend.name).toBe("wasm");
    expect(() => backend.compiler()).toThrow(CompilerError);
    rmSync(own, { recursive: true });
  });

  test("a folder that others can write to is not trusted", () => {
    const folder = mkdtempSync(join(tmpdir(), "hebb-native-"));
    chmodSync(folder, 0o777);
    expect(() => findToolchain(folder)).toThrow(/others can write to it/);
    rmSync(folder, { recursive: true });
  });
});
