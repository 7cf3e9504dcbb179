// Values put together from many parts are computed in place, and sums of products over them as one product.
import { expect, test } from "vitest";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import { compileTrace, type Program } from "../src/compile/program.ts";
import { concat, grad, ones, stack, type Tensor, tensor } from "../src/graph/index.ts";
import { type Data, trace } from "../src/graph/internal.ts";
import { run, stream } from "./harness.ts";

const joined = new WasmBackend({ threads: 1, poison: true });
const apart = new WasmBackend({ threads: 1, poison: true, without: new Set(["join"]) });
const next = stream(7);
const noise = (...shape: number[]): Tensor => {
  const size = shape.reduce((n, d) => n * d, 1);
  return tensor(
    Float32Array.from({ length: size }, () => next() - 0.5),
    shape,
  );
};
const compile = (...outputs: Tensor[]): Program => compileTrace(trace(outputs));

/** Both ways of computing agree to rounding. */
function check(...outputs: Tensor[]): void {
  const [a, b] = [run(joined, outputs), run(apart, outputs)];
  a.forEach((values, k) => {
    const most = Math.max(1, ...Array.from(b[k] as Float32Array, Math.abs));
    values.forEach((v, i) => {
      expect(Math.abs(Number(v) - Number((b[k] as Data)[i]))).toBeLessThan(2e-6 * most);
    });
  });
}

const parts = (count: number, ...shape: number[]): Tensor[] =>
  Array.from({ length: count }, (_, i) => noise(...shape).mul(i + 2));

test("a stack of computed values costs no copy", () => {
  const whole = stack(parts(6, 5, 8))
    .relu()
    .sum();
  const { kernels, steps } = compile(whole);
  expect(steps.length).toBe(7); // six parts and the sum
  expect(kernels.length).toBe(7); // each part has its own factor
  check(whole);
});

test("steps that differ in where they read share a kernel", () => {
  const xs = noise(12, 4, 8);
  const halves = Array.from({ length: 12 }, (_, t) =>
    xs
      .at(t)
      .tanh()
      .matmul(ones([8, 8])),
  );
  const { kernels } = compile(stack(halves));
  expect(kernels.length).toBeLessThanOrEqual(4);
  check(stack(halves));
});

test("values that have a place already, or none", () => {
  const [a, b, c, d, e] = parts(5, 3, 4);
  check(stack([a, a, b, c]).sum([1])); // one part twice
  check(stack([a, b, c, d]), a, c.exp()); // the whole and parts of it as results
  check(stack([a, b, c, d]).exp(), stack([b, c, d, e]).exp()); // parts of two wholes
  check(stack(Array.from({ length: 4 }, () => stack([a, b, c, d]))).sum([0])); // a whole in a whole
  check(stack([a, noise(3, 4), c, ones([3, 4])]).exp()); // leaves and constants
  check(concat([a, b, c, d, e], 0).exp(), concat([a, b, c, d, e], 1).exp());
  check(concat([noise(1, 5).exp(), noise(2, 5).exp(), noise(7, 5).exp(), noise(3, 5).exp()]).sum([0]));
});

test("gaps and overlaps are sums still", () => {
  const [a, b, c, d] = parts(4, 2, 3);
  const put = (t: Tensor, at: number): Tensor =>
    t.pad([
      [at, 8 - at],
      [0, 0],
    ]);
  check(put(a, 0).add(put(b, 2)).add(put(c, 5)).add(put(d, 8)).exp());
  check(put(a, 0).add(put(b, 1)).add(put(c, 4)).add(put(d, 8)).exp());
});

/** h ← tanh(x·U + h·W) over the steps, and the gradients of a loss on all states. */
function recurrent(steps: number, stacked: boolean): { gradients: Tensor[]; loss: Tensor } {
  const [xs, u, w] = [noise(steps, 4, 6), noise(6, 8), noise(8, 8)];
  let h = noise(4, 8);
  const states: Tensor[] = [];
  for (let t = 0; t < steps; t++) states.push((h = xs.at(t).matmul(u).add(h.matmul(w)).tanh()));
  const loss = (stacked ? stack(states).square().sum() : h.square().sum()) as Tensor;
  return { loss, gradients: grad(loss, [u, w, xs]) };
}

test.each([true, false])(
  "the gradient of recurrent weights is one product over time (states stacked: %s)",
  (stacked) => {
    const { loss, gradients } = recurrent(9, stacked);
    const { steps } = compile(...gradients);
    const before = compileTrace(trace(gradients), { without: new Set(["join"]) });
    expect(steps.length).toBeLessThan(before.steps.length - 6);
    check(loss, ...gradients);
  },
);

test("a join that would have to wait for itself is left", () => {
  // the last part of the stack needs the sum of products over the others
  const [xs, ys] = [parts(5, 3, 4), parts(5, 3, 6)];
  const product = xs.map((x, t) => x.transpose().matmul(ys[t])).reduce((a, b) => a.add(b)); // [4, 6]
  const late = noise(3, 4).matmul(product).matmul(noise(6, 4));
  check(stack([...xs, late]).exp(), product);
});
