// Steps that add rows to a leaf: where the old values are needed elsewhere, they are still the old ones.
import { expect, test } from "vitest";
import { compile, device, param, state, type Tensor, tensor } from "../src/index.ts";

type Outcome = Record<string, ArrayLike<number>>;
type Step = (w: Tensor, u: Tensor, rows: Tensor, v: Tensor) => Record<string, Tensor>;

const steps: Record<string, Step> = {
  "the old leaf is returned": (w, _, rows, v) => {
    w.assign(w.indexAdd(rows, v));
    return { old: w };
  },
  "the old leaf goes to another": (w, u, rows, v) => {
    w.assign(w.indexAdd(rows, v));
    u.assign(w);
    return { sum: w.sum() };
  },
  "the new value goes to two leaves": (w, u, rows, v) => {
    const next = w.indexAdd(rows, v);
    w.assign(next);
    u.assign(next);
    return { sum: next.sum() };
  },
  "new and old are returned, the old transposed": (w, _, rows, v) => {
    const next = w.indexAdd(rows, v);
    w.assign(next);
    return { next, old: w.transpose() };
  },
  "two leaves, one by the other's rows": (w, u, rows, v) => {
    w.assign(w.indexAdd(rows, v));
    u.assign(u.indexAdd(rows, w.gather(rows).mul(v)));
    return { product: w.mul(u).sum() };
  },
  "two leaves that each become the other's": (w, u, rows, v) => {
    w.assign(u.indexAdd(rows, v));
    u.assign(w.indexAdd(rows, v));
    return { sum: w.sub(u).sum() };
  },
  "by its own rows": (w, _, rows) => {
    w.assign(w.indexAdd(rows, w.gather(rows)));
    return { sum: w.sum() };
  },
};

async function run(name: string, step: Step): Promise<Outcome[]> {
  device(name as "js");
  const [w, u] = [3, 7].map((a) => Float32Array.from({ length: 10 }, (_, i) => a * i - 2));
  const [first, second] = [param(w, [5, 2]), state(u, [5, 2])];
  const rows = tensor(Int32Array.from([1, 3, 1]));
  const v = tensor(
    Float32Array.from({ length: 6 }, (_, i) => i + 0.5),
    [3, 2],
  );
  const compiled = compile((rows: Tensor, v: Tensor) => step(first, second, rows, v));
  const outcomes: Outcome[] = [];
  for (let i = 0; i < 2; i++) {
    const results = await compiled(rows, v);
    const entries = Object.entries({ ...results, first, second });
    outcomes.push(Object.fromEntries(await Promise.all(entries.map(async ([key, t]) => [key, await t.data()]))));
  }
  return outcomes;
}

test.each(Object.entries(steps))("%s", async (_, step) => {
  const expected = await run("js", step);
  expect(await run("wasm", step)).toEqual(expected);
  device("wasm");
});
