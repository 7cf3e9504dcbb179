// The verifier of compiled programs: sound ones pass, and each thing it checks, broken as a fault in a pass would, is named.
import { describe, expect, test } from "vitest";
import { type Prepared, prepare } from "../src/compile/1-prepare.ts";
import { type Group, schedule } from "../src/compile/2-schedule.ts";
import { lower } from "../src/compile/3-lower.ts";
import { type TiledKernel, tile } from "../src/compile/4-tile.ts";
import { bytesFor, plan } from "../src/compile/5-plan.ts";
import { type Phase, share } from "../src/compile/6-share.ts";
import {
  type Axis,
  type Index,
  ofAxis,
  ofConstant,
  plus,
  quotient,
  remainder,
  shifted,
  times,
} from "../src/compile/affine.ts";
import type { Expr, Kernel, ScalarOp, ScalarType } from "../src/compile/kernel.ts";
import { type Access, type Call, compileTrace, type Program } from "../src/compile/program.ts";
import { nativeTarget, wasmTarget } from "../src/compile/target.ts";
import { verifyKernel } from "../src/compile/verify/kernel.ts";
import { verifyGroups, verifyPrepared, verifyProgram } from "../src/compile/verify/program.ts";
import { coverage, rangeOf } from "../src/compile/verify/ranges.ts";
import { verifyPhases } from "../src/compile/verify/threads.ts";
import { verifyTile } from "../src/compile/verify/tile.ts";
import { arange, grad, stack, tensor } from "../src/graph/index.ts";
import { type Node, Tensor, type Trace, trace, type Update } from "../src/graph/internal.ts";
import { param } from "../src/graph/leaves.ts";
import { make } from "../src/graph/operands.ts";
import { passes, typed } from "./harness.ts";
import { attention, convStep, mlpStep } from "./training-graphs.ts";

/** All forms that a graph takes on its way, one kernel a step, and enough work in each to be shared out. */
interface Forms {
  readonly graph: Trace;
  readonly prepared: Prepared;
  readonly groups: readonly Group[];
  readonly kernels: readonly Kernel[];
  readonly program: Program;
}

function forms(outputs: readonly Tensor[], updates: readonly Update[] = []): Forms {
  const graph = trace(outputs, updates);
  const prepared = prepare(graph, wasmTarget, { join: true, transpose: true, stage: true, phases: true });
  const groups = schedule(prepared, { fuse: true, merge: true, mostBuffers: 100, inPlace: true });
  const kernels = groups.flatMap((g) => lower(g, () => true, { collapse: true }));
  const { at, copies, arenaBytes } = plan(prepared, kernels, graph.leaves.length, {
    alignment: 4,
    reuse: true,
    inPlace: true,
    runs: [],
    kept: [],
  });
  const options = { target: wasmTarget, vectorize: true, unroll: true, block: true, stage: true };
  const calls = kernels.map((k, kernel): Call => {
    const accesses = k.buffers.map(({ node, written }) => ({
      location: at(node),
      start: 0,
      bytes: bytesFor(node),
      written,
    }));
    return { kernel, accesses, work: 1e6, once: false };
  });
  const program = {
    target: wasmTarget,
    kernels: kernels.map((k) => ({ tiled: tile(k, options), text: "" })),
    calls,
    runs: [],
    copies,
    arenaBytes,
    stripBytes: 0,
    stripRooms: 0,
    leafCount: graph.leaves.length,
    outputCount: graph.outputs.length,
    kept: [],
    steady: [],
    updated: [],
  };
  return { graph, prepared, groups, kernels, program };
}

const verifyForms = ({ graph, prepared, groups, kernels, program }: Forms): void => {
  verifyPrepared(graph, prepared);
  verifyGroups(prepared, groups);
  verifyProgram(graph, prepared, program, kernels);
};

const leaf = (...shape: number[]): Tensor => tensor(new Float32Array(shape.reduce((n, d) => n * d, 1)), shape);
const mlp = (): Forms => ((s) => forms([s.loss], s.updates))(mlpStep(8, 6, 5, 3));
const joined = (): Forms => forms([stack([1, 2, 3, 4, 5].map((k) => leaf(4, 6).mul(k).tanh())).sum(0)]);
/** Three calls, each reading what the one before wrote. */
const chain = (): Forms => forms([leaf(40, 30).sum(1).exp().expand([50, 40]).sum(0).exp().expand([7, 40]).sum(1)]);
const descent = (): Forms => {
  const p = param(new Float32Array(40), [40]);
  return forms([p.sum()], [{ leaf: p, value: p.mul(0.5) }]);
};
const reversed = (): Forms => {
  const p = param(new Float32Array(40), [40]);
  return forms([], [{ leaf: p, value: p.flip() }]);
};
const scattered = (): Forms =>
  forms([make("scatterAdd", [leaf(5, 3).mul(2), tensor(typed("i32", [0, 1, 2, 1, 0]))], { size: 4 }).exp()]);

