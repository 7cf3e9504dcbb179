// The same bits for any number of threads, for fresh and for used programs; and random bits that anyone can check.
import { createHash } from "node:crypto";
import { afterAll, describe, expect, test } from "vitest";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import { emitProgram } from "../src/backend/wasm/module.ts";
import { compileTrace } from "../src/compile/program.ts";
import { threefry, trace } from "../src/graph/internal.ts";
import { type Bound, bind } from "./harness.ts";
import { convStep } from "./training-graphs.ts";

const steps = 20;
const { loss, updates } = convStep(32, 28, 8, 10);
const graph = trace([loss], updates);
const backends = [1, 2, 3].map((threads) => new WasmBackend({ threads }));

afterAll(() => Promise.all(backends.map((b) => b.machine.close())));

/** A hash of every loss and of all that was updated. */
function hashOf(bound: Bound): string {
  const hash = createHash("sha256");
  for (let i = 0; i < steps; i++) for (const value of bound.step()) hash.update(value);
  for (const { leaf } of graph.updates) hash.update(bound.leaf(graph.leaves[leaf]));
  return hash.digest("hex");
}

describe("training", () => {
  let expected: string | undefined;

  test("shares its kernels out", () => {
    expect(emitProgram(compileTrace(graph), backends[0].machine.imports).parallel).toBe(true);
  });

  test.each(backends.map((b) => [b.machine.threads, b] as const))("with %i threads", async (_, backend) => {
    for (const state of ["cold", "warm"]) {
      const bound = bind(backend, graph);
      await backend.machine.ready();
      expected ??= hashOf(bind(backends[0], graph));
      expect([state, hashOf(bound)]).toEqual([state, expected]);
      bound.free();
    }
  });
});

test("Threefry-2x32 gives the published bits", () => {
  const words = (...key: [number, number, number, number]): number[] => threefry(...key).map((w) => w >>> 0);
  expect(words(0, 0, 0, 0)).toEqual([0x6b200159, 0x99ba4efe]);
  expect(words(-1, -1, -1, -1)).toEqual([0x1cb996fc, 0xbb002be7]);
  expect(words(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3)).toEqual([0xc4923a9c, 0x483df7a0]);
});
