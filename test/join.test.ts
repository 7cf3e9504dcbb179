// Values put together from many parts are computed in place, and sums of products over them as one product.
import fc from "fast-check";
import { expect, test } from "vitest";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import { compileTrace, type Program } from "../src/compile/program.ts";
import { checkpoint, concat, grad, ones, param, stack, type Tensor, tensor } from "../src/graph/index.ts";
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
  const { kernels, calls } = compile(whole);
  expect(calls.length).toBe(7); // six parts and the sum
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
    const { calls } = compile(...gradients);
    const before = compileTrace(trace(gradients), { without: new Set(["join"]) });
    expect(calls.length).toBeLessThan(before.calls.length - 6);
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

/** Calls of kernels that add up so many terms. */
function sumsOf(terms: number, ...outputs: Tensor[]): number {
  const { kernels, calls } = compile(...outputs);
  const isSum = ({ tiled: { reductions, reduced } }: Program["kernels"][number]): boolean =>
    reductions.length > 0 && reduced.reduce((n, { extent }) => n * extent, 1) === terms;
  return calls.filter(({ kernel }) => isSum(kernels[kernel])).length;
}

test("products with one right factor are one, from values that are copied, computed in place, or lie side by side", () => {
  const w = noise(7, 40);
  const apart = noise(3, 6, 7); // in whose memory steps are not neighbours
  const steps = Array.from({ length: 6 }, (_, t) => apart.slice(1, t, t + 1).reshape(3, 7));
  const rows = noise(6, 3, 7);
  const beside = Array.from({ length: 6 }, (_, t) => rows.at(t));
  for (const lefts of [steps, beside, parts(6, 3, 7), [...steps.slice(0, 3), ...parts(3, 3, 7)], parts(5, 1, 7)]) {
    const results = lefts.map((x, t) =>
      x
        .matmul(w)
        .mul(t + 1)
        .tanh(),
    );
    expect(sumsOf(7, ...results)).toBe(1);
    check(...results);
    check(...lefts.map((x) => x.matmul(w)), lefts[0].matmul(w).transpose().exp());
    check(...lefts.toReversed().map((x) => x.matmul(w).transpose().exp()));
  }
});

test("products of which one needs another are apart, as are those that would wait for each other", () => {
  const [u, w] = [noise(7, 7), noise(7, 7)];
  let x = noise(3, 7).exp();
  const chain = Array.from({ length: 6 }, () => (x = x.matmul(w).tanh()));
  expect(sumsOf(7, ...chain)).toBe(6);
  check(...chain);
  // half of the first product's rows come before the second product, the others after
  const first = parts(2, 3, 7).map((a) => a.matmul(u).tanh());
  const second = [...first.map((a) => a.matmul(w).tanh()), ...parts(2, 3, 7).map((a) => a.matmul(w).tanh())];
  const third = second.slice(2).map((a) => a.matmul(u).tanh());
  check(...second, ...third);
  const all = [...parts(4, 3, 7).map((a) => a.matmul(u).tanh())];
  const waiting = [...all.slice(0, 2).map((a) => a.matmul(w)), ...parts(2, 3, 7).map((a) => a.matmul(w))];
  const last = waiting.slice(2).map((a) => a.tanh().matmul(u));
  check(...all, ...waiting, ...last, ...last.map((a) => a.tanh().matmul(w)));
});

test("products that would wait for each other leave others alone", () => {
  const [u, w, v] = [noise(7, 7), noise(7, 7), noise(7, 9)];
  const crossed = parts(4, 3, 7).map((x, i) => (i % 2 ? x.matmul(u).tanh().matmul(w) : x.matmul(w).tanh().matmul(u)));
  const others = parts(4, 3, 7).map((x) => x.matmul(v).tanh());
  expect(sumsOf(7, ...others)).toBe(1);
  expect(sumsOf(7, ...crossed)).toBe(8);
  expect(sumsOf(7, ...crossed, ...others)).toBe(9);
  check(...crossed, ...others);
});

test("products are one as far as they stay in the cache, and where they change from run to run", () => {
  const [w, wide] = [noise(40, 512), noise(40, 20_000)];
  const xs = parts(20, 32, 40); // 64 KB each, of 1 MB
  const results = xs.map((x) => x.matmul(w).square().sum());
  expect(sumsOf(40, ...results)).toBe(2);
  check(...results);
  expect(sumsOf(40, ...xs.slice(0, 5).map((x) => x.matmul(wide).square().sum()))).toBe(5);
  const [a, b] = [param(new Float32Array(30).fill(2), [5, 6]), param(new Float32Array(42).fill(3), [6, 7])];
  const frozen = Array.from({ length: 5 }, (_, i) =>
    a
      .slice(0, i, i + 1)
      .exp()
      .matmul(b),
  );
  expect(sumsOf(6, ...frozen)).toBe(5);
});

test("thousands of products take no longer to find than to compile", { timeout: 15_000 }, () => {
  const [b, w] = [noise(2000, 32), noise(32, 32)];
  const rows = Array.from({ length: 2000 }, (_, i) =>
    b
      .slice(0, i, i + 1)
      .tanh()
      .matmul(w)
      .tanh(),
  );
  expect(
    sumsOf(
      32,
      rows.reduce((sum, y) => sum.add(y)),
    ),
  ).toBe(1); // 256 KB
  let layers = Array.from({ length: 4 }, (_, i) => b.slice(0, i, i + 1));
  for (let k = 0; k < 500; k++) {
    const factor = noise(32, 32);
    layers = layers.map((x) => x.matmul(factor).tanh());
  }
  expect(sumsOf(32, ...layers)).toBeLessThan(2000);
});

