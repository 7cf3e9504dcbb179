// Activations and norms beyond golden values: extreme inputs, large means, padding rows, and the wording of misuse.
import { beforeAll, describe, expect, test } from "vitest";
import { device, evaluating, grad, type Tensor, tensor, training, zeros } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { testDevices } from "../devices.ts";
import { stream } from "../harness.ts";
import { messagesOf } from "../messages.ts";

const { relu, leakyRelu, relu6, hardTanh, hardSigmoid, hardSwish, softplus, logSigmoid, softsign } = nn;
const { elu, celu, selu, gelu, silu, mish, glu, Sequential } = nn;
const [inf, nan] = [Number.POSITIVE_INFINITY, Number.NaN];
const limits: [string, (x: Tensor) => Tensor, below: number, above: number][] = [
  ["relu", relu, 0, inf], ["leakyRelu", (x) => leakyRelu(x), -inf, inf], ["relu6", relu6, 0, 6],
  ["hardTanh", (x) => hardTanh(x), -1, 1], ["hardSigmoid", hardSigmoid, 0, 1], ["hardSwish", hardSwish, 0, inf],
  ["softplus", (x) => softplus(x), 0, inf], ["logSigmoid", logSigmoid, -inf, -0], ["softsign", softsign, nan, nan],
  ["elu", (x) => elu(x), -1, inf], ["celu", (x) => celu(x), -1, inf], ["selu", selu, Math.fround(-1.7580993408473766), inf],
  ["gelu", (x) => gelu(x), nan, inf], ["gelu, tanh", (x) => gelu(x, { approximate: "tanh" }), nan, inf], ["silu", silu, nan, inf],
  ["mish", mish, nan, inf], ["softplus, β = 90", (x) => softplus(x, { beta: 90, threshold: 1e9 }), 0, inf],
]; // biome-ignore format: a table

for (const name of testDevices) {
  describe(name, () => {
    beforeAll(() => {
      device(name);
    });

    for (const [what, f, below, above] of limits) {
      test(`${what} of infinities and NaN, and finite of 10⁴ with its gradient`, async () => {
        expect([...(await f(tensor([-inf, inf, nan])).data())]).toEqual([below, above, nan]);
        const x = tensor([-1e4, -88, 88, 1e4]);
        const y = f(x);
        const g = grad(y.sum(), x);
        for (const t of [y, g]) expect([...(await t.data())].every(Number.isFinite)).toBe(true);
      });
    }

    test("activations take whole numbers as floats", async () => {
      const x = tensor(Int32Array.of(-2, 0, 2));
      for (const [what, f] of limits.slice(1)) expect(f(x).dtype, what).toBe("f32");
      expect(await leakyRelu(x, { slope: 0.5 }).array()).toEqual([-1, 0, 2]);
      for (const [i, v] of (await hardSigmoid(x).data()).entries()) expect(v).toBeCloseTo((1 + 2 * i) / 6, 6);
    });

    test("in Sequential, functions as they are, options by an arrow", async () => {
      const model = new Sequential(relu6, (x) => leakyRelu(x, { slope: 0.2 }), hardTanh);
      expect(await model.forward(tensor([-1, 0.5, 9])).array()).toEqual([0, 0.5, 1]);
    });

    test("norms of values around 10⁴ are those of the values around 0", async () => {
      const next = stream(1);
      const values = Float32Array.from({ length: 2 * 4 * 64 }, () => Math.round(64 * next()) / 64); // exact at 10⁴, too
      const x = tensor(values, [2, 4, 8, 8]);
      for (const layer of [
        new nn.LayerNorm([8, 8]),
        new nn.GroupNorm(2, 4),
        new nn.InstanceNorm2d(4),
        new nn.BatchNorm2d(4),
      ]) {
        const far = training(() => layer.forward(x.add(1e4)));
        const near = training(() => layer.forward(x));
        expect(await far.sub(near).abs().max().item(), layer.constructor.name).toBeLessThan(4e-3);
      }
    });

    test("layer and group norms are the same outside of training; the root mean square of a RMS norm is 1", async () => {
      const x = tensor([[1, 2, 3, 5], [2, 2, 2, 2]]); // biome-ignore format: a matrix
      for (const layer of [new nn.LayerNorm(4), new nn.GroupNorm(2, 4)])
        expect(await training(() => layer.forward(x)).data()).toEqual(await evaluating(() => layer.forward(x)).data());
      expect(await new nn.LayerNorm(4).forward(x.slice(0, 1)).array()).toEqual([[0, 0, 0, 0]]);
      for (const square of await new nn.RMSNorm(4).forward(x).square().mean(-1).data())
        expect(square).toBeCloseTo(1, 6);
    });

    test("the padding row starts from zeros and stays, also where other rows move", async () => {
      const table = new nn.Embedding(4, 2, { paddingIndex: -1 });
      expect((await table.weight.array() as number[][])[3]).toEqual([0, 0]); // biome-ignore format: a row
      const rows = table.forward(tensor(Int32Array.of(3, 1, 3)));
      expect(await grad(rows.sum(), table.weight).array()).toEqual([[0, 0], [1, 1], [0, 0], [0, 0]]); // biome-ignore format: a matrix
    });
  });
}

