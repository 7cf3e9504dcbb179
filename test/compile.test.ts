// The compiler's work on graphs everyone knows: how many kernels, and what they are.
import { expect, test } from "vitest";
import type { Axis } from "../src/compile/affine.ts";
import { compileTrace, type Pass, type Program, printProgram } from "../src/compile/program.ts";
import { nativeTarget } from "../src/compile/target.ts";
import { arange, concat, grad, type Tensor, tensor } from "../src/graph/index.ts";
import { trace, type Update } from "../src/graph/internal.ts";
import { param } from "../src/graph/leaves.ts";
import { realize } from "../src/run/index.ts";
import { passes } from "./harness.ts";
import { adamUpdates, attention, convStep, mlpStep, softmax } from "./training-graphs.ts";

const zeros = (...shape: number[]): Tensor => tensor(new Float32Array(shape.reduce((n, d) => n * d, 1)), shape);

function adamStep(): { outputs: Tensor[]; updates: Update[] } {
  const p = param(new Float32Array(100));
  return { outputs: [], updates: adamUpdates(p.square().sum(), [p]) };
}

interface Step {
  readonly outputs: readonly Tensor[];
  readonly updates?: readonly Update[];
}

const graphs: Record<string, Step> = {
  softmax: { outputs: [softmax(zeros(32, 10))] },
  attention: { outputs: [attention(4, 16, 8)] },
  adam: adamStep(),
  mlp: ((s) => ({ outputs: [s.loss], updates: s.updates }))(mlpStep(32, 64, 48, 10)),
  conv: ((s) => ({ outputs: [s.loss], updates: s.updates }))(convStep(8, 12, 4, 10)),
};

test.each(Object.entries(graphs))("%s", (_, { outputs, updates = [] }) => {
  const program = compileTrace(trace(outputs, updates), { verify: true });
  const counts = (without: readonly Pass[]): string => {
    const { calls, arenaBytes, copies } = compileTrace(trace(outputs, updates), {
      without: new Set(without),
      verify: true,
    });
    return `${calls.length} kernels, ${copies.length} copies, ${arenaBytes} bytes`;
  };
  expect({ all: counts([]), ...Object.fromEntries(passes.map((p) => [`without ${p}`, counts([p])])) }).toMatchSnapshot(
    "counts",
  );
  expect(printProgram(program)).toMatchSnapshot("program");
});

test("equal graphs over other leaves share a key", () => {
  const graph = (): Tensor => zeros(3, 4).matmul(zeros(4, 2)).relu();
  expect(trace([graph()]).key).toBe(trace([graph()]).key);
  const x = zeros(3);
  expect(trace([x.mul(2)]).key).not.toBe(trace([x.mul(3)]).key);
  expect(trace([x.mul(0)]).key).not.toBe(trace([x.mul(-0)]).key);
});

test("equal nodes are computed once", () => {
  const x = zeros(3, 4);
  expect(trace([x.exp(), x.exp().add(x.exp())]).nodes.map((n) => n.op)).toEqual(["buffer", "exp", "add"]);
});

test("long chains are cut into kernels of bounded size", () => {
  const x = zeros(4, 8);
  const chain = (length: number, next: (t: Tensor, i: number) => Tensor): Tensor => {
    let t: Tensor = x;
    for (let i = 0; i < length; i++) t = next(t, i);
    return t;
  };
  const graphs = [
    chain(2000, (t, i) => (i % 3 === 0 ? t.sin() : t.mul(1.5).add(x))),
    chain(60, (t) => t.transpose().reshape([4, 8])), // indices with ever more divisions
    chain(1000, (t) =>
      t
        .pad([
          [0, 1],
          [0, 0],
        ])
        .slice(0, 1, 5),
    ),
  ];
  for (const graph of graphs) {
    const { kernels, calls } = compileTrace(trace([graph]));
    expect(calls.length).toBeGreaterThan(4);
    for (const { tiled } of kernels) expect(tiled.exprs.length).toBeLessThan(2000);
  }
});

test("a long chain is cut where its value is small", () => {
  const [small, large] = [zeros(1, 1000), zeros(2000, 1000)];
  for (let length = 190; length <= 210; length++) {
    let t: Tensor = small;
    for (let i = 0; i < length; i++) t = t.mul(1.5);
    const { arenaBytes } = compileTrace(trace([t.expand([2000, 1000]).mul(large).sum(0)]));
    expect(arenaBytes).toBeLessThan(300_000); // staged sums of 2000 rows; the broadcast value has 8,000,000
  }
  let t: Tensor = zeros(4, 4);
  for (let n = 4; n < 256; n *= 2)
    t = t
      .reshape([n, 1, n, 1])
      .expand([n, 2, n, 2])
      .reshape([2 * n, 2 * n]);
  expect(compileTrace(trace([t.sum()])).arenaBytes).toBeLessThan(80_000); // a value of 256 × 256 has 262,144
});

