// The primitive table in a browser: a sample of its cases on wasm and js, against double precision.
import { JsBackend } from "../../../src/backend/js/index.ts";
import { WasmBackend } from "../../../src/backend/wasm/index.ts";
import type { Op } from "../../../src/graph/index.ts";
import { trace } from "../../../src/graph/internal.ts";
import { cases } from "../../cases.ts";
import { runTrace } from "../../harness.ts";
import { disagreement, referenceOf } from "../../reference.ts";

/** Every so many cases of each primitive; gives how many were checked, and what was wrong. */
export function checkPrimitives(every: number): { checks: number; wrong: string[] } {
  const backends = { js: new JsBackend(), wasm: new WasmBackend({ threads: 2, verify: true }) };
  const wrong: string[] = [];
  let checks = 0;
  for (const op of Object.keys(cases) as Op[]) {
    for (const { name, output } of cases[op].filter((_, i) => i % every === 0)) {
      const plain = trace([output], [], { simplify: false });
      const reference = referenceOf(plain).get(plain.outputs[0])!;
      for (const [how, backend] of Object.entries(backends)) {
        const problem = disagreement(runTrace(backend, trace([output]))[0], reference);
        if (problem !== undefined) wrong.push(`${op} ${name}, ${how}: ${problem}`);
        checks++;
      }
    }
  }
  return { checks, wrong };
}