const graphs: Record<string, () => Forms> = { mlp, joined, chain, descent, reversed, scattered };
graphs.conv = () => ((s) => forms([s.loss], s.updates))(convStep(2, 6, 3, 4));
graphs.attention = () => forms([attention(2, 5, 4)]);

test.each(Object.entries(graphs))("%s is sound", (_, made) => {
  verifyForms(made());
});

const tuning = { leastWork: 0, most: 8, choose: (layouts: readonly TiledKernel[]) => layouts[layouts.length - 1] };

test.each([...passes, "none", "all"])("training calls are sound without %s, for narrow and wide vectors", (without) => {
  const left = new Set(passes.filter((p) => p === without || without === "all"));
  for (const { loss, updates } of [mlpStep(32, 300, 48, 10), convStep(8, 12, 4, 10)]) {
    const graph = trace([loss], updates);
    for (const target of [wasmTarget, nativeTarget(8, tuning), nativeTarget(16, tuning)])
      compileTrace(graph, { without: left, target, verify: true });
  }
  compileTrace(trace([attention(2, 600, 8)]), {
    without: left,
    target: nativeTarget(8, tuning),
    verify: true,
  });
});

const replaced = <T>(list: readonly T[], at: number, change: (x: T) => T): T[] =>
  list.map((x, i) => (i === at ? change(x) : x));

type Break = readonly [what: string, broken: () => void, message: RegExp];
const expectFaults = (pass: string, breaks: readonly Break[]): void => {
  describe(`after ${pass}`, () => {
    test.each(breaks)("%s", (_, broken, message) => {
      expect(broken).toThrow(new RegExp(`^verify: after ${pass}: [^\n]*${message.source}[^\n]*$`));
    });
  });
};

// Prepared graphs -------------------------------------------------------------------------------------------------------

/** A graph with its first output replaced, or with other parts changed. */
function prepared(made: () => Forms, change: (f: Forms) => Partial<Prepared>): () => void {
  return () => {
    const f = made();
    const broken = change(f);
    const kept = new Set([...f.prepared.kept, ...(broken.outputs ?? []).filter((n) => n.op !== "buffer")]);
    verifyPrepared(f.graph, { ...f.prepared, kept, ...broken });
  };
}
const output =
  (change: (n: Node) => Node) =>
  (f: Forms): Partial<Prepared> => ({
    outputs: replaced(f.prepared.outputs, 0, change),
  });
const wholeOf = ({ prepared: p }: Forms): [Node, readonly Node[]] => [...p.joined][0];
const doubled = (): Forms => forms([leaf(3, 4).mul(2)]);
const ones = (shape: number[], dtype: Node["dtype"]): Node => {
  return { id: 99, op: "const", inputs: [], args: { value: 1 }, shape, dtype, leaf: -1 };
};
const halved = (): Forms => {
  const p = param(new Float32Array(4), [4]);
  return forms([p.mul(0.5)], [{ leaf: p, value: p.mul(0.5) }]);
};
const random = (): Forms => forms([new Tensor("random", [tensor(typed("i32", [1, 2]))], { stream: 0 }, [6], "i32")]);
const counted = (): Forms => forms([arange(5).mul(2)]);