test("the gradient of weights that rows are multiplied with one by one is one product", () => {
  const [w, v] = [noise(40, 48), noise(40, 40)];
  const xs = noise(6, 48);
  let h = noise(1, 40);
  for (let t = 0; t < 6; t++)
    h = xs
      .slice(0, t, t + 1)
      .matmul(w.transpose())
      .add(h.matmul(v))
      .tanh();
  const gradients = grad(h.square().sum(), [w, v]);
  check(...gradients);
  expect(sumsOf(6, ...gradients)).toBe(2);
});

test("what is computed again for derivatives stays apart from what it is computed from", () => {
  const w = noise(7, 7);
  const f = (x: Tensor): Tensor => x.matmul(w).tanh().matmul(w).tanh();
  const xs = parts(4, 3, 7);
  const outputs = xs.map((x) => checkpoint(f, x));
  const gradients = grad(stack(outputs).square().sum(), xs);
  check(...outputs, ...gradients);
});

test("terms of another shape or form stay out of a joined product", () => {
  const [xs, ys] = [parts(5, 3, 4), parts(5, 3, 4)];
  const alike = xs.map((x, t) => x.transpose().matmul(ys[t]));
  const [x, y] = [noise(3, 4).exp(), noise(3, 4).exp()];
  const others = [
    noise(5, 4).exp().transpose().matmul(noise(5, 4).exp()), // more rows
    y.transpose().matmul(x).transpose(), // transposed
    x.transpose().matmul(y.slice(0, 0, 1).expand([3, 4])), // no part of anything
    noise(4, 4),
  ];
  for (const other of others)
    for (const at of [1, 5]) check([...alike.slice(0, at), other, ...alike.slice(at)].reduce((a, b) => a.add(b)));
});

test("random runs, repetitions and mixtures of parts", () => {
  const natural = fc.nat({ max: 999 });
  const numbers = fc.array(natural, { minLength: 2, maxLength: 9 });
  const recipe = fc.record({
    sums: fc.array(numbers, { minLength: 1, maxLength: 3 }),
    stacks: fc.array(numbers),
    kind: natural,
  });
  const property = fc.property(recipe, ({ sums, stacks, kind }) => {
    const columns = kind % 2 === 0 ? 6 : 4; // of the right factors; where they are as wide as the left ones, terms of both forms fit
    const [lefts, rights] = [noise(8, 3, 4), noise(8, 3, columns)];
    const [xs, ys] = [parts(9, 3, 4), parts(9, 3, columns)];
    const [wide, odd] = [parts(3, 5, 4), parts(3, 5, columns)];
    const flat = noise(3, 36).exp();
    // factors of a product, from one source that depends on the sum's kind so that runs are common; now and then from another
    const factor = (from: number, t: number, own: readonly Tensor[], leaf: Tensor, width: number): Tensor => {
      if (from === 0) return own[t % own.length];
      if (from === 1) return leaf.at(t % 8);
      if (from === 2) return own[t % own.length].reshape(3 * width).reshape(3, width);
      if (from === 3) return leaf.flip(0).at(t % 8);
      return flat.slice(1, (t % 5) * width, (t % 5) * width + width); // not one run of memory
    };
    const term = (k: number, t: number, d: number): Tensor => {
      if (d % 13 === 0) return noise(4, columns);
      if (d % 13 === 1) return wide[t % 3].transpose().matmul(odd[d % 3]);
      const sources = [0, 0, 0, 0, 1, 2, 3, 4]; // mostly computed parts
      const [from, other] = [sources[(d % 13 === 2 ? d : k) % 8], sources[Math.floor(k / 8) % 8]];
      const [x, y] = [factor(from, t, xs, lefts, 4), factor(other, t, ys, rights, columns)];
      const turned = (Math.floor(k / 64) % 2 === 1) === (d % 13 !== 3);
      return turned ? y.transpose().matmul(x).transpose() : x.transpose().matmul(y);
    };
    const totals = sums.map((list, s) => {
      const run = (kind + s) % 3 !== 0; // most sums go through the parts in order, or backwards
      const at = (i: number, d: number): number =>
        run ? (d % 2 === 0 || kind % 2 === 0 ? i : list.length - 1 - i) : d;
      return list.map((d, i) => term(kind + 31 * s, at(i, d), d)).reduce((a, b) => a.add(b));
    });
    const late = xs[0].matmul(totals[0]).matmul(noise(columns, 4)); // needs a sum over parts that it is stacked with
    const pool = [...xs, late, xs[1].reshape(4, 3).reshape(3, 4), lefts.at(2), noise(3, 4)];
    const wholes = stacks.map((list, k) => {
      const chosen = list.map((d, i) => pool[(kind + k) % 2 === 0 ? i % pool.length : d % pool.length]);
      const whole = k % 3 === 0 ? concat(chosen, 0) : stack(chosen, k % 3 === 1 ? 0 : 1);
      return k % 2 === 0 ? whole.exp() : whole.mul(2);
    });
    check(...totals, ...wholes, ...(kind % 4 === 0 ? [xs[2], totals[0].exp()] : []));
  });
  fc.assert(property, {
    numRuns: 60,
    seed: Number(process.env.SEED ?? 1),
    endOnFailure: process.env.SHRINK === "no",
  });
});
