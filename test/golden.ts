// Golden values of test/fixtures/torch/surface-nn.json, and how they are compared.
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { type DType, type Tensor, tensor } from "../src/index.ts";

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