expectFaults("prepare", [
  [
    "a shape",
    prepared(
      doubled,
      output((n) => ({ ...n, shape: [4, 3] })),
    ),
    /mul#\d+ f32 \[4, 3\] should be f32 \[3, 4\]/,
  ],
  [
    "a dtype",
    prepared(
      doubled,
      output((n) => ({ ...n, dtype: "i32" })),
    ),
    /should be f32/,
  ],
  [
    "inputs that do not fit",
    prepared(
      doubled,
      output((n) => ({ ...n, inputs: [n.inputs[0], ones([3], n.dtype)] })),
    ),
    /shapes differ/,
  ],
  [
    "an id twice",
    prepared(
      doubled,
      output((n) => ({ ...n, id: n.inputs[0].id })),
    ),
    /share an id/,
  ],
  [
    "a cycle",
    prepared(
      doubled,
      output((n) => {
        const inputs: Node[] = [];
        const made = { ...n, inputs };
        inputs.push(made, made);
        return made;
      }),
    ),
    /is computed from itself/,
  ],
  [
    "an unknown leaf",
    prepared(
      doubled,
      output((n) => ({ ...n, inputs: n.inputs.map((x) => (x.op === "buffer" ? { ...x, leaf: 7 } : x)) })),
    ),
    /bound at leaf 7 of 1/,
  ],
  [
    "another leaf's shape",
    prepared(
      doubled,
      output((n) => ({ ...n, inputs: n.inputs.map((x) => (x.op === "buffer" ? { ...x, shape: [4, 3] } : x)) })),
    ),
    /bound at leaf 0, a leaf f32 \[3, 4\]/,
  ],
  [
    "a leaf of what is no leaf",
    prepared(
      doubled,
      output((n) => ({ ...n, leaf: 0 })),
    ),
    /has a leaf, 0/,
  ],
  [
    "a leaf to be kept",
    prepared(doubled, (f) => ({ kept: new Set([...f.prepared.kept, ...f.prepared.outputs[0].inputs]) })),
    /the leaf buffer#\d+ f32 \[3, 4\] is to be kept/,
  ],
  ["a result that is not kept", prepared(doubled, () => ({ kept: new Set() })), /is not kept/],
  [
    "a result of another shape",
    prepared(
      doubled,
      output((n) => ({ ...n, op: "reshape", args: { shape: [12] }, inputs: [n], id: 50, shape: [12] })),
    ),
    /stands for mul#/,
  ],
  [
    "a leaf as a result",
    prepared(
      doubled,
      output((n) => n.inputs.find((x) => x.op === "buffer")!),
    ),
    /the result buffer#.* has no buffer of its own/,
  ],
  ["one output missing", prepared(doubled, () => ({ outputs: [] })), /0 outputs and 0 updates/],
  [
    "an update of another leaf",
    prepared(descent, (f) => ({ updates: f.prepared.updates.map((u) => ({ ...u, leaf: 3 })) })),
    /update 0 goes to leaf 3/,
  ],
  [
    "one result for two",
    prepared(halved, (f) => ({ outputs: f.prepared.updates.map((u) => u.value) })),
    /the result \w+#\d+ f32 \[4\] has no buffer of its own/,
  ],
  [
    "counting along no axis",
    prepared(
      counted,
      output((n) => ({ ...n, inputs: n.inputs.map((x) => (x.op === "iota" ? { ...x, args: { axis: 1 } } : x)) })),
    ),
    /counts along axis 1/,
  ],
  [
    "a join that lacks a part",
    prepared(joined, (f) => {
      const [whole, parts] = wholeOf(f);
      return { joined: new Map([[whole, parts.slice(1)]]) };
    }),
    /the parts of concat#\d+ f32 \[120\] have 96 elements, it has 120/,
  ],
  [
    "a part twice",
    prepared(joined, (f) => {
      const [whole, parts] = wholeOf(f);
      return { joined: new Map([[whole, [parts[0], parts[0], ...parts.slice(2)]]]) };
    }),
    /has two places/,
  ],
  [
    "parts in another order",
    prepared(joined, (f) => {
      const [whole, parts] = wholeOf(f);
      return { joined: new Map([[whole, [...parts].reverse()]]) };
    }),
    /is not made from its parts/,
  ],
  [
    "a part that is not kept",
    prepared(joined, (f) => ({ kept: new Set([...f.prepared.kept].filter((n) => n !== wholeOf(f)[1][2])) })),
    /a part of the joined concat#\d+ f32 \[120\], is not kept/,
  ],
  [
    "a part of another dtype",
    prepared(joined, (f) => {
      const [whole, parts] = wholeOf(f);
      return { joined: new Map([[whole, [{ ...parts[0], dtype: "f64" }, ...parts.slice(1)]]]) };
    }),
    /tanh#\d+ f64 \[4, 6\] is a part of concat#\d+ f32 \[120\]/,
  ],
  [
    "one key word",
    prepared(
      random,
      output((n) => ({ ...n, inputs: [ones([2], "f32")] })),
    ),
    /needs two words of i32/,
  ],
]);

// Groups ----------------------------------------------------------------------------------------------------------------

function grouped(made: () => Forms, change: (groups: readonly Group[], f: Forms) => readonly Group[]): () => void {
  return () => {
    const f = made();
    verifyGroups(f.prepared, change(f.groups, f));
  };
}
const withoutRead = (group: Group, which: (n: Node) => boolean): Group => ({
  ...group,
  reads: new Set([...group.reads].filter((n) => !which(n))),
});

