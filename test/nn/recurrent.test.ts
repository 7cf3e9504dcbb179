// Recurrent layers: PyTorch's values and gradients, written-out equations of what it lacks, sequences of different lengths, truncation.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { concat, device, grad, jvp, realize, stack, type Tensor, tensor } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { testDevices } from "../devices.ts";
import { expectClose, given, type Host } from "../golden.ts";
import { stream } from "../harness.ts";
import { isSampled, nativeDevice } from "../native-device.ts";

interface Case {
  name: "RNN" | "LSTM" | "GRU";
  args: [inputs: number, hidden: number, options: object];
  lengths: number[] | null;
  state: Record<string, Host>;
  x: Host;
  start: Host[] | null;
  results: Host[];
  cotangents: Host[];
  gradients: Record<string, Host>;
}

const file = new URL("../fixtures/torch/recurrent.json", import.meta.url);
const cases = JSON.parse(readFileSync(file, "utf8")) as Case[];
const layers = { RNN: nn.RNN, LSTM: nn.LSTM, GRU: nn.GRU };
const native = nativeDevice();

for (const chosen of [...testDevices, ...(native === undefined ? [] : [native])]) {
  describe(typeof chosen === "string" ? chosen : "native", () => {
    beforeAll(() => {
      device(chosen);
    });

    for (const [i, c] of cases.entries()) {
      if (chosen === native && !isSampled(i)) continue;
      const of = c.lengths === null ? "" : ` of lengths ${c.lengths}`;
      test(`${i} ${c.name}(${JSON.stringify(c.args).slice(1, -1)}) on [${c.x.shape}]${of}`, async () => {
        const layer = new layers[c.name](...c.args);
        await nn.load(layer, new Map(Object.entries(c.state)));
        const x = given(c.x);
        const state = c.start?.map((t) => given(t));
        const run = layer.run(x, { state, lengths: c.lengths ?? undefined });
        const results = [run.outputs, ...run.state];
        const named = new Map([
          ...nn.namedTensors(layer),
          ["x", x],
          ...(state ?? []).map((t, k) => [`state${k}`, t]),
        ] as [string, Tensor][]);
        const wanted = Object.keys(c.gradients);
        const loss = results.map((t, k) => t.mul(given(c.cotangents[k])).sum()).reduce((sum, t) => sum.add(t));
        const gradients = grad(
          loss,
          wanted.map((name) => named.get(name)!),
        );
        await realize(...results, ...gradients);
        for (const [k, t] of results.entries()) await expectClose(t, c.results[k], 2e-6);
        for (const [k, t] of gradients.entries()) await expectClose(t, c.gradients[wanted[k]], 4e-6);
      });
    }
  });
}

const random = stream(23);
const draw = (...shape: number[]): Tensor =>
  tensor(
    Float64Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => 2 * random() - 1),
    shape,
  );

/** Gives a layer parameters in double precision, by their names. */
function widen<L extends object>(layer: L): L {
  for (const [name, t] of nn.namedParameters(layer)) (layer as Record<string, Tensor>)[name] = draw(...t.shape);
  return layer;
}

/** The parameters of a layer that was widened: tensors of data, which are no leaves of it any more. */
const weightsOf = (layer: object): [string, Tensor][] =>
  Object.entries(layer).filter(([name, t]) => /^(weight|bias|peephole)_/.test(name) && t !== undefined);

const worst = async (a: Tensor, b: Tensor): Promise<number> => {
  expect(a.shape).toEqual(b.shape);
  return a.sub(b).abs().max().item();
};
const sumOf = (terms: readonly Tensor[]): Tensor => terms.reduce((sum, t) => sum.add(t));
/** A number that depends on each element in its own way. */
const measured = (t: Tensor, seed = 1): Tensor => {
  const next = stream(seed);
  return t
    .mul(
      tensor(
        Float64Array.from({ length: t.size }, () => 2 * next() - 1),
        t.shape,
      ),
    )
    .sum();
};

type Rows = number[][];
type Numbers = Record<string, Rows>;

