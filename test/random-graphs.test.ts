// Random graphs: compiled, and compiled with passes left out, they agree with double precision and with each other.
import fc from "fast-check";
import { expect, test } from "vitest";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import type { Pass } from "../src/compile/program.ts";
import { type Data, type Trace, trace } from "../src/graph/internal.ts";
import { breathe, passes, runTrace } from "./harness.ts";
import { build, recipes } from "./random-graph.ts";
import { compared, disagreement, type Reference, referenceOf } from "./reference.ts";

const runs = Number(process.env.NUM_RUNS ?? 1000);
const seed = Number(process.env.SEED ?? 1);

const backend = (without: readonly Pass[]): WasmBackend =>
  new WasmBackend({ threads: 1, poison: true, verify: true, without: new Set(without) });
const full = backend([]);
const none = backend(passes);
const lacking = new Map(passes.map((pass) => [pass, backend([pass])]));

/** Whether leaving a pass out must not change a single bit: nothing is added up in another order, and no division is fused. */
function sameBits(pass: Pass | "all", graph: Trace): boolean {
  if (pass === "reuse" || pass === "inPlace") return true;
  return !graph.nodes.some((n) => ["sum", "matmul", "conv"].includes(n.op));
}

const bytesOf = (data: Data): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
const equalBits = (a: readonly Data[], b: readonly Data[]): boolean =>
  a.every((x, i) => bytesOf(x).equals(bytesOf(b[i])));

let elements = 0;
let exact = 0;

function expected(graph: Trace): Reference[] {
  const known = referenceOf(graph);
  return [...graph.outputs, ...graph.updates.map((u) => u.value)].map((n) => known.get(n)!);
}

function check(how: string, values: readonly Data[], references: readonly Reference[]): void {
  values.forEach((v, i) => {
    const problem = disagreement(v, references[i]);
    if (problem !== undefined) throw new Error(`${how}, result ${i}: ${problem}`);
  });
}

test("random graphs agree", { timeout: 600_000 }, async () => {
  let count = 0;
  const property = fc.asyncProperty(recipes, async (recipe) => {
    const { outputs, updates } = build(recipe);
    const graph = trace(outputs, updates);
    const references = expected(trace(outputs, updates, { simplify: false }));
    for (const { bounds } of references) {
      elements += bounds.length;
      exact += bounds.filter((e) => e === 0).length;
    }
    const compiled = runTrace(full, graph);
    check("compiled", compiled, references);
    const compare = (without: Pass | "all", values: readonly Data[]): void => {
      check(`without ${without}`, values, references);
      if (sameBits(without, graph) && !equalBits(values, compiled))
        throw new Error(`without ${without}: other bits than compiled`);
    };
    compare("all", runTrace(none, graph));
    // two of the passes by turns; all of them while a failure is being shrunk
    for (const i of [count % passes.length, (3 * count + 1) % passes.length])
      compare(passes[i], runTrace(lacking.get(passes[i])!, graph));
    if (++count % 16 === 0) await breathe();
  });
  await fc.assert(property, { seed, numRuns: runs, endOnFailure: process.env.SHRINK === "no" });
  const { all, unbounded } = compared;
  const share = (100 * unbounded) / all;
  console.log(
    `random graphs: ${runs} with ${elements} elements, ${exact} of them exact; ${share.toFixed(2)} % of comparisons without a bound`,
  );
  expect(exact).toBeGreaterThan(elements / 4);
  expect(share).toBeLessThan(3);
});
