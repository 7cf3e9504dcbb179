// Boltzmann machines against enumeration: free energies, likelihoods and their gradients, partition functions.
import { createHash } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import {
  annealedImportance,
  type ContrastiveDivergenceOptions,
  contrastiveDivergence,
  hintonsGuide,
  logPartition,
  pseudoLikelihood,
  RBM,
} from "../../src/energy/index.ts";
import {
  bernoulli,
  compile,
  device,
  grad,
  normal,
  param,
  realize,
  seed,
  type Tensor,
  tensor,
  training,
  uniform,
  where,
} from "../../src/index.ts";
import { namedParameters, namedTensors } from "../../src/nn/index.ts";
import { adam, polynomial, sgd } from "../../src/optim/index.ts";
import { testDevices } from "../devices.ts";
import { stream } from "../harness.ts";
import { messagesOf } from "../messages.ts";

type Rows = number[][];

/** All states of n bits. */
const states = (n: number): Rows =>
  Array.from({ length: 2 ** n }, (_, s) => Array.from({ length: n }, (_, i) => (s >> i) & 1));

/** The 14 patterns of 3×3 bars and stripes, all and nothing once (MacKay, 2003). */
const bars: Rows = [
  ...states(3).map((on) => on.flatMap((b) => [b, b, b])),
  ...states(3)
    .filter((on) => new Set(on).size > 1)
    .map((on) => [...on, ...on, ...on]),
];

/** A machine with large random values in f64, and the same values on the host. */
function drawn(visible: number, hidden: number, options: ConstructorParameters<typeof RBM>[2] = {}, scale = 2) {
  const rbm = new RBM(visible, hidden, options);
  const next = stream(3);
  const values = (n: number): Float64Array => Float64Array.from({ length: n }, () => scale * (next() - 0.5));
  const [W, b, c] = [values(hidden * visible), values(visible), values(hidden)];
  rbm.weight = param(W, [hidden, visible]);
  rbm.visibleBias = param(b);
  rbm.hiddenBias = param(c);
  const energy = (v: number[], h: number[]): number => {
    const { deviation: d } = rbm;
    let e = 0;
    for (let i = 0; i < visible; i++) e += rbm.kind === "binary" ? -b[i] * v[i] : (v[i] - b[i]) ** 2 / (2 * d * d);
    for (let j = 0; j < hidden; j++) {
      e -= c[j] * h[j];
      for (let i = 0; i < visible; i++) e -= (h[j] * W[j * visible + i] * v[i]) / d;
    }
    return e;
  };
  return { rbm, energy };
}

const f64 = (rows: Rows): Tensor => tensor(Float64Array.from(rows.flat()), [rows.length, rows[0].length]);
const values = async (t: Tensor): Promise<number[]> => Array.from(await t.data());
const logSum = (xs: number[]): number => Math.log(xs.reduce((sum, x) => sum + Math.exp(x), 0));

function close(found: ArrayLike<number>, expected: ArrayLike<number>, error: number): void {
  expect(found.length).toBe(expected.length);
  let worst = 0;
  for (let i = 0; i < found.length; i++) worst = Math.max(worst, Math.abs(found[i] - expected[i]));
  expect(worst).toBeLessThan(error);
}

beforeEach(() => seed(1));