test("names of parameters are those of PyTorch's files", () => {
  const names = (layer: object) => [...nn.namedTensors(layer).keys()];
  expect(names(new nn.LayerNorm(3))).toEqual(["weight", "bias"]);
  expect(names(new nn.LayerNorm(3, { bias: false }))).toEqual(["weight"]);
  expect(names(new nn.RMSNorm(3))).toEqual(["weight"]);
  expect(names(new nn.GroupNorm(1, 3))).toEqual(["weight", "bias"]);
  expect(names(new nn.InstanceNorm2d(3))).toEqual([]);
  expect(names(new nn.BatchNorm1d(3))).toEqual(["weight", "bias", "running_mean", "running_var"]);
  expect(names(new nn.PRelu())).toEqual(["weight"]);
});

const x = zeros([2, 3]);
const misuse: Record<string, () => unknown> = {
  "leakyRelu, slope": () => leakyRelu(x, { slope: nan }),
  "hardTanh, bounds": () => hardTanh(x, { low: 1, high: 1 }),
  "softplus, beta": () => softplus(x, { beta: 0 }),
  "elu, alpha": () => elu(x, { alpha: inf }),
  "celu, alpha": () => celu(x, { alpha: -1 }),
  "gelu, approximate": () => gelu(x, { approximate: "sigmoid" as "tanh" }),
  "glu of an odd axis": () => glu(x),
  "glu of an absent axis": () => glu(x, 2),
  "PRelu of other channels": () => new nn.PRelu(4).forward(x),
  "LayerNorm of nothing": () => new nn.LayerNorm([]),
  "LayerNorm of half": () => new nn.LayerNorm([2, 0.5]),
  "LayerNorm on another shape": () => new Sequential(new nn.LayerNorm([4, 3])).forward(x),
  "RMSNorm on another shape": () => new nn.RMSNorm(2).forward(x),
  "GroupNorm of uneven groups": () => new nn.GroupNorm(2, 3),
  "GroupNorm on other channels": () => new nn.GroupNorm(2, 4).forward(x),
  "InstanceNorm2d on vectors": () => new nn.InstanceNorm2d(3).forward(x),
  "InstanceNorm2d on a pixel": () => new nn.InstanceNorm2d(3).forward(zeros([2, 3, 1, 1])),
  "BatchNorm1d on images": () => new nn.BatchNorm1d(3).forward(zeros([2, 3, 4, 4])),
  "BatchNorm1d on one row": () => training(() => new nn.BatchNorm1d(3).forward(zeros([1, 3]))),
  "BatchNorm3d on images": () => new nn.BatchNorm3d(3).forward(zeros([2, 3, 4, 4])),
  "Embedding, padding": () => new nn.Embedding(4, 2, { paddingIndex: 4 }),
};

test("misuse is refused in one line that names the argument", async () => {
  expect(await messagesOf(misuse)).toMatchInlineSnapshot(`
    "leakyRelu, slope: RangeError: leakyRelu: slope must be a finite number, got NaN
    hardTanh, bounds: RangeError: hardTanh: low must be less than high, got 1 and 1
    softplus, beta: RangeError: softplus: beta must be a finite number above 0, got 0
    elu, alpha: RangeError: elu: alpha must be a finite number, got Infinity
    celu, alpha: RangeError: celu: alpha must be a finite number above 0, got -1
    gelu, approximate: TypeError: gelu: approximate must be "none" or "tanh", got "sigmoid"
    glu of an odd axis: ShapeError: glu: axis -1 of [2, 3] does not divide into halves
    glu of an absent axis: ShapeError: glu: axis 2 does not exist in [2, 3]
    PRelu of other channels: ShapeError: prelu: needs 4 channels, [N, 4, …], got [2, 3], in PRelu
    LayerNorm of nothing: ShapeError: LayerNorm: shape must name at least one axis, got []
    LayerNorm of half: ShapeError: LayerNorm: shape must be a whole number ≥ 1, got 0.5
    LayerNorm on another shape: ShapeError: layerNorm: needs [..., 4, 3], got [2, 3], in LayerNorm "0"
    RMSNorm on another shape: ShapeError: rmsNorm: needs [..., 2], got [2, 3], in RMSNorm
    GroupNorm of uneven groups: ShapeError: GroupNorm: 3 channels do not divide into 2 groups
    GroupNorm on other channels: ShapeError: groupNorm: needs 4 channels, [N, 4, …], got [2, 3], in GroupNorm
    InstanceNorm2d on vectors: ShapeError: instanceNorm: needs images [N, 3, H, W], got [2, 3], in InstanceNorm2d
    InstanceNorm2d on a pixel: ShapeError: instanceNorm: needs more than one pixel, got [2, 3, 1, 1], in InstanceNorm2d
    BatchNorm1d on images: ShapeError: batchNorm: needs [N, 3] or [N, 3, L], got [2, 3, 4, 4], in BatchNorm1d
    BatchNorm1d on one row: ShapeError: batchNorm: training needs more than one value per channel, got [1, 3], in BatchNorm1d
    BatchNorm3d on images: ShapeError: batchNorm: needs [N, 3, D, H, W], got [2, 3, 4, 4], in BatchNorm3d
    Embedding, padding: RangeError: Embedding: paddingIndex must be one of 4 rows, got 4"
  `);
});
