// Every primitive on every backend: alone, all of one dtype in one fused program, and with all passes off, against double precision.
import { afterAll, describe, expect, test } from "vitest";
import { JsBackend } from "../src/backend/js/index.ts";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import type { Op } from "../src/graph/index.ts";
import { type Data, type Tensor, trace } from "../src/graph/internal.ts";
import type { Case } from "./case-makers.ts";
import { cases } from "./cases.ts";
import { breathe, passes, runTrace } from "./harness.ts";
import { compared, disagreement, type Reference, referenceOf } from "./reference.ts";

const js = new JsBackend();
const wasm = new WasmBackend({ threads: 1, poison: true, verify: true });
const simple = new WasmBackend({ threads: 1, poison: true, verify: true, without: new Set(passes) });

/** Every so many cases of each primitive; all of them unless CASES says otherwise. */
const every = Number(process.env.CASES ?? 1);
const casesOf = (op: Op): readonly Case[] => cases[op].filter((_, i) => i % every === 0);

let checks = 0;

function expected(outputs: readonly Tensor[]): Reference[] {
  const graph = trace(outputs, [], { simplify: false });
  const known = referenceOf(graph);
  return graph.outputs.map((n) => known.get(n)!);
}

function problems(
  list: readonly Case[],
  values: readonly Data[],
  references: readonly Reference[],
  how: string,
): string[] {
  checks += list.length;
  return list.flatMap((c, i) => {
    const problem = disagreement(values[i], references[i]);
    return problem === undefined ? [] : [`${c.name}, ${how}: ${problem}`];
  });
}

describe.each(Object.keys(cases) as Op[])("%s", (op) => {
  test("alone", async () => {
    const found: string[] = [];
    for (const c of casesOf(op)) {
      const graph = trace([c.output]);
      const reference = expected([c.output]);
      for (const [how, backend] of [
        ["js", js],
        ["wasm", wasm],
        ["wasm without passes", simple],
      ] as const) {
        try {
          found.push(...problems([c], runTrace(backend, graph), reference, how));
        } catch (error) {
          found.push(`${c.name}, ${how}: ${error}`);
        }
      }
    }
    await breathe();
    expect(found).toEqual([]);
  });

  test("all in one program", () => {
    const list = casesOf(op);
    const graph = trace(list.map((c) => c.output));
    const reference = expected(list.map((c) => c.output));
    expect(problems(list, runTrace(wasm, graph), reference, "wasm")).toEqual([]);
  });
});

afterAll(() => {
  const share = (100 * compared.unbounded) / compared.all;
  console.log(
    `primitives: ${Object.values(cases).flat().length} cases, ${checks} checks; ${share.toFixed(2)} % of comparisons without a bound`,
  );
  expect(share).toBeLessThan(3);
});
