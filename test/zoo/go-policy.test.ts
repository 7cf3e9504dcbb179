// The Go policy network: PyTorch's values, a bias for each point, and a teacher on small boards that it imitates.
import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { randomStream, uniform } from "../../src/data/random.ts";
import { device, evaluating, grad, seed, type Tensor, tensor } from "../../src/index.ts";
import { crossEntropy, load, namedParameters } from "../../src/nn/index.ts";
import { adam, type Labelled } from "../../src/optim/index.ts";
import { GoBoard, goFeatures, goPlanes, goPolicy } from "../../src/zoo/index.ts";

beforeAll(() => {
  device("wasm");
});

interface Golden {
  logits: number[];
  loss: number;
  gradients: Record<string, number[]>;
}

const golden: Golden = JSON.parse(readFileSync(new URL("../fixtures/torch/go-policy.json", import.meta.url), "utf8"));

/** The rule of fixtures/torch/go-policy.py. */
const waves = (count: number, phase: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => 0.3 * Math.sin(phase + 1.7 * i));

test("logits, loss and gradients are PyTorch's", async () => {
  const model = goPolicy({ size: 5, planes: 6, filters: 3, layers: 4 });
  const named = namedParameters(model);
  expect([...named.keys()]).toEqual(Object.keys(golden.gradients));
  const values = [...named].map(([name, { shape, size }], k) => {
    return [name, { dtype: "f32", shape, data: waves(size, k) }] as const;
  });
  await load(model, new Map(values));
  const logits = model.forward(tensor(waves(300, 0.5), [2, 6, 5, 5]));
  const loss = crossEntropy(logits, tensor(Int32Array.of(7, 20)));
  const gradients = grad(loss, [...named.values()]);
  const near = async (t: Tensor, expected: number[]): Promise<void> => {
    const data = await t.data();
    expected.forEach((value, i) => {
      expect(Number(data[i])).toBeCloseTo(value, 5);
    });
  };
  await near(logits, golden.logits);
  await near(loss, [golden.loss]);
  for (const [i, name] of [...named.keys()].entries()) await near(gradients[i], golden.gradients[name]);
});

const size = 7;
const area = size * size;

/** Takes, else saves a chain in atari, else gives atari, else plays for liberties; what is nearer to the centre first. */
function teacher(board: GoBoard): number {
  const { chains, stones, toPlay } = board;
  const distance = (p: number): number => Math.hypot((p % size) - 3.1, Math.floor(p / size) - 2.8);
  const rank = (p: number): number => {
    const next = board.play(p);
    const liberties = next.chains.liberties[next.chains.of[p]];
    const taken = stones.filter((stone, q) => stone !== 0 && next.stones[q] === 0).length;
    const beside = [p - size, p + size, ...(p % size > 0 ? [p - 1] : []), ...(p % size < size - 1 ? [p + 1] : [])];
    const near = beside.filter((q) => q >= 0 && q < area && stones[q] !== 0);
    const saves = liberties > 1 && near.some((q) => stones[q] === toPlay && chains.liberties[chains.of[q]] === 1);
    const attacks = near.some((q) => next.stones[q] === -toPlay && next.chains.liberties[next.chains.of[q]] === 1);
    return taken > 0 ? 400 + taken : saves ? 300 : attacks && liberties > 1 ? 200 : Math.min(liberties, 8);
  };
  const moves = board.legal();
  const ranks = moves.map((p) => rank(p) - distance(p) / 100);
  return moves[ranks.indexOf(Math.max(...ranks))];
}

/** Positions of games of random moves, one in three the teacher's, with what the teacher plays there. */
function lessons(count: number, key: number): { x: Float32Array; y: Int32Array } {
  const random = randomStream(key);
  const [x, y] = [new Float32Array(count * 48 * area), new Int32Array(count)];
  let board = GoBoard.empty({ size });
  for (let i = 0; i < count; i++) {
    if (board.moves > 40 || board.legal().length === 0) board = GoBoard.empty({ size });
    y[i] = teacher(board);
    x.set(goFeatures(board), i * 48 * area);
    const legal = board.legal();
    board = board.play(uniform(random) < 1 / 3 ? y[i] : legal[Math.floor(uniform(random) * legal.length)]);
  }
  return { x, y };
}

test("the policy learns to imitate a teacher on 7×7, far better than its most frequent move", async () => {
  seed(5);
  const [count, held, batch] = [2000, 500, 50];
  const [lesson, exam] = [lessons(count, 1), lessons(held, 2)];
  const model = goPolicy({ size, filters: 16, layers: 4 });
  const optimizer = adam<Labelled>(model, ({ x, y }) => crossEntropy(model.forward(x), y), { lr: 4e-3 });
  for (let epoch = 0; epoch < 6; epoch++) {
    for (let i = 0; i < count; i += batch) {
      const x = tensor(lesson.x.slice(i * 48 * area, (i + batch) * 48 * area), [batch, 48, size, size]);
      await optimizer.step({ x, y: tensor(lesson.y.slice(i, i + batch)) });
    }
  }
  const logits = evaluating(() => model.forward(tensor(exam.x, [held, 48, size, size])));
  const guesses = await logits.argmax(1).data();
  const right = exam.y.filter((move, i) => Number(guesses[i]) === move).length / held;
  const times = new Int32Array(area);
  for (const move of exam.y) times[move]++;
  const frequent = Math.max(...times) / held;
  const empty = Array.from(guesses).filter((p, i) => exam.x[(i * 48 + goPlanes.empty) * area + Number(p)] === 1).length;
  expect(frequent).toBeLessThan(0.2);
  expect(right).toBeGreaterThan(0.5);
  expect(empty / held).toBeGreaterThan(0.99);
}, 60_000);
