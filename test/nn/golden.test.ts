// Layers, activations and losses against PyTorch: values, all gradients, running statistics (test/fixtures/torch/make.py).
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { type Data, device, evaluating, grad, realize, type Tensor, tensor, training } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { testDevices } from "../devices.ts";
import { isSampled, nativeDevice } from "../native-device.ts";

interface Host {
  dtype: "f32" | "i32";
  shape: number[];
  data: number[];
}

interface LayerCase {
  layer: string;
  args: unknown[];
  training: boolean;
  state: Record<string, Host>;
  x: Host;
  y: Host;
  g: Host;
  gradients: Record<string, Host>;
  after: Record<string, Host>;
}

interface LossCase {
  loss: keyof typeof losses;
  x: Host;
  target: Host;
  y: Host;
  gradient: Host;
}

const losses = { mse: nn.mse, crossEntropy: nn.crossEntropy, binaryCrossEntropy: nn.binaryCrossEntropy };
const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/torch/${name}.json`, import.meta.url), "utf8"));
const given = ({ data, shape, dtype }: Host): Tensor => tensor(data, shape, { dtype });

/** Errors are held against the largest expected element: each is a sum of products of that size, or of 1 where they cancel to nothing. */
async function expectClose(actual: Tensor, expected: Host, tolerance: number): Promise<void> {
  expect(actual.shape).toEqual(expected.shape);
  const data: Data = await actual.data();
  const scale = Math.max(0, ...expected.data.map(Math.abs)) || 1;
  const worst = Math.max(
    0,
    ...expected.data.map((v, i) => (Number.isNaN(data[i]) ? Number.POSITIVE_INFINITY : Math.abs(data[i] - v))),
  );
  expect(worst / scale).toBeLessThan(tolerance);
}

function build(name: string, args: unknown[]): nn.Part {
  const part = (nn as unknown as Record<string, unknown>)[name];
  if (/^[a-z]/.test(name)) return (x) => (part as (x: Tensor, ...args: unknown[]) => Tensor)(x, ...args);
  return new (part as new (...args: unknown[]) => nn.Layer)(...args);
}

const native = nativeDevice();

for (const chosen of [...testDevices, ...(native === undefined ? [] : [native])]) {
  describe(typeof chosen === "string" ? chosen : "native", () => {
    // batch norm of two elements has a gradient that cancels, to a quarter of its terms; C rounds these elsewhere
    const tolerance = chosen === native ? 4e-6 : 1e-6;
    beforeAll(() => {
      device(chosen);
    });

    for (const [i, c] of ([...fixture("layers"), ...fixture("ceil-pools")] as LayerCase[]).entries()) {
      if (chosen === native && !isSampled(i)) continue;
      const mode = c.training ? "training" : "evaluating";
      test(`${i} ${c.layer}(${JSON.stringify(c.args).slice(1, -1)}) on [${c.x.shape}], ${mode}`, async () => {
        const part = build(c.layer, c.args);
        const named = nn.namedTensors(part as object);
        if (named.size > 0) await nn.load(part as object, new Map(Object.entries(c.state)));
        const x = given(c.x);
        const y = (c.training ? training : evaluating)(() => (typeof part === "function" ? part(x) : part.forward(x)));
        const wanted = Object.keys(c.gradients).map((key) => [key, key === "x" ? x : named.get(key)!] as const);
        const gradients = grad(
          y.mul(given(c.g)).sum(),
          wanted.map(([, t]) => t),
        );
        await realize(y, ...gradients);
        await expectClose(y, c.y, tolerance);
        for (const [at, [key]] of wanted.entries()) await expectClose(gradients[at], c.gradients[key], tolerance);
        for (const [key, value] of Object.entries(c.after)) await expectClose(named.get(key)!, value, tolerance);
      });
    }

    for (const [i, c] of (fixture("losses") as LossCase[]).entries()) {
      if (chosen === native && !isSampled(i)) continue;
      test(`${i} ${c.loss} on [${c.x.shape}] and ${c.target.dtype} [${c.target.shape}]`, async () => {
        const x = given(c.x);
        const y = losses[c.loss](x, given(c.target));
        const gradient = grad(y, x);
        await expectClose(y, c.y, tolerance);
        await expectClose(gradient, c.gradient, tolerance);
      });
    }
  });
}