expectFaults("schedule", [
  ["a group lost", grouped(chain, (g) => g.slice(1)), /group 0 \(.*\) reads .*, which no group computes/],
  ["the result lost", grouped(chain, (g) => g.slice(0, -1)), /no group computes the result/],
  ["a value computed twice", grouped(chain, (g) => [...g, g[0]]), /is computed by two groups/],
  ["groups in another order", grouped(chain, (g) => [...g].reverse()), /reads .*, which group \d computes/],
  [
    "a part after its whole is read",
    grouped(joined, (g) => [...g.slice(1), g[0]]),
    /a part of concat#\d+ f32 \[120\], which group 5 computes/,
  ],
  [
    "a leaf that is not read",
    grouped(chain, (g) => replaced(g, 0, (x) => withoutRead(x, (n) => n.op === "buffer"))),
    /buffer#\d+ f32 \[40, 30\] inside group 0 .* is not among its reads/,
  ],
  [
    "a sum within a sum",
    grouped(chain, (g) => replaced(g, 1, (x) => withoutRead(x, () => true))),
    /is below another reduction/,
  ],
  [
    "a sum that is not known of",
    grouped(chain, (g) => replaced(g, 1, (x) => ({ ...x, cores: [] }))),
    /is not among its reductions/,
  ],
  [
    "a joined value inside",
    grouped(joined, (g) => replaced(g, 5, (x) => withoutRead(x, () => true))),
    /needs a kernel of its own/,
  ],
  [
    "values of two shapes",
    grouped(chain, (g) => [{ ...g[0], roots: [...g[0].roots, ...g[2].roots] }, g[1]]),
    /group 0 computes .* and .* over one shape/,
  ],
]);

// Kernels ---------------------------------------------------------------------------------------------------------------

const product = (): Kernel => forms([leaf(8, 7).matmul(leaf(7, 6)).tanh()]).kernels[0];
const kernel =
  (change: (k: Kernel) => Partial<Kernel>, of: () => Kernel = product) =>
  (): void => {
    const k = of();
    verifyKernel({ ...k, ...change(k) }, "k0");
  };
const expr =
  (which: (e: Expr) => boolean, change: (e: Expr) => object) =>
  (k: Kernel): Partial<Kernel> => {
    // users keep their operands, which are found by their place
    const at = k.exprs.findIndex(which);
    expect(at).toBeGreaterThanOrEqual(0);
    Object.assign(k.exprs[at], change(k.exprs[at]));
    return {};
  };
const isLoad = (e: Expr): boolean => e.kind === "load";
const stored =
  (change: (index: Index, k: Kernel) => Index) =>
  (k: Kernel): Partial<Kernel> => ({
    stores: k.stores.map((s) => ({ ...s, index: change(s.index, k) })),
  });
const strange: Axis = { id: 77, extent: 3 };

expectFaults("lower", [
  [
    "an axis that no loop has",
    kernel(expr(isLoad, (e) => ({ index: plus((e as Expr & { kind: "load" }).index, ofAxis(strange)) }))),
    /axis i77 < 3 of the index .* is no loop/,
  ],
  [
    "an axis of another extent",
    kernel((k) => ({ outer: replaced(k.outer, 0, (a) => ({ ...a, extent: a.extent + 1 })) })),
    /is no loop of the kernel/,
  ],
  ["an axis twice", kernel((k) => ({ outer: [...k.outer, k.outer[0]] })), /two loops share an axis/],
  ["axes that are not said", kernel(expr(isLoad, () => ({ axes: new Set() }))), /varies along \[i\d i\d\], not \[\]/],
  [
    "a reduced axis outside",
    kernel((k) => ({ stores: k.stores.map((s) => ({ ...s, value: k.reductions[0].value })) })),
    /uses the reduced axis i2/,
  ],
  ["a reduced axis in a store", kernel(stored((i, k) => plus(i, ofAxis(k.reduced[0])))), /uses the reduced axis i2/],
  [
    "a reduction within another",
    kernel((k) => ({
      reductions: k.reductions.map((r) => ({ ...r, value: k.exprs.find((e) => e.kind === "reduction")! })),
    })),
    /holds another/,
  ],
  ["a reduction that is not there", kernel(() => ({ reductions: [] })), /is none of 0 reductions/],
  ["operands after users", kernel((k) => ({ exprs: [...k.exprs].reverse() })), /comes before an operand/],
  [
    "bounds that are not so",
    kernel(expr(isLoad, (e) => ({ index: { ...(e as Expr & { kind: "load" }).index, max: 3 } }))),
    /runs from 0 to 55, not from 0 to 3/,
  ],
  ["a load of another type", kernel(expr(isLoad, () => ({ dtype: "i32" }))), /reads a buffer of f32/],
  [
    "a load of what is written",
    kernel(expr(isLoad, () => ({ buffer: 2 }))),
    /reads no buffer that is there to be read/,
  ],
  [
    "a reduction of another type",
    kernel(
      expr(
        (e) => e.kind === "reduction",
        () => ({ dtype: "f64" }),
      ),
    ),
    /is a reduction over f32/,
  ],
  [
    "a compensated maximum",
    kernel((k) => ({ reductions: k.reductions.map((r) => ({ ...r, op: "max" as const, compensated: true })) })),
    /a compensated max/,
  ],
  [
    "a store of another type",
    kernel((k) => ({
      buffers: k.buffers.map((b) => (b.written ? { ...b, node: { ...b.node, dtype: "i32" as const } } : b)),
    })),
    /b2 of i32 is given/,
  ],
  [
    "a sum of truth values",
    kernel(
      expr(
        (e) => e.kind === "op" && e.op === "mul",
        () => ({ kind: "inside", guards: [], dtype: "bool" }),
      ),
    ),
    /sum over %\d = inside bool/,
  ],
  ["no store", kernel(() => ({ stores: [] })), /0 stores to b2, which is written/],
  ["two stores", kernel((k) => ({ stores: [...k.stores, ...k.stores] })), /2 stores to b2/],
  [
    "a store to what is read",
    kernel((k) => ({ stores: [...k.stores, { ...k.stores[0], buffer: 0 }] })),
    /1 stores to b0, which is only read/,
  ],
  [
    "a value that is not computed",
    kernel((k) => ({ stores: k.stores.map((s) => ({ ...s, value: { ...s.value } })) })),
    /which the kernel does not compute/,
  ],
  [
    "a store by columns",
    kernel(stored((_, k) => plus(times(ofAxis(k.outer[0]), 6), times(ofAxis(k.outer[1]), 2)))),
    /does not fill it: element \d+ is/,
  ],
  [
    "a store over and over",
    kernel(stored((_, k) => ofAxis(k.outer[1]))),
    /does not fill it: the index names 6 of 48 elements/,
  ],
  [
    "loops that are too short",
    kernel((k) => ({ buffers: k.buffers.map((b) => (b.written ? { ...b, node: { ...b.node, shape: [8, 7] } } : b)) })),
    /48 iterations store 56 elements/,
  ],
]);

