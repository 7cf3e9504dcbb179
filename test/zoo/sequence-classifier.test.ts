// Classifiers and taggers of sequences: what each pooling tells, padding, derivatives, that they learn, misuse.
import { beforeAll, describe, expect, test } from "vitest";
import { device, evaluating, seed, type Tensor, tensor } from "../../src/index.ts";
import { AttentionPool, crossEntropy, parameters } from "../../src/nn/index.ts";
import { adam, type Labelled } from "../../src/optim/index.ts";
import {
  type SequenceClassifierOptions,
  type SequenceModel,
  sequenceClassifier,
  sequenceTagger,
  zoo,
} from "../../src/zoo/index.ts";
import { messagesOf } from "../messages.ts";
import { checkDerivatives } from "./derivatives.ts";

beforeAll(() => {
  device("wasm");
});

const small = { tokens: 9, classes: 3, hidden: 5, features: 4 } satisfies SequenceClassifierOptions;
const rows = (values: readonly (readonly number[])[]): Tensor =>
  tensor(Int32Array.from(values.flat()), [values.length, values[0].length]);
const outputs = async (model: SequenceModel, x: Tensor, lengths?: number[]): Promise<number[]> =>
  Array.from(await evaluating(() => model.forward(x, lengths)).data(), Number);
const expectNear = (a: readonly number[], b: readonly number[]): void => {
  expect(Math.max(...a.map((value, i) => Math.abs(value - b[i])))).toBeLessThan(1e-6);
};
const count = (model: object): number => parameters(model).reduce((sum, p) => sum + p.size, 0);

const poolings = ["last", "mean", "max", "attention"] as const;

describe.each(poolings.flatMap((pooling) => [false, true].map((bidirectional) => ({ pooling, bidirectional }))))(
  "$pooling, bidirectional $bidirectional",
  (kind) => {
    test("padding has no influence, tokens have", async () => {
      seed(1);
      const model = sequenceClassifier({ ...small, ...kind });
      const plain = await outputs(model, rows([[5, 6, 7]]));
      expectNear(plain, await outputs(model, rows([[5, 6, 7, 0, 0, 0]])));
      expectNear(plain, await outputs(model, rows([[5, 6, 7, 8, 8]]), [3]));
      expect(await outputs(model, rows([[7, 6, 5, 0]]))).not.toEqual(plain);
      expect(await outputs(model, rows([[0, 0, 0]]))).toSatisfy((all: number[]) => all.every(Number.isFinite));
      seed(1);
      const counting = sequenceClassifier({ ...small, ...kind, padding: null });
      expectNear(await outputs(counting, rows([[5, 6, 0]])), await outputs(model, rows([[5, 6, 0]]), [3]));
    });

    test("derivatives in double precision", { timeout: 60_000 }, () =>
      checkDerivatives([() => sequenceClassifier({ ...small, ...kind }), [3, 5], 9]),
    );
  },
);

test("the pooled states are the last, the mean and the largest of those that count", async () => {
  seed(2);
  const reference = sequenceClassifier(small) as SequenceModel & Record<"states" | "output", Record<string, never>>;
  const run = (reference.states as unknown as { forward(x: Tensor): { outputs: Tensor } }).forward(
    rows([[5, 6, 7, 0]]),
  );
  const h = (await run.outputs.array()) as number[][][];
  const own = h[0].slice(0, 3);
  const pooled = {
    last: own[2],
    mean: own[0].map((_, i) => (own[0][i] + own[1][i] + own[2][i]) / 3),
    max: own[0].map((_, i) => Math.max(...own.map((state) => state[i]))),
  };
  for (const pooling of ["last", "mean", "max"] as const) {
    const model = sequenceClassifier({ ...small, pooling });
    Object.assign(model, { states: reference.states, output: reference.output });
    const weight = (await (reference.output.weight as Tensor).array()) as number[][];
    const bias = (await (reference.output.bias as Tensor).array()) as number[];
    const wanted = weight.map((row, c) => row.reduce((sum, w, i) => sum + w * pooled[pooling][i], bias[c]));
    expectNear(await outputs(model, rows([[5, 6, 7, 0]])), wanted);
  }
});

