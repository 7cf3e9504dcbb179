// Transposed and unshared convolutions, pools, regularisers and maxout against PyTorch (test/fixtures/torch/conv-layers.py), and in f64 against differences.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { device, evaluating, grad, hvp, seed, type Tensor, tensor, training } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { testDevices } from "../devices.ts";
import { expectLayer, type LayerCase } from "../golden.ts";
import { stream } from "../harness.ts";
import { isSampled, nativeDevice } from "../native-device.ts";

const file = new URL("../fixtures/torch/conv-layers.json", import.meta.url);
const cases = JSON.parse(readFileSync(file, "utf8")) as LayerCase[];
const native = nativeDevice();

for (const chosen of [...testDevices, ...(native === undefined ? [] : [native])]) {
  describe(typeof chosen === "string" ? chosen : "native", () => {
    const tolerance = chosen === native ? 4e-6 : 2e-6;
    beforeAll(() => {
      device(chosen);
    });

    for (const [i, c] of cases.entries()) {
      if (chosen === native && !isSampled(i)) continue;
      const mode = c.training ? "training" : "evaluating";
      test(`${i} ${c.name}(${JSON.stringify(c.args).slice(1, -1)}) on [${c.leaves.x.shape}], ${mode}`, () =>
        expectLayer(c, tolerance));
    }
  });
}