/** A kernel without loops that computes one operation of constants. */
function operation(op: ScalarOp, types: readonly ScalarType[], dtype: ScalarType, by = 0): Kernel {
  const axes = new Set<number>();
  const args = types.map((t, id): Expr => ({ kind: "const", value: id, dtype: t, id, axes, args: [] }));
  const e: Expr = { kind: "op", op, by, dtype, id: args.length, axes, args };
  return { outer: [], reduced: [], reductions: [], stores: [], buffers: [], exprs: [...args, e], serial: false };
}

test.each<[ScalarOp, readonly ScalarType[], ScalarType, number?]>([
  ["neg", ["bool"], "bool"],
  ["abs", ["i32"], "i32"],
  ["sqrt", ["f32"], "f64"],
  ["floor", ["i32"], "i32"],
  ["add", ["f32", "f64"], "f64"],
  ["add", ["f32"], "f32"],
  ["sub", ["bool", "bool"], "bool"],
  ["mul", ["i64", "i64"], "i64"],
  ["div", ["i32", "i32"], "i32"],
  ["max", ["f32", "f32"], "f64"],
  ["mod", ["bool", "bool"], "bool"],
  ["copySign", ["f32", "f64"], "f32"],
  ["lt", ["f32", "f32"], "f32"],
  ["le", ["f32", "i32"], "bool"],
  ["eq", ["i32", "i64"], "bool"],
  ["and", ["f32", "f32"], "f32"],
  ["or", ["bool", "i32"], "bool"],
  ["xor", ["i32", "i32"], "bool"],
  ["shl", ["f32"], "f32", 3],
  ["shr", ["i32"], "i32", 32],
  ["sar", ["i64"], "i64", 0],
  ["where", ["i32", "f32", "f32"], "f32"],
  ["where", ["bool", "f32", "f64"], "f32"],
  ["cast", ["f32"], "f32"],
  ["round", ["f64"], "i32"],
  ["toFloat", ["i64"], "f32"],
  ["pow2", ["f32"], "f32"],
  ["exponent", ["f32"], "i64"],
  ["mantissa", ["i32"], "i32"],
  ["high", ["f32"], "i32"],
])("after lower: %s of %j as %s", (op, types, dtype, by) => {
  expect(() => verifyKernel(operation(op, types, dtype, by), "k0")).toThrow(
    /^verify: after lower: k0: %\d = .* (takes|shifts)/,
  );
});

test("ranges are those of all points", () => {
  const [a, b] = [5, 7].map((extent, id): Axis => ({ id, extent }));
  const flat = plus(times(ofAxis(a), 7), ofAxis(b));
  const index = plus(quotient(shifted(flat, 3), 4), times(remainder(flat, 5), 10));
  const values: number[] = [];
  const guarded: number[] = [];
  for (let i = 0; i < 35; i++) {
    const value = Math.floor((i + 3) / 4) + 10 * (i % 5);
    values.push(value);
    if (i % 7 >= 2 && i % 7 < 5) guarded.push(value);
  }
  expect(rangeOf(index, [])).toEqual({ min: Math.min(...values), max: Math.max(...values) });
  const guards = [{ index: shifted(ofAxis(b), -2), size: 3 }];
  expect(rangeOf(index, guards)).toEqual({ min: Math.min(...guarded), max: Math.max(...guarded) });
  expect(rangeOf(index, [{ index: shifted(ofAxis(b), -9), size: 2 }])).toBeUndefined();
  expect(
    rangeOf(plus(ofAxis({ id: 2, extent: 2 ** 20 }), times(quotient(ofAxis({ id: 3, extent: 9 }), 2), -3)), []),
  ).toEqual({ min: -12, max: 2 ** 20 - 1 });
});

