// The native backend against double precision: primitives of every kind, random graphs, threads, and what happens without a compiler.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NativeBackend } from "../src/backend/native/index.ts";
import type { Op } from "../src/graph/index.ts";
import { trace } from "../src/graph/internal.ts";
import { cases } from "./cases.ts";
import { runTrace } from "./harness.ts";
import { build, recipes } from "./random-graph.ts";
import { disagreement, referenceOf } from "./reference.ts";

/** One in so many cases: a C compiler takes its time. NATIVE_CASES=1 runs all. */
const every = Number(process.env.NATIVE_CASES ?? 12);
const graphs = Number(process.env.NATIVE_GRAPHS ?? 40);
const seed = Number(process.env.SEED ?? 1);

const native = new NativeBackend({ threads: 1, leastWork: [0, 0], poison: true });

function works(): boolean {
  try {
    native.compiler();
    return true;
  } catch (error) {
    console.log(`skipped: ${(error as Error).message}`);
    return false;
  }
}

describe.skipIf(!works())("native", () => {
  test.each(Object.keys(cases) as Op[])("%s", { timeout: 600_000 }, (op) => {
    const list = cases[op].filter((_, i) => i % every === 0);
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
});
