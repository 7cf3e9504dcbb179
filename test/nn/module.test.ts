// Models as trees of tensors: names, counts, saving, loading, and what loading refuses.
import { beforeAll, expect, test } from "vitest";
import { device, moduleLabel, param, state, type Tensor, tensor } from "../../src/index.ts";
import {
  BatchNorm2d,
  Conv2d,
  type Layer,
  Linear,
  type LoadableTensor,
  load,
  namedTensors,
  nameModules,
  parameters,
  relu,
  Sequential,
  stateDict,
} from "../../src/nn/index.ts";

beforeAll(() => {
  device("js");
});

class Net {
  self: unknown = this; // a cycle
  first: Conv2d = new Conv2d(1, 2, 3, { bias: false });
  bn1: BatchNorm2d = new BatchNorm2d(2);
  blocks: Sequential[] = [new Sequential(new Linear(2, 2), relu), new Sequential(new Linear(2, 1))];
  tied: Tensor = this.first.weight;
  table: Tensor = tensor([1, 2]); // data is neither trained nor saved
}

const sizeOf = (model: object) => parameters(model).reduce((n, p) => n + p.size, 0);

test("names follow properties, arrays and Sequential, and a shared tensor counts once", () => {
  const net = new Net();
  expect([...namedTensors(net).keys()]).toEqual([
    "first.weight",
    "bn1.weight",
    "bn1.bias",
    "bn1.running_mean",
    "bn1.running_var",
    "blocks.0.0.weight",
    "blocks.0.0.bias",
    "blocks.1.0.weight",
    "blocks.1.0.bias",
  ]);
  expect(sizeOf(net)).toBe(18 + 4 + 6 + 3);
  expect(sizeOf([param([1, 2]), state([3]), { deep: new Map([["a", param([4])]]) }])).toBe(3);
  nameModules(net);
  expect(moduleLabel(net.blocks[0][0])).toBe('Linear "blocks.0.0"');
});

test("what stateDict saves, load restores; the saved copy stays as it was", async () => {
  const [a, b] = [new Net(), new Net()];
  const saved = await stateDict(a);
  await load(b, saved);
  expect(await stateDict(b)).toEqual(saved);
  await load(b, new Map([["bn1.bias", { dtype: "f64", shape: [2], data: [5, 6] }]]), { strict: false });
  expect(await b.bn1.bias!.array()).toEqual([5, 6]);
  expect([...saved.get("bn1.bias")!.data]).toEqual([0, 0]);
  expect(await a.bn1.bias!.array()).toEqual([0, 0]);
});

test("load converts, takes PyTorch's counters, and reaches values that live on a device", async () => {
  const model = { bn: { running_mean: state([0, 0]) }, w: param([1]) };
  await model.w.data();
  model.w.assign(tensor([7])); // still pending: it must not overwrite what is loaded
  await load(
    model,
    new Map<string, LoadableTensor>([
      ["bn.running_mean", { dtype: "i64", shape: [2], data: BigInt64Array.of(3n, -4n) }],
      ["bn.num_batches_tracked", { dtype: "i64", shape: [], data: BigInt64Array.of(9n) }],
      ["w", { dtype: "f64", shape: [1], data: [0.1] }],
    ]),
  );
  expect(await model.bn.running_mean.array()).toEqual([3, -4]);
  expect(await model.w.array()).toEqual([Math.fround(0.1)]);
});

test("load names everything that does not fit and changes nothing", async () => {
  const model = new Sequential(new Linear(2, 3), relu, new Linear(3, 1));
  const before = await stateDict(model);
  const dict = new Map<string, LoadableTensor>([
    ["0.weight", { dtype: "f32", shape: [2, 3], data: new Float32Array(6) }],
    ["0.bias", { dtype: "f32", shape: [3], data: new Float32Array(3).fill(1) }],
    ["2.weight", { dtype: "bf16", shape: [1, 3], data: new Uint16Array(3) }],
    ["head.bias", { dtype: "f32", shape: [1], data: new Float32Array(1) }],
  ]);
  await expect(load(model, dict)).rejects.toThrowErrorMatchingInlineSnapshot(
    `[Error: load: "0.weight" has shape [2, 3], the model needs [3, 2]; "2.weight" is bf16, which has no conversion to f32 (widen it to f32 first); "2.bias" [1] is missing; "head.bias" is not in the model]`,
  );
  await expect(load(model, dict, { strict: false })).rejects.toThrow('load: "0.weight" has shape [2, 3]');
  await expect(
    load(model, new Map([["0.bias", { dtype: "f32", shape: [3], data: [1] }]]), { strict: false }),
  ).rejects.toThrow('load: "0.bias" has 1 elements, its shape [3] takes 3');
  expect(await stateDict(model)).toEqual(before);
});

class Recurrent implements Layer<[x: Tensor, state: Tensor], [output: Tensor, state: Tensor]> {
  inner: Linear = new Linear(2, 2);
  forward(x: Tensor, state: Tensor): [output: Tensor, state: Tensor] {
    const next = this.inner.forward(x).add(state);
    return [next, next];
  }
}

class Stateless {
  forward(x: Tensor): [output: Tensor, state: Tensor] {
    return [x, x];
  }
}

test("Sequential takes parts from one tensor to one tensor: tsc refuses others, and so does a forward pass", () => {
  const x = tensor([[1, 2]]);
  // @ts-expect-error a recurrent layer takes a state beside x and gives one beside its output
  const recurrent = new Sequential(new Linear(2, 2), new Recurrent());
  expect(() => recurrent.forward(x)).toThrow("add"); // its state is missing
  // @ts-expect-error it gives two tensors
  const pair = new Sequential(new Linear(2, 2), new Stateless());
  expect(() => pair.forward(x)).toThrow(
    'Sequential: part 1 (Stateless "1") gave an array of 2: a part gives one tensor; write a class whose forward takes apart what this one gives, in Sequential',
  );
  // @ts-expect-error and this function none
  const none = new Sequential(function nothing() {});
  expect(() => none.forward(x)).toThrow("Sequential: part 0 (nothing) gave undefined: a part gives one tensor");
  const layer: Layer<[x: Tensor, state: Tensor], [output: Tensor, state: Tensor]> = new Recurrent();
  // @ts-expect-error nor is it a Layer of one tensor
  const plain: Layer = layer;
  expect(plain).toBe(layer);
});
