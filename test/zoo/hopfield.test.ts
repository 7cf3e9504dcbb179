// The memory of images: Hebb's rule and recall held against the net on the host, and what more than one step stores.
import { beforeEach, expect, test } from "vitest";
import { glyphs } from "../../src/data/index.ts";
import { Hopfield } from "../../src/energy/index.ts";
import { device, grad, param, seed, type Tensor, tensor } from "../../src/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { compile } from "../../src/run/index.ts";
import { hopfieldEntry, SampleHopfield } from "../../src/zoo/hopfield.ts";
import { stream } from "../harness.ts";

beforeEach(() => {
  device("wasm");
  seed(3);
});

const valuesOf = async (make: () => Tensor): Promise<number[]> =>
  Array.from(await (await compile(make)()).data(), Number);

/** Rows of so many spins. */
const rowsOf = (values: number[], n: number): number[][] =>
  Array.from({ length: values.length / n }, (_, i) => values.slice(i * n, (i + 1) * n));

/** Random patterns as the host has them and as pixels [count, 1, n]. */
function patterns(count: number, n: number): { spins: number[][]; x: Tensor } {
  const next = stream(5);
  const spins = Array.from({ length: count }, () => Array.from({ length: n }, () => (next() < 0.5 ? -1 : 1)));
  return { spins, x: tensor(spins.flat().map((s) => (s + 1) / 2), [count, 1, n]) }; // biome-ignore format: two values
}

test("a step from no weights stores as the host's net does, but for a factor", async () => {
  const [count, n] = [4, 30];
  const { spins, x } = patterns(count, n);
  const net = new SampleHopfield(n);
  expect(await sgd(net, hopfieldEntry.source!(net), { lr: 1 }).step({ x })).toBeCloseTo(0.5, 6);
  const host = new Hopfield(n);
  host.store(spins);
  (await valuesOf(() => net.weight)).forEach((w, i) => {
    expect(w).toBeCloseTo(host.weight[i] / count, 6);
  });
});

test("later steps go down the loss: its derivative among symmetric weights without a diagonal", async () => {
  const [n, next] = [12, stream(4)];
  const net = new SampleHopfield(n);
  const some = Array.from({ length: n * n }, () => next() - 0.5);
  const symmetric = some.map((w, at) =>
    at % n === Math.floor(at / n) ? 0 : w + some[(at % n) * n + Math.floor(at / n)],
  );
  net.weight = param(Float32Array.from(symmetric), [n, n]);
  const { x } = patterns(3, n);
  const { loss, gradients } = hopfieldEntry.source!(net).gradients({ x });
  const free = await valuesOf(() => grad(loss!, net.weight));
  (await valuesOf(() => gradients.get(net.weight)!)).forEach((g, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    expect(g).toBeCloseTo(i === j ? 0 : (free[at] + free[j * n + i]) / 2, 6);
  });
});

test("recall flips one unit after the other, that which its field opposes most, until none is opposed", async () => {
  const [n, next] = [40, stream(9)];
  const host = new Hopfield(n);
  host.store(patterns(5, n).spins);
  const net = new SampleHopfield(n);
  net.weight = param(Float32Array.from(host.weight), [n, n]);
  const starts = Array.from({ length: 6 }, () => Array.from({ length: n }, () => (next() < 0.5 ? -1 : 1)));
  const x = tensor(starts.flat().map((s) => (s + 1) / 2), [6, 1, n]); // biome-ignore format: two values
  const ended = rowsOf(await valuesOf(() => net.forward(x)), n);
  for (const [k, start] of starts.entries()) {
    const state: number[] = [...start];
    for (;;) {
      const support = state.map((s, i) => s * state.reduce((sum, t, j) => sum + host.weight[i * n + j] * t, 0));
      const least = Math.min(...support);
      if (least >= -1e-9) break;
      const unit = support.findIndex((v) => v < least + 1e-9);
      state[unit] = -state[unit];
    }
    expect(ended[k]).toEqual(state);
    expect(host.energy(ended[k])).toBeLessThan(host.energy(start));
    expect(host.recall(ended[k])).toMatchObject({ stable: true, sweeps: 1 });
  }
});

test("the cue has a fifth of the pixels wrong, the same ones of every sample", async () => {
  const net = hopfieldEntry.build() as SampleHopfield;
  const { x } = patterns(3, 784);
  const [given, cue] = [await valuesOf(() => x), await valuesOf(() => net.cue(x))];
  const wrong = rowsOf(cue.map((v, i) => Math.abs(v - given[i])), 784); // biome-ignore format: one list
  const share = wrong[0].reduce((sum, v) => sum + v, 0) / 784;
  expect(share).toBeGreaterThan(0.15);
  expect(share).toBeLessThan(0.25);
  expect(wrong[1]).toEqual(wrong[0]);
  expect(wrong[2]).toEqual(wrong[0]);
});

test("digits, which are alike, are blended after one step and told apart after fifty; weights stay symmetric", async () => {
  const net = hopfieldEntry.build() as SampleHopfield;
  const { x: pixels } = (await glyphs("train", { count: 8 }).batch(8).raw().next()).value!;
  const x = tensor(pixels as Float32Array, [8, 1, 28, 28]);
  const [{ pixelsRight }] = [hopfieldEntry.metrics!(net)];
  const right = compile(() => pixelsRight({ x }, net.reconstruct(x)).sum);
  const optimizer = sgd(net, hopfieldEntry.source!(net), { lr: 1, momentum: 0.9 });
  await optimizer.step({ x });
  const blended = (await (await right()).item()) / x.size;
  expect(blended).toBeLessThan(0.95);
  for (let i = 0; i < 49; i++) await optimizer.step({ x });
  expect((await (await right()).item()) / x.size).toBe(1);
  const w = await valuesOf(() => net.weight);
  for (let i = 0; i < 784; i += 37) {
    expect(w[i * 784 + i]).toBe(0);
    for (let j = 0; j < i; j += 11) expect(w[i * 784 + j]).toBe(w[j * 784 + i]);
  }
});

test("it says how many samples it holds, and what is no size", () => {
  expect(hopfieldEntry.capacity!([1, 28, 28])).toBe(108);
  expect(() => new SampleHopfield(0)).toThrow("units");
});
