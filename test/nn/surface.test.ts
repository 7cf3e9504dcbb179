// Activations, norms, losses and their options against PyTorch: values and all gradients (test/fixtures/torch/surface-nn.py).
import { beforeAll, describe, test } from "vitest";
import { device, grad, realize, type Tensor } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { testDevices } from "../devices.ts";
import { expectClose, expectLayer, given, type SurfaceCase, surfaceCases } from "../golden.ts";
import { isSampled, nativeDevice } from "../native-device.ts";

type Call = (...args: unknown[]) => Tensor;

const cases = surfaceCases().filter(({ kind }) => kind !== "algebra");
const native = nativeDevice();
const named = nn as unknown as Record<string, unknown>;

async function checkFunction({ name, args, leaves, y, g, gradients }: SurfaceCase, tolerance: number): Promise<void> {
  const tensors = new Map(Object.entries(leaves).map(([key, host]) => [key, given(host)]));
  const value = (named[name] as Call)(...tensors.values(), ...args);
  const wanted = Object.keys(gradients);
  const found = grad(
    value.mul(given(g)).sum(),
    wanted.map((key) => tensors.get(key)!),
  );
  await realize(value, ...found);
  await expectClose(value, y, tolerance);
  for (const [i, key] of wanted.entries()) await expectClose(found[i], gradients[key], tolerance);
}

for (const chosen of [...testDevices, ...(native === undefined ? [] : [native])]) {
  describe(typeof chosen === "string" ? chosen : "native", () => {
    const tolerance = chosen === native ? 4e-6 : 2e-6;
    beforeAll(() => {
      device(chosen);
    });

    for (const [i, c] of cases.entries()) {
      if (chosen === native && !isSampled(i)) continue;
      test(`${i} ${c.name}(${JSON.stringify(c.args).slice(1, -1)}) on [${c.leaves.x.shape}]`, () =>
        c.kind === "layer" ? expectLayer(c, tolerance) : checkFunction(c, tolerance));
    }
  });
}
