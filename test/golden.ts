// Golden values of test/fixtures/torch/surface-nn.json and its like, and how they are compared.
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { type DType, evaluating, grad, realize, type Tensor, tensor, training } from "../src/index.ts";
import * as nn from "../src/nn/index.ts";

export interface Host {
  dtype: "f32" | "i32";
  shape: number[];
  data: number[];
}

export interface SurfaceCase {
  kind: "function" | "layer" | "algebra";
  name: string;
  args: unknown[];
  training?: boolean;
  state?: Record<string, Host>;
  leaves: Record<string, Host>;
  y: Host;
  g: Host;
  gradients: Record<string, Host>;
  after?: Record<string, Host>;
}

export type LayerCase = Omit<SurfaceCase, "kind">;

export const surfaceCases = (): SurfaceCase[] =>
  JSON.parse(readFileSync(new URL("fixtures/torch/surface-nn.json", import.meta.url), "utf8"));

export const given = ({ data, shape, dtype }: Host, float: DType = "f32"): Tensor =>
  tensor(data, shape, { dtype: dtype === "i32" ? "i32" : float });

/** Errors are held against the largest expected element: each is a sum of products of that size. */
export async function expectClose(actual: Tensor, expected: Host, tolerance: number): Promise<void> {
  expect(actual.shape).toEqual(expected.shape);
  const data = await actual.data();
  const scale = Math.max(1e-30, ...expected.data.map(Math.abs));
  const errors = expected.data.map((v, i) =>
    Number.isNaN(data[i]) ? Number.POSITIVE_INFINITY : Math.abs(data[i] - v),
  );
  expect(Math.max(0, ...errors) / scale).toBeLessThan(tolerance);
}

/** Holds a layer against its case: value, all gradients, states afterwards. */
export async function expectLayer(c: LayerCase, tolerance: number): Promise<void> {
  const layer = new ((nn as unknown as Record<string, unknown>)[c.name] as new (...args: unknown[]) => nn.Layer)(
    ...c.args,
  );
  const own = nn.namedTensors(layer);
  await nn.load(layer, new Map(Object.entries(c.state ?? {})));
  const x = given(c.leaves.x);
  const value = (c.training ? training : evaluating)(() => layer.forward(x));
  const wanted = Object.keys(c.gradients);
  const found = grad(
    value.mul(given(c.g)).sum(),
    wanted.map((key) => (key === "x" ? x : own.get(key)!)),
  );
  await realize(value, ...found);
  await expectClose(value, c.y, tolerance);
  for (const [i, key] of wanted.entries()) await expectClose(found[i], c.gradients[key], tolerance);
  for (const [key, host] of Object.entries(c.after ?? {})) await expectClose(own.get(key)!, host, tolerance);
}
