// Convolutions of images with gaps are computed in phases: the values are the same, and the gaps take no work.
import { expect, test } from "vitest";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import { compileTrace } from "../src/compile/program.ts";
import { grad, type Tensor, tensor } from "../src/graph/index.ts";
import { type Data, make, sizeOf, trace } from "../src/graph/internal.ts";
import { run, stream } from "./harness.ts";

const phased = new WasmBackend({ threads: 1, poison: true, verify: true });
const spread = new WasmBackend({ threads: 1, poison: true, verify: true, without: new Set(["phases"]) });
const next = stream(23);
const whole = (...shape: number[]): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, () => Math.floor(next() * 17) - 8),
    shape,
  );

interface Axis {
  readonly size: number;
  readonly kernel: number;
  readonly gap: number;
  readonly padding: readonly [number, number];
  readonly stride?: number;
  readonly dilation?: number;
}

/** A convolution with those axes; undefined where it would have no elements. */
function convolution(axes: readonly Axis[], groups = 1): Tensor | undefined {
  const wide = axes.map(({ size, gap, padding }) => (size - 1) * gap + 1 + padding[0] + padding[1]);
  if (axes.some(({ kernel, dilation = 1 }, i) => (kernel - 1) * dilation + 1 > wide[i])) return undefined;
  const x = whole(2, 2 * groups, ...axes.map(({ size }) => size));
  const w = whole(3 * groups, 2, ...axes.map(({ kernel }) => kernel));
  return make("conv", [x, w], {
    stride: axes.map(({ stride = 1 }) => stride),
    padding: axes.map(({ padding }) => padding),
    inputDilation: axes.map(({ gap }) => gap),
    dilation: axes.map(({ dilation = 1 }) => dilation),
    groups,
  });
}

/** Whole numbers, whose sums are exact: both ways give the same. */
function check(outputs: readonly Tensor[]): void {
  const [a, b] = [run(phased, outputs), run(spread, outputs)];
  a.forEach((values: Data, k) => {
    expect(Array.from(values, (v) => Number(v) + 0)).toEqual(Array.from(b[k], (v) => Number(v) + 0));
  });
}

test("every gap, kernel and padding of an axis gives what the spread image does", () => {
  const outputs: Tensor[] = [];
  for (const size of [1, 2, 5])
    for (const kernel of [1, 2, 3, 4, 7])
      for (const gap of [2, 3, 4])
        for (const before of [-1, 0, 1, 2, 6])
          for (const after of [-1, 0, 3]) {
            const made = convolution([{ size, kernel, gap, padding: [before, after] }]);
            if (made !== undefined) outputs.push(made);
          }
  expect(outputs.length).toBeGreaterThan(400);
  for (let i = 0; i < outputs.length; i += 50) check(outputs.slice(i, i + 50));
});

test("axes with gaps, strides, spread taps and groups are taken together", () => {
  const gapped: Axis = { size: 4, kernel: 3, gap: 2, padding: [1, 2] };
  const plain: Axis = { size: 5, kernel: 2, gap: 1, padding: [1, 0] };
  const outputs = [
    convolution([gapped, gapped]),
    convolution([gapped, { ...gapped, gap: 3, kernel: 1 }], 2),
    convolution([gapped, { ...plain, stride: 2 }]),
    convolution([gapped, { ...plain, dilation: 2 }]),
    convolution([{ ...gapped, stride: 2 }, gapped]),
    convolution([{ ...gapped, dilation: 2 }, gapped]),
    convolution([gapped, plain, { ...gapped, size: 3, kernel: 4 }]),
  ];
  check(outputs.map((t) => t!));
});

test("the gradient of a convolution with a stride takes no more multiplications than the convolution", () => {
  const products = (outputs: readonly Tensor[]): number => {
    const { kernels, calls } = compileTrace(trace(outputs));
    return calls.reduce((sum, { kernel }) => {
      const { outer, reduced } = kernels[kernel].tiled;
      return sum + (reduced.length === 0 ? 0 : [...outer, ...reduced].reduce((n, a) => n * a.extent, 1));
    }, 0);
  };
  for (const kernel of [1, 2, 3, 5]) {
    const [x, w] = [whole(2, 4, 16, 16), whole(8, 4, kernel, kernel)];
    const y = x.conv(w, { stride: 2, padding: (kernel - 1) >> 1 });
    const [g] = grad(y.mul(whole(...y.shape)).sum(), [x]);
    expect(products([g])).toBeLessThanOrEqual(1.3 * products([y])); // edges are computed that nothing needs
  }
});