describe("in double precision", () => {
  const random = stream(11);
  const draw = (shape: readonly number[]): Tensor =>
    tensor(
      Float64Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => 2 * random() - 1),
      shape,
    );
  beforeAll(() => {
    device("js");
  });

  /** Puts f64 values in the place of a layer's parameters, by their paths. */
  function widen(layer: object, values: ReadonlyMap<string, Tensor>): void {
    for (const [path, value] of values) {
      const keys = path.split(".");
      const owner = keys.slice(0, -1).reduce((o, key) => (o as Record<string, object>)[key], layer);
      (owner as Record<string, Tensor>)[keys[keys.length - 1]] = value;
    }
  }

  const dot = (a: readonly Tensor[], b: readonly Tensor[]): Tensor =>
    a.map((t, i) => t.mul(b[i]).sum()).reduce((sum, t) => sum.add(t));

  // smooth in their inputs, or with kinks that a step of 1e-5 does not reach
  const layers: Record<string, [layer: () => nn.Layer, shape: number[], training?: boolean]> = {
    "ConvTranspose2d": [() => new nn.ConvTranspose2d(2, 4, 3, { stride: 2, padding: 1, outputPadding: 1, groups: 2 }), [2, 2, 2, 3]],
    "ConvTranspose1d cut short": [() => new nn.ConvTranspose1d(1, 2, 2, { stride: 2, padding: 2, dilation: 2 }), [1, 1, 4]],
    "LocallyConnected2d": [() => new nn.LocallyConnected2d(2, 2, 3, 2, { padding: 1, stride: 2 }), [2, 2, 3, 3]],
    "LocallyConnected1d": [() => new nn.LocallyConnected1d(2, 2, 3, 2), [2, 2, 3]],
    "AdaptiveAvgPool2d": [() => new nn.AdaptiveAvgPool2d([2, 3]), [1, 2, 3, 4]],
    "AdaptiveMaxPool2d": [() => new nn.AdaptiveMaxPool2d([2, 3]), [1, 2, 3, 4]],
    "GlobalAvgPool2d": [() => new nn.GlobalAvgPool2d(), [2, 2, 2, 2]],
    "Subsample2d": [() => new nn.Subsample2d(2), [1, 2, 4, 5]],
    "LocalResponseNorm": [() => new nn.LocalResponseNorm({ size: 3, alpha: 2 }), [2, 4, 2]],
    "DropConnect at rest": [() => new nn.DropConnect(3, 2, { activation: nn.tanh }), [2, 3]],
    "DropConnect of draws": [() => new nn.DropConnect(3, 2, { activation: nn.tanh, samples: 3 }), [2, 3]],
    "DropConnect in training": [() => new nn.DropConnect(3, 2, { activation: nn.tanh }), [2, 3], true],
    "Maxout": [() => new nn.Maxout(3, 2, { pieces: 3 }), [2, 3]],
    "Standout": [() => new nn.Standout(3, 2, { activation: nn.tanh, beta: 0.5 }), [2, 3]],
    "Residual": [() => new nn.Residual(new nn.Sequential(new nn.Linear(3, 3), nn.tanh)), [2, 3]],
    "Parallel": [() => new nn.Parallel([new nn.Linear(3, 2), nn.tanh]), [2, 3]],
  }; // biome-ignore format: a table

  test.each(Object.entries(layers))(
    "%s: gradients are limits of differences, Hessians symmetric",
    async (_, [make, shape, train = false]) => {
      const layer = make();
      const names = [...nn.namedParameters(layer)];
      const at = [draw(shape), ...names.map(([, t]) => draw(t.shape))];
      const output = (leaves: readonly Tensor[]): Tensor => {
        widen(layer, new Map(names.map(([path], i) => [path, leaves[i + 1]])));
        seed(5); // the same masks and draws each time
        return (train ? training : evaluating)(() => layer.forward(leaves[0]));
      };
      const y = output(at);
      const weights = draw(y.shape);
      const loss = (leaves: readonly Tensor[]): Tensor => output(leaves).mul(weights).sum();
      const [u, v] = [at.map((t) => draw(t.shape)), at.map((t) => draw(t.shape))];
      const value = loss(at);
      const gradient = await dot(grad(value, at), v).item();
      const moved = (h: number): Promise<number> => loss(at.map((t, i) => t.add(v[i].mul(h)))).item();
      const difference = ((await moved(1e-5)) - (await moved(-1e-5))) / 2e-5;
      expect(y.dtype).toBe("f64");
      expect(Math.abs(gradient - difference)).toBeLessThan(1e-8 * Math.max(1, Math.abs(gradient)));
      const curved = await dot(hvp(value, at, v), u).item();
      expect(Math.abs(curved - (await dot(hvp(value, at, u), v).item()))).toBeLessThan(
        1e-12 * Math.max(1, Math.abs(curved)),
      );
    },
  );

  test("ConvTranspose2d is the adjoint of Conv2d with the same weights", async () => {
    for (const [stride, padding, dilation, groups] of [
      [1, 0, 1, 1],
      [2, 1, 1, 2],
      [3, 2, 2, 1],
    ]) {
      // biome-ignore format: a table
      const options = { stride, padding, dilation, groups, bias: false };
      const [down, up] = [new nn.Conv2d(2, 4, 3, options), new nn.ConvTranspose2d(4, 2, 3, options)];
      down.weight = up.weight = draw(down.weight.shape);
      const x = draw([1, 2, 7, 7]);
      const y = down.forward(x);
      const z = draw(y.shape);
      const back = up.forward(z);
      const there = await y.mul(z).sum().item();
      expect(back.shape).toEqual(x.shape);
      expect(await x.mul(back).sum().item()).toBeCloseTo(there, 12);
    }
  });

  test("LocallyConnected2d with one kernel in all places is Conv2d", async () => {
    const conv = new nn.Conv2d(2, 3, 3, { stride: 2, padding: 1 });
    const local = new nn.LocallyConnected2d(2, 3, [5, 4], 3, { stride: 2, padding: 1 });
    conv.weight = draw(conv.weight.shape);
    conv.bias = draw([3]);
    local.weight = conv.weight.expand(3, 2, 3, 2, 3, 3);
    local.bias = conv.bias.reshape(3, 1, 1).expand(3, 3, 2);
    const x = draw([2, 2, 5, 4]);
    const worst = conv.forward(x).sub(local.forward(x)).abs().max();
    expect(await worst.item()).toBeLessThan(1e-14);
  });
});