async function numbersOf(layer: object): Promise<Numbers> {
  const entries = weightsOf(layer).map(async ([name, t]): Promise<[string, Rows]> => {
    const data = [...(await t.data())] as number[];
    const width = t.rank === 1 ? 1 : t.shape[1];
    return [
      name.replace("_l0", ""),
      Array.from({ length: t.shape[0] }, (_, i) => data.slice(i * width, (i + 1) * width)),
    ];
  });
  return Object.fromEntries(await Promise.all(entries));
}

const dot = (row: readonly number[], v: readonly number[]): number => row.reduce((sum, w, i) => sum + w * v[i], 0);
const logistic = (v: number): number => 1 / (1 + Math.exp(-v));

/** Greff et al., 2015, one unit after the other. */
function slowLstm(w: Numbers, x: Rows, kind: nn.LSTMKind): Rows {
  const without = kind.without ?? [];
  const units = w.weight_hh[0].length;
  const order = ["i", "f", "g", "o"].filter(
    (name) =>
      !(name === "i" && (kind.coupled || without.includes("inputGate"))) &&
      !(name === "f" && without.includes("forgetGate")) &&
      !(name === "o" && without.includes("outputGate")),
  );
  let [h, c] = [new Array<number>(units).fill(0), new Array<number>(units).fill(0)];
  return x.map((now) => {
    const before = h;
    const sum = (name: string, k: number, cell: number): number => {
      const row = order.indexOf(name) * units + k;
      const peephole = w[`peephole_${name}`]?.[k][0] ?? 0;
      const bias = w.bias_ih[row][0] + w.bias_hh[row][0];
      return dot(w.weight_ih[row], now) + dot(w.weight_hh[row], before) + bias + peephole * cell;
    };
    const gate = (name: string, k: number, cell: number): number =>
      order.includes(name) ? logistic(sum(name, k, cell)) : 1;
    c = c.map((old, k) => {
      const f = gate("f", k, old);
      const i = kind.coupled ? 1 - f : gate("i", k, old);
      const g = sum("g", k, 0);
      return f * old + i * (without.includes("inputActivation") ? g : Math.tanh(g));
    });
    h = c.map((cell, k) => gate("o", k, cell) * (without.includes("outputActivation") ? cell : Math.tanh(cell)));
    return h;
  });
}

/** Cho et al., 2014, one unit after the other. */
function slowGru(w: Numbers, x: Rows): Rows {
  const units = w.weight_hh[0].length;
  let h = new Array<number>(units).fill(0);
  return x.map((now) => {
    const before = h;
    const sum = (gate: number, k: number, state: number[]): number => {
      const row = gate * units + k;
      const bias = w.bias_ih[row][0] + w.bias_hh[row][0];
      return dot(w.weight_ih[row], now) + dot(w.weight_hh[row], state) + bias;
    };
    const reset = before.map((v, k) => logistic(sum(0, k, before)) * v);
    h = before.map((v, k) => {
      const z = logistic(sum(1, k, before));
      return (1 - z) * Math.tanh(sum(2, k, reset)) + z * v;
    });
    return h;
  });
}

const lstmKinds: Record<string, nn.LSTMKind> = {
  "plain": {},
  "peepholes": { peepholes: true },
  "coupled": { coupled: true },
  "coupled with peepholes": { coupled: true, peepholes: true },
  "no input gate": { without: ["inputGate"] },
  "no forget gate": { without: ["forgetGate"], peepholes: true },
  "no output gate": { without: ["outputGate"], peepholes: true },
  "no input activation": { without: ["inputActivation"] },
  "no output activation": { without: ["outputActivation"] },
  "the cell alone": { without: ["inputGate", "forgetGate", "outputGate", "inputActivation", "outputActivation"] },
}; // biome-ignore format: a table

/** A layer of each kind that PyTorch lacks, and the outputs for one sequence by its equations. */
const variants: [string, () => nn.Recurrent, (w: Numbers, x: Rows) => Rows][] = [
  ...Object.entries(lstmKinds).map(([name, kind]): (typeof variants)[number] => [
    `LSTM, ${name}`,
    () => new nn.LSTM(3, 4, kind),
    (w, x) => slowLstm(w, x, kind),
  ]),
  ["GRU, reset before the product", () => new nn.GRU(3, 4, { resetAfter: false }), slowGru],
];

