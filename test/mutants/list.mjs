// Which files are broken and which tests must notice; breakages made by hand; breakages that change nothing that matters.

/** Tests in the order in which they run: the quick ones that find most come first. */
const graph = ["test/grad.test.ts", "test/random-graphs.test.ts", "test/join.test.ts"];
const compiler = [
  "test/random-graphs.test.ts",
  "test/join.test.ts",
  "test/compile.test.ts",
  "test/accumulation.test.ts",
  "test/primitives.test.ts",
];

/** Files, and the tests that concern them. */
export const files = {
  "src/graph/grad.ts": graph,
  "src/graph/fold.ts": [
    "test/graph/fold.test.ts",
    "test/random-graphs.test.ts",
    "test/compile.test.ts",
    "test/primitives.test.ts",
  ],
  "src/compile/affine.ts": ["test/affine.test.ts", ...compiler],
  "src/compile/expressions.ts": compiler,
  "src/compile/join.ts": ["test/join.test.ts", ...compiler],
  "src/compile/1-prepare.ts": ["test/prepare.test.ts", ...compiler],
  "src/compile/3-lower.ts": compiler,
  "src/compile/value-rules.ts": ["test/graph/fold.test.ts", ...compiler],
  "src/compile/5-plan.ts": compiler,
  "src/compile/6-share.ts": ["test/share.test.ts", "test/compile.test.ts"],
};

/** Breakages that no operator makes: file, text that occurs in it once, what stands there instead. */
export const byHand = [
  ["src/graph/grad.ts", "[g.mul(second(t)), g.mul(first(t))]", "[g.mul(first(t)), g.mul(second(t))]"],
  ["src/graph/grad.ts", "add: (g) => [g, g]", "add: (g) => [g, undefined]"],
  ["src/graph/grad.ts", "g.div(t.mul(2))", "g.div(t)"],
  ["src/graph/grad.ts", "return [left, left.mul(t).neg()]", "return [left, undefined]"],
  ["src/graph/grad.ts", "return [g, g.mul(quotient).neg()]", "return [g, undefined]"],
  ["src/graph/grad.ts", "[where(right, g.full(0), g), where(right, g, g.full(0))]", "[g, g]"],
  ["src/graph/grad.ts", "where(first(t), g, g.full(0)), where(first(t), g.full(0), g)", "g, g"],
  ["src/graph/grad.ts", "spread(g.div(hit.cast(x.dtype).sum(axes)), x, axes)", "spread(g, x, axes)"],
  ["src/graph/grad.ts", "[isDetached(t) ? undefined : g.reshape(first(t).shape)]", "[g.reshape(first(t).shape)]"],
  ["src/graph/grad.ts", "order.map((_, i) => order.indexOf(i))", "order"],
  ["src/graph/grad.ts", "{ keepDims: true },", "{},"],
  ["src/graph/grad.ts", "[g.flip(axes)]", "[g]"],
  ["src/graph/grad.ts", "(start += shape[axis])", "start + shape[axis]"],
  ["src/graph/grad.ts", "first(t).transpose().matmul(g)]", "g.transpose().matmul(first(t))]"],
  ["src/graph/grad.ts", "stop: before.map((b, i) => b + first(t).shape[i])", "stop: first(t).shape"],
  ["src/graph/grad.ts", ".flip(spatial.map((i) => i + 2))", ""],
  [
    "src/graph/grad.ts",
    'return make("conv", [g, swapped], { stride: inputDilation,',
    'return make("conv", [g, swapped], { stride,',
  ],
  ["src/graph/grad.ts", "inputDilation: stride, dilation, groups });", "inputDilation, dilation, groups });"],
  ["src/graph/grad.ts", "    dilation: stride,", "    dilation,"],
  ["src/graph/grad.ts", "stride: dilation,", "stride,"],
  ["src/graph/grad.ts", "const order = [2, 1, 0,", "const order = [2, 0, 1,"],
  ["src/graph/grad.ts", "isFloat(first(t).dtype) && isFloat(t.dtype) ? g.cast(first(t).dtype)", "isFloat(t.dtype) ? g"],
  ["src/graph/grad.ts", "(c) => c.end <= start", "() => true"],
  ["src/graph/grad.ts", "known.push(part)", "parts.set(t, [part])"],
  ["src/graph/fold.ts", "inputs[a !== 0 ? 1 : 2]", "inputs[a !== 0 ? 2 : 1]"],
  ["src/graph/fold.ts", "mul: Math.imul", "mul: (a, b) => a * b"],
  ["src/graph/fold.ts", "order.map((i) => inner[i])", "inner.map((i) => order[i])"],
  ["src/graph/fold.ts", " && inverse * value === 1", ""],
  ["src/graph/fold.ts", "Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(value))) | 0", "Math.trunc(value) | 0"],
  ["src/compile/value-rules.ts", "Object.is(value, 0)", "value === 0"],
  ["src/compile/value-rules.ts", "[...place.guards, ...guards]", "guards"],
  [
    "src/compile/5-plan.ts",
    "e.guards.length > 0 || e.index.key !== store.index.key",
    "e.index.key !== store.index.key",
  ],
  ["src/compile/5-plan.ts", "lastUse.set(wholes.get(node)?.whole ?? node,", "lastUse.set(node,"],
];

