// Attention and a transformer's layer: PyTorch's values and gradients, the formula written out, what each place may depend on.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { device, evaluating, grad, jvp, realize, seed, type Tensor, tensor, training } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { testDevices } from "../devices.ts";
import { expectClose, given, type Host } from "../golden.ts";
import { stream } from "../harness.ts";
import { messagesOf } from "../messages.ts";
import { double } from "../zoo/double.ts";

interface Case {
  kind: "attention" | "encoder";
  args: [features: number, heads: number];
  options: Record<string, unknown>;
  lengths: number[] | null;
  state: Record<string, Host>;
  inputs: Record<string, Host>;
  y: Host;
  g: Host;
  gradients: Record<string, Host>;
}

const file = new URL("../fixtures/torch/transformer.json", import.meta.url);
const cases = JSON.parse(readFileSync(file, "utf8")) as Case[];

type Run = (inputs: Record<string, Tensor>) => Tensor;

function layerOf({ kind, args, options, lengths }: Case): { layer: object; run: Run } {
  const own = { lengths: lengths ?? undefined };
  if (kind === "attention") {
    const layer = new nn.MultiHeadAttention(...args, options);
    return { layer, run: ({ query, key, value }) => layer.forward(query, key, value, own) };
  }
  const activation = options.activation === "gelu" ? nn.gelu : nn.relu;
  const layer = new nn.TransformerEncoderLayer(...args, { ...options, activation });
  return { layer, run: ({ x }) => layer.forward(x, own) };
}

for (const chosen of testDevices)
  describe(chosen, () => {
    beforeAll(() => {
      device(chosen);
    });

    for (const [i, c] of cases.entries())
      test(`${i} ${c.kind}(${c.args}) of ${Object.keys(c.inputs)} ${JSON.stringify(c.options)}, lengths ${c.lengths}`, async () => {
        const { layer, run } = layerOf(c);
        await nn.load(layer, new Map(Object.entries(c.state)));
        const inputs = Object.fromEntries(Object.entries(c.inputs).map(([name, host]) => [name, given(host)]));
        const named = new Map([...nn.namedTensors(layer), ...Object.entries(inputs)]);
        const y = run(inputs);
        const wanted = Object.keys(c.gradients);
        const gradients = grad(
          y.mul(given(c.g)).sum(),
          wanted.map((name) => named.get(name)!),
        );
        await realize(y, ...gradients);
        await expectClose(y, c.y, 4e-6);
        const largest = Math.max(...Object.values(c.gradients).flatMap(({ data }) => data.map(Math.abs)));
        for (const [k, t] of gradients.entries()) {
          const expected = c.gradients[wanted[k]];
          expect(t.shape).toEqual(expected.shape);
          const data = await t.data();
          const worst = Math.max(...expected.data.map((v, j) => Math.abs(v - data[j])));
          expect(worst / largest, wanted[k]).toBeLessThan(8e-6); // the key's bias has no gradient, only rounding
        }
      });
  });

const random = stream(31);
const draw = (...shape: number[]): Tensor =>
  tensor(
    Float64Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => 2 * random() - 1),
    shape,
  );

describe("in double precision", () => {
  beforeAll(() => {
    device("js");
  });

  test("attention by its formula, one number after the other", async () => {
    const layer = double(new nn.MultiHeadAttention(4, 2, { causal: true }));
    const [x, d] = [draw(1, 3, 4), 2];
    const rows = (await x.array()) as number[][][];
    const weight = (await layer.in_proj_weight.array()) as number[][];
    const project = (t: number, column: number): number => weight[column].reduce((s, w, i) => s + w * rows[0][t][i], 0);
    const out = (await layer.out_proj.weight.array()) as number[][];
    const expected = rows[0].map((_, t) => {
      const heads = [0, 1].flatMap((head) => {
        const scores = Array.from({ length: t + 1 }, (_, s) =>
          [0, 1].reduce((sum, c) => sum + project(t, head * d + c) * project(s, 4 + head * d + c), 0),
        ).map((score) => Math.exp(score / Math.sqrt(d)));
        const total = scores.reduce((a, b) => a + b);
        return [0, 1].map((c) => scores.reduce((sum, p, s) => sum + (p / total) * project(s, 8 + head * d + c), 0));
      });
      return out.map((row) => row.reduce((sum, w, i) => sum + w * heads[i], 0));
    });
    const error = layer.forward(x).sub(tensor(Float64Array.from(expected.flat()), [1, 3, 4]));
    expect(await error.abs().max().item()).toBeLessThan(1e-14);
  });

  test.each([
    ["causal, of lengths", { causal: true }, [4, 2]],
    ["crossed", {}, undefined],
  ])(
    "derivatives of attention, %s, are limits of differences, forwards and backwards",
    async (name, options, lengths) => {
      const layer = double(new nn.MultiHeadAttention(6, 3, options));
      const names = ["in_proj_weight", "in_proj_bias"] as const;
      const at = [draw(2, 4, 6), draw(2, name === "crossed" ? 3 : 4, 6), draw(18, 6), draw(18)];
      const along = at.map((t) => draw(...t.shape));
      const cotangent = draw(2, 4, 6);
      const value = (point: readonly Tensor[]): Tensor => {
        names.forEach((key, i) => {
          layer[key] = point[2 + i];
        });
        return layer.forward(point[0], point[1], point[1], { lengths });
      };
      const y = value(at);
      const backwards = await grad(y.mul(cotangent).sum(), at)
        .map((g, i) => g.mul(along[i]).sum())
        .reduce((a, b) => a.add(b))
        .item();
      const forwards = await jvp([y], at, along)[0].mul(cotangent).sum().item();
      const moved = (h: number): Promise<number> =>
        value(at.map((t, i) => t.add(along[i].mul(h))))
          .mul(cotangent)
          .sum()
          .item();
      const difference = ((await moved(1e-5)) - (await moved(-1e-5))) / 2e-5;
      expect(Math.abs(backwards)).toBeGreaterThan(1e-2);
      expect(Math.abs(forwards - backwards)).toBeLessThan(1e-12 * Math.max(1, Math.abs(backwards)));
      expect(Math.abs(difference - backwards)).toBeLessThan(1e-8 * Math.max(1, Math.abs(backwards)));
    },
  );
});

