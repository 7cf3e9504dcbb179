// Products and convolutions large enough for cache blocking, transposed copies and staged sums: each on and off, exact whole numbers.
import { describe, expect, test } from "vitest";
import { NativeBackend } from "../src/backend/native/index.ts";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import { compileTrace, type Pass, type Program } from "../src/compile/program.ts";
import { type Target, wasmTarget } from "../src/compile/target.ts";
import { grad, type Tensor, tensor } from "../src/graph/index.ts";
import { type Data, sizeOf, trace } from "../src/graph/internal.ts";
import { type Direct, runTrace, stream } from "./harness.ts";
import { nativeDevice } from "./native-device.ts";

const random = stream(11);
/** Whole numbers from −2 to 2: sums of their products are exact in any order. */
const whole = (...shape: number[]): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, () => Math.floor(5 * random()) - 2),
    shape,
  );
const host = (t: Tensor): Data => t.leaf("test").storage.host!;

interface Case {
  readonly outputs: readonly Tensor[];
  /** Plain loops over the leaves. */
  readonly expected: () => Float32Array[];
}

/** batches × rows × depth by depth × columns; each factor may lie transposed. */
function product(batches: number, m: number, k: number, n: number, turnedA: boolean, turnedB: boolean): Case {
  const a = turnedA ? whole(batches, k, m) : whole(batches, m, k);
  const b = turnedB ? whole(batches, n, k) : whole(batches, k, n);
  const left = turnedA ? a.permute(0, 2, 1) : a;
  const right = turnedB ? b.permute(0, 2, 1) : b;
  const expected = (): Float32Array[] => {
    const out = new Float32Array(batches * m * n);
    const [x, y] = [host(a), host(b)];
    const [xi, xp] = turnedA ? [1, m] : [k, 1];
    const [yp, yj] = turnedB ? [1, k] : [n, 1];
    for (let c = 0; c < batches; c++)
      for (let i = 0; i < m; i++)
        for (let p = 0; p < k; p++) {
          const v = x[c * m * k + i * xi + p * xp];
          const at = c * k * n + p * yp;
          for (let j = 0, o = (c * m + i) * n; j < n; j++) out[o + j] += v * y[at + j * yj];
        }
    return [out];
  };
  return { outputs: [left.matmul(right)], expected };
}

/** A convolution of images with padding, and its gradients by both. */
function convolution(
  batch: number,
  inner: number,
  outer: number,
  h: number,
  w: number,
  size: number,
  stride: number,
): Case {
  const padding = (size - 1) / 2;
  const [x, f] = [whole(batch, inner, h, w), whole(outer, inner, size, size)];
  const y = x.conv(f, { padding, stride });
  const [, , p, q] = y.shape;
  const g = whole(batch, outer, p, q);
  const expected = (): Float32Array[] => {
    const [xs, fs, gs] = [host(x), host(f), host(g)];
    const [ys, dx, df] = [y.size, x.size, f.size].map((n) => new Float32Array(n));
    for (let b = 0; b < batch; b++)
      for (let o = 0; o < outer; o++)
        for (let c = 0; c < inner; c++)
          for (let u = 0; u < size; u++)
            for (let v = 0; v < size; v++) {
              const tap = ((o * inner + c) * size + u) * size + v;
              for (let i = 0; i < p; i++) {
                const row = i * stride + u - padding;
                if (row < 0 || row >= h) continue;
                for (let j = 0; j < q; j++) {
                  const column = j * stride + v - padding;
                  if (column < 0 || column >= w) continue;
                  const [from, to] = [((b * inner + c) * h + row) * w + column, ((b * outer + o) * p + i) * q + j];
                  ys[to] += xs[from] * fs[tap];
                  dx[from] += gs[to] * fs[tap];
                  df[tap] += gs[to] * xs[from];
                }
              }
            }
    return [ys, dx, df];
  };
  return { outputs: [y, ...grad(y.mul(g).sum(), [x, f])], expected };
}

