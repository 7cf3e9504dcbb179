// The lifted step: schedules without recompiling, refused steps, diagnosis, probes, resuming.
import { beforeAll, describe, expect, test } from "vitest";
import {
  device,
  param,
  randomState,
  restoreRandom,
  seed,
  type Tensor,
  tensor,
  within,
  zeros,
} from "../../src/index.ts";
import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  load,
  mse,
  relu,
  Sequential,
  stateDict,
  tanh,
} from "../../src/nn/index.ts";
import { adam, adamw, firstOrder, type Loss, type Optimizer, sgd } from "../../src/optim/index.ts";
import { testDevices } from "../devices.ts";
import { messagesOf } from "../messages.ts";

interface Batch {
  x: Tensor;
  y: Tensor;
}

const batch: Batch = {
  x: tensor([
    [1, -2],
    [0.5, 3],
  ]),
  y: tensor([[1], [-1]]),
};

function setup(...parts: ConstructorParameters<typeof Sequential>): {
  model: Sequential;
  loss: Loss<Batch>;
  traces: () => number;
} {
  seed(5);
  const model = new Sequential(
    ...(parts.length > 0 ? parts : [new Linear(2, 3), tanh, new Dropout(0.5), new Linear(3, 1)]),
  );
  let count = 0;
  const loss = ({ x, y }: Batch): Tensor => {
    count++;
    return mse(model.forward(x), y);
  };
  return { model, loss, traces: () => count };
}

for (const name of testDevices) {
  describe(name, () => {
    beforeAll(() => {
      device(name);
    });

    test("one trace serves all steps, whatever the learning rate; another batch size is traced once", async () => {
      const { model, loss, traces } = setup();
      const optimizer = sgd(model, loss, { lr: (step) => 0.1 / (step + 1) });
      for (let i = 0; i < 3; i++) await optimizer.step(batch);
      optimizer.lr = 0;
      const before = await stateDict(model);
      await optimizer.step(batch);
      expect(await stateDict(model)).toEqual(before);
      expect(traces()).toBe(1);
      for (let i = 0; i < 2; i++) await optimizer.step({ x: zeros([1, 2]), y: zeros([1, 1]) });
      expect(traces()).toBe(2);
      expect(optimizer.steps).toBe(6);
    });

    test("a resumed run repeats the uninterrupted one bit for bit", async () => {
      const drop = new Dropout(0.5);
      const make = () => {
        seed(5);
        const model = { w: param(Float64Array.of(0.3, -0.7), [2, 1]) }; // f64, which every device keeps whole
        const loss = ({ x, y }: Batch) => mse(drop.forward(x.matmul(model.w)).tanh(), y.cast("f64"));
        return { model, optimizer: adam(model, loss, { lr: (step) => 0.1 / (step + 1) }) };
      };
      const whole = make();
      for (let i = 0; i < 2; i++) await whole.optimizer.step(batch);
      const saved = {
        model: await stateDict(whole.model),
        slots: await stateDict(whole.optimizer.state),
        random: randomState(),
      };
      for (let i = 0; i < 3; i++) await whole.optimizer.step(batch);
      const resumed = make();
      await load(resumed.model, saved.model);
      await load(resumed.optimizer.state, saved.slots);
      resumed.optimizer.steps = 2;
      restoreRandom(saved.random);
      for (let i = 0; i < 3; i++) await resumed.optimizer.step(batch);
      expect(await stateDict(resumed.model)).toEqual(await stateDict(whole.model));
      expect([...saved.slots.keys()]).toEqual(["w.m", "w.v"]);
    });

    test("a loss that is not finite changes nothing, running statistics included", async () => {
      const { model, loss } = setup(new Conv2d(1, 2, 1), new BatchNorm2d(2), new Flatten(), new Linear(4, 1));
      const optimizer = adam(model, loss);
      const images = (value: number): Batch => ({ x: tensor([1, 2, 3, value], [2, 1, 1, 2]), y: batch.y });
      await optimizer.step(images(4));
      const [values, slots] = [await stateDict(model), await stateDict(optimizer.state)];
      expect(await optimizer.step(images(Number.POSITIVE_INFINITY))).toBeNaN();
      expect([await stateDict(model), await stateDict(optimizer.state), optimizer.steps]).toEqual([values, slots, 1]);
      expect(await optimizer.diagnose(images(Number.POSITIVE_INFINITY))).toBe(
        '"x" of the batch has 1 of 4 elements that are not finite',
      );
      expect(await optimizer.diagnose(images(4))).toBeUndefined();
      expect(await stateDict(model)).toEqual(values);
      await optimizer.step(images(4));
      expect(optimizer.steps).toBe(2);
    });

    test("a gradient that is not finite is refused on request, else it spoils its parameter", async () => {
      const root = () => {
        const model = { w: param([0]), fine: param([2]) };
        return { model, loss: () => model.w.sqrt().add(model.fine).sum() };
      };
      const careful = root();
      const optimizer = firstOrder<undefined>(
        careful.model,
        careful.loss,
        { slots: {}, scalars: {}, update: (p, g) => ({ p: p.sub(g), slots: {} }) },
        { lr: 0, guard: "gradients" },
      );
      expect(await optimizer.step(undefined)).toBeNaN();
      expect(await careful.model.fine.item()).toBe(2);
      expect(await optimizer.diagnose(undefined)).toBe(
        'gradient of parameter "w" has 1 of 1 elements that are not finite',
      );
      const plain = root();
      const trusting = sgd<undefined>(plain.model, plain.loss, { lr: 1 });
      expect(await trusting.step(undefined)).toBe(2);
      expect(await trusting.step(undefined)).toBeNaN();
      expect(await trusting.diagnose(undefined)).toBe('parameter "w" has 1 of 1 elements that are not finite');
    });

    const log = { forward: (x: Tensor) => within(log, () => x.sub(100).log()) };
    const causes: Record<string, [setup: Parameters<typeof setup>, cause: string]> = {
      "a layer's output": [
        [new Linear(2, 3), log, new Linear(3, 1)],
        'output of Object "1" has 6 of 6 elements that are not finite',
      ],
      "a plain function": [
        [new Linear(2, 3), (x) => x.exp().mul(1e38).mul(1e38).mul(1e300), relu, new Linear(3, 1)],
        'output of Linear "3" has 2 of 2',
      ],
      "an overflowing weight": [
        [new Linear(2, 1, { init: (s) => new Float32Array(s[0] * s[1]).fill(Number.NaN) })],
        'parameter "0.weight" has 2 of 2',
      ],
    };
    test.each(Object.entries(causes))("diagnose finds %s", async (_, [parts, cause]) => {
      const { model, loss } = setup(...parts);
      const optimizer = sgd(model, loss);
      expect(Number.isFinite(await optimizer.step(batch))).toBe(false);
      expect(await optimizer.diagnose(batch)).toContain(cause);
    });

    test("a probe's values come back from each step; setting one traces once more", async () => {
      const { model, loss, traces } = setup();
      const optimizer = sgd(model, loss);
      await optimizer.step(batch);
      expect(optimizer.probes).toEqual({});
      optimizer.probe = (_, { outputs, gradients, loss }) => ({
        hidden: outputs[0].output as Tensor,
        norm: gradients.get("3.weight")!.square().sum().sqrt(),
        loss,
      });
      const value = await optimizer.step(batch);
      await optimizer.step(batch);
      expect(traces()).toBe(2);
      expect(optimizer.probes.hidden.shape).toEqual([2, 3]);
      expect(await optimizer.probes.norm.item()).toBeGreaterThan(0);
      expect(await optimizer.probes.loss.item()).not.toBe(value);
    });

    test("steps do not overlap", async () => {
      const { model, loss } = setup();
      const optimizer: Optimizer<Batch> = sgd(model, loss);
      const first = optimizer.step(batch);
      await expect(optimizer.step(batch)).rejects.toThrow("step: the step before has not finished (await it)");
      await first;
    });
  });
}

