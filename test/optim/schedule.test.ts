// Learning-rate schedules: their values at the ends and in between.
import { expect, test } from "vitest";
import { constant, cosine, stepDecay, warmup } from "../../src/optim/index.ts";
import { power } from "../../src/optim/schedule.ts";

test("stepDecay falls by its factor at whole multiples", () => {
  const lr = stepDecay(1, { every: 3, factor: 0.5 });
  expect([0, 2, 3, 5, 6, 30].map(lr)).toEqual([1, 1, 0.5, 0.5, 0.25, 2 ** -10]);
});

test("cosine falls from lr to its final value and stays", () => {
  const lr = cosine(2, { steps: 4, final: 1 });
  [2, 1 + (1 + Math.SQRT1_2) / 2, 1.5, 1 + (1 - Math.SQRT1_2) / 2, 1, 1].forEach((expected, step) => {
    expect(lr(step)).toBeCloseTo(expected, 14);
  });
});

test("warmup rises to the schedule", () => {
  expect([0, 1, 3, 4, 9].map(warmup(constant(8), 4))).toEqual([2, 4, 8, 8, 8]);
});

test("powers agree with Math.pow", () => {
  for (const n of [0, 1, 2, 3, 10, 999, 2 ** 33 + 1])
    expect(Math.abs(power(0.999, n) / 0.999 ** n - 1) || 0).toBeLessThan(1e-12);
});

test("schedules refuse lengths that are not positive", () => {
  expect(() => cosine(1, { steps: 0 })).toThrow("cosine: steps must be > 0, got 0");
  expect(() => stepDecay(1, { every: Number.NaN })).toThrow("stepDecay: every must be > 0, got NaN");
  expect(() => warmup(constant(1), -1)).toThrow("warmup: steps must be > 0, got -1");
});
