// Models as trees of tensors: names, counts, saving, loading, and what loading refuses.
import { beforeAll, describe, expect, test } from "vitest";
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
    `[LoadError: load: "0.weight" has shape [2, 3], the model needs [3, 2]; "2.weight" is bf16, which has no conversion to f32 (widen it to f32 first); "2.bias" [1] is missing; "head.bias" is not in the model]`,
  );
  await expect(load(model, dict, { strict: false })).rejects.toThrow('load: "0.weight" has shape [2, 3]');
  await expect(
    load(model, new Map([["0.bias", { dtype: "f32", shape: [3], data: [1] }]]), { strict: false }),
  ).rejects.toThrow('load: "0.bias" has 1 elements, its shape [3] takes 3');
  expect(await stateDict(model)).toEqual(before);
});

const entry = (dtype: string, ...data: number[] | bigint[]): LoadableTensor => ({ dtype, shape: [data.length], data });
const leaf = {
  i32: () => state(new Int32Array(1)),
  f32: () => state([0]),
  f64: () => state(new Float64Array(1)),
  bool: () => state(new Uint8Array(1)),
};

test.each<[keyof typeof leaf, LoadableTensor, string]>([
  ["i32", entry("i64", 2n ** 33n + 5n), "holds 8589934597 at element 0, which is no i32"],
  ["i32", entry("i32", 4294967295), "holds 4294967295 at element 0, which is no i32"],
  ["f32", entry("f32", 1e39), "holds 1e+39 at element 0, which is no f32"],
  ["i32", entry("u32", 4294967295), "holds 4294967295 at element 0, which is no i32"],
  ["i32", entry("f64", 1.5), "holds 1.5 at element 0, which is no i32"],
  ["i32", entry("f32", Number.NaN), "holds NaN at element 0, which is no i32"],
  ["i32", entry("f32", Number.POSITIVE_INFINITY), "holds Infinity at element 0, which is no i32"],
  ["bool", entry("f32", 0.5), "holds 0.5 at element 0, which is no bool"],
  ["bool", entry("i32", 257), "holds 257 at element 0, which is no bool"],
  ["bool", entry("bool", 2), "holds 2 at element 0, which is no bool"],
  ["bool", entry("f64", Number.NaN), "holds NaN at element 0, which is no bool"],
  ["f32", entry("f64", -1e39), "holds -1e+39 at element 0, which is no f32"],
  ["f32", entry("i32", 2 ** 24 + 1), "holds 16777217 at element 0, which is no f32"],
  ["f64", entry("i64", 2n ** 53n + 1n), "holds 9007199254740993 at element 0, which is no f64"],
])("load into %s refuses what it would change: %o", async (dtype, value, message) => {
  const model = { deep: { n: leaf[dtype]() } };
  await expect(load(model, new Map([["deep.n", value]]))).rejects.toThrow(`load: "deep.n" ${message}`);
  expect(await model.deep.n.array()).toEqual([0]);
});

test.each<[keyof typeof leaf, LoadableTensor, number]>([
  ["i32", entry("i64", -(2n ** 31n)), -(2 ** 31)],
  ["i32", entry("f64", -0), 0],
  ["i32", entry("u8", 255), 255],
  ["bool", entry("i64", 1n), 1],
  ["f32", entry("f64", 1e-50), 0],
  ["f32", entry("f64", Number.NEGATIVE_INFINITY), Number.NEGATIVE_INFINITY],
  ["f32", entry("f64", Number.NaN), Number.NaN],
  ["f32", entry("u64", 2n ** 63n), 2 ** 63],
  ["f64", entry("f32", Math.fround(0.1)), Math.fround(0.1)],
])("load into %s takes %o", async (dtype, value, expected) => {
  const model = { n: leaf[dtype]() };
  await load(model, new Map([["n", value]]));
  expect(Number(await model.n.item())).toBe(expected);
});

describe("a tensor that the model has under several names", () => {
  const pair = (...data: number[]): LoadableTensor => entry("f32", ...data);
  const tied = () => {
    const w = param([1, 2]);
    const layer = { bias: param([0]) };
    return { embed: { weight: w }, head: { weight: w }, layers: [layer, layer], back: {} as object };
  };

  test("is loaded from any or all of them, and saved under the first", async () => {
    for (const names of [["embed.weight"], ["head.weight"], ["head.weight", "embed.weight"]]) {
      const model = tied();
      model.back = model;
      const dict = new Map([...names.map((name) => [name, pair(3, 4)] as const), ["layers.1.bias", pair(5)] as const]);
      await load(model, dict);
      expect([await model.embed.weight.array(), await model.layers[0].bias.array()]).toEqual([[3, 4], [5]]);
      expect([...(await stateDict(model)).keys()]).toEqual(["embed.weight", "layers.0.bias"]);
    }
  });

  test("is refused where they differ, and where none is there", async () => {
    const model = tied();
    const dict = new Map([
      ["embed.weight", pair(3, 4)],
      ["head.weight", pair(3, 5)],
    ]);
    await expect(load(model, dict)).rejects.toThrow(
      'load: "embed.weight" and "head.weight" differ at element 1, but are one tensor in the model; "layers.0.bias" [1] is missing',
    );
    await expect(load(model, new Map([["neck.weight", pair(3, 4)]]))).rejects.toThrow(
      '"embed.weight" [2] is missing; "layers.0.bias" [1] is missing; "neck.weight" is not in the model',
    );
    expect(await model.head.weight.array()).toEqual([1, 2]);
  });
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