describe("in double precision", () => {
  beforeAll(() => {
    device("js");
  });

  test.each(variants)("%s: outputs by the equations", async (_, make, slow) => {
    const layer = widen(make());
    const x = draw(2, 5, 3);
    const rows = [...(await x.data())] as number[];
    const weights = await numbersOf(layer);
    const expected = [0, 1].map((b) =>
      slow(
        weights,
        Array.from({ length: 5 }, (_, t) => rows.slice((b * 5 + t) * 3, (b * 5 + t + 1) * 3)),
      ),
    );
    expect(await worst(layer.forward(x), tensor(Float64Array.from(expected.flat(2)), [2, 5, 4]))).toBeLessThan(1e-12);
  });

  test.each(variants)("%s: gradients are limits of differences", async (_, make) => {
    const layer = widen(make());
    const names = weightsOf(layer).map(([name]) => name);
    const held = layer as unknown as Record<string, Tensor>;
    const cells = layer instanceof nn.LSTM ? 2 : 1;
    const at = [draw(2, 4, 3), ...Array.from({ length: cells }, () => draw(1, 2, 4)), ...names.map((n) => held[n])];
    const loss = (leaves: readonly Tensor[]): Tensor => {
      names.forEach((name, i) => {
        held[name] = leaves[1 + cells + i];
      });
      const { outputs, state } = layer.run(leaves[0], { state: leaves.slice(1, 1 + cells), lengths: [4, 2] });
      return sumOf([outputs, ...state].map((t, k) => measured(t, k + 1)));
    };
    const along = at.map((t) => draw(...t.shape));
    const gradient = await sumOf(grad(loss(at), at).map((g, i) => g.mul(along[i]).sum())).item();
    const moved = (h: number): Promise<number> => loss(at.map((t, i) => t.add(along[i].mul(h)))).item();
    const difference = ((await moved(1e-5)) - (await moved(-1e-5))) / 2e-5;
    expect(Math.abs(gradient - difference)).toBeLessThan(2e-9 * Math.max(1, Math.abs(gradient)));
  });

  test("back-propagation through time by its formula: δhₜ = Rᵀ·(δhₜ₊₁ ⊙ σ′ₜ₊₁) + δoₜ, ∂R = Σ δzₜ·hₜ₋₁ᵀ", async () => {
    const layer = widen(new nn.RNN(2, 3));
    const x = draw(1, 6, 2);
    const g = draw(1, 6, 3);
    const outputs = layer.forward(x);
    const [R, W] = [layer.weight_hh_l0, layer.weight_ih_l0];
    const [byR, byW, byBias, byX] = grad(outputs.mul(g).sum(), [R, W, layer.bias_hh_l0!, x]);
    const w = await numbersOf(layer);
    const rows = async (t: Tensor): Promise<Rows> => {
      const data = [...(await t.data())] as number[];
      const width = t.shape[t.rank - 1];
      return Array.from({ length: data.length / width }, (_, i) => data.slice(i * width, (i + 1) * width));
    };
    const [xs, hs, gs] = [await rows(x), await rows(outputs), await rows(g)];
    const [dR, dW] = [w.weight_hh, w.weight_ih].map((m) => m.map((row) => row.map(() => 0)));
    const dx = xs.map((row) => row.map(() => 0));
    const dBias = [0, 0, 0];
    let carried = [0, 0, 0];
    for (let t = 5; t >= 0; t--) {
      const dz = gs[t].map((o, k) => (o + carried[k]) * (1 - hs[t][k] ** 2));
      dz.forEach((d, k) => {
        dBias[k] += d;
        for (let j = 0; j < 3; j++) dR[k][j] += d * (hs[t - 1]?.[j] ?? 0);
        for (let j = 0; j < 2; j++) {
          dW[k][j] += d * xs[t][j];
          dx[t][j] += d * w.weight_ih[k][j];
        }
      });
      carried = [0, 1, 2].map((j) =>
        dot(
          dz,
          w.weight_hh.map((row) => row[j]),
        ),
      );
    }
    const flat = (m: Rows, ...shape: number[]): Tensor => tensor(Float64Array.from(m.flat()), shape);
    expect(await worst(byR, flat(dR, 3, 3))).toBeLessThan(1e-12);
    expect(await worst(byW, flat(dW, 3, 2))).toBeLessThan(1e-12);
    expect(await worst(byBias, flat([dBias], 3))).toBeLessThan(1e-12);
    expect(await worst(byX, flat(dx, 1, 6, 2))).toBeLessThan(1e-12);
  });

  test("is a deep network of shared weights: gradients are sums over the weights of its steps", async () => {
    const layer = widen(new nn.LSTM(2, 3));
    const x = draw(2, 5, 2);
    const parameters = weightsOf(layer).map(([, t]) => t);
    const copies = Array.from({ length: 5 }, () => parameters.map((t) => t.add(0)));
    let [h, c] = [tensor(new Float64Array(6), [2, 3]), tensor(new Float64Array(6), [2, 3])];
    const outputs = copies.map(([W, R, b, b2], t) => {
      const z = x.at(t, 1).matmul(W.transpose()).add(b).add(h.matmul(R.transpose()).add(b2));
      const [i, f, g, o] = z.chunk(4, 1);
      c = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
      h = o.sigmoid().mul(c.tanh());
      return h;
    });
    const unrolled = stack(outputs, 1);
    expect(await worst(layer.forward(x), unrolled)).toBeLessThan(1e-14);
    const shared = grad(measured(layer.forward(x)), parameters);
    const apart = copies.map((each) => grad(measured(unrolled), each));
    for (const [k, g] of shared.entries())
      expect(await worst(g, sumOf(apart.map((each) => each[k])))).toBeLessThan(1e-10);
  });

  const kinds: [string, (options: object) => nn.Recurrent][] = [
    ["RNN", (options) => new nn.RNN(2, 3, options)],
    ["LSTM", (options) => new nn.LSTM(2, 3, options)],
    ["GRU", (options) => new nn.GRU(2, 3, options)],
    ["GRU before", (options) => new nn.GRU(2, 3, { resetAfter: false, ...options })],
  ];

  test.each(kinds)("%s: a padded batch is its sequences one by one, whatever the padding holds", async (_, make) => {
    const layer = widen(make({ layers: 2, bidirectional: true }));
    const lengths = [3, 5, 1];
    const sequences = lengths.map((n) => draw(1, n, 2));
    const padding = (n: number): Tensor => tensor(new Float64Array(2 * n).fill(Number.NaN), [1, n, 2]);
    const x = concat(sequences.map((s, b) => concat([s, padding(5 - lengths[b])], 1)));
    const parameters = weightsOf(layer).map(([, t]) => t);
    const weigh = (b: number, { outputs, state }: nn.RunResult): Tensor =>
      sumOf([outputs, ...state].map((t, k) => measured(t, 10 * b + k)));
    const together = layer.run(x, { lengths });
    const ofTogether = lengths.map((n, b) =>
      weigh(b, {
        outputs: together.outputs.slice(0, b, b + 1).slice(1, 0, n),
        state: together.state.map((t) => t.slice(1, b, b + 1)),
      }),
    );
    const ofSingle = sequences.map((s, b) => weigh(b, layer.run(s)));
    for (const [b, t] of ofTogether.entries()) expect(await worst(t, ofSingle[b])).toBeLessThan(1e-12);
    const [a, b] = [grad(sumOf(ofTogether), [...parameters, x]), grad(sumOf(ofSingle), [...parameters, ...sequences])];
    for (const k of parameters.keys()) expect(await worst(a[k], b[k])).toBeLessThan(1e-11);
    const byX = a[parameters.length];
    for (const [k, n] of lengths.entries()) {
      expect(await worst(byX.slice(0, k, k + 1).slice(1, 0, n), b[parameters.length + k])).toBeLessThan(1e-12);
      if (n < 5) expect(await byX.at(k).slice(0, n).abs().max().item()).toBe(0);
      if (n < 5) expect(await together.outputs.at(k).slice(0, n).abs().max().item()).toBe(0);
    }
  });

  test.each(kinds)("%s: a state carried on goes on, detached it ends the gradient", async (_, make) => {
    const layer = widen(make({ layers: 2 }));
    const x = draw(2, 7, 2);
    const whole = layer.run(x);
    const head = layer.run(x.slice(1, 0, 4));
    const tail = layer.run(x.slice(1, 4), { state: head.state });
    expect(await worst(concat([head.outputs, tail.outputs], 1), whole.outputs)).toBeLessThan(1e-14);
    for (const [k, t] of tail.state.entries()) expect(await worst(t, whole.state[k])).toBeLessThan(1e-14);

    const loss = measured(tail.outputs);
    const truncated = measured(layer.run(x.slice(1, 4), { state: head.state.map((t) => t.detach()) }).outputs);
    const [full, cut] = [grad(loss, x), grad(truncated, x)];
    expect(await full.slice(1, 0, 4).abs().max().item()).toBeGreaterThan(1e-4);
    expect(await cut.slice(1, 0, 4).abs().max().item()).toBe(0);
    expect(await worst(cut.slice(1, 4), full.slice(1, 4))).toBeLessThan(1e-14);
  });

  test("truncation with (k1, k2): every k1 steps through the last k2, by windows of two runs", async () => {
    const layer = widen(new nn.GRU(2, 3));
    const [k1, k2] = [2, 5];
    const x = draw(1, 9, 2);
    const parameters = weightsOf(layer).map(([, t]) => t);
    const weigh = (outputs: Tensor, from: number): Tensor => measured(outputs, from);

    let state: nn.State | undefined; // at the start of the window, whose last k1 steps are new
    const gradients: Tensor[][] = [];
    for (let from = 0; from + k2 <= 9; from += k1) {
      const first = layer.run(x.slice(1, from, from + k1), { state });
      const rest = layer.run(x.slice(1, from + k1, from + k2), { state: first.state });
      gradients.push(grad(weigh(rest.outputs.slice(1, -k1), from), parameters));
      state = first.state.map((t) => t.detach());
    }
    const everything = layer.forward(x);
    for (const [i, found] of gradients.entries()) {
      const from = i * k1;
      const start =
        from === 0
          ? undefined
          : [
              everything
                .at(from - 1, 1)
                .detach()
                .unsqueeze(0),
            ];
      const window = layer.run(x.slice(1, from, from + k2), { state: start });
      const expected = grad(weigh(window.outputs.slice(1, -k1), from), parameters);
      for (const [k, g] of found.entries()) expect(await worst(g, expected[k])).toBeLessThan(1e-13);
    }
  });

  test.each([
    ["RNN", new nn.RNN(2, 3, { nonlinearity: "sigmoid" }), new nn.RNNCell(2, 3, { nonlinearity: "sigmoid" })],
    ["LSTM", new nn.LSTM(2, 3, { peepholes: true }), new nn.LSTMCell(2, 3, { peepholes: true })],
    ["GRU", new nn.GRU(2, 3), new nn.GRUCell(2, 3)],
  ] as [string, nn.Recurrent, nn.Cell][])("%sCell takes the steps of its layer", async (_, layer, cell) => {
    widen(layer);
    for (const [name, t] of weightsOf(layer)) (cell as unknown as Record<string, Tensor>)[name.replace("_l0", "")] = t;
    const x = draw(2, 4, 2);
    let state: nn.State | undefined;
    const outputs = [0, 1, 2, 3].map((t) => (state = cell.forward(x.at(t, 1), state))[0]);
    const { outputs: expected, state: last } = layer.run(x);
    expect(await worst(stack(outputs, 1), expected)).toBeLessThan(1e-14);
    for (const [k, t] of state!.entries()) expect(await worst(t, last[k].at(0))).toBeLessThan(1e-14);
  });

  test("sigmoid RNN", async () => {
    const layer = widen(new nn.RNN(1, 1, { nonlinearity: "sigmoid" }));
    const [W, R, b, b2] = await Promise.all(weightsOf(layer).map(([, t]) => t.sum().item()));
    const x = [0.5, -1, 2];
    let h = 0;
    const expected = x.map((v) => (h = logistic(W * v + R * h + b + b2)));
    const outputs = layer.forward(tensor(Float64Array.from(x), [1, 3, 1]));
    expect(await worst(outputs, tensor(Float64Array.from(expected), [1, 3, 1]))).toBeLessThan(1e-15);
  });

  test("forward mode agrees with reverse mode", async () => {
    const layer = widen(new nn.LSTM(2, 3, { bidirectional: true }));
    const [x, v] = [draw(2, 4, 2), draw(2, 4, 2)];
    const loss = measured(layer.forward(x));
    expect(await jvp([loss], [x], [v])[0].item()).toBeCloseTo(await grad(loss, x).mul(v).sum().item(), 12);
  });
});
