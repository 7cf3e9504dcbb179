// Places in the arena: nothing that lives together overlaps, and little is lost between.
import fc from "fast-check";
import { expect, test } from "vitest";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import { type Life, mostTogether, pack } from "../src/compile/pack.ts";
import { trace } from "../src/graph/internal.ts";
import { grad, tensor, training } from "../src/index.ts";
import { crossEntropy, namedParameters } from "../src/nn/index.ts";
import { resnetCifar } from "../src/zoo/index.ts";

const lives = fc
  .array(fc.record({ from: fc.nat(40), lasts: fc.nat(15), lines: fc.integer({ min: 1, max: 50 }) }), { maxLength: 60 })
  .map((list) =>
    list
      .map(({ from, lasts, lines }): Life => ({ from, until: from + lasts, bytes: 64 * lines, at: -1 }))
      .sort((a, b) => a.from - b.from),
  );

test("values that live together lie apart, within the bytes that are returned", () => {
  fc.assert(
    fc.property(lives, (list) => {
      const size = pack(list);
      for (const [i, a] of list.entries()) {
        expect(a.at).toBeGreaterThanOrEqual(0);
        expect(a.at + a.bytes).toBeLessThanOrEqual(size);
        for (const b of list.slice(0, i))
          if (a.from <= b.until && b.from <= a.until)
            expect(a.at + a.bytes <= b.at || b.at + b.bytes <= a.at).toBe(true);
      }
      expect(size).toBeGreaterThanOrEqual(mostTogether(list));
    }),
    { numRuns: 300, seed: 1 },
  );
});

test("a training step of a residual network takes a fraction of what its values take", () => {
  const model = resnetCifar(20);
  const weights = [...namedParameters(model).values()];
  const loss = training(() =>
    crossEntropy(model.forward(tensor(new Float32Array(16 * 3072), [16, 3, 32, 32])), tensor(new Int32Array(16))),
  );
  const graph = trace(
    [loss],
    grad(loss, weights).map((g, i) => ({ leaf: weights[i], value: weights[i].sub(g.mul(0.1)) })),
  );
  const arena = (without: "reuse" | "stage"): number =>
    new WasmBackend({ threads: 1, without: new Set([without]) }).prepare(graph).program!.arenaBytes;
  expect(arena("stage")).toBeLessThan(0.4 * arena("reuse"));
});
