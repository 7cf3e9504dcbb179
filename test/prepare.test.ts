// Preparing a trace for a machine changes no value and keeps its promises: no padded convolutions, no long sums, results of their own.
import { expect, test } from "vitest";
import { prepare } from "../src/compile/1-prepare.ts";
import { nativeTarget, type Target, wasmTarget } from "../src/compile/target.ts";
import { stack, type Tensor, tensor } from "../src/graph/index.ts";
import { argsOf, type Node, sizeOf, topological, trace, type Update } from "../src/graph/internal.ts";
import { param } from "../src/graph/leaves.ts";
import { cases } from "./cases.ts";
import { stream } from "./harness.ts";
import { disagreement, referenceOf } from "./reference.ts";

const random = stream(3);
const noise = (...shape: number[]): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => random() - 0.5),
    shape,
  );
const wide = nativeTarget(8, { leastWork: 0, most: 1, choose: ([first]) => first });
const targets: Record<string, Target> = { wasm: wasmTarget, native: wide };

/** The operations of a prepared trace, whose values are those of the trace as it was made. */
function prepared(target: Target, outputs: readonly Tensor[], updates: readonly Update[] = [], join = true): Node[] {
  const graph = trace(outputs, updates);
  const made = prepare(graph, target, { join, transpose: true, stage: true, phases: true });
  const results = [...made.outputs, ...made.updates.map((u) => u.value)];
  const nodes = topological(results as unknown as Tensor[]) as unknown as Node[]; // only inputs are asked for
  const [before, after] = [referenceOf(graph), referenceOf({ ...graph, nodes })];
  expect(results.every((n) => n.op !== "buffer" && made.kept.has(n))).toBe(true);
  expect(new Set(results).size).toBe(results.length);
  [...graph.outputs, ...graph.updates.map((u) => u.value)].forEach((n, i) => {
    const [{ values, bounds }, other] = [before.get(n)!, after.get(results[i])!];
    const both = { values, bounds: bounds.map((b, k) => b + other.bounds[k]) };
    expect(results[i].shape).toEqual(n.shape);
    expect(disagreement(other.values, both)).toBeUndefined();
  });
  for (const n of nodes) {
    if (n.op === "sum") expect(argsOf(n, "sum").axes.reduce((t, a) => t * n.inputs[0].shape[a], 1)).toBeLessThan(4097);
    if (n.op !== "conv") continue;
    expect(
      argsOf(n, "conv")
        .padding.flat()
        .some((p) => p !== 0),
    ).toBe(false);
    expect(argsOf(n, "conv").inputDilation.every((d) => d === 1)).toBe(true);
  }
  const stagings = nodes.filter((n) => n.op === "sum" && nodes.some((m) => m.op === "sum" && m.inputs[0] === n));
  expect(stagings.every((n) => made.kept.has(n))).toBe(true);
  return nodes;
}

const onEach = (name: string, check: (target: Target) => void): void =>
  test.each(Object.entries(targets))(`${name} (%s)`, (_, target) => check(target));

const sums: [readonly number[], readonly number[]][] = [
  [[4096], [0]],
  [[4097], [0]],
  [[4099], [0]],
  [[8200], [0]],
  [
    [70, 70],
    [0, 1],
  ],
  [[2, 5000], [1]],
  [[5000, 2], [0]],
  [[3, 4100, 2], [1]],
  [
    [9, 2, 500],
    [0, 2],
  ],
  [
    [9, 2, 5000],
    [0, 2],
  ],
  [
    [3, 20, 2, 10, 9],
    [0, 1, 3, 4],
  ],
  [
    [70, 2, 70, 3],
    [0, 2],
  ],
  [
    [17, 17, 17],
    [0, 1, 2],
  ],
];

onEach("long sums run in stages", (target) => {
  for (const [shape, axes] of sums) prepared(target, [noise(...shape).sum([...axes])]);
});

onEach("convolutions read padded inputs", (target) => {
  for (const { output } of cases.conv) prepared(target, [output.mul(1.5)]);
});

/** How many permuted or plain copies a product's factors get. */
const copies = (nodes: readonly Node[]): number =>
  nodes
    .filter((n) => n.op === "matmul")
    .reduce((n, m) => n + new Set(m.inputs.filter((x) => x.op !== "buffer")).size, 0);

