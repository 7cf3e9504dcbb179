// What happens to parameters after a move: constraints and averages, in the step's own program.
import { beforeAll, describe, expect, test } from "vitest";
import { device, param, seed, type Tensor, tensor } from "../../src/index.ts";
import { BatchNorm1d, Linear, load, mse, Sequential, stateDict } from "../../src/nn/index.ts";
import { accumulate, adam, averaged, firstOrder, type Labelled, maxNorm, sgd } from "../../src/optim/index.ts";
import { testDevices } from "../devices.ts";

const rows = async (t: Tensor): Promise<number[]> => {
  const size = t.size / t.shape[0];
  const data = Array.from(await t.data(), Number);
  return Array.from({ length: t.shape[0] }, (_, i) => Math.hypot(...data.slice(i * size, (i + 1) * size)));
};

describe.each(testDevices)("%s", (name) => {
  beforeAll(() => {
    device(name);
  });

  test("maxNorm shortens units that became too long, leaves the others bit for bit, and biases alone", async () => {
    const start = [
      [3, 4],
      [0, 0],
      [0.25, 0.5],
      [1e30, -1e30],
    ];
    const model = { w: param(start), kernel: param(new Float32Array(8).fill(2), [2, 1, 2, 2]), b: param([9, -9]) };
    const loss = () => model.w.sum().add(model.kernel.sum()).add(model.b.sum());
    await sgd<undefined>(model, loss, { lr: 0, constraints: [maxNorm(2)] }).step(undefined);
    const w = (await model.w.array()) as number[][];
    expect(w[0][0]).toBeCloseTo(1.2, 6);
    expect(w[0][1]).toBeCloseTo(1.6, 6);
    expect(w.slice(1, 3)).toEqual(start.slice(1, 3));
    expect(w[3][0]).toBeCloseTo(Math.SQRT2, 6);
    for (const norm of await rows(model.kernel)) expect(norm).toBeCloseTo(2, 6);
    expect(await model.b.array()).toEqual([9, -9]);
  });

  test("maxNorm holds after every move, for those that the mask admits", async () => {
    seed(3);
    const model = new Sequential(new Linear(3, 8), (x) => x.relu(), new Linear(8, 2));
    const batch = { x: tensor([[4, -3, 5]]), y: tensor([[30, -20]]) };
    const optimizer = sgd<Labelled>(model, ({ x, y }) => mse(model.forward(x), y), {
      lr: 0.01,
      constraints: [maxNorm(1, { mask: (name) => name === "2.weight" })],
    });
    for (let i = 0; i < 5; i++) {
      await optimizer.step(batch);
      const { data, shape } = (await stateDict(model)).get("2.weight")!;
      for (let unit = 0; unit < shape[0]; unit++)
        expect(Math.hypot(...Array.from(data, Number).slice(unit * 8, (unit + 1) * 8))).toBeLessThanOrEqual(1 + 1e-6);
    }
    const { data } = (await stateDict(model)).get("0.weight")!;
    expect(Math.hypot(...Array.from(data, Number))).toBeGreaterThan(1.5);
  });

  test("misused constraints are refused", async () => {
    const model = { w: param([1, 2]) };
    const loss = () => model.w.sum();
    expect(() => maxNorm(0)).toThrow("maxNorm: c must be > 0, got 0");
    await expect(
      sgd<undefined>(model, loss, { constraints: [maxNorm(1, { mask: () => true })] }).step(undefined),
    ).rejects.toThrow('maxNorm: parameter "w" has 1 axes, so no units');
    await expect(sgd<undefined>(model, loss, { constraints: [(_, p) => p.sum()] }).step(undefined)).rejects.toThrow(
      'a constraint gave f32 [] for "w", which is f32 [2]',
    );
  });

  test.each([0, 0.5, 0.99, 1])(
    "the average with decay %d is the weighted mean of what the moves gave",
    async (decay) => {
      const model = { w: param(Float64Array.of(5), [1]), idle: param([7]) };
      const optimizer = sgd<undefined>(model, () => model.w.square().sum(), {
        lr: 0.2,
        average: decay,
        constraints: [(name, p) => (name === "w" ? p.maximum(1) : p)],
      });
      expect((await averaged(model, optimizer)).get("w")!.data[0]).toBe(5);
      const values: number[] = [];
      for (let i = 0; i < 6; i++) {
        await optimizer.step(undefined);
        values.push(await model.w.item());
        const weights = values.map((_, at) => decay ** (i - at));
        const mean = values.reduce((sum, v, at) => sum + v * weights[at], 0) / weights.reduce((a, b) => a + b);
        const found = await averaged(model, optimizer);
        expect(found.get("w")!.data[0]).toBeCloseTo(mean, 12);
        expect(found.get("idle")!.data[0]).toBe(7);
      }
      expect(values[5]).toBe(1);
      expect([...optimizer.state.keys()]).toEqual(["w.average", "idle.average"]);
    },
  );

  test("averages count moves, not batches, keep running statistics, load into another model, and resume to the bit", async () => {
    const make = () => {
      seed(1);
      const model = new Sequential(new Linear(2, 3), new BatchNorm1d(3), new Linear(3, 1));
      const loss = ({ x, y }: Labelled) => mse(model.forward(x), y);
      return { model, optimizer: adam(model, loss, { lr: 0.1, average: 0.9, transforms: [accumulate(2)] }) };
    };
    const batch = { x: tensor([[1, 2], [3, -1], [0, 1]]), y: tensor([[1], [0], [2]]) }; // biome-ignore format: rows
    const whole = make();
    for (let i = 0; i < 3; i++) await whole.optimizer.step(batch);
    const once = await averaged(whole.model, whole.optimizer);
    expect(once).toEqual(await stateDict(whole.model)); // one move so far, of which the average is the value
    const saved = [await stateDict(whole.model), await stateDict(whole.optimizer.state)] as const;
    for (let i = 0; i < 5; i++) await whole.optimizer.step(batch);
    const resumed = make();
    await load(resumed.model, saved[0]);
    await load(resumed.optimizer.state, saved[1]);
    resumed.optimizer.steps = 3;
    for (let i = 0; i < 5; i++) await resumed.optimizer.step(batch);
    const averages = await averaged(whole.model, whole.optimizer);
    expect(await averaged(resumed.model, resumed.optimizer)).toEqual(averages);
    const copy = make().model;
    await load(copy, averages);
    expect(averages.get("0.weight")).not.toEqual((await stateDict(whole.model)).get("0.weight"));
    expect(averages.get("1.running_mean")).toEqual((await stateDict(whole.model)).get("1.running_mean"));
    expect(averages.has("1.running_mean")).toBe(true);
  });

  test("a loss that is not finite leaves the average", async () => {
    const model = { w: param([1]) };
    const optimizer = sgd<Tensor>(model, (x) => model.w.mul(x).sum(), { lr: 0.5, average: 0.5 });
    await optimizer.step(tensor([1]));
    const before = await stateDict(optimizer.state);
    expect(await optimizer.step(tensor([Number.POSITIVE_INFINITY]))).toBe(Number.POSITIVE_INFINITY);
    expect(await stateDict(optimizer.state)).toEqual(before);
  });
});

test("misused averages are refused", async () => {
  const model = { w: param([1]) };
  const loss = () => model.w.sum();
  expect(() => sgd(model, loss, { average: 1.5 })).toThrow("optimizer: average must lie in [0, 1], got 1.5");
  await expect(averaged(model, sgd(model, loss))).rejects.toThrow("averaged: the optimizer keeps no averages");
  const rule = { slots: { average: 0 }, scalars: {}, update: (p: Tensor) => ({ p, slots: {} }) };
  expect(() => firstOrder(model, loss, rule, { lr: 1, average: 0.5 })).toThrow('slot "average" has the name');
});
