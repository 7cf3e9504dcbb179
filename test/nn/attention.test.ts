// Attention: the papers' equations in PyTorch, values and gradients; padding, one query or many, windows, misuse.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { device, grad, realize, type Tensor, tensor } from "../../src/index.ts";
import { Attention, type AttentionKind, load, namedTensors } from "../../src/nn/index.ts";
import { testDevices } from "../devices.ts";
import { expectClose, given, type Host } from "../golden.ts";
import { messagesOf } from "../messages.ts";

interface Case {
  args: [kind: AttentionKind, queries: number, keys: number, options: { units: number; window?: number }];
  lengths: number[] | null;
  state: Record<string, Host>;
  s: Host;
  h: Host;
  context: Host;
  weights: Host;
  cotangents: [context: Host, weights: Host];
  gradients: Record<string, Host>;
}

const file = new URL("../fixtures/torch/attention.json", import.meta.url);
const cases = JSON.parse(readFileSync(file, "utf8")) as Case[];

for (const chosen of testDevices) {
  describe(String(chosen), () => {
    beforeAll(() => {
      device(chosen);
    });

    for (const [i, c] of cases.entries())
      test(`${i} ${JSON.stringify(c.args)} of lengths ${c.lengths}`, async () => {
        const layer = new Attention(...c.args);
        await load(layer, new Map(Object.entries(c.state)));
        const [s, h] = [given(c.s), given(c.h)];
        const { context, weights } = layer.forward(s, layer.memory(h, c.lengths ?? undefined));
        const [gc, gw] = c.cotangents.map((g) => given(g));
        const named = new Map([...namedTensors(layer), ["s", s], ["h", h]] as [string, Tensor][]);
        expect([...named.keys()].sort()).toEqual(Object.keys(c.gradients).sort());
        const wanted = Object.keys(c.gradients);
        const gradients = grad(
          context.mul(gc).sum().add(weights.mul(gw).sum()),
          wanted.map((name) => named.get(name)!),
        );
        await realize(context, weights, ...gradients);
        await expectClose(context, c.context, 2e-6);
        await expectClose(weights, c.weights, 2e-6);
        for (const [k, name] of wanted.entries()) await expectClose(gradients[k], c.gradients[name], 5e-6);
      });
  });
}

const wave = (...shape: number[]): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(1 + 2.3 * i)),
    shape,
  );

test("padding has weight 0 and no influence, whatever stands in it; one query is as one of many", async () => {
  const layer = new Attention("additive", 3, 4);
  const [s, h] = [wave(2, 3, 3), wave(2, 5, 4)];
  const spoiled = h.withSlice(1, 3, 5, Number.NaN);
  const clean = layer.forward(s, layer.memory(h, [3, 2]));
  const other = layer.forward(s, layer.memory(spoiled, [3, 2]));
  expect(await other.context.data()).toEqual(await clean.context.data());
  const rows = (await other.weights.array()) as number[][][];
  rows.forEach((sentence, b) => {
    for (const row of sentence) {
      expect(row.reduce((sum, a) => sum + a)).toBeCloseTo(1, 5);
      expect(row.slice([3, 2][b])).toEqual(row.slice([3, 2][b]).fill(0));
    }
  });
  const one = layer.forward(s.at(1, 1), layer.memory(h, [3, 2]));
  expect(one.context.shape).toEqual([2, 4]);
  expect(one.weights.shape).toEqual([2, 5]);
  expect(await one.context.sub(clean.context.at(1, 1)).abs().max().item()).toBeLessThan(1e-6);
});

test("misuse is refused in one line", async () => {
  const layer = new Attention("general", 3, 4);
  const memory = layer.memory(wave(2, 5, 4));
  expect(
    await messagesOf({
      kind: () => new Attention("cosine" as "dot", 3, 3),
      dot: () => new Attention("dot", 3, 4),
      window: () => new Attention("dot", 3, 3, { window: 0 }),
      states: () => layer.memory(wave(2, 5, 3)),
      lengths: () => layer.memory(wave(2, 5, 4), [6, 1]),
      queries: () => layer.forward(wave(2, 4), memory),
      batch: () => layer.forward(wave(3, 3), memory),
    }),
  ).toMatchInlineSnapshot(`
    "kind: RangeError: Attention: the kind is "additive", "dot", "general" or "concat", not "cosine"
    dot: ShapeError: Attention: "dot" needs queries and keys of one size, got 3 and 4; take "general"
    window: ShapeError: Attention: window must be a whole number ≥ 1, got 0
    states: ShapeError: attention: needs states [B, S, 4], got [2, 5, 3], in Attention
    lengths: ShapeError: attention: lengths must be whole numbers within 1 … 5, got 6 for sequence 0, in Attention
    queries: ShapeError: attention: needs queries [2, 3] or [2, T, 3], got [2, 4], in Attention
    batch: ShapeError: attention: needs queries [2, 3] or [2, T, 3], got [3, 3], in Attention"
  `);
});
