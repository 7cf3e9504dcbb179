// Gradients of tables: plain descent moves the rows that a batch names, to the values of the dense way, and nothing else is touched.
import { expect, test } from "vitest";
import { compileTrace, type Program } from "../../src/compile/program.ts";
import { capturing, trace } from "../../src/graph/internal.ts";
import { device, grad, param, type Tensor, tensor } from "../../src/index.ts";
import { Embedding } from "../../src/nn/index.ts";
import { clipByNorm, maxNorm, type Optimizer, rmsprop, sgd } from "../../src/optim/index.ts";
import { testDevices } from "../devices.ts";

const [words, features] = [5000, 4];

interface Batch {
  readonly rows: Tensor;
  readonly weight: Tensor;
}

const batchOf = (...weights: readonly number[]): Batch => ({
  rows: tensor(Int32Array.of(3, 7, 3, 4999, 0, 7), [2, 3]),
  weight: tensor(weights),
});

/** A sum of squares over rows that are named once and twice, by one look-up or two. */
function setup(lookups: number, paddingIndex?: number): { model: Embedding; loss: (batch: Batch) => Tensor } {
  const init = (): Float32Array => Float32Array.from({ length: words * features }, (_, i) => ((i * 37) % 19) / 9 - 1);
  const model = new Embedding(words, features, { init, paddingIndex });
  const loss = ({ rows, weight }: Batch): Tensor => {
    const some = model
      .forward(rows)
      .square()
      .mul(weight.reshape(1, 3, 1))
      .sum();
    return lookups === 1
      ? some
      : some.add(
          model
            .forward(rows.add(1).minimum(words - 1))
            .pow(3)
            .sum(),
        );
  };
  return { model, loss };
}

/** The program of the optimizer's next step. */
async function programOf<B>(optimizer: Optimizer<B>, batch: B): Promise<Program> {
  let program: Program | undefined;
  optimizer.probe = (_, { loss }) => {
    program = compileTrace(trace([loss], [...capturing()!.updates.values()]), { verify: true });
    return {};
  };
  await optimizer.step(batch);
  return program!;
}

const longestLoop = ({ kernels }: Program): number =>
  Math.max(...kernels.map(({ tiled }) => tiled.outer.reduce((n, axis) => n * axis.extent, 1)));

for (const name of testDevices)
  test.each([
    [1, undefined],
    [2, undefined],
    [1, 7],
  ])(`${name}: %d look-ups, padding %s: the values are those of the dense gradient`, async (lookups, paddingIndex) => {
    device(name);
    const [{ model, loss }, dense] = [setup(lookups, paddingIndex), setup(lookups, paddingIndex)];
    const optimizer = sgd<Batch>(model, loss, { lr: 0.25 });
    const batch = batchOf(1, 2, -0.5);
    for (let i = 0; i < 3; i++) {
      const [g] = grad(dense.loss(batch), [dense.model.weight]);
      const next = Float32Array.from(await dense.model.weight.sub(g.mul(0.25)).data());
      dense.model.weight = param(next, [words, features]);
      await optimizer.step(batch);
      const found = await model.weight.data();
      expect(Array.from(found.slice(0, 16))).not.toEqual(Array.from((await setup(1).model.weight.data()).slice(0, 16)));
      found.forEach((value, at) => {
        if (Math.abs(value - next[at]) > 2e-6 * Math.max(1, Math.abs(next[at])))
          expect.fail(`at ${at}: ${value}, dense ${next[at]}`);
      });
    }
  });

test.each([1, 2])("%d look-ups: no loop goes over the table, which lies where it did", async (lookups) => {
  device("wasm");
  const { model, loss } = setup(lookups);
  const program = await programOf(sgd<Batch>(model, loss), batchOf(1, 1, 1));
  expect(longestLoop(program)).toBeLessThanOrEqual(6 * features * lookups);
  expect(program.copies).toEqual([]);
  expect(program.arenaBytes).toBeLessThan(words);
});

test("what needs the whole gradient still has it", async () => {
  device("wasm");
  const dense: ((m: Embedding, l: (b: Batch) => Tensor) => Optimizer<Batch>)[] = [
    (model, loss) => sgd(model, loss, { momentum: 0.9 }),
    (model, loss) => sgd(model, loss, { weightDecay: 0.1 }),
    (model, loss) => sgd(model, loss, { transforms: [clipByNorm(1)] }),
    (model, loss) => sgd(model, loss, { constraints: [maxNorm(2)] }),
    (model, loss) => sgd(model, ({ rows, weight }) => loss({ rows, weight }).add(model.weight.square().sum())),
    (model, loss) => rmsprop(model, loss),
  ];
  for (const make of dense) {
    const { model, loss } = setup(1);
    expect(longestLoop(await programOf(make(model, loss), batchOf(1, 1, 1)))).toBeGreaterThanOrEqual(words);
  }
});

test("a loss that is not finite moves no row, to the bit", async () => {
  for (const name of testDevices) {
    device(name);
    const { model, loss } = setup(1);
    await model.weight.data();
    model.weight = param(Float32Array.from({ length: words * features }).fill(-0), [words, features]);
    const optimizer = sgd<Batch>(model, loss);
    expect(await optimizer.step(batchOf(1, Number.NaN, 1))).toBeNaN();
    expect(Object.is((await model.weight.data())[3 * features], -0)).toBe(true);
    expect(optimizer.steps).toBe(0);
  }
});