const cases: Record<string, Case> = {
  A·B: product(1, 315, 637, 693, false, false),
  Aᵀ·B: product(1, 315, 700, 525, true, false),
  A·Bᵀ: product(1, 343, 511, 675, false, true),
  Aᵀ·Bᵀ: product(1, 117, 603, 141, true, true),
  "a batch": product(3, 129, 257, 131, false, false),
  "a deep product": product(1, 65, 5003, 67, false, false),
  "3 × 3, many channels": convolution(2, 65, 97, 13, 15, 3, 1),
  "5 × 5, wide images": convolution(3, 5, 7, 61, 67, 5, 1),
  "3 × 3, strided": convolution(2, 33, 130, 23, 21, 3, 2),
  panels: product(1, 301, 131, 96, false, false),
  "panels of a transposed factor": product(2, 258, 129, 64, true, true),
  "filters in panels": convolution(2, 19, 64, 28, 28, 3, 1),
  "1 × 1, strided": convolution(3, 21, 96, 17, 14, 1, 2),
};
const expected = Object.values(cases).flatMap((c) => c.expected());
const names = Object.entries(cases).flatMap(([name, c]) => c.outputs.map((_, i) => `${name}, result ${i}`));

/** How a program's loops are laid out. */
const layout = ({ kernels, calls }: Program): string =>
  JSON.stringify([
    kernels.map(({ tiled, text }) => [text, tiled.plain, tiled.unrolled, tiled.vector, tiled.stage]),
    calls.map((c) => c.kernel),
  ]);

function check(target: Target, backend: (without: ReadonlySet<Pass>) => Direct): string[] {
  const acts: string[] = [];
  const all = trace(Object.values(cases).flatMap((c) => c.outputs));
  const [full, ...lacking] = [[], ["block"], ["transpose"], ["stage"]].map((without) => ({
    without: new Set(without as Pass[]),
  }));
  for (const { without } of [full, ...lacking])
    runTrace(backend(without), all).forEach((values, i) => {
      const at = values.findIndex((v, k) => v !== expected[i][k]);
      if (at >= 0)
        expect.fail(`without ${[...without]}: ${names[i]}: element ${at} is ${values[at]}, not ${expected[i][at]}`);
    });
  for (const [name, { outputs }] of Object.entries(cases)) {
    const laid = ({ without }: { without: ReadonlySet<Pass> }): string =>
      layout(compileTrace(trace(outputs), { without, target }));
    for (const each of lacking) if (laid(each) !== laid(full)) acts.push(`${[...each.without]}: ${name}`);
  }
  return acts.sort();
}

describe("each pass on and off", () => {
  test("wasm", { timeout: 120_000 }, () => {
    expect(
      check(wasmTarget, (without) => new WasmBackend({ threads: 1, poison: true, without })),
    ).toMatchInlineSnapshot(`
      [
        "block: A·B",
        "block: A·Bᵀ",
        "block: Aᵀ·B",
        "block: Aᵀ·Bᵀ",
        "block: a deep product",
        "block: filters in panels",
        "stage: 5 × 5, wide images",
        "stage: a deep product",
        "transpose: 1 × 1, strided",
        "transpose: A·B",
        "transpose: Aᵀ·B",
        "transpose: Aᵀ·Bᵀ",
        "transpose: a batch",
        "transpose: a deep product",
        "transpose: panels",
        "transpose: panels of a transposed factor",
      ]
    `);
  });

  const native = nativeDevice();
  test.skipIf(native === undefined)("native", { timeout: 240_000 }, () => {
    const { target } = native!.compiler();
    const acts = check(
      target,
      (without) => new NativeBackend({ threads: 1, leastWork: [0, 0], poison: true, without }),
    );
    for (const pass of ["block", "transpose", "stage"]) expect(acts.join()).toContain(pass);
  });
});