describe.each(testDevices)("on %s", (name) => {
  beforeEach(() => void device(name));

  test("free energies are sums over the other units' states", async () => {
    const { rbm, energy } = drawn(4, 3);
    const [vs, hs] = [states(4), states(3)];
    close(
      await values(rbm.freeEnergy(f64(vs))),
      vs.map((v) => -logSum(hs.map((h) => -energy(v, h)))),
      1e-12,
    );
    close(
      await values(rbm.hiddenFreeEnergy(f64(hs))),
      hs.map((h) => -logSum(vs.map((v) => -energy(v, h)))),
      1e-12,
    );
    close(
      await values(rbm.energy(f64(vs), f64(vs.map(() => hs[5])))),
      vs.map((v) => energy(v, hs[5])),
      1e-12,
    );
    const Z = logSum(vs.flatMap((v) => hs.map((h) => -energy(v, h))));
    close([await logPartition(rbm)], [Z], 1e-12);
  });

  test("the gradient of the exact likelihood is that of free energies", async () => {
    const { rbm, energy } = drawn(4, 3);
    const [vs, hs] = [states(4), states(3)];
    const data = [vs[3], vs[9], vs[9], vs[14]];
    const loss = rbm
      .freeEnergy(f64(data))
      .mean()
      .add(rbm.freeEnergy(f64(vs)).neg().logsumexp());
    const [W, b, c] = await Promise.all(grad(loss, [rbm.weight, rbm.visibleBias, rbm.hiddenBias]).map(values));
    // ⟨hvᵀ⟩ of the model less ⟨hvᵀ⟩ of the data, over all states
    const Z = logSum(vs.flatMap((v) => hs.map((h) => -energy(v, h))));
    const expected = new Float64Array(12 + 4 + 3);
    const add = (v: number[], h: number[], p: number): void => {
      for (let j = 0; j < 3; j++) for (let i = 0; i < 4; i++) expected[j * 4 + i] += p * h[j] * v[i];
      for (let i = 0; i < 4; i++) expected[12 + i] += p * v[i];
      for (let j = 0; j < 3; j++) expected[16 + j] += p * h[j];
    };
    for (const v of vs) for (const h of hs) add(v, h, Math.exp(-energy(v, h) - Z));
    for (const v of data) {
      const own = logSum(hs.map((h) => -energy(v, h)));
      for (const h of hs) add(v, h, -Math.exp(-energy(v, h) - own) / data.length);
    }
    close([...W, ...b, ...c], expected, 1e-10);
  });

  test.each([{ kind: "binary" }, { kind: "gaussian", deviation: 0.7 }] as const)(
    "the gradients of $kind chains are those of free energies, the chains taken as given",
    async (options) => {
      const { rbm } = drawn(4, 3, options);
      const x = f64(states(4).slice(2, 8));
      const source = contrastiveDivergence(rbm, { persistent: 5, k: 2 });
      const before = await values(source.chains!);
      const run = compile((batch: { x: Tensor }) => {
        const { gradients, loss, outputs } = training(() => source.gradients(batch));
        return { gradients: [...gradients.values()], loss: loss!, outputs: outputs! };
      });
      const found = await run({ x });
      expect(await values(source.chains!)).not.toEqual(before);
      const free = (): Tensor => rbm.freeEnergy(x).mean().sub(rbm.freeEnergy(source.chains!).mean());
      close(await values(found.loss), await values(free()), 1e-12);
      close(await values(found.outputs), await values(rbm.forward(x)), 1e-12);
      const expected = grad(free(), [rbm.weight, rbm.visibleBias, rbm.hiddenBias]);
      for (const [i, g] of found.gradients.entries()) close(await values(g), await values(expected[i]), 1e-12);
    },
  );
});

test("the gradient of sparsity reaches the hidden biases alone", async () => {
  device("wasm");
  const { rbm } = drawn(4, 3);
  const x = f64(states(4));
  const both = compile((batch: { x: Tensor }) => {
    const of = (weight: number): Tensor[] => [
      ...contrastiveDivergence(rbm, { visible: "means", sparsity: { target: 0.1, weight } })
        .gradients(batch)
        .gradients.values(),
    ];
    const penalty = rbm.forward(batch.x).mean(0).sub(0.1).square().sum().mul(3);
    return { penalty: grad(penalty, [rbm.hiddenBias])[0], none: of(0), some: of(3) };
  });
  // both draw anew, so what is compared are means over many draws
  const sums = { with: [0, 0, 0], without: [0, 0, 0] };
  let expected: number[] = [];
  const n = 400;
  for (let i = 0; i < n; i++) {
    const { penalty, none, some } = await both({ x });
    expected = await values(penalty);
    (await values(none[2])).forEach((g, j) => void (sums.without[j] += g / n));
    (await values(some[2])).forEach((g, j) => void (sums.with[j] += g / n));
  }
  close(
    sums.with.map((g, j) => g - sums.without[j]),
    expected,
    0.02,
  );
  expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0.2);
});

/** The exact log-likelihood of rows, the mean, in nats. */
async function logLikelihood(rbm: RBM, x: Tensor): Promise<number> {
  return -(await rbm.freeEnergy(x.cast("f64")).mean().item()) - (await logPartition(rbm));
}