onEach("copied factors are the factors", (target) => {
  const [a, b] = [noise(50, 520), noise(520, 70)];
  const [at, bt] = [noise(520, 50), noise(70, 520)];
  const variants: [Tensor, Tensor][] = [
    [a, b],
    [at.transpose(), b],
    [a, bt.transpose()],
    [at.transpose(), bt.transpose()],
    [noise(400, 130).transpose().slice(0, 0, 50), noise(400, 66)],
    [noise(2, 50, 130), noise(2, 130, 70)],
    [noise(2, 130, 50).permute([0, 2, 1]), noise(70, 2, 130).permute([1, 2, 0])],
    [noise(520, 1).expand([520, 150]).permute([1, 0]), b],
  ];
  for (const [x, y] of variants) prepared(target, [x.matmul(y), x.matmul(y).transpose()]);
  for (const [x, y] of variants) prepared(target, [x.matmul(y).transpose().mul(2)]);
  const product = a.matmul(b);
  expect(prepared(target, [product.transpose()]).at(-1)!.op).toBe("matmul"); // Bᵀ·Aᵀ
  expect(prepared(target, [product.transpose(), product.exp()]).some((n) => n.op === "permute")).toBe(true);
  const across = target === wide ? a.matmul(bt.transpose()) : a.matmul(b);
  expect(copies(prepared(target, [across]))).toBeGreaterThan(0);
  const shared = prepared(target, [a.matmul(bt.transpose()), a.mul(2).matmul(bt.transpose())]);
  expect(shared.filter((n) => n.op === "matmul").length).toBe(2);
  expect(copies(shared)).toBeLessThanOrEqual(4);
});

onEach("filters turned for their channels", (target) => {
  for (const image of [7, 8, 9]) {
    const [x, w] = [noise(2, 3, image, image), noise(9, 3, 2, 2)];
    const twice = prepared(target, [x.conv(w), x.mul(2).conv(w)]);
    const order = twice.filter((n) => n.op === "permute" && n.inputs[0].op === "buffer");
    expect(order.length).toBeLessThanOrEqual(1); // one copy serves both
  }
});

onEach("results are nodes of their own", (target) => {
  const [p, q] = [param(new Float32Array([1, 2, 3, 4]), [2, 2]), param(new Float32Array([5, 6, 7, 8]), [2, 2])];
  const updates = [
    { leaf: p, value: q },
    { leaf: q, value: p },
  ];
  prepared(target, [p, p, q.mul(2), q.mul(2)], updates);
  const parts = [1, 2, 3, 4].map((k) => p.mul(k));
  prepared(target, [stack(parts), stack(parts), parts[1], parts[2].reshape(4)], [{ leaf: p, value: parts[1] }]);
});

test("a join's buffer holds its parts one after another", () => {
  const parts = [1, 2, 3, 4, 5].map((k) => noise(3, 4).mul(k));
  const { joined, kept } = prepare(trace([stack(parts).exp()]), wasmTarget, {
    join: true,
    transpose: true,
    stage: true,
    phases: true,
  });
  expect(joined.size).toBe(1);
  for (const [whole, list] of joined) {
    expect(list.reduce((n, p) => n + sizeOf(p.shape), 0)).toBe(sizeOf(whole.shape));
    expect(kept.has(whole) && list.every((p) => kept.has(p))).toBe(true);
  }
});

onEach("a sum of products over neighbouring parts is one product", (target) => {
  const xs = [2, 3, 4, 5, 6, 7, 8].map((k) => noise(3, 4).mul(k));
  const [leaf, ys] = [noise(8, 3, 5), [2, 3, 4, 5, 6, 7, 8].map((k) => noise(3, 5).mul(k))];
  const sum = (from: number, to: number, of: (i: number) => Tensor): Tensor =>
    Array.from({ length: to - from }, (_, i) => of(from + i)).reduce((p, q) => p.add(q));
  for (const right of [(i: number) => ys[i], (i: number) => leaf.at(i)]) {
    for (const [from, to] of [
      [0, 7],
      [1, 6],
      [3, 7],
    ] as const) {
      const whole = stack(xs).exp();
      const nodes = prepared(target, [
        whole,
        sum(from, to, (i) => xs[i].transpose().matmul(right(i))).add(noise(4, 5)),
      ]);
      expect(nodes.filter((n) => n.op === "matmul").length).toBe(1);
      prepared(target, [whole, sum(from, to, (i) => right(i).transpose().matmul(xs[i]).transpose())]);
    }
  }
});