test("a causal layer's places depend on those before them alone, and padding on nothing", async () => {
  device("wasm");
  seed(2);
  const layer = new nn.TransformerEncoderLayer(8, 2, { causal: true, normFirst: true });
  const values = Float32Array.from({ length: 48 }, () => 2 * random() - 1);
  const changed = values.map((v, i) => (i >= 24 && i < 32 ? -v : v)); // place 3
  const run = (x: Float32Array, lengths?: number[]): Promise<ArrayLike<number>> =>
    evaluating(() => layer.forward(tensor(x, [1, 6, 8]), { lengths })).data() as Promise<ArrayLike<number>>;
  const differ = (a: ArrayLike<number>, b: ArrayLike<number>): boolean[] =>
    [0, 1, 2, 3, 4, 5].map((t) => Array.from({ length: 8 }, (_, i) => 8 * t + i).some((i) => a[i] !== b[i]));
  expect(differ(await run(values), await run(changed))).toEqual([false, false, false, true, true, true]);
  expect(differ(await run(values, [3]), await run(changed, [3]))).toEqual([false, false, false, true, false, false]);
});

test("dropout is of training alone, and of attention's weights", async () => {
  seed(4);
  const layer = new nn.MultiHeadAttention(4, 1, { dropout: 1 });
  const x = tensor([1, 2, 3, 4], [1, 1, 4]);
  expect(
    await training(() => layer.forward(x))
      .abs()
      .max()
      .item(),
  ).toBe(0);
  expect(
    await evaluating(() => layer.forward(x))
      .abs()
      .max()
      .item(),
  ).toBeGreaterThan(0);
});

test("misuse is told in one line", async () => {
  const layer = new nn.MultiHeadAttention(4, 2);
  const x = tensor(new Float32Array(24), [2, 3, 4]);
  expect(
    await messagesOf({
      heads: () => new nn.MultiHeadAttention(4, 3),
      features: () => new nn.MultiHeadAttention(0, 1),
      rank: () => layer.forward(tensor([1, 2, 3, 4])),
      key: () => layer.forward(x, x.slice(2, 0, 3)),
      value: () => layer.forward(x, x, x.slice(1, 0, 2)),
      lengths: () => layer.forward(x, x, x, { lengths: [3, 4] }),
    }),
  ).toMatchInlineSnapshot(`
    "heads: RangeError: MultiHeadAttention: 3 heads must divide the features, got 4
    features: ShapeError: MultiHeadAttention: features must be a whole number ≥ 1, got 0
    rank: ShapeError: attention: needs query [B, T, 4], key and value [B, S, 4], got [4], [4], [4], in MultiHeadAttention
    key: ShapeError: attention: needs query [B, T, 4], key and value [B, S, 4], got [2, 3, 4], [2, 3, 3], [2, 3, 3], in MultiHeadAttention
    value: ShapeError: attention: needs query [B, T, 4], key and value [B, S, 4], got [2, 3, 4], [2, 3, 4], [2, 2, 4], in MultiHeadAttention
    lengths: ShapeError: attention: lengths must be whole numbers within 1 … 3, got 4 for sequence 1, in MultiHeadAttention"
  `);
});
