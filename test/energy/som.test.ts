// The self-organising map: its rules against plain loops, its errors by hand and after learning.
import { beforeEach, describe, expect, test } from "vitest";
import { kohonen, SOM } from "../../src/energy/index.ts";
import { device, param, realize, seed, state, type Tensor, tensor, uniform } from "../../src/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { messagesOf } from "../messages.ts";

beforeEach(() => {
  device("wasm");
  seed(1);
});

const values = async (t: Tensor): Promise<number[]> => Array.from(await t.data());

/** A map of a row of three units at 0, 1 and 10. */
function row(): SOM {
  const map = new SOM(1, 3, 1);
  map.weight = state([[0], [1], [10]]);
  return map;
}

test("errors by hand", async () => {
  const map = row();
  const x = tensor([[0.25], [0.75], [12], [1]]);
  expect(await values(map.forward(x))).toEqual([0, 1, 2, 1]);
  expect(await map.quantizationError(x).item()).toBeCloseTo((0.25 + 0.25 + 2 + 0) / 4, 6);
  expect(await map.topographicError(x).item()).toBe(0);
  map.weight = state([[0], [10], [1]]); // now the units at 0 and 1 are two apart
  expect(await map.topographicError(x).item()).toBe(0.75);
  const grid = new SOM(2, 2, 1);
  grid.weight = state([[0], [5], [6], [1]]); // 0 and 1 lie across a corner
  expect(await grid.topographicError(x).item()).toBe(0);
});

test("one step of each rule by hand", async () => {
  const online = row();
  await online.fit(tensor([[0.75]]), { rule: "online", epochs: 1, rate: [0.5, 0.01], radius: [1, 0.5] });
  const h = Math.exp(-1 / 2);
  const moved = (w: number, pull: number): number => w + 0.5 * pull * (0.75 - w);
  (await values(online.weight)).forEach((w, i) => {
    expect(w).toBeCloseTo([moved(0, h), moved(1, 1), moved(10, h)][i], 5);
  });
  const batch = row();
  await batch.fit(tensor([[0.25], [12]]), { epochs: 1, radius: [1, 0.5] });
  const far = Math.exp(-4 / 2);
  const means = [(0.25 + far * 12) / (1 + far), (h * 0.25 + h * 12) / (2 * h), (far * 0.25 + 12) / (1 + far)];
  (await values(batch.weight)).forEach((w, i) => {
    expect(w).toBeCloseTo(means[i], 4);
  });
});

test("Kohonen's rule as a gradient: the online rule for one example, the batch rule where all units are reached", async () => {
  const moved = async (x: number[]): Promise<number[]> => {
    const map = row();
    map.weight = param([[0], [1], [10]]);
    const loss = await sgd(map, kohonen(map, tensor(1)), { lr: 1 }).step({ x: tensor(x, [x.length, 1]) });
    expect(loss).toBeCloseTo(
      x.reduce((sum, v) => sum + Math.min(...[0, 1, 10].map((w) => Math.abs(w - v))), 0) / x.length,
      5,
    );
    return values(map.weight);
  };
  const [h, far] = [Math.exp(-1 / 2), Math.exp(-4 / 2)];
  const online = [0 + h * 0.75, 0.75, 10 + h * (0.75 - 10)];
  (await moved([0.75])).forEach((w, i) => {
    expect(w).toBeCloseTo(online[i], 5);
  });
  const all = await moved([0.25, 12, 0.75]);
  const sum = (...pulls: number[]): number => pulls[0] * 0.25 + pulls[1] * 12 + pulls[2] * 0.75;
  const batch = [sum(1, far, h) / (1 + far + h), sum(h, h, 1) / (2 * h + 1), sum(far, 1, h) / (far + 1 + h)];
  all.forEach((w, i) => {
    expect(w).toBeCloseTo(batch[i], 5);
  });
  const faint = [0, (1 - h) * 1 + h * 12, 12]; // of one example, the total of a unit beside it is below 1
  (await moved([12])).slice(1).forEach((w, i) => {
    expect(w).toBeCloseTo(faint[i + 1], 4);
  });
});

describe.each(["online", "batch"] as const)("%s", (rule) => {
  test.each([2, 3])("a 10 × 10 map of uniform data in %i dimensions keeps neighbours together", async (features) => {
    const x = uniform([600, features]);
    await realize(x);
    for (let s = 0; s < 2; s++) {
      seed(s);
      const map = new SOM(10, 10, features);
      const before = await map.quantizationError(x).item();
      await map.fit(x, { rule, epochs: 20, radius: [5, 1] });
      const apart = new SOM(10, 10, features);
      await apart.fit(x, { rule, epochs: 20, radius: [0.01, 0.01] });
      expect(await map.quantizationError(x).item()).toBeLessThan(0.5 * before);
      const wrong = await map.topographicError(x).item();
      expect(wrong).toBeLessThan(0.1);
      expect(await apart.topographicError(x).item()).toBeGreaterThan(wrong + 0.2);
    }
  });
});

test("what is wrong is said in one line", async () => {
  // biome-ignore lint/suspicious/noExplicitAny: this is about callers without types
  const untyped = (value: unknown): any => value;
  const map = new SOM(2, 2, 3);
  const x = tensor([[1, 2, 3]]);
  const misuse = {
    size: () => new SOM(2, 0, 3),
    features: () => map.forward(tensor([[1, 2]])),
    "no tensor": () => map.forward(untyped([[1, 2, 3]])),
    "no example": () => map.fit(tensor([], [0, 3])),
    rule: () => map.fit(x, { rule: untyped("all") }),
    radius: () => map.fit(x, { radius: [1, 2] }),
    rate: () => map.fit(x, { rate: [1, 0] }),
    epochs: () => map.fit(x, { epochs: 0 }),
    "one unit": () => new SOM(1, 1, 3).topographicError(x),
  };
  expect(await messagesOf(misuse)).toMatchInlineSnapshot(`
    "size: ShapeError: SOM: columns must be a whole number ≥ 1, got 0
    features: ShapeError: SOM: needs x [B, 3], got [1, 2]
    no tensor: TypeError: SOM: takes a tensor, got an array (make it one by tensor(…))
    no example: ShapeError: SOM: fit needs an example or more, got x [0, 3]
    rule: TypeError: fit: rule must be "online" or "batch", got "all"
    radius: RangeError: fit: radius must fall from a finite number to one above 0, got 1 and 2
    rate: RangeError: fit: rate must fall from a finite number to one above 0, got 1 and 0
    epochs: ShapeError: fit: epochs must be a whole number ≥ 1, got 0
    one unit: RangeError: topographicError: needs a map of two units or more, it has 1"
  `);
});