/** Breakages that are right as well: file, a line, the changes (all if not given), and why. */
const measured = "a threshold that was measured: values are the same on both sides of it";
const speed = "the same values by more work";
export const accepted = [
  { file: "src/compile/1-prepare.ts", line: "const longestSum = 4096;", why: measured },
  { file: "src/compile/1-prepare.ts", line: "const longDepth = 128;", why: measured },
  { file: "src/compile/1-prepare.ts", line: "const veryLongDepth = 512;", why: measured },
  { file: "src/compile/1-prepare.ts", line: "const farApart = 64;", why: measured },
  { file: "src/compile/join.ts", line: "const fewest = 4;", why: measured },
  { file: "src/compile/3-lower.ts", line: "const shortSum = 16;", why: measured },
  { file: "src/compile/5-plan.ts", line: "export const slack = 64;", why: "alignment rounds it up to the same" },
  {
    file: "src/compile/affine.ts",
    line: '| { readonly kind: "row"; readonly expr: Expr; readonly rows: number; readonly key: string };',
    why: "a type",
  },
  {
    file: "src/graph/grad.ts",
    line: "if (part === undefined || !needed.has(t)) return;",
    changes: ["!needed.has(t) → false"],
    why: speed,
  },
  {
    file: "src/compile/affine.ts",
    line: "max += coef * (coef > 0 ? atomMax(atom) : atomMin(atom));",
    changes: ["> → >="],
    why: "no coefficient is 0",
  },
  {
    file: "src/compile/affine.ts",
    line: "min += coef * (coef > 0 ? atomMin(atom) : atomMax(atom));",
    changes: ["> → >="],
    why: "no coefficient is 0",
  },
  {
    file: "src/compile/affine.ts",
    line: "kept.sort((a, b) => (a.atom.key < b.atom.key ? -1 : 1));",
    changes: ["< → <="],
    why: "no two keys are equal",
  },
  {
    file: "src/compile/value-rules.ts",
    line: 'return by === 0 ? value : maker.exprs.op(by > 0 ? "shl" : "shr", [value], "i32", Math.abs(by));',
    changes: ["> → >="],
    why: "0 is taken above",
  },
  {
    file: "src/compile/3-lower.ts",
    line: "const at = coef > 0 && atom.by % coef === 0 ? atom.by / coef : 0;",
    changes: ["0 → 1 (3)"],
    why: "only what is above 1 is used",
  },
  {
    file: "src/graph/fold.ts",
    line: "const inOrder = (list: readonly number[]): boolean => list.every((axis, i) => i === 0 || list[i - 1] < axis);",
    changes: ["< → <="],
    why: "no axis is there twice",
  },
  {
    file: "src/graph/fold.ts",
    line: "if (sizeOf(shape) === 0) return fill(0); // no elements: any value is right",
    changes: ["0 → 1 (2)"],
    why: "no elements: any value is right",
  },
  {
    file: "src/graph/fold.ts",
    line: "if (inputs.length > 0 && inputs.some((i) => sizeOf(i.shape) === 0)) return foldEmpty(draft, add);",
    changes: ["inputs.length > 0 → true", "> → >="],
    why: "of no inputs none is empty",
  },
  {
    file: "src/graph/fold.ts",
    line: 'if (op === "const" || op === "buffer") return undefined;',
    changes: ['op === "buffer" → false'],
    why: "leaves are traced without folding",
  },
  {
    file: "src/graph/grad.ts",
    line: "for (const t of order) if (t.inputs.some((i) => needed.has(i))) needed.add(t);",
    changes: ["t.inputs.some((i) => needed.has(i)) → true", ".some( → .every("],
    why: `${speed}: of no inputs all are needed, and so all nodes are`,
  },
  {
    file: "src/compile/1-prepare.ts",
    line: "const rewriter = new Rewriter(1 + Math.max(-1, ...trace.nodes.slice(-1).map((n) => n.id)), target, options);",
    changes: ["1 → 2"],
    why: "numbers need not be neighbours",
  },
];