test("misuse is refused in one line", async () => {
  const { model, loss } = setup();
  const misuse: Record<string, () => unknown> = {
    "no parameters": () => sgd(new Sequential(tanh), loss),
    "negative lr": () => sgd(model, loss, { lr: -1 }),
    "lr set to NaN": () => {
      sgd(model, loss).lr = Number.NaN;
    },
    "schedule gives NaN": () => sgd(model, loss, { lr: () => Number.NaN }).step(batch),
    momentum: () => sgd(model, loss, { momentum: 1 }),
    "nesterov alone": () => sgd(model, loss, { nesterov: true }),
    "sgd decay": () => sgd(model, loss, { weightDecay: -1 }),
    "adam beta": () => adam(model, loss, { beta2: 1 }),
    "adamw eps": () => adamw(model, loss, { eps: Number.NaN }),
    "adamw decay": () => adamw(model, loss, { weightDecay: -0.1 }),
    "loss of many": () => sgd(model, ({ x }: Batch) => model.forward(x)).step(batch),
    "loss of none": () => sgd(model, (() => 1) as never).step(batch),
  };
  expect(await messagesOf(misuse)).toMatchInlineSnapshot(`
    "no parameters: Error: optimizer: the model has no parameters (param(…) in its own properties)
    negative lr: RangeError: optimizer: lr must be a finite number ≥ 0, got -1
    lr set to NaN: RangeError: optimizer: lr must be a finite number ≥ 0, got NaN
    schedule gives NaN: RangeError: optimizer: lr must be a finite number ≥ 0, got NaN
    momentum: RangeError: sgd: momentum must lie in [0, 1), got 1
    nesterov alone: RangeError: sgd: nesterov needs a momentum > 0
    sgd decay: RangeError: optimizer: weightDecay must be a finite number ≥ 0, got -1
    adam beta: RangeError: adam: beta2 must lie in [0, 1), got 1
    adamw eps: RangeError: adamw: eps must be ≥ 0, got NaN
    adamw decay: RangeError: optimizer: weightDecay must be a finite number ≥ 0, got -0.1
    loss of many: ShapeError: loss: it must be one number, got f32 [2, 1] (take its mean)
    loss of none: TypeError: loss: it must return a tensor or { loss, outputs }, got a number"
  `);
});
