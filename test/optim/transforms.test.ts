// Between loss and rule: transforms, groups, gathered batches, gradients that come from no loss, divisions by nothing.
import { beforeAll, describe, expect, test } from "vitest";
import { device, isTraining, param, seed, state, type Tensor, tensor, uniform, zeros } from "../../src/index.ts";
import { Linear, load, mse, Sequential, stateDict, tanh } from "../../src/nn/index.ts";
import {
  accumulate,
  adam,
  adamw,
  centralize,
  clipByNorm,
  clipByValue,
  type GradientSource,
  type Labelled,
  sgd,
  type Transform,
  weightDecay,
} from "../../src/optim/index.ts";
import { testDevices } from "../devices.ts";
import { messagesOf } from "../messages.ts";

/** What a chain makes of given gradients: the move of parameters of these values at a rate of 1. */
async function through(
  transforms: Transform[],
  gradients: Record<string, Tensor>,
  start: Record<string, Tensor> = {},
): Promise<Record<string, number[]>> {
  const model = Object.fromEntries(
    Object.entries(gradients).map(([k, g]) => [k, param(start[k] ?? zeros(g.shape, g.dtype))]),
  );
  const loss = () =>
    Object.entries(gradients)
      .map(([k, g]) => model[k].mul(g).sum())
      .reduce((sum, part) => sum.add(part));
  const before = await stateDict(model);
  await sgd<undefined>(model, loss, { lr: 1, transforms }).step(undefined);
  const after = await stateDict(model);
  return Object.fromEntries(
    [...after].map(([k, { data }]) => [k, Array.from(data, (v, i) => before.get(k)!.data[i] - v)]),
  );
}

