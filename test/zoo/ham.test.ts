// Hierarchical attentive memory: trees against written-out ones, the number of JOINs, derivatives, REINFORCE against all paths, learning.
import { beforeAll, describe, expect, test } from "vitest";
import { binaryAddition, type Dataset, reverseTask, searchTask } from "../../src/data/index.ts";
import {
  compile,
  concat,
  device,
  evaluating,
  grad,
  realize,
  seed,
  stack,
  type Tensor,
  tensor,
  training,
} from "../../src/index.ts";
import { namedParameters, parameters } from "../../src/nn/index.ts";
import { adam, clipByNorm } from "../../src/optim/index.ts";
import {
  type Ham,
  HamMemory,
  type HardAccess,
  ham,
  hamLoss,
  hardAccess,
  reinforce,
  softAccess,
} from "../../src/zoo/index.ts";
import { stream } from "../harness.ts";
import { messagesOf } from "../messages.ts";
import { checkDerivatives } from "./derivatives.ts";
import { double } from "./double.ts";

const random = stream(17);
const draw = (...shape: number[]): Tensor =>
  tensor(
    Float64Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => 2 * random() - 1),
    shape,
  );
const worst = async (a: Tensor, b: number[] | number[][] | number[][][]): Promise<number> => {
  const expected = (b as number[]).flat(2);
  expect(a.size).toBe(expected.length);
  const data = await a.data();
  return Math.max(...expected.map((v, i) => Math.abs(v - data[i])));
};
const numbers = (...rows: readonly (readonly number[])[]): Tensor =>
  tensor(Int32Array.from(rows.flat()), [rows.length, rows[0].length]);

const logistic = (v: number): number => 1 / (1 + Math.exp(-v));
type Network = (x: readonly number[]) => number[];

/** The networks of a memory on arrays of numbers, and its tree as a heap: the children of node i are 2i and 2i + 1, the root is 1. */
class SlowTree {
  join!: Network;
  search!: Network;
  gate!: Network;
  candidate!: Network;
  nodes: number[][] = [];
  joins = 0;

  static async of(memory: HamMemory): Promise<SlowTree> {
    const tree = new SlowTree();
    const weights = await Promise.all([...namedParameters(memory).values()].map((t) => t.array()));
    const layers: Network[] = [];
    for (let i = 0; i < weights.length; i += 2) {
      const [w, b] = [weights[i] as number[][], weights[i + 1] as number[]];
      layers.push((x) => w.map((row, r) => row.reduce((sum, v, c) => sum + v * x[c], b[r])));
    }
    const [join1, join2, search1, search2, gate, candidate] = layers;
    const relu = (x: number[]): number[] => x.map((v) => Math.max(0, v));
    tree.join = (x) => join2(relu(join1(x))).map(Math.tanh);
    tree.search = (x) => search2(relu(search1(x))).map(logistic);
    tree.gate = (x) => gate(x).map(logistic);
    tree.candidate = (x) => candidate(x).map(Math.tanh);
    return tree;
  }

  build(leaves: readonly number[][]): this {
    this.nodes = [...new Array<number[]>(leaves.length).fill([]), ...leaves];
    for (let i = leaves.length - 1; i >= 1; i--) this.joinAt(i);
    return this;
  }
  joinAt(i: number): void {
    this.nodes[i] = this.join([...this.nodes[2 * i], ...this.nodes[2 * i + 1]]);
  }
  /** The probability of coming to node i from the root. */
  reach(i: number, h: number[]): number {
    if (i === 1) return 1;
    const [right] = this.search([...this.nodes[i >> 1], ...h]);
    return this.reach(i >> 1, h) * (i % 2 === 1 ? right : 1 - right);
  }
  written(leaf: number[], h: number[], share: number): number[] {
    const [t, c] = [this.gate([...leaf, ...h]), this.candidate([...leaf, ...h])];
    return leaf.map((v, k) => v + share * (t[k] * c[k] + (1 - t[k]) * v - v));
  }
  levels(): number[][] {
    return this.nodes.slice(1);
  }
}

const widths = { features: 3, controller: 2, units: 4 };
const small = (): HamMemory => double(new HamMemory(widths.features, widths.controller, widths.units));

