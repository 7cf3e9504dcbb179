// The Hopfield net: energies by hand, recall by load, energy that never rises.
import { beforeEach, expect, test } from "vitest";
import { Hopfield } from "../../src/energy/index.ts";
import { seed } from "../../src/index.ts";
import { stream } from "../harness.ts";
import { messagesOf } from "../messages.ts";

beforeEach(() => seed(1));

test("weights are Hebb's, the energy is −½sᵀWs + θᵀs", () => {
  const net = new Hopfield(3, { threshold: [0.5, 0, -1] });
  net.store([
    [1, -1, 1],
    [1, 1, 1],
  ]);
  expect([...net.weight]).toEqual([0, 0, 2 / 3, 0, 0, 0, 2 / 3, 0, 0]);
  expect(net.energy([1, 1, 1])).toBeCloseTo(-2 / 3 + 0.5 - 1, 12);
  expect(net.energy([1, 1, -1])).toBeCloseTo(2 / 3 + 0.5 + 1, 12);
  expect(net.recall([-1, 1, 1])).toEqual({ state: Int8Array.of(1, 1, 1), stable: true, sweeps: 2 });
});

test("recall from 5 % of wrong units falls with the load, past 0.138 it fails; the energy never rises", () => {
  const [n, next] = [200, stream(7)];
  const pattern = (): number[] => Array.from({ length: n }, () => (next() < 0.5 ? -1 : 1));
  const share = (load: number): number => {
    let [recalled, asked] = [0, 0];
    for (let trial = 0; trial < 3; trial++) {
      const net = new Hopfield(n);
      const stored = Array.from({ length: Math.round(load * n) }, pattern);
      net.store(stored);
      for (const p of stored) {
        const start = p.map((spin, i) => (i < 0.05 * n ? -spin : spin));
        let last = net.energy(start);
        const onFlip = (energy: number): void => {
          if (energy > last) throw new Error(`the energy rose from ${last} to ${energy}`);
          last = energy;
        };
        const { state, stable } = net.recall(start, { onFlip });
        expect(stable).toBe(true);
        expect(Math.abs(net.energy(state) - last)).toBeLessThan(1e-9 * n);
        const overlap = p.reduce((sum, spin, i) => sum + spin * state[i], 0) / n;
        asked++;
        if (overlap >= 0.95) recalled++;
      }
    }
    return recalled / asked;
  };
  const shares = [0.05, 0.1, 0.138, 0.2, 0.3].map(share);
  expect(shares[0]).toBeGreaterThanOrEqual(0.95);
  expect(shares[1]).toBeGreaterThan(0.9);
  expect(shares[2]).toBeGreaterThan(shares[3]);
  expect(shares[3]).toBeLessThan(0.3);
  expect(shares[4]).toBeLessThan(0.05);
});

test("what is wrong is said in one line", async () => {
  const net = new Hopfield(3);
  const misuse = {
    size: () => new Hopfield(0),
    thresholds: () => new Hopfield(3, { threshold: [1] }),
    bits: () =>
      net.store([
        [1, -1, 1],
        [0, 1, 1],
      ]),
    length: () => net.recall([1, 1]),
    // biome-ignore lint/suspicious/noExplicitAny: this is about callers without types
    nothing: () => net.energy(undefined as any),
    sweeps: () => net.recall([1, 1, 1], { sweeps: 0 }),
  };
  expect(await messagesOf(misuse)).toMatchInlineSnapshot(`
    "size: ShapeError: Hopfield: units must be a whole number ≥ 1, got 0
    thresholds: RangeError: Hopfield: 3 units need as many thresholds, got 1
    bits: RangeError: store: pattern 1 holds 0 at 0 (take −1 and 1)
    length: RangeError: recall: the state must have 3 units, got 2
    nothing: TypeError: energy: the state must be a list of −1 and 1, got undefined
    sweeps: ShapeError: recall: sweeps must be a whole number ≥ 1, got 0"
  `);
  expect([...net.weight]).toEqual(new Array(9).fill(0));
});