for (const name of testDevices) {
  describe(name, () => {
    beforeAll(() => {
      device(name);
    });

    test("transforms do what they say, in their order", async () => {
      const w = tensor([1, -2, 3, -6], [2, 2]);
      const b = tensor([4]);
      expect(await through([clipByValue(2.5)], { w, b })).toEqual({ w: [1, -2, 2.5, -2.5], b: [2.5] });
      expect(await through([centralize()], { w, b })).toEqual({ w: [1.5, -1.5, 4.5, -4.5], b: [4] });
      const kernel = tensor([1, 2, 3, 6, 0, 0, 0, 4], [2, 1, 2, 2]);
      expect(await through([centralize()], { kernel })).toEqual({ kernel: [-2, -1, 0, 3, -1, -1, -1, 3] });
      const ones = { w: tensor([1, 1, 1, 1], [2, 2]), b: tensor([1]) };
      const decay = weightDecay(0.5, { mask: (name, p) => name !== "b" && p.rank === 2 });
      expect(await through([decay], { w, b }, ones)).toEqual({ w: [1.5, -1.5, 3.5, -5.5], b: [4] });
      expect(await through([clipByValue(1), decay], { w, b }, ones)).toEqual({ w: [1.5, -0.5, 1.5, -0.5], b: [1] });
      expect(await through([decay, clipByValue(1)], { w, b }, ones)).toEqual({ w: [1, -1, 1, -1], b: [1] });
    });

    test("a norm whose squares pass the largest f32 is clipped all the same; one of 0 stays 0", async () => {
      const { w } = await through([clipByNorm(2)], { w: tensor([3e30, 4e30]) });
      expect(w[0]).toBeCloseTo(1.2, 6);
      expect(w[1]).toBeCloseTo(1.6, 6);
      expect(await through([clipByNorm(1)], { w: tensor([0, 0]) })).toEqual({ w: [0, 0] });
    });

    test("with ε = 0, parameters whose gradients vanish stay; the others move as with a tiny ε", async () => {
      for (const dtype of ["f32", "f64"] as const) {
        for (const [make, eps] of [
          [adam, 0],
          [adam, 1e-320],
          [adamw, 0],
        ] as const) {
          const start = (values: number[]) => param(tensor(values, undefined, { dtype }));
          const model = { used: start([1, 2]), beside: start([3]), tiny: start([1]) };
          const loss = () =>
            model.used
              .mul(tensor([0, 5]))
              .sum()
              .add(model.tiny.mul(1e-30).sum());
          const optimizer = make<undefined>(model, loss, { lr: 0.125, eps, weightDecay: 0 });
          for (let i = 0; i < 3; i++) expect(Number.isFinite(await optimizer.step(undefined))).toBe(true);
          const [kept, moved] = await model.used.data();
          expect([kept, await model.beside.item()]).toEqual([1, 3]);
          expect(moved).toBeCloseTo(1.625, 5);
          expect(await model.tiny.item()).toBeCloseTo(dtype === "f64" ? 0.625 : 1, 5); // its square is 0 in f32
        }
      }
    });

    test("a frozen parameter has no gradient and no slots, and stays", async () => {
      seed(2);
      const model = new Sequential(new Linear(2, 3), tanh, new Linear(3, 1));
      const optimizer = adamw(model, ({ x, y }) => mse(model.forward(x), y), {
        groups: [{ match: /^0\./, frozen: true }],
      });
      let names: string[] = [];
      optimizer.probe = (_, { gradients }) => {
        names = [...gradients.keys()];
        return {};
      };
      const before = await stateDict(model);
      const batch = { x: tensor([[1, 2]]), y: tensor([[9]]) };
      await optimizer.step(batch);
      const after = await stateDict(model);
      expect(names).toEqual(["2.weight", "2.bias"]);
      expect([...optimizer.state.keys()]).toEqual(["2.weight.m", "2.weight.v", "2.bias.m", "2.bias.v"]);
      for (const key of before.keys())
        expect(String(after.get(key)!.data) === String(before.get(key)!.data)).toBe(key.startsWith("0."));
      expect(await optimizer.diagnose(batch)).toBeUndefined();
    });

    test("a group's rate is its own; the optimizer's leads the rest and may change", async () => {
      const model = { a: param([0]), b: param([0]) };
      const optimizer = sgd<undefined>(model, () => model.a.add(model.b).sum(), {
        lr: 1,
        groups: [{ match: /b/, lr: (step) => 10 * (step + 1) }],
      });
      await optimizer.step(undefined);
      optimizer.lr = 2;
      expect(optimizer.rate).toBe(2);
      await optimizer.step(undefined);
      expect([await model.a.item(), await model.b.item()]).toEqual([-3, -30]);
    });

    test("gathered batches: moves count for schedules and corrections, a refused batch for nothing", async () => {
      const model = { w: param([0]) };
      const rates: number[] = [];
      const optimizer = adam(model, (g: Tensor) => model.w.mul(g).sum(), {
        lr: (move) => {
          rates.push(move);
          return 0.5 / (move + 1);
        },
        transforms: [accumulate(2)],
      });
      const at: number[] = [];
      for (const g of [1, Number.NaN, 3, -1, 1e30]) {
        await optimizer.step(tensor([g]));
        at.push(await model.w.item());
      }
      expect(optimizer.steps).toBe(4);
      expect(at.slice(0, 4).map((w) => Number(w.toFixed(5)))).toEqual([0, 0, -0.5, -0.5]); // first move: the whole rate
      expect(new Set(rates)).toEqual(new Set([0, 1]));
      expect(optimizer.rate).toBe(0.5 / 3);
      expect([...optimizer.state.keys()]).toEqual(["w.m", "w.v", "w.transforms.0.sumOf2"]);
    });

    test("a run resumed between two batches of a move repeats the uninterrupted one bit for bit", async () => {
      const batch = (i: number): Labelled => ({ x: tensor([[i, 1]]), y: tensor([[1 / (i + 1)]]) });
      const make = () => {
        seed(4);
        const model = new Sequential(new Linear(2, 3), tanh, new Linear(3, 1));
        const optimizer = adam(model, ({ x, y }) => mse(model.forward(x), y), {
          lr: (move) => 0.1 / (move + 1),
          transforms: [clipByValue(0.5), accumulate(3), clipByNorm(0.1)],
        });
        return { model, optimizer };
      };
      const whole = make();
      for (let i = 0; i < 5; i++) await whole.optimizer.step(batch(i));
      const saved = [await stateDict(whole.model), await stateDict(whole.optimizer.state)] as const;
      for (let i = 5; i < 12; i++) await whole.optimizer.step(batch(i));
      const resumed = make();
      await load(resumed.model, saved[0]);
      await load(resumed.optimizer.state, saved[1]);
      resumed.optimizer.steps = 5;
      for (let i = 5; i < 12; i++) await resumed.optimizer.step(batch(i));
      expect(await stateDict(resumed.model)).toEqual(await stateDict(whole.model));
      expect(await stateDict(resumed.optimizer.state)).toEqual(await stateDict(whole.optimizer.state));
    });

    test("contrastive divergence: gradients of no loss learn two patterns", async () => {
      seed(6);
      const model = {
        w: param(
          new Float32Array(4 * 3).map((_, i) => 0.1 * Math.sin(i + 1)),
          [4, 3],
        ),
        b: param(zeros([4])),
        c: param(zeros([3])),
        unused: param([5]),
      };
      const source: GradientSource<Tensor> = {
        gradients(v) {
          expect(isTraining()).toBe(true);
          const h = v.matmul(model.w).add(model.c).sigmoid(); // [B, 3]
          const again = uniform(h.shape)
            .lt(h)
            .cast("f32") // what the hidden units fire, drawn
            .matmul(model.w.transpose())
            .add(model.b)
            .sigmoid(); // [B, 4]
          const hidden = again.matmul(model.w).add(model.c).sigmoid();
          const n = v.shape[0];
          const correlation = (x: Tensor, y: Tensor) => x.transpose().matmul(y).div(n);
          return {
            loss: mse(again, v),
            outputs: again,
            gradients: new Map([
              [model.w, correlation(again, hidden).sub(correlation(v, h))],
              [model.b, again.sub(v).mean(0)],
              [model.c, hidden.sub(h).mean(0)],
            ]),
          };
        },
      };
      const optimizer = sgd(model, source, { lr: 0.5, momentum: 0.5, weightDecay: 1e-4 });
      optimizer.probe = (_, { returned, gradients }) => ({ returned: returned as Tensor, b: gradients.get("b")! });
      const v = tensor([
        [1, 1, 0, 0],
        [0, 0, 1, 1],
      ]);
      const first = await optimizer.step(v);
      for (let i = 0; i < 1000; i++) await optimizer.step(v);
      expect(await optimizer.step(v)).toBeLessThan(first / 20);
      expect(optimizer.probes.returned.shape).toEqual([2, 4]);
      expect(optimizer.probes.b.shape).toEqual([4]);
      expect(await model.unused.item()).toBe(5); // no gradient: neither decay nor momentum moves it
      expect(await optimizer.diagnose(v)).toBeUndefined();
    });

    test("a source without a loss returns the norm of its gradients, which guards the step", async () => {
      const model = { w: param([1, 1]), seen: state([0]) };
      const optimizer = sgd<Tensor>(
        model,
        {
          gradients: (g) => {
            model.seen.assign(model.seen.add(1));
            return { gradients: new Map([[model.w, g]]) };
          },
        },
        { lr: 1 },
      );
      expect(await optimizer.step(tensor([3, 4]))).toBe(5);
      expect(await optimizer.step(tensor([Number.NaN, 4]))).toBeNaN();
      expect(await optimizer.diagnose(tensor([Number.NaN, 4]))).toContain("the batch has 1 of 2");
      expect([...(await model.w.data()), await model.seen.item()]).toEqual([-2, -3, 1]);
    });
  });
}