test("attention's pool weighs the steps that count by a softmax of uᵀtanh(W·h + b)", async () => {
  seed(3);
  const pool = new AttentionPool(2, { units: 3 });
  const h = [[0.5, -1], [2, 0.3], [9, 9]]; // biome-ignore format: rows
  const { context, weights } = pool.forward(tensor([h]), [2]);
  const [W, b, u] = [await pool.hidden.weight.array(), await pool.hidden.bias!.array(), await pool.query.array()] as [
    number[][],
    number[],
    number[],
  ];
  const scores = h.slice(0, 2).map(([x, y]) => u.reduce((sum, v, k) => sum + v * Math.tanh(W[k][0] * x + W[k][1] * y + b[k]), 0)); // biome-ignore format: a formula
  const e = scores.map(Math.exp);
  const a = e.map((value) => value / (e[0] + e[1]));
  expectNear(Array.from(await weights.data(), Number), [...a, 0]);
  expectNear(
    Array.from(await context.data(), Number),
    [0, 1].map((i) => a[0] * h[0][i] + a[1] * h[1][i]),
  );
});

test("a tagger tells the class of each place, which may depend on what comes later, and learns to", async () => {
  seed(5);
  const model = sequenceTagger({ ...small, hidden: 12, cell: "gru" });
  const x = rows([[1, 2, 3, 4], [4, 3, 2, 0], [2, 2, 1, 3], [3, 1, 0, 0]]); // biome-ignore format: rows
  const y = rows([[1, 1, 1, 0], [2, 2, 0, -100], [0, 2, 1, 0], [2, 0, -100, -100]]); // biome-ignore format: whether the next is more, 1, less, 2, or neither
  expect(model.forward(x).shape).toEqual([4, 4, 3]);
  const optimizer = adam<Labelled>(model, (batch) => crossEntropy(model.forward(batch.x), batch.y), { lr: 0.03 });
  let loss = 1;
  for (let i = 0; i < 80; i++) loss = await optimizer.step({ x, y });
  expect(loss).toBeLessThan(0.05);
  await checkDerivatives([() => sequenceTagger(small), [2, 4], 9]);
});

test("textlstm has the parameters of its layers", () => {
  const entry = zoo.find(({ name }) => name === "textlstm")!;
  const lstm = 2 * 4 * (128 * 100 + 128 * 128 + 2 * 128);
  expect(count(entry.build({ tokens: 50, classes: 6 }))).toBe(50 * 100 + lstm + 256 * 6 + 6);
});

test("misuse is refused in one line", async () => {
  expect(
    await messagesOf({
      pooling: () => sequenceClassifier({ ...small, pooling: "sum" as "mean" }),
      cell: () => sequenceTagger({ ...small, cell: "qrnn" as "gru" }),
      input: () => zoo.find(({ name }) => name === "textlstm")!.build({ input: [1, 28, 28] }),
      rank: () => sequenceClassifier(small).forward(tensor(Int32Array.of(1, 2))),
      lengths: () => sequenceClassifier(small).forward(rows([[1, 2]]), [3]),
      pool: () => new AttentionPool(3).forward(tensor([[[1, 2]]])),
    }),
  ).toMatchInlineSnapshot(`
    "pooling: RangeError: sequenceClassifier: pooling is "last", "mean", "max" or "attention", not "sum"
    cell: RangeError: sequenceTagger: cell is "lstm", "gru" or "rnn", not "qrnn"
    input: RangeError: textlstm: takes sentences [T], got [1, 28, 28]
    rank: RangeError: sequenceClassifier: takes x [B, T], got [2]
    lengths: ShapeError: recurrent: lengths must be whole numbers within 1 … 2, got 3 for sequence 0, in LSTM
    pool: ShapeError: attention: needs states [B, T, 3], got [1, 1, 2], in AttentionPool"
  `);
});