describe("in double precision", () => {
  beforeAll(() => {
    device("js");
    seed(5);
  });

  test.each([1, 2, 4, 8])("the soft access to %i leaves is the written-out one", async (n) => {
    const memory = small();
    const [leaves, before, after] = [draw(2, n, 3), draw(2, 2), draw(2, 2)];
    const access = softAccess(memory, memory.build(leaves), before);
    const written = access.write(after);
    const [rows, h, g] = (await Promise.all([leaves, before, after].map((t) => t.array()))) as [
      number[][][],
      number[][],
      number[][],
    ];
    for (const b of [0, 1]) {
      const slow = (await SlowTree.of(memory)).build(rows[b]);
      const weights = rows[b].map((_, i) => slow.reach(n + i, h[b]));
      expect(await worst(access.weights.at(b), weights)).toBeLessThan(1e-14);
      expect(Math.abs((await access.weights.at(b).sum().item()) - 1)).toBeLessThan(1e-14);
      const read = [0, 1, 2].map((k) => rows[b].reduce((sum, row, i) => sum + weights[i] * row[k], 0));
      expect(await worst(access.read.at(b), read)).toBeLessThan(1e-14);
      const anew = slow.build(rows[b].map((row, i) => slow.written(row, g[b], weights[i]))).levels();
      expect(await worst(concat(written, 1).at(b), anew)).toBeLessThan(1e-14);
    }
  });

  test.each([1, 2, 4, 8])("the hard access to %i leaves is the written-out one, wherever it goes", async (n) => {
    const memory = small();
    const [leaf, before, after] = [draw(1, n, 3), draw(1, 2), draw(1, 2)];
    const all = <T extends Tensor>(t: T): Tensor => t.expand(n, ...t.shape.slice(1)); // a row for each leaf to go to
    const places = tensor(Int32Array.from({ length: n }, (_, i) => i));
    const access = hardAccess(memory, memory.build(all(leaf)), all(before), places);
    const written = concat(access.write(all(after)), 1);
    const [[rows], [h], [g]] = (await Promise.all([leaf, before, after].map((t) => t.array()))) as [
      number[][][],
      number[][],
      number[][],
    ];
    const slow = (await SlowTree.of(memory)).build(rows);
    const start = slow.levels();
    expect([...(await access.place.data())]).toEqual(rows.map((_, i) => i));
    expect(await worst(access.logProbability, rows.map((_, i) => Math.log(slow.reach(n + i, h))))).toBeLessThan(1e-13); // biome-ignore format: a line
    expect(await worst(access.read, rows)).toBe(0);
    for (const [i, row] of rows.entries()) {
      slow.nodes = [[], ...start];
      let entropy = 0;
      for (let node = (n + i) >> 1; node >= 1; node >>= 1) {
        const [p] = slow.search([...slow.nodes[node], ...h]);
        entropy -= p * Math.log(p) + (1 - p) * Math.log(1 - p);
      }
      expect(await worst(access.entropy.at(i), [entropy])).toBeLessThan(1e-13);
      slow.nodes[n + i] = slow.written(row, g, 1);
      for (let node = (n + i) >> 1; node >= 1; node >>= 1) slow.joinAt(node);
      expect(await worst(written.at(i), slow.levels())).toBeLessThan(1e-14);
    }
  });

  test("a hard write makes log₂ n JOINs, a soft one n − 1", async () => {
    for (const depth of [0, 1, 3, 6]) {
      const n = 2 ** depth;
      const memory = new HamMemory(3, 2, 4);
      let joins = 0;
      const { joiner } = memory;
      const forward = joiner.forward.bind(joiner);
      joiner.forward = (x) => {
        joins += x.shape[1];
        return forward(x);
      };
      const counted = (work: () => unknown): number => {
        joins = 0;
        work();
        return joins;
      };
      const [tree, h] = [memory.build(draw(2, n, 3)), draw(2, 2)];
      expect(counted(() => memory.build(tree[depth]))).toBe(n - 1);
      expect(counted(() => softAccess(memory, tree, h).write(h))).toBe(n - 1);
      expect(counted(() => hardAccess(memory, tree, h).write(h))).toBe(depth);
    }
  });

  const sizes = { tokens: 5, features: 4, hidden: 3, units: 5 };

  test("derivatives of both forms hold", async () => {
    await checkDerivatives([() => ham(sizes), [2, 4], 5]);
    await checkDerivatives([() => ham({ ...sizes, task: "addition" }), [2, 6], 5]); // 3 leaves and one of zeros
    const places = numbers([3, 0, 1, 2], [2, 2, 0, 3]);
    const forced = (): { model: Ham; forward(x: Tensor): Tensor } => {
      const model = ham({ ...sizes, form: "hard" });
      const forward = (x: Tensor): Tensor => {
        const { logits, accesses } = model.run(x, { places });
        const hard = accesses as readonly HardAccess[];
        return concat([logits.reshape(2, 20), stack(hard.flatMap((a) => [a.logProbability, a.entropy]), 1)], 1); // biome-ignore format: a line
      };
      return { model, forward };
    };
    await checkDerivatives([forced, [2, 4], 5]);
  });

  /** For each row of paths i32 [N, T] in one tree: ln p of its decisions and of the answers, [N, T] each. */
  function alongPaths(
    model: Ham,
    x: Tensor,
    y: Tensor,
    places: Tensor,
  ): { rewards: Tensor; logProbabilities: Tensor; entropies: Tensor } {
    const [rows, times] = places.shape;
    const { logits, accesses } = model.run(x.expand(rows, x.shape[1]), { places });
    const logs = logits.sub(logits.logsumexp(-1, { keepDims: true }));
    const rewards = logs.takeAlong(y.reshape(1, times, 1).expand(rows, times, 1), -1).squeeze(-1);
    const column = (key: "logProbability" | "entropy"): Tensor =>
      stack(
        (accesses as readonly HardAccess[]).map((a) => a[key]),
        1,
      );
    return { rewards, logProbabilities: column("logProbability"), entropies: column("entropy") };
  }

  /** Fails unless two gradients, the second of one that is to be made small, are each other's negative. */
  async function expectOpposite(gain: Tensor, loss: Tensor, model: Ham): Promise<void> {
    const leaves = parameters(model);
    const [a, b] = [grad(gain, leaves), grad(loss, leaves)];
    await realize(...a, ...b);
    for (const [i, g] of a.entries()) expect(await g.add(b[i]).abs().max().item()).toBeLessThan(1e-12);
    expect(Math.max(...(await Promise.all(a.map((g) => g.abs().max().item()))))).toBeGreaterThan(1e-3);
  }

  test("REINFORCE's gradient is on average that of the expectation over all paths of 4 answers in 4 leaves", async () => {
    seed(8);
    const model = double(ham({ ...sizes, form: "hard" }));
    const places = numbers(
      ...Array.from({ length: 256 }, (_, code) => [code >> 6, (code >> 4) & 3, (code >> 2) & 3, code & 3]),
    );
    const found = alongPaths(model, numbers([1, 4, 2, 3]), numbers([3, 2, 4, 1]), places);
    const p = found.logProbabilities.sum(1).exp(); // [256]
    expect(await p.sum().item()).toBeCloseTo(1, 12);
    const exact = p.mul(found.rewards.sum(1)).sum();
    const row = (t: Tensor, i: number): Tensor => t.slice(0, i, i + 1);
    const terms = Array.from({ length: 256 }, (_, i) => {
      const own = {
        rewards: row(found.rewards, i),
        logProbabilities: row(found.logProbabilities, i),
        entropies: row(found.entropies, i),
      };
      return reinforce(own).mul(p.at(i).detach());
    });
    await expectOpposite(exact, stack(terms).sum(), model);
  });

  test("the baseline of the other runs leaves the average as it is, and the variance smaller", async () => {
    seed(8);
    const model = double(ham({ ...sizes, form: "hard", task: "search" }));
    const question = numbers([1, 4, 2, 3, 3, 1, 4, 2, 3]);
    const found = alongPaths(model, question, numbers([1]), numbers([0], [1], [2], [3]));
    const p = found.logProbabilities.sum(1).exp();
    const pairs = Array.from({ length: 16 }, (_, i) => [i >> 2, i & 3]);
    const loss = (baseline: boolean): Tensor[] =>
      pairs.map((pair) => {
        const of = (t: Tensor): Tensor => t.gather(tensor(Int32Array.from(pair)));
        const own = {
          rewards: of(found.rewards),
          logProbabilities: of(found.logProbabilities),
          entropies: of(found.entropies),
        };
        return reinforce(own, { baseline });
      });
    const chance = pairs.map(([i, j]) => p.at(i).mul(p.at(j)).detach());
    const mean = (terms: readonly Tensor[]): Tensor => stack(terms.map((t, i) => t.mul(chance[i]))).sum();
    const exact = p.mul(found.rewards.sum(1)).sum();
    await expectOpposite(exact, mean(loss(true)), model);
    await expectOpposite(exact, mean(loss(false)), model);
    const spread = (baseline: boolean): Promise<number> =>
      mean(loss(baseline).map((t) => grad(t, [model.embedding.weight])[0].square().sum())).item();
    expect(await spread(true)).toBeLessThan(await spread(false));
  });

  test("the entropy is added with its weight", async () => {
    const [rewards, logProbabilities, entropies] = [draw(3, 2), draw(3, 2), draw(3, 2)];
    const of = (entropy: number): Tensor => reinforce({ rewards, logProbabilities, entropies }, { entropy });
    const difference = of(0.5)
      .sub(of(0))
      .add(entropies.sum().mul(0.5 / 3));
    expect(Math.abs(await difference.item())).toBeLessThan(1e-14);
  });
});