test("sums that leave no register free still take every step", async () => {
  const x = zeros(5);
  const sums = Array.from({ length: 7 }, (_, i) =>
    arange(40)
      .lt(5 * (i + 1))
      .cast("f32")
      .expand([5, 40])
      .mean(1)
      .add(x),
  );
  for (const { tiled } of compileTrace(trace(sums)).kernels) expect(tiled.rounds).toBeGreaterThanOrEqual(1);
  await realize(...sums);
  const means = await Promise.all(sums.map((s) => s.data()));
  expect(means.map((m) => m[4])).toEqual([1, 2, 3, 4, 5, 6, 7].map((i) => i / 8));
});

/** How a kernel's loops are laid out: what runs along vectors, in how many, what is unrolled, what is cut into stages. */
function layoutOf({ tiled }: Program["kernels"][number]): string {
  const axes = [...tiled.outer, ...tiled.reduced];
  const name = (axis: Axis): string => `${tiled.outer.includes(axis) ? "i" : "r"}${axes.indexOf(axis)}<${axis.extent}`;
  const parts = [
    `loops ${[...tiled.plain, ...tiled.reducedOrder].map(name).join(" ") || "none"}`,
    tiled.vector === undefined ? "scalar" : `${tiled.vectors} vectors along ${name(tiled.vector)}`,
    ...tiled.unrolled.map((u) => `${u.factor} × ${name(u.axis)}`),
    `${tiled.rounds} a round`,
    ...(tiled.stage === undefined ? [] : [`stages of ${tiled.stage.count} along ${name(tiled.stage.axis)}`]),
  ];
  return parts.join(", ");
}

test.each([4, 8, 16])("layouts of native kernels with %d lanes", (lanes) => {
  const target = nativeTarget(lanes, { leastWork: Number.POSITIVE_INFINITY, most: 1, choose: ([first]) => first });
  const product = { outputs: [zeros(315, 1300).matmul(zeros(1300, 693))] };
  const found = Object.entries<Step>({ ...graphs, product }).map(([name, { outputs, updates = [] }]) => {
    const { kernels } = compileTrace(trace(outputs, updates), { target, verify: true });
    return [name, kernels.map(layoutOf)];
  });
  expect(Object.fromEntries(found)).toMatchSnapshot();
});

test("gradients laid in one range are computed there; as a result, the range alone is copied, once", () => {
  const values = [zeros(64, 48), zeros(48), zeros(48, 10), zeros(10)];
  const params = values.map((v) => param(new Float32Array(v.size), v.shape));
  const [w, b, u, c] = params;
  const [x, y] = [zeros(32, 64), zeros(32, 10)];
  const loss = x.matmul(w).add(b).tanh().matmul(u).add(c).sub(y).square().mean();
  const apart = grad(loss, params);
  const together = concat(apart.map((g) => g.reshape(-1)));
  const moves = (...outputs: Tensor[]): readonly string[][] => {
    const { kernels, copies } = compileTrace(trace(outputs), { verify: true });
    expect(copies).toEqual([]);
    return kernels
      .filter(({ tiled }) => tiled.stores.some(({ value }) => value.kind === "load"))
      .map(({ tiled }) => tiled.outer.map((axis) => String(axis.extent)));
  };
  expect(moves(loss, together.mul(0.5))).toEqual([]);
  expect(moves(loss, together)).toEqual([["3610"]]);
});

test("rows added to a leaf that is updated are added where it lies: no copy of the table, no pass over it", () => {
  const [a, b] = [param(new Float32Array(1000 * 8), [1000, 8]), param(new Float32Array(1000 * 8), [1000, 8])];
  const rows = tensor(Int32Array.of(3, 5, 3));
  const updates = [
    { leaf: a, value: a.indexAdd(rows, b.gather(rows)) },
    { leaf: b, value: b.indexAdd(rows, a.gather(rows)) },
  ];
  const { kernels, copies, arenaBytes } = compileTrace(trace([], updates), { verify: true });
  expect(copies).toEqual([]);
  expect(arenaBytes).toBeLessThan(1000);
  for (const { tiled } of kernels) expect(tiled.outer.reduce((n, axis) => n * axis.extent, 1)).toBe(24);
  const kept = compileTrace(trace([a.mul(2)], [{ leaf: a, value: a.indexAdd(rows, a.slice(0, 0, 3)) }]), {
    verify: true,
  });
  expect(kept.copies).toEqual([]); // what reads the old table comes first
});

test("a product is computed by its own rows and columns, whatever stages a sum of it has", () => {
  const [x, w] = [zeros(100, 50), zeros(50, 3072)];
  const product = x.matmul(w);
  for (const output of [product.sum(), product.add(1).square().mean(), product.reshape(-1).max()]) {
    const { kernels } = compileTrace(trace([output]), { verify: true });
    const [computed] = kernels.filter(({ tiled }) => tiled.buffers.filter((b) => !b.written).length > 1);
    expect(computed.text).not.toMatch(/\d[/%]\d/);
    expect(computed.tiled.outer.map((axis) => axis.extent)).toEqual([100, 3072]);
  }
  const heads = compileTrace(trace([product.reshape(100, 8, 384).add(1)]));
  expect(heads.kernels.length).toBe(1); // axes that are parts of its own cost nothing
});