test("what a loss returns beside its value reaches probes; a loss is split alike everywhere", async () => {
  const model = { w: param([2]) };
  const optimizer = sgd(model, ({ x, y }: Labelled) => {
    const outputs = x.mul(model.w);
    return { loss: mse(outputs, y), outputs };
  });
  optimizer.probe = (_, { returned }) => ({ z: returned as Tensor });
  expect(await optimizer.step({ x: tensor([3]), y: tensor([5]) })).toBe(1);
  expect(await optimizer.probes.z.item()).toBe(6);
});

test("misuse is refused in one line", async () => {
  const model = new Sequential(new Linear(2, 3), tanh, new Linear(3, 1), new Linear(1, 1));
  const loss = ({ x, y }: Labelled) => mse(model.forward(x), y);
  const own = { w: param([1]), v: param([1]) };
  const given = (gradients: Map<Tensor, Tensor>, transforms: Transform[] = []) =>
    sgd<undefined>(own, { gradients: () => ({ gradients }) }, { transforms }).step(undefined);
  const misuse: Record<string, () => unknown> = {
    "unmatched pattern": () => sgd(model, loss, { groups: [{ match: /conv/, lr: 1 }] }),
    "unmatched test": () => sgd(model, loss, { groups: [{ match: /./ }, { match: () => true }] }),
    "all frozen": () => sgd(model, loss, { groups: [{ match: /./, frozen: true }] }),
    "group's rate": () => sgd(model, loss, { groups: [{ match: /./, lr: -1 }] }),
    "group's decay": () => adam(model, loss, { groups: [{ match: /./, weightDecay: Number.NaN }] }),
    "clip value": () => clipByValue(0),
    "clip norm": () => clipByNorm(Number.NaN),
    decay: () => weightDecay(-1),
    "accumulate none": () => accumulate(0),
    "accumulate twice": () => adam(model, loss, { transforms: [accumulate(2), accumulate(3)] }),
    "source of a stranger": () => given(new Map([[zeros([1]), zeros([1])]])),
    "source's shape": () => given(new Map([[own.w, zeros([2])]])),
    "source of nothing": () => given(new Map()),
    "source of what is frozen": () =>
      sgd<undefined>(
        own,
        { gradients: () => ({ gradients: new Map([[own.w, zeros([1])]]) }) },
        { groups: [{ match: /w/, frozen: true }] },
      ).step(undefined),
    "gathers part": () => given(new Map([[own.w, zeros([1])]]), [accumulate(2)]),
  };
  expect(await messagesOf(misuse)).toMatchInlineSnapshot(`
    "unmatched pattern: Error: optimizer: group 0 (/conv/) has no parameter that no group before it has; there are "0.weight", "0.bias", "2.weight", "2.bias", "3.weight", …
    unmatched test: Error: optimizer: group 1 (a test) has no parameter that no group before it has; there are "0.weight", "0.bias", "2.weight", "2.bias", "3.weight", …
    all frozen: Error: optimizer: the groups freeze every parameter, nothing is left to move
    group's rate: RangeError: optimizer: lr must be a finite number ≥ 0, got -1
    group's decay: RangeError: optimizer: weightDecay must be a finite number ≥ 0, got NaN
    clip value: RangeError: clipByValue: c must be > 0, got 0
    clip norm: RangeError: clipByNorm: c must be > 0, got NaN
    decay: RangeError: optimizer: weightDecay must be a finite number ≥ 0, got -1
    accumulate none: RangeError: accumulate: k must be a whole number of batches ≥ 1, got 0
    accumulate twice: Error: optimizer: two transforms gather batches, 2 and 3 (accumulate once)
    source of a stranger: ShapeError: gradients: the source gives one for Tensor(const, f32 [1]), which is no parameter of the model
    source's shape: ShapeError: gradients: the source's for "w" has the shape [2], the parameter [1]
    source of nothing: ShapeError: gradients: the source gives none
    source of what is frozen: ShapeError: gradients: the source gives none for the parameters that move
    gathers part: Error: accumulate: parameter "v" has no gradient to add up (freeze it by a group)"
  `);
});