test("an index covers if it names each element once", () => {
  const [a, b] = [5, 7].map((extent, id): Axis => ({ id, extent }));
  const of = (x: number, y: number, offset = 0): string | undefined =>
    coverage(shifted(plus(times(ofAxis(a), x), times(ofAxis(b), y)), offset), [a, b], 35);
  expect([of(7, 1), of(1, 5), of(-7, 1, 28), of(1, -5, 30)]).toEqual([undefined, undefined, undefined, undefined]);
  expect(of(7, 2)).toMatch(/element \d+ is/);
  expect(of(5, 1)).toMatch(/element 5 is stored twice/);
  expect(coverage(plus(times(quotient(ofAxis(a), 2), 2), remainder(ofAxis(a), 2)), [a], 5)).toBeUndefined();
  expect(coverage(remainder(ofAxis(a), 4), [a], 5)).toMatch(/element 0 is stored twice/);
  expect(coverage(ofConstant(0), [a], 5)).toMatch(/names 1 of 5 elements/);
});

// Layouts ---------------------------------------------------------------------------------------------------------------

const tiledOf = (made: Tensor): TiledKernel => forms([made]).program.kernels[0].tiled;
const big = (): TiledKernel => tiledOf(leaf(64, 32).matmul(leaf(32, 48)));
const layout =
  (change: (k: TiledKernel) => Partial<TiledKernel>, of: () => TiledKernel = big) =>
  (): void => {
    const k = of();
    verifyTile({ ...k, ...change(k) }, "k0");
  };
/** Reads with a quotient of its only axis, so that nothing may run along it. */
const crooked = (): TiledKernel => {
  const k = tiledOf(leaf(40).exp());
  const e = k.exprs.find(isLoad)!;
  Object.assign(e, { index: quotient(ofAxis(k.outer[0]), 2) });
  return k;
};

/** A sum along lanes. */
const along = (): TiledKernel => tiledOf(leaf(6, 5, 40).sum([0, 2]));

expectFaults("tile", [
  [
    "lanes along an outer sum",
    layout((k) => ({ reducedOrder: [...k.reducedOrder].reverse(), rounds: 1 }), along),
    /the vector axis i\d<40 is not the last of/,
  ],
  ["an axis lost", layout(() => ({ unrolled: [] })), /the layout runs over .*, the results over i0<64 i1<48/],
  ["an axis twice", layout((k) => ({ plain: [...k.plain, k.outer[0]] })), /the layout runs over/],
  ["a reduced axis lost", layout(() => ({ reducedOrder: [] })), /the layout reduces over , the kernel over i2<32/],
  [
    "a tile larger than its loop",
    layout((k) => ({ unrolled: k.unrolled.map((u) => ({ ...u, factor: 65 })) })),
    /65 elements of i\d<\d+ in a tile/,
  ],
  ["no vectors", layout(() => ({ vectors: 0 })), /0 vectors side by side/],
  ["rounds past the end", layout(() => ({ rounds: 33 })), /rounds of 33 steps along/],
  [
    "lanes along crooked rows",
    layout((k) => ({ vector: k.outer[0], plain: [] }), crooked),
    /i0<40 does not move in equal steps through/,
  ],
  [
    "lanes of 64 bits",
    layout(
      (k) => ({ vector: k.outer[0], plain: [] }),
      () => tiledOf(leaf(40).cast("f64").neg()),
    ),
    /of f64 runs along lanes/,
  ],
  ["a serial kernel side by side", layout(() => ({ serial: true })), /the kernel is serial/],
]);

// Memory ----------------------------------------------------------------------------------------------------------------

const program = (made: () => Forms, change: (p: Program, f: Forms) => Partial<Program>) => (): void => {
  const f = made();
  verifyProgram(f.graph, f.prepared, { ...f.program, ...change(f.program, f) }, f.kernels);
};
const access =
  (step: number, which: (a: Access) => boolean, change: (a: Access) => Partial<Access>) =>
  (p: Program): Partial<Program> => ({
    calls: replaced(p.calls, step, (s) => ({
      ...s,
      accesses: s.accesses.map((a) => (which(a) ? { ...a, ...change(a) } : a)),
    })),
  });