describe("in compiled steps", () => {
  beforeAll(() => {
    device("wasm");
  });

  test("leaves are drawn as often as their probabilities say, anew in each run; evaluation takes the likelier branch", async () => {
    seed(3);
    const model = ham({ tokens: 9, task: "search", form: "hard" });
    const x = numbers([1, 5, 3, 2, 4, 8, 7, 1, 4]).expand(4096, 9);
    const step = compile((x: Tensor) => training(() => model.run(x).accesses.map((a) => (a as HardAccess).place)[0]));
    const [first, second] = [await (await step(x)).data(), await (await step(x)).data()];
    expect([...first]).not.toEqual([...second]);
    const p = await model.run(x.slice(0, 0, 4), { places: numbers([0], [1], [2], [3]) }).accesses.map((a) => (a as HardAccess).logProbability.exp())[0].data(); // biome-ignore format: a line
    for (const i of [0, 1, 2, 3]) {
      const share = first.filter((place: number | bigint) => place === i).length / 4096;
      expect(Math.abs(share - p[i])).toBeLessThan(4 * Math.sqrt((p[i] * (1 - p[i])) / 4096));
    }
    const greedy = await evaluating(() => (model.run(x.slice(0, 0, 2)).accesses[0] as HardAccess).place).data();
    const half = p[2] + p[3] > p[0] + p[1] ? 2 : 0;
    expect([...greedy]).toEqual(new Array(2).fill(p[half + 1] > p[half] ? half + 1 : half));
  });

  test("a leaf holds what its task says, and zeros beyond", async () => {
    const leavesOf = async (model: Ham, x: Tensor): Promise<number[][]> => {
      let leaves: Tensor | undefined;
      const build = model.memory.build.bind(model.memory);
      model.memory.build = (given) => build((leaves ??= given));
      model.run(x);
      return ((await leaves!.array()) as number[][][])[0];
    };
    const rows = async (model: Ham): Promise<number[][]> => (await model.embedding.weight.array()) as number[][];
    const sum = (a: number[], b: number[]): number[] => a.map((v, i) => Math.fround(v + b[i]));
    const zeros = new Array<number>(4).fill(0);
    const sizes = { tokens: 5, features: 4 };
    const [sequence, search, addition] = [
      ham(sizes),
      ham({ ...sizes, task: "search" }),
      ham({ ...sizes, task: "addition" }),
    ];
    const [q, s, a] = await Promise.all([sequence, search, addition].map(rows));
    expect(await leavesOf(sequence, numbers([4, 1, 2]))).toEqual([q[4], q[1], q[2], zeros]);
    expect(await leavesOf(search, numbers([1, 2, 3, 4, 1]))).toEqual([sum(s[1], s[5 + 2]), sum(s[3], s[5 + 4])]);
    expect(await leavesOf(addition, numbers([0, 1, 1, 1, 0, 1]))).toEqual([sum(a[0], a[6]), sum(a[1], a[5]), sum(a[1], a[6]), zeros]); // biome-ignore format: a line
    expect(addition.forward(numbers([0, 1, 1, 1, 0, 1])).shape).toEqual([1, 4, 5]);
    expect(search.forward(numbers([1, 2, 3, 4, 1])).shape).toEqual([1, 5]);
  });

  /** The share of wrong answers after training on batches of sets by turns. */
  async function learned(model: Ham, sets: readonly Dataset[], test: Dataset, entropy = 0): Promise<number> {
    const loss = (batch: { x: Tensor; y: Tensor }) => hamLoss(model, batch, { entropy });
    const optimizer = adam(model, loss, { lr: 3e-3, transforms: [clipByNorm(1)] });
    const batches = sets.map((set) => set.batch(64)[Symbol.asyncIterator]());
    for (;;) {
      const turn = (await Promise.all(batches.map((next) => next.next()))).map(({ value }) => value);
      if (!turn[0]) break;
      for (const batch of turn) if (batch) await optimizer.step(batch);
    }
    let right = 0;
    for await (const { x, y } of test.batch(512))
      right = await evaluating(() => model.forward(x).argmax(-1).eq(y).mean()).item();
    return 1 - right;
  }

  test("the hard form learns to turn sequences of 4 around by REINFORCE, and can do it with 8", async () => {
    seed(1);
    const sets = [2, 4].map((length) => reverseTask({ length, count: 64 * 300 }));
    const test = reverseTask({ length: 8, count: 512, seed: 99 });
    expect(await learned(ham({ tokens: 9, form: "hard" }), sets, test, 0.05)).toBeLessThan(0.1);
  });

  test("the soft form learns to look up keys among 4", async () => {
    seed(1);
    const sets = [2, 4].map((length) => searchTask({ length, symbols: 32, count: 64 * 600 }));
    const test = searchTask({ length: 4, symbols: 32, count: 512, seed: 99 });
    expect(await learned(ham({ tokens: 33, task: "search" }), sets, test)).toBeLessThan(0.1);
  });

  test("the soft form learns to add in binary", async () => {
    seed(1);
    const model = ham({ tokens: 2, task: "addition" });
    const sets = [binaryAddition({ length: 4, count: 64 * 600 })];
    expect(await learned(model, sets, binaryAddition({ length: 4, count: 512, seed: 99 }))).toBeLessThan(0.02);
  });
});

