// Gradients of tables: plain descent moves the rows that a batch names, to the values of the dense way, and nothing else is touched.
import { expect, test } from "vitest";
import { compileTrace, type Program } from "../../src/compile/program.ts";
import { capturing, trace } from "../../src/graph/internal.ts";
import { device, grad, param, type Tensor, tensor, zerosLike } from "../../src/index.ts";
import { Embedding } from "../../src/nn/index.ts";
import { clipByNorm, maxNorm, type Optimizer, rmsprop, sgd } from "../../src/optim/index.ts";
import { updateIf } from "../../src/optim/rows.ts";
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
    const optimizer = sgd<Batch>(model, loss, { lr: 0.25, sparse: true });
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
  const program = await programOf(sgd<Batch>(model, loss, { sparse: true }), batchOf(1, 1, 1));
  expect(longestLoop(program)).toBeLessThanOrEqual(6 * features * lookups);
  expect(program.copies).toEqual([]);
  expect(program.arenaBytes).toBeLessThan(words);
});

test("what needs the whole gradient still has it", async () => {
  device("wasm");
  const dense: ((m: Embedding, l: (b: Batch) => Tensor) => Optimizer<Batch>)[] = [
    (model, loss) => sgd(model, loss),
    (model, loss) => sgd(model, loss, { momentum: 0.9 }),
    (model, loss) => sgd(model, loss, { weightDecay: 0.1, sparse: true }),
    (model, loss) => sgd(model, loss, { transforms: [clipByNorm(1)], sparse: true }),
    (model, loss) => sgd(model, loss, { constraints: [maxNorm(2)], sparse: true }),
    (model, loss) =>
      sgd(model, ({ rows, weight }) => loss({ rows, weight }).add(model.weight.square().sum()), { sparse: true }),
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
    const optimizer = sgd<Batch>(model, loss, { sparse: true });
    expect(await optimizer.step(batchOf(1, Number.NaN, 1))).toBeNaN();
    expect(Object.is((await model.weight.data())[3 * features], -0)).toBe(true);
    expect(optimizer.steps).toBe(0);
  }
});

test("rows that are named many times lose nothing of a small move unless asked to be moved each time", async () => {
  device("wasm");
  const batch = { rows: tensor(new Int32Array(8192)) };
  const moved = async (sparse: boolean): Promise<number> => {
    const model = new Embedding(2, 1, { init: () => Float32Array.of(0.75, 0) });
    const optimizer = sgd<typeof batch>(model, ({ rows }) => model.forward(rows).mean(), { lr: 1e-4, sparse });
    for (let i = 0; i < 100; i++) await optimizer.step(batch);
    return 0.75 - (await model.weight.data())[0];
  };
  expect(await moved(false)).toBeCloseTo(0.01, 5);
  expect(await moved(true)).toBeLessThan(0.001);
});

test("gradients that only look like those of look-ups are taken whole", async () => {
  device("wasm");
  const rows = tensor(Int32Array.of(1, 1));
  const values = tensor(Float32Array.of(1, 2));
  const stepped = async (gradient: (table: Tensor) => Tensor): Promise<number[]> => {
    const model = { table: param(Float32Array.of(5, 6, 7)) };
    const source = {
      gradients: () => ({ loss: model.table.sum(), gradients: new Map([[model.table, gradient(model.table)]]) }),
    };
    await sgd<object>(model, source, { lr: 0.5, sparse: true }).step({});
    return [...(await model.table.data())];
  };
  const other = tensor(Float32Array.of(10, 20, 30));
  expect(await stepped((t) => zerosLike(t).indexAdd(rows, values))).toEqual([5, 4.5, 7]);
  expect(await stepped(() => other.indexAdd(rows, values))).toEqual([0, -5.5, -8]);
  expect(await stepped((t) => t.indexAdd(rows, values))).toEqual([2.5, 1.5, 3.5]);
});

test("an update that is another table's with rows added replaces the whole", async () => {
  device("wasm");
  const [a, b] = [param(Float32Array.of(1, 2, 3)), param(Float32Array.of(7, 8, 9))];
  const value = a.indexAdd(tensor(Int32Array.of(0)), tensor(Float32Array.of(0.5)));
  for (const happens of [true, false]) {
    const kept = updateIf(
      tensor([happens ? 1 : 0])
        .gt(0)
        .reshape(),
      { leaf: b, value },
    );
    expect([...(await kept.data())]).toEqual(happens ? [1.5, 2, 3] : [7, 8, 9]);
  }
});