const arena = (offset: number): Access["location"] => ({ kind: "arena", offset });
const bound = (index: number): Access["location"] => ({ kind: "bound", index });
const writes = (a: Access): boolean => a.written;
const reads = (a: Access): boolean => !a.written;
/** Two values that live side by side. */
const pair = (): Forms => {
  const [x, y] = [leaf(40, 30).sum(1), leaf(40, 20).sum(1)];
  return forms([
    x
      .expand([50, 40])
      .sum(0)
      .mul(y.expand([50, 40]).sum(0))
      .reshape(4, 10)
      .sum(),
  ]);
};
/** The program with everything at one place at another. */
const moved = (p: Program, from: Access["location"], to: Access["location"]): Partial<Program> => {
  const there = (a: Access): boolean => JSON.stringify(a.location) === JSON.stringify(from);
  const move = (a: Access): Access => (there(a) ? { ...a, location: to } : a);
  return { calls: p.calls.map((s) => ({ ...s, accesses: s.accesses.map(move) })) };
};
/** Two results of one kernel. */
const twins = (): Forms => {
  const x = leaf(9);
  return forms([x.exp(), x.sin()]);
};

expectFaults("plan", [
  [
    "a value written elsewhere",
    program(
      pair,
      access(1, writes, () => ({ location: arena(0) })),
    ),
    /step 2 \(k2\) reads reshape#\d+ f32 \[1, 40\] at @\d+, where 160 bytes were never written/,
  ],
  [
    "buffers that overlap",
    program(pair, (p) => moved(p, p.calls[1].accesses.find(writes)!.location, arena(64))),
    /reads reshape#\d+ f32 \[1, 40\] at @0, where buffers overlap at @64: step 1 \(k1\) wrote reshape#\d+ f32 \[1, 40\]/,
  ],
  ["an arena too small", program(pair, () => ({ arenaBytes: 128 })), /lies at @0 to 160, the arena has 128 bytes/],
  [
    "a crooked offset",
    program(
      pair,
      access(0, writes, () => ({ location: arena(2) })),
    ),
    /is not aligned to 4 bytes/,
  ],
  [
    "a binding that is none",
    program(
      pair,
      access(0, reads, () => ({ location: bound(9) })),
    ),
    /lies at binding 9, which is none/,
  ],
  [
    "other bytes",
    program(
      pair,
      access(0, reads, () => ({ bytes: 8 })),
    ),
    /is said to have 8 bytes, not/,
  ],
  [
    "a leaf in another's place",
    program(
      pair,
      access(0, reads, () => ({ location: bound(1) })),
    ),
    /reads buffer#\d+ f32 \[40, 30\] at binding 1, where buffers overlap/,
  ],
  [
    "a value read past where it was written",
    program(
      chain,
      access(1, reads, () => ({ location: arena(64) })),
    ),
    /at @64, where buffers overlap at @0: step 0 \(k0\) wrote/,
  ],
  [
    "an output that is not written",
    program(doubled, (p) => ({ calls: [], kernels: p.kernels })),
    /output 0 should be mul#\d+ f32 \[3, 4\] at binding 1, where 48 bytes were never written/,
  ],
  [
    "a leaf written over",
    program(chain, (p) => moved(p, p.calls[1].accesses.find(writes)!.location, bound(0))),
    /leaf 0 should be buffer#\d+ f32 \[40, 30\] at binding 0, where buffers overlap at @0: step 1/,
  ],
  ["a copy lost", program(reversed, () => ({ copies: [] })), /the updated leaf 0 should be/],
  [
    "a copy cut short",
    program(reversed, (p) => ({ copies: p.copies.map((c) => ({ ...c, bytes: 100 })) })),
    /a copy of 100 bytes of flip#\d+ f32 \[40\], which has 160/,
  ],
  [
    "a copy to elsewhere",
    program(reversed, (p) => ({ copies: p.copies.map((c) => ({ ...c, to: bound(1) })) })),
    /a copy to binding 1, which is no leaf to be updated/,
  ],
  [
    "a copy from elsewhere",
    program(reversed, (p) => ({ copies: p.copies.map((c) => ({ ...c, from: bound(0) })) })),
    /a copy reads flip#/,
  ],
  [
    "an update in place of what is read backwards",
    program(
      reversed,
      access(0, writes, () => ({ location: bound(0) })),
    ),
    /writes b\d at binding 0, over b\d at binding 0, which it reads elsewhere/,
  ],
  [
    "two results in one place",
    program(twins, (p) => moved(p, bound(1), bound(2))),
    /writes b1 at binding 2, over b2 at binding 2, which it writes too/,
  ],
]);