test("misuse is told in one line", async () => {
  const run = (task: "sequence" | "search" | "addition", ...row: number[]) =>
    ham({ tokens: 4, task }).forward(numbers(row));
  expect(
    await messagesOf({
      task: () => ham({ tokens: 4, task: "sort" as "search" }),
      form: () => ham({ tokens: 4, form: "dham" as "soft" }),
      search: () => run("search", 1, 2, 3, 1, 2, 3),
      addition: () => run("addition", 0, 1, 1),
      floats: () => ham({ tokens: 4 }).forward(tensor([1, 2], [1, 2])),
      places: () => ham({ tokens: 4 }).run(numbers([1, 2]), { places: numbers([0, 1]) }),
    }),
  ).toMatchInlineSnapshot(`
    "task: RangeError: ham: task is "sequence", "search" or "addition", not "sort"
    form: RangeError: ham: form is "soft" or "hard", not "dham"
    search: RangeError: ham: search takes i32 [B, 2·n + 1], got i32 [1, 6]
    addition: RangeError: ham: addition takes i32 [B, 2·n], got i32 [1, 3]
    floats: RangeError: ham: sequence takes i32 [B, n], got f32 [1, 2]
    places: RangeError: ham: places are for the form "hard"; this one goes to all leaves"
  `);
});
