// Index arithmetic: quotients and remainders simplify under guards only to what is equal wherever the guards hold.
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Axis,
  boundsWithin,
  type Index,
  ofAxis,
  ofConstant,
  plus,
  quotient,
  remainder,
  shifted,
  times,
  unflatten,
} from "../src/compile/affine.ts";

/** What an index is for values of the axes. */
function numberAt(index: Index, at: ReadonlyMap<number, number>): number {
  return index.terms.reduce((sum, { coef, atom }) => {
    if (atom.kind === "axis") return sum + coef * at.get(atom.axis.id)!;
    if (atom.kind === "row") throw new Error("no rows here");
    const of = numberAt(atom.of, at);
    const q = Math.floor(of / atom.by);
    return sum + coef * (atom.kind === "div" ? q : of - q * atom.by);
  }, index.offset);
}

const axes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 });
const combination = fc.tuple(
  fc.array(fc.integer({ min: -4, max: 12 }), { minLength: 3, maxLength: 3 }),
  fc.integer({ min: -40, max: 40 }),
);
const guards = fc.array(fc.tuple(combination, fc.integer({ min: 1, max: 12 })), { maxLength: 3 });

test("quotients, remainders and bounds hold where the guards do", () => {
  const property = fc.property(
    axes,
    combination,
    guards,
    fc.integer({ min: 1, max: 9 }),
    (extents, sum, bounds, by) => {
      const list: Axis[] = extents.map((extent, id) => ({ id, extent }));
      const build = ([coefs, offset]: [number[], number]): Index =>
        list.reduce((index, axis, i) => plus(index, times(ofAxis(axis), coefs[i])), ofConstant(offset));
      const index = build(sum);
      const held = bounds.map(([of, size]) => ({ index: build(of), size }));
      const [q, r, known] = [quotient(index, by, held), remainder(index, by, held), boundsWithin(index, held)];
      const points = extents.reduce((n, d) => n * d, 1);
      for (let point = 0; point < points; point++) {
        let rest = point;
        const at = new Map(
          extents.map((d, id) => {
            const value = rest % d;
            rest = Math.floor(rest / d);
            return [id, value];
          }),
        );
        if (!held.every((g) => numberAt(g.index, at) >= 0 && numberAt(g.index, at) < g.size)) continue;
        const value = numberAt(index, at);
        expect(numberAt(q, at)).toBe(Math.floor(value / by));
        expect(numberAt(r, at)).toBe(value - by * Math.floor(value / by));
        expect(value).toBeGreaterThanOrEqual(known.min);
        expect(value).toBeLessThanOrEqual(known.max);
      }
    },
  );
  const seed = Number(process.env.SEED ?? 1);
  fc.assert(property, { numRuns: 3000, seed, endOnFailure: process.env.SHRINK === "no" });
});

test("inside a padded image the divisions of a reshape vanish", () => {
  const [row, column] = [
    { id: 0, extent: 34 },
    { id: 1, extent: 34 },
  ].map(ofAxis);
  const [y, x] = [shifted(row, -1), shifted(column, -1)];
  const flat = plus(times(y, 32), x);
  const inside = [
    { index: y, size: 32 },
    { index: x, size: 32 },
  ];
  expect(unflatten(flat, [32, 32], inside).map((i) => i.key)).toEqual([y.key, x.key]);
  expect(unflatten(flat, [32, 32]).map((i) => i.key)).not.toEqual([y.key, x.key]);
});