test("after plan: an update in place before others have read the leaf", () => {
  const f = descent();
  const order = f.program.calls.map((_, i) => i).reverse();
  const [calls, kernels] = [order.map((i) => f.program.calls[i]), order.map((i) => f.kernels[i])];
  const location = bound(0);
  const written = calls.map((s, i) =>
    kernels[i].buffers.some((b) => b.written && b.node === f.prepared.updates[0].value)
      ? { ...s, accesses: s.accesses.map((a) => (a.written ? { ...a, location } : a)) }
      : s,
  );
  expect(() => verifyProgram(f.graph, f.prepared, { ...f.program, calls: written }, kernels)).toThrow(
    /^verify: after plan: .*reads buffer#\d+ f32 \[40\] at binding 0, where buffers overlap at @0: .* wrote mul#/,
  );
});

test("after plan: a value read between its clearing and its scattering", () => {
  const f = scattered();
  const at = f.kernels.findIndex((k) => k.serial);
  const swap = <T>(list: readonly T[]): T[] => [...list.slice(0, at), list[at + 1], list[at], ...list.slice(at + 2)];
  expect(() =>
    verifyProgram(f.graph, f.prepared, { ...f.program, calls: swap(f.program.calls) }, swap(f.kernels)),
  ).toThrow(/^verify: after plan: step \d \(k\d\) reads scatterAdd#\d+ f32 \[4, 3\], which step \d still writes$/);
});

expectFaults("lower", [
  [
    "a load past the end",
    program(doubled, (p) => {
      Object.assign(p.kernels[0].tiled.exprs.find(isLoad)!, { index: shifted(ofAxis(p.kernels[0].tiled.outer[0]), 1) });
      return {};
    }),
    /step 0 \(k0\), b0: buffer#\d+ f32 \[3, 4\] is touched from element 1 to 12, it has 12/,
  ],
  [
    "a load before the start",
    program(
      doubled,
      access(0, reads, () => ({ start: -4 })),
    ),
    /is touched from element -1 to 10/,
  ],
  [
    "a start that is not taken off the index",
    program(
      doubled,
      access(0, writes, () => ({ start: 16 })),
    ),
    /is touched from element 4 to 15/,
  ],
  [
    "a guard lost",
    program(
      () => forms([leaf(5).pad([[1, 2]])]),
      (p) => {
        Object.assign(p.kernels[0].tiled.exprs.find(isLoad)!, { guards: [] });
        return {};
      },
    ),
    /is touched from element -1 to 6, it has 5/,
  ],
]);

// Threads ---------------------------------------------------------------------------------------------------------------

const phases = (made: () => Forms, change: (list: readonly Phase[], p: Program) => readonly Phase[]) => (): void => {
  const { program: p } = made();
  verifyPhases(p, change(share(p), p));
};
const noBarrier = (list: readonly Phase[]): Phase[] => list.filter((x) => x.kind !== "barrier");
const alone =
  (change: object) =>
  (list: readonly Phase[]): Phase[] =>
    replaced(list, 0, (x) => (x.kind === "shared" ? { ...x, item: { ...x.item, ...change } } : x));

expectFaults("share", [
  [
    "a barrier lost",
    phases(chain, noBarrier),
    /step 0 \(k0\) and step 1 \(k1\) meet at @0, which the first writes, without a barrier between/,
  ],
  [
    "a barrier lost before the copies",
    phases(reversed, noBarrier),
    /step 0 \(k0\) and a copy meet at @0, which the first writes/,
  ],
  ["a step lost", phases(chain, (list) => list.slice(0, -1)), /step \d and what follows is left out/],
  ["calls in another order", phases(chain, (list) => [...list].reverse()), /step 0 of \d is not what comes next/],
  ["other tasks", phases(chain, alone({ tasks: 1000 })), /has \d+ tasks, not 1000/],
  [
    "a serial step shared out",
    phases(scattered, (list) =>
      list.flatMap((x) => (x.kind === "first" ? x.items.map((item): Phase => ({ kind: "shared", item })) : [x])),
    ),
    /is serial, and shared out/,
  ],
]);

test("what one thread does alone needs no barrier", () => {
  const { program: p } = chain();
  const items = share(p).flatMap((x) => (x.kind === "shared" ? [x.item] : x.kind === "first" ? x.items : []));
  verifyPhases(p, [{ kind: "first", items }]);
});

test("gradients of a joined recurrence are sound", () => {
  const w = param(new Float32Array(64), [8, 8]);
  let h = leaf(4, 8);
  const states: Tensor[] = [];
  for (let t = 0; t < 8; t++) states.push((h = h.matmul(w).add(leaf(4, 8)).tanh()));
  const [g] = grad(stack(states).square().sum(), [w]);
  verifyForms(forms([g], [{ leaf: w, value: w.sub(g) }]));
});
