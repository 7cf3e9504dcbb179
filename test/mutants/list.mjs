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
  "src/compile/1-prepare.ts": compiler,
  "src/compile/3-lower.ts": compiler,
  "src/compile/5-plan.ts": compiler,
  "src/compile/6-share.ts": ["test/share.test.ts", "test/compile.test.ts"],
};

/** Breakages that no operator makes: file, text that occurs in it once, what stands there instead. */
export const byHand = [];

/** Breakages that are right as well: file, a line, the changes (all if not given), and why. */
export const accepted = [];
