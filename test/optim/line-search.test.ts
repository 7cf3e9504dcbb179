// Line searches: both strong Wolfe conditions on the functions of Moré & Thuente (1994), sufficient decrease, and how they end.
import { expect, test } from "vitest";
import { backtrack, strongWolfe } from "../../src/optim/index.ts";
import { messagesOf } from "../messages.ts";

type F = (a: number) => { value: number; slope: number };

const rational: F = (a) => ({ value: -a / (a * a + 2), slope: (a * a - 2) / (a * a + 2) ** 2 });
const quintic: F = (a) => {
  const b = a + 0.004;
  return { value: b ** 5 - 2 * b ** 4, slope: 5 * b ** 4 - 8 * b ** 3 };
};
const wavy: F = (a) => {
  const [beta, half] = [0.01, (39 * Math.PI) / 2];
  const middle = { value: (a - 1) ** 2 / (2 * beta) + beta / 2, slope: (a - 1) / beta };
  const outer = a < 1 ? { value: 1 - a, slope: -1 } : { value: a - 1, slope: 1 };
  const { value, slope } = Math.abs(a - 1) <= beta ? middle : outer;
  return { value: value + ((1 - beta) / half) * Math.sin(half * a), slope: slope + (1 - beta) * Math.cos(half * a) };
};
const yanai =
  (b1: number, b2: number): F =>
  (a) => {
    const gamma = (b: number) => Math.sqrt(1 + b * b) - b;
    const [one, two] = [Math.hypot(1 - a, b2), Math.hypot(a, b1)];
    return { value: gamma(b1) * one + gamma(b2) * two, slope: (gamma(b1) * (a - 1)) / one + (gamma(b2) * a) / two };
  };

const functions: [name: string, f: F, c1: number, c2: number][] = [
  ["1, rational", rational, 1e-3, 0.1],
  ["2, quintic", quintic, 0.1, 0.1 + 1e-9],
  ["3, wavy", wavy, 0.1, 0.1 + 1e-9],
  ["4, both steep", yanai(1e-3, 1e-3), 1e-3, 1e-3 + 1e-9],
  ["5, steep at 1", yanai(0.01, 1e-3), 1e-3, 1e-3 + 1e-9],
  ["6, steep at 0", yanai(1e-3, 0.01), 1e-3, 1e-3 + 1e-9],
];

for (const [name, f, c1, c2] of functions) {
  for (const first of [1e-3, 0.1, 10, 1e3]) {
    test(`Moré-Thuente ${name}, from ${first}`, async () => {
      const start = f(0);
      const h = 1e-6;
      expect((f(0.3 + h).value - f(0.3 - h).value) / (2 * h)).toBeCloseTo(f(0.3).slope, 4);
      let calls = 0;
      const phi = async (alpha: number) => {
        calls++;
        return { alpha, ...f(alpha) };
      };
      const { trial, satisfied, evaluations } = await strongWolfe(phi, start, { first, c1, c2, evaluations: 40 });
      expect(satisfied).toBe(true);
      expect(trial!.value).toBe(f(trial!.alpha).value);
      expect(trial!.value).toBeLessThanOrEqual(start.value + c1 * trial!.alpha * start.slope);
      expect(Math.abs(trial!.slope)).toBeLessThanOrEqual(c2 * Math.abs(start.slope));
      expect(evaluations).toBe(calls);
      expect(evaluations).toBeLessThan(25);
    });
  }
}

const along = (f: F) => async (alpha: number) => ({ alpha, ...f(alpha) });

test("what falls for ever, only rises, or is not a number ends within the bound", async () => {
  const falling = await strongWolfe(
    along((a) => ({ value: -a, slope: -1 })),
    { value: 0, slope: -1 },
  );
  expect([falling.satisfied, falling.evaluations, falling.trial!.alpha > 1e6]).toEqual([false, 25, true]);
  const rising = await strongWolfe(
    along((a) => ({ value: a, slope: 1 })),
    { value: 0, slope: -1 },
  );
  expect([rising.trial, rising.satisfied, rising.evaluations]).toEqual([undefined, false, 25]);
  const nothing = await strongWolfe(
    along(() => ({ value: Number.NaN, slope: 0 })),
    { value: 0, slope: -1 },
  );
  expect([nothing.trial, nothing.evaluations]).toEqual([undefined, 25]);
});

test("a wall of infinities is stepped back from", async () => {
  const walled: F = (a) =>
    a < 0.2 ? { value: (a - 0.1) ** 2, slope: 2 * (a - 0.1) } : { value: Number.NaN, slope: Number.NaN };
  const { trial, satisfied } = await strongWolfe(along(walled), walled(0), { c2: 0.1 });
  expect(satisfied).toBe(true);
  expect(trial!.alpha).toBeCloseTo(0.1, 1);
});

test("back-tracking takes the first of 1, ½, ¼, … with sufficient decrease", async () => {
  const f = async (a: number) => (a - 0.1) ** 2;
  const start = { value: 0.01, slope: -0.2 };
  expect(await backtrack(f, start)).toEqual({ alpha: 0.125, value: (0.125 - 0.1) ** 2 });
  expect((await backtrack(f, start, { c1: 0.9 }))?.alpha).toBe(2 ** -6);
  expect(await backtrack(async () => Number.NaN, start)).toBe(undefined);
});

test("misuse is refused in one line", async () => {
  const phi = along((a) => ({ value: a, slope: 1 }));
  expect(
    await messagesOf({
      uphill: () => strongWolfe(phi, { value: 0, slope: 1 }),
      "uphill back": () => backtrack(async (a) => a, { value: 0, slope: Number.NaN }),
      first: () => strongWolfe(phi, { value: 0, slope: -1 }, { first: 0 }),
      constants: () => strongWolfe(phi, { value: 0, slope: -1 }, { c1: 0.5, c2: 0.1 }),
      shrink: () => backtrack(async (a) => a, { value: 0, slope: -1 }, { shrink: 1 }),
    }),
  ).toMatchInlineSnapshot(`
    "uphill: RangeError: strongWolfe: the slope at 0 must be negative, got 1 (take a direction of descent)
    uphill back: RangeError: backtrack: the slope at 0 must be negative, got NaN (take a direction of descent)
    first: RangeError: strongWolfe: first must be above 0, got 0
    constants: RangeError: strongWolfe: 0 < c1 < c2 < 1 must hold, got c1 = 0.5 and c2 = 0.1
    shrink: RangeError: backtrack: shrink must lie between 0 and 1, got 1"
  `);
});