const cosine = (a: readonly number[], b: readonly number[]): number => {
  const dot = (x: readonly number[], y: readonly number[]): number => x.reduce((sum, v, i) => sum + v * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};

describe("bars and stripes", () => {
  beforeEach(() => {
    device("wasm");
    seed(1);
  });
  const x = tensor(bars);
  const all = tensor(states(9));
  /** −ln p, exactly. */
  const exactly =
    (rbm: RBM) =>
    (batch: { x: Tensor }): Tensor =>
      rbm.freeEnergy(batch.x).mean().add(rbm.freeEnergy(all).neg().logsumexp());

  test("the gradient of CD-k comes to the exact one as k grows", async () => {
    const rbm = new RBM(9, 8);
    const teacher = sgd(rbm, exactly(rbm), { lr: 0.5 });
    for (let i = 0; i < 400; i++) await teacher.step({ x });
    const off: number[] = [];
    const exact = await values(grad(exactly(rbm)({ x }), [rbm.weight])[0]);
    const norm = Math.hypot(...exact);
    for (const k of [1, 4, 32]) {
      const many = x.tile(400, 1);
      const source = contrastiveDivergence(rbm, { k });
      const run = compile((batch: { x: Tensor }) => source.gradients(batch).gradients.get(rbm.weight)!);
      const mean = new Array<number>(exact.length).fill(0);
      for (let i = 0; i < 10; i++) (await values(await run({ x: many }))).forEach((g, j) => void (mean[j] += g / 10));
      off.push(Math.hypot(...mean.map((g, j) => g - exact[j])) / norm);
      if (k === 1) expect(cosine(mean, exact)).toBeGreaterThan(0.5);
    }
    expect(off[1]).toBeLessThan(off[0]);
    expect(off[2]).toBeLessThan(off[1]);
    expect(off[2]).toBeLessThan(0.2);
  });

  test("CD-5 and PCD reach the likelihood of exact training within a tenth, CD-1 does not", async () => {
    const exact = new RBM(9, 8);
    const teacher = adam(exact, exactly(exact), { lr: 0.02 });
    for (let i = 0; i < 3000; i++) await teacher.step({ x });
    const best = await logLikelihood(exact, x);
    expect(best).toBeGreaterThan(-Math.log(14) - 0.2); // ln p of one pattern in 14
    const many = x.tile(10, 1);
    const reachedFrom = async (start: number, options: ContrastiveDivergenceOptions, lr: number): Promise<number> => {
      seed(start);
      const rbm = new RBM(9, 8);
      const rate = polynomial(lr, { steps: 4000 });
      const student = sgd(rbm, contrastiveDivergence(rbm, options), { lr: rate, momentum: 0.5 });
      for (let i = 0; i < 4000; i++) await student.step({ x: many });
      const kept = rbm.reconstruct(x).sub(x).abs().lt(0.5).cast("f32").mean();
      expect(await kept.item()).toBeGreaterThan(0.9);
      return logLikelihood(rbm, x);
    };
    const reached = async (options: ContrastiveDivergenceOptions, lr: number): Promise<number> => {
      const all: number[] = [];
      for (const start of [1, 2, 3]) all.push(await reachedFrom(start, options, lr));
      return all.sort((a, b) => a - b)[1];
    };
    expect(await reached({ k: 5 }, 0.3)).toBeGreaterThan(1.1 * best); // both are negative
    expect(await reached({ persistent: 140 }, 0.1)).toBeGreaterThan(1.1 * best);
    expect(await reached({ k: 1 }, 0.3)).toBeLessThan(1.1 * best);
  });
});

test.each([
  { kind: "binary", base: undefined },
  { kind: "binary", base: [0.5, -0.5, 1, 0, 0, 0, 0, 0, 0, -1] },
  { kind: "gaussian", base: undefined, deviation: 0.8 },
] as const)("annealed importance sampling finds ln Z: $kind, $base", async ({ base, ...options }) => {
  device("wasm");
  const { rbm } = drawn(10, 7, options, options.kind === "binary" ? 3 : 1.5);
  const exact = await logPartition(rbm);
  const { logPartition: found, standardError } = await annealedImportance(rbm, {
    chains: 400,
    temperatures: 300,
    ...(base === undefined ? {} : { base }),
  });
  expect(standardError).toBeLessThan(0.1);
  expect(Math.abs(found - exact)).toBeLessThan(4 * standardError);
  const rough = await annealedImportance(rbm, { chains: 400, temperatures: 3 });
  expect(rough.standardError).toBeGreaterThan(standardError);
});

test("ln Z goes over blocks of states and over either side", async () => {
  device("wasm");
  const { rbm } = drawn(13, 14);
  const over = logPartition(rbm);
  const all = rbm
    .hiddenFreeEnergy(f64(states(14)))
    .neg()
    .logsumexp();
  close([await over], [await all.item()], 1e-9);
});

test("the pseudo-likelihood is that of each bit given the others", async () => {
  device("wasm");
  const { rbm } = drawn(4, 3);
  const [vs, hs] = [states(4), states(3)];
  const { energy } = drawn(4, 3);
  const F = (v: number[]): number => -logSum(hs.map((h) => -energy(v, h)));
  const terms = vs.flatMap((v) =>
    v.map((_, i) => -Math.log1p(Math.exp(F(v) - F(v.map((bit, j) => (j === i ? 1 - bit : bit)))))),
  );
  const exact = terms.reduce((sum, t) => sum + t, 0) / vs.length;
  const found = await pseudoLikelihood(rbm, f64(vs).tile(4000, 1)).item();
  expect(Math.abs(found - exact)).toBeLessThan(0.03);
});

test("Gaussian units: conditionals have the moments of the joint distribution, and a mixture is learnt", async () => {
  device("wasm");
  const { rbm } = drawn(3, 2, { kind: "gaussian", deviation: 0.5 });
  const h = f64([[1, 0]]).tile(40000, 1);
  const v = rbm.sampleVisible(h);
  const [W, b] = [await values(rbm.weight), await values(rbm.visibleBias)];
  close(
    await values(v.mean(0)),
    b.map((bias, i) => bias + 0.5 * W[i]),
    0.02,
  );
  close(await values(v.std(0)), [0.5, 0.5, 0.5], 0.02);
  const mixture = new RBM(2, 4, { kind: "gaussian", means: [0, 0] });
  const x = normal([200, 2]).add(where(uniform([200, 1]).lt(0.5), tensor([4, -2]), tensor([-4, 2])));
  await realize(x);
  const before = await logLikelihood(mixture, x);
  const student = sgd(mixture, contrastiveDivergence(mixture), { lr: 0.02 });
  for (let i = 0; i < 2000; i++) await student.step({ x });
  const after = await logLikelihood(mixture, x);
  // ln p of the mixture itself is −ln 2π − 1 − ln 2 = −3.53, that of two apart normals of its deviations −6
  expect(after).toBeGreaterThan(-4);
  expect(before).toBeLessThan(-10);
});

test("the same bits for any number of threads", async () => {
  const hashes: string[] = [];
  for (const threads of [1, 2]) {
    device("wasm", { threads });
    seed(4);
    const rbm = new RBM(200, 150);
    const student = sgd(rbm, contrastiveDivergence(rbm, { persistent: 100 }), hintonsGuide(rbm, { batches: 2 }));
    const x = bernoulli([100, 200], 0.3);
    await realize(x);
    const losses: number[] = [];
    for (let i = 0; i < 15; i++) losses.push(await student.step({ x }));
    const hash = createHash("sha256").update(Float64Array.from(losses));
    for (const p of namedParameters(rbm).values()) hash.update(await p.data());
    hashes.push(hash.digest("hex"));
  }
  expect(hashes[1]).toBe(hashes[0]);
});

test("Hinton's guide: weights decay, biases do not, momentum rises after five epochs", async () => {
  device("wasm");
  const rbm = new RBM(3, 2, { means: [0.5, 0, 0.9] });
  close(await values(rbm.visibleBias), [0, Math.log(0.001 / 0.999), Math.log(9)], 1e-5);
  const { lr, momentum, weightDecay, groups } = hintonsGuide(rbm, { batches: 10 });
  expect([lr, weightDecay]).toEqual([0.1, 2e-4]);
  expect([0, 49, 50].map((step) => (momentum as (step: number) => number)(step))).toEqual([0.5, 0.5, 0.9]);
  const [{ match }] = groups!;
  expect([...namedParameters(rbm).keys()].map((name) => (match as RegExp).test(name))).toEqual([false, true, true]);
});

test("visible biases start from the means of data in batches of any size", async () => {
  device("wasm");
  const batches = [tensor([[1, 0, 1], [0, 0, 0.7]]), tensor([[0.5, 0, 1]])]; // biome-ignore format: rows
  const data = {
    async *iterate() {
      for (const x of batches) yield { x };
    },
  };
  const rbm = new RBM(3, 2);
  await rbm.startFromMeans(data);
  close(await values(rbm.visibleBias), [0, Math.log(0.001 / 0.999), Math.log(9)], 1e-5);
  const real = new RBM(3, 2, { kind: "gaussian" });
  await real.startFromMeans(data);
  close(await values(real.visibleBias), [0.5, 0, 0.9], 1e-6);
  await expect(rbm.startFromMeans({ async *iterate() {} })).rejects.toThrow("RBM: the data have no batch");
});

test("chains are found as state, and stay where nothing is trained", async () => {
  device("wasm");
  const rbm = new RBM(3, 2);
  const source = contrastiveDivergence(rbm, { persistent: 4 });
  expect([...namedTensors(source).keys()]).toEqual(["chains"]);
  const before = await values(source.chains!);
  await compile((batch: { x: Tensor }) => source.gradients(batch).loss!)({ x: tensor([[0, 1, 1]]) });
  expect(await values(source.chains!)).toEqual(before);
});

test("what is wrong is said in one line", async () => {
  device("wasm");
  // biome-ignore lint/suspicious/noExplicitAny: this is about callers without types
  const untyped = (value: unknown): any => value;
  const rbm = new RBM(4, 3);
  const gaussian = new RBM(4, 30, { kind: "gaussian" });
  const misuse = {
    sizes: () => new RBM(0, 3),
    kind: () => new RBM(4, 3, { kind: untyped("relu") }),
    deviation: () => new RBM(4, 3, { kind: "gaussian", deviation: 0 }),
    "deviation of bits": () => new RBM(4, 3, { deviation: 2 }),
    means: () => new RBM(4, 3, { means: [0.5] }),
    units: () => rbm.forward(tensor([[1, 0]])),
    "hidden units": () => rbm.visibleMeans(tensor([[1, 0]])),
    "no tensor": () => rbm.freeEnergy(untyped([1, 0, 1, 0])),
    k: () => contrastiveDivergence(rbm, { k: 0 }),
    persistent: () => contrastiveDivergence(rbm, { persistent: untyped(true) }),
    visible: () => contrastiveDivergence(rbm, { visible: untyped("mean") }),
    sparsity: () => contrastiveDivergence(rbm, { sparsity: { target: 0, weight: 1 } }),
    batch: () => sgd(rbm, contrastiveDivergence(rbm)).step({ x: tensor([[1, 0]]) }),
    "no batch": () => sgd(rbm, contrastiveDivergence(rbm)).step(untyped({ y: tensor([[1, 0]]) })),
    enumeration: () => logPartition(gaussian),
    "too few chains": () => annealedImportance(rbm, { chains: 1 }),
    base: () => annealedImportance(rbm, { base: [1] }),
    "pseudo-likelihood": () => pseudoLikelihood(gaussian, tensor([[1, 0, 1, 0]])),
  };
  expect(await messagesOf(misuse)).toMatchInlineSnapshot(`
    "sizes: ShapeError: RBM: visible must be a whole number ≥ 1, got 0
    kind: TypeError: RBM: kind must be "binary" or "gaussian", got "relu"
    deviation: RangeError: RBM: deviation must be a finite number above 0, got 0
    deviation of bits: RangeError: RBM: bits have no deviation, got 2 (leave it out, or take kind: "gaussian")
    means: RangeError: RBM: 4 visible units need as many means, got 1
    units: ShapeError: RBM: needs visible units [..., 4], got [1, 2], in RBM
    hidden units: ShapeError: RBM: needs hidden units [..., 3], got [1, 2], in RBM
    no tensor: TypeError: RBM: takes a tensor, got an array (make it one by tensor(…))
    k: ShapeError: contrastiveDivergence: k must be a whole number ≥ 1, got 0
    persistent: ShapeError: contrastiveDivergence: persistent must be a whole number ≥ 1, got true
    visible: TypeError: contrastiveDivergence: visible must be "samples" or "means", got "mean"
    sparsity: RangeError: contrastiveDivergence: sparsity.target must lie between 0 and 1, got 0
    batch: ShapeError: contrastiveDivergence: needs [B, 4], or as many in other axes, got x [1, 2]
    no batch: TypeError: contrastiveDivergence: the batch needs a tensor x, got undefined
    enumeration: RangeError: logPartition: 30 units have too many states, the most is 20 (take annealedImportance)
    too few chains: ShapeError: annealedImportance: chains must be a whole number ≥ 2, got 1
    base: ShapeError: annealedImportance: base needs a bias for each of the bits, [4], got 1
    pseudo-likelihood: TypeError: pseudoLikelihood: needs bits as visible units, those of this RBM are gaussian"
  `);
});
