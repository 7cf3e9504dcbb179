// Learning-rate schedules: their values at the ends and in between, and against PyTorch (test/fixtures/torch/adaptive.py).
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { param } from "../../src/index.ts";
import {
  constant,
  cosine,
  cosineRestarts,
  exponential,
  inverseTime,
  milestones,
  oneCycle,
  plateau,
  polynomial,
  risingMomentum,
  type Schedule,
  sgd,
  stepDecay,
  warmup,
} from "../../src/optim/index.ts";
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

interface Golden {
  schedule: string;
  options: object;
  rates: number[];
  figures?: number[];
}

const goldens: Golden[] = JSON.parse(
  readFileSync(new URL("../fixtures/torch/schedules.json", import.meta.url), "utf8"),
);
const schedules = { exponential, stepDecay, milestones, polynomial, cosineRestarts, oneCycle };

test.each(goldens)("$schedule $options is PyTorch's", ({ schedule, options, rates, figures }) => {
  if (figures === undefined) {
    const make = schedules[schedule as keyof typeof schedules] as (lr: number, options: object) => Schedule;
    const lr = make(0.2, options);
    rates.forEach((rate, step) => {
      expect(Math.abs(lr(step) - rate)).toBeLessThan(1e-15);
    });
    return;
  }
  const lr = plateau(0.2, options);
  figures.forEach((figure, i) => {
    lr.feedback.report(figure);
    expect(Math.abs(lr(i) - rates[i])).toBeLessThan(1e-15);
  });
});

test("exponential is smooth between whole multiples, inverseTime falls as 1/t", () => {
  const lr = exponential(8, { factor: 0.25, every: 2 });
  [8, 4, 2, 1, 0.5].forEach((rate, step) => {
    expect(lr(step)).toBeCloseTo(rate, 14);
  });
  expect([0, 1, 2, 6].map(inverseTime(1, { rate: 0.5 }))).toEqual([1, 1 / 1.5, 0.5, 0.25]);
});

test("polynomial and oneCycle stay at their ends", () => {
  const line = polynomial(1, { steps: 4, final: 0.5 });
  expect([0, 2, 4, 5, 1e9].map(line)).toEqual([1, 0.75, 0.5, 0.5, 0.5]);
  const cycle = oneCycle(1, { steps: 11, rise: 0.5, start: 4, end: 2 });
  expect([0, 10, 11, 1e9].map(cycle)).toEqual([0.25, 0.125, 0.125, 0.125]);
});

test("cosineRestarts begins anew at the sums of its lengths", () => {
  const lr = cosineRestarts(1, { steps: 2, growth: 3 });
  expect([0, 2, 8, 26].map(lr)).toEqual([1, 1, 1, 1]);
  for (const step of [1, 5, 17]) expect(lr(step)).toBeCloseTo(0.5, 14);
});

test("risingMomentum is the paper's", () => {
  expect([0, 249, 250, 499, 500, 1e6].map(risingMomentum())).toEqual([0.5, 0.5, 0.75, 0.75, 1 - 0.5 / 3, 0.99]);
});

test("a plateau's state goes through JSON, warm-up passes it on, and figures that are not finite are no progress", () => {
  const make = () => warmup(plateau(1, { factor: 0.5, patience: 1 }), 2);
  const whole = make();
  const figures = [3, Number.NaN, 4, 2, 2];
  figures.forEach((figure, i) => {
    whole.feedback!.report(figure);
    const resumed = make();
    resumed.feedback!.state = JSON.parse(JSON.stringify(whole.feedback!.state));
    for (const rest of figures.slice(i + 1)) resumed.feedback!.report(rest);
    expect([resumed(0), resumed(9)]).toEqual([0.25, 0.5]);
  });
  expect([whole(0), whole(9)]).toEqual([0.25, 0.5]);
  expect(constant(1).feedback).toBeUndefined();
});

test("a plateau is not for a group", () => {
  const model = { w: param([1]) };
  expect(() => sgd(model, () => model.w.sum(), { groups: [{ match: /w/, lr: plateau(1) }] })).toThrow(
    "a group's rate is told no figures",
  );
});

test("powers agree with Math.pow", () => {
  for (const n of [0, 1, 2, 3, 10, 999, 2 ** 33 + 1])
    expect(Math.abs(power(0.999, n) / 0.999 ** n - 1) || 0).toBeLessThan(1e-12);
});

test("schedules refuse lengths that are not positive", () => {
  expect(() => cosine(1, { steps: 0 })).toThrow("cosine: steps must be > 0, got 0");
  expect(() => stepDecay(1, { every: Number.NaN })).toThrow("stepDecay: every must be > 0, got NaN");
  expect(() => warmup(constant(1), -1)).toThrow("warmup: steps must be > 0, got -1");
  expect(() => exponential(1, { factor: 0 })).toThrow("exponential: factor must be > 0, got 0");
  expect(() => inverseTime(1, { rate: -1 })).toThrow("inverseTime: rate must be > 0, got -1");
  expect(() => polynomial(1, { steps: 0 })).toThrow("polynomial: steps must be > 0, got 0");
  expect(() => polynomial(1, { steps: 1, degree: -2 })).toThrow("polynomial: degree must be > 0, got -2");
  expect(() => milestones(1, { at: [3, 3] })).toThrow("milestones: at must be steps > 0 that rise, got 3 at place 1");
  expect(() => cosineRestarts(1, { steps: 2.5 })).toThrow("cosineRestarts: steps must be a whole number ≥ 1, got 2.5");
  expect(() => cosineRestarts(1, { steps: 2, growth: 0 })).toThrow("growth must be a whole number ≥ 1, got 0");
  expect(() => oneCycle(1, { steps: 3 })).toThrow("oneCycle: of 3 steps a share of 0.3 to rise");
  expect(() => oneCycle(1, { steps: 30, rise: 2 })).toThrow("oneCycle: rise must lie in [0, 1], got 2");
  expect(() => oneCycle(1, { steps: 30, start: 0 })).toThrow("oneCycle: start must be > 0, got 0");
  expect(() => plateau(1, { factor: 1 })).toThrow("plateau: factor must lie between 0 and 1, got 1");
  expect(() => plateau(1, { patience: -1 })).toThrow("plateau: patience must be ≥ 0, got -1");
  expect(() => risingMomentum({ every: 0 })).toThrow("risingMomentum: every must be > 0, got 0");
});
