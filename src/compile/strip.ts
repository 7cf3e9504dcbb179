// How a kernel is cut into strips along its outermost loops, and what of each buffer a strip touches.

import { halves, rebuild } from "./3-lower.ts";
import { type Axis, coefficient, type Index, ofAxis, ofConstant, shifted, substitute } from "./affine.ts";
import { Expressions } from "./expressions.ts";
import type { Expr, Kernel } from "./kernel.ts";

/** What a kernel's s-th strip touches of a buffer, in elements: those from `min` to `max`, `step`·s later, or where it does not move on evenly, elsewhere. */
export interface Reach {
  readonly step: number | undefined;
  readonly min: number;
  readonly max: number;
  /** How many of them, at most. */
  readonly count: number;
}

/** How often a strip of products has to use each factor at least: fewer rows make no good register tiles. */
const leastUses = 32;

/** Into how many strips a kernel can be cut along its outermost axes, from the least on, each time about twice as many. */
export function stripCounts({ outer }: Kernel, least: number): number[] {
  const counts = new Set<number>();
  let before = 1;
  for (const { extent } of outer.slice(0, 3)) {
    for (let d = 1; d * d <= extent; d++)
      if (extent % d === 0) for (const n of [d, extent / d]) if (before * n >= least) counts.add(before * n);
    before *= extent;
  }
  const some: number[] = [];
  for (const n of [...counts].sort((a, b) => a - b)) if (n >= 1.9 * (some.at(-1) ?? 0)) some.push(n);
  return some;
}

/** How a kernel is cut: into so many strips of its results; or, where it adds up what the strips of a run hold, of its sums, and of its results into so many units. */
export interface Cut {
  readonly strips: number;
  readonly units?: number;
}

/** Into how many units, at least so many, the results of a kernel can be cut that adds up products along strips, the most first. */
export function unitCounts({ outer, reduced, reductions, stores }: Kernel, least: number): number[] {
  const [sum] = reductions;
  const adds = reductions.length === 1 && isProduct(sum) && !sum.compensated && reduced.length > 0;
  if (!adds || stores.length !== 1 || stores[0].value.kind !== "reduction") return [];
  return [2, 1, 0]
    .map((n) => outer.slice(0, n).reduce((product, a) => product * a.extent, 1))
    .filter((n) => n >= least);
}

/** The loops that strips run along: all iterations of the first ones, and of the last so many to a strip. */
interface Leading {
  readonly before: readonly Axis[];
  readonly last: Axis;
  readonly inner: number;
}

function leadingOf({ outer, reduced: [summed] }: Kernel, { strips, units }: Cut): Leading | undefined {
  if (units === undefined) return leading(outer, strips);
  let left = units;
  const before = outer.filter(({ extent }) => left > 1 && (left /= extent) >= 1);
  const chunks = strips / units;
  const fits = Number.isInteger(chunks) && chunks > 1 && summed.extent % chunks === 0;
  return fits ? { before, last: summed, inner: summed.extent / chunks } : undefined;
}

function leading(outer: readonly Axis[], strips: number): Leading | undefined {
  let left = strips;
  for (const [i, last] of outer.entries()) {
    const { extent } = last;
    if (extent >= left)
      return extent % left === 0 ? { before: outer.slice(0, i), last, inner: extent / left } : undefined;
    if (left % extent !== 0) return undefined;
    left /= extent;
  }
  return undefined;
}

/** The kernel with the loops over so many strips outermost. */
export function splitOf(kernel: Kernel, how: Cut): Kernel {
  const { before, last, inner } = leadingOf(kernel, how)!;
  if (how.units !== undefined) return addingUp(kernel, { before, last, inner });
  const split = { ...kernel, strips: before.length + 1 };
  if (inner === 1) return split;
  const { high, low, index } = halves(kernel, last, inner);
  const outer = kernel.outer.flatMap((a) => (a === last ? [high, low] : [a]));
  return rebuild({ ...split, outer }, new Map([[last.id, index]]));
}

/** A kernel whose strips add their products to what is there. */
function addingUp(kernel: Kernel, { before, last, inner }: Leading): Kernel {
  const { high, low, index } = halves(kernel, last, inner);
  const outer = kernel.outer.toSpliced(before.length, 0, high);
  const reduced = kernel.reduced.map((a) => (a === last ? low : a));
  const [{ node }, buffer] = [kernel.buffers[kernel.stores[0].buffer], kernel.buffers.length];
  const split = rebuild({ ...kernel, outer, reduced }, new Map([[last.id, index]]));
  const [store] = split.stores;
  const exprs = new Expressions(split.exprs);
  const again = { index: shifted(ofAxis(high), -1), size: high.extent };
  const value = exprs.op("add", [exprs.load(buffer, store.index, [again], node.dtype), store.value]);
  return {
    ...split,
    exprs: exprs.list,
    stores: [{ ...store, value }],
    buffers: [...split.buffers, { node, written: false }],
    strips: before.length + 1,
    adds: high,
  };
}

/** What the strips of a kernel touch of each buffer; undefined where it has no such strips, or would make poor ones. */
export function reachesOf(kernel: Kernel, how: Cut): Reach[] | undefined {
  const along = leadingOf(kernel, how);
  if (along === undefined || usesTooFew(kernel, along)) return undefined;
  const reaches = kernel.buffers.map((): Reach[] => []);
  const reachOf = (index: Index): Reach => evenReach(index, along) ?? anyReach(kernel, index, along);
  for (const e of kernel.exprs) if (e.kind === "load") reaches[e.buffer].push(reachOf(e.index));
  for (const s of kernel.stores) reaches[s.buffer].push(reachOf(s.index));
  return reaches.map((list) => list.reduce(together));
}

/** Whether a strip of products uses a factor too seldom, that all of the kernel uses more often. */
function usesTooFew({ outer, reductions }: Kernel, { before, last, inner }: Leading): boolean {
  const inStrip = (a: Axis): number => (a === last ? inner : before.includes(a) ? 1 : a.extent);
  const uses = ({ axes }: Expr, extentOf: (a: Axis) => number): number =>
    outer.reduce((n, a) => (axes.has(a.id) ? n : n * extentOf(a)), 1);
  const few = (factor: Expr): boolean =>
    uses(factor, inStrip) <
    Math.min(
      leastUses,
      uses(factor, ({ extent }) => extent),
    );
  return reductions.some((r) => isProduct(r) && r.value.args.some(few));
}

/** The reach of an index that is a sum of axes. */
function evenReach({ terms, offset }: Index, { before, last, inner }: Leading): Reach | undefined {
  let [min, max, step, count] = [offset, offset, 0, 1];
  const steps = before.map(() => 0);
  for (const { coef, atom } of terms) {
    if (atom.kind !== "axis") return undefined;
    const { axis } = atom;
    const at = before.findIndex((a) => a.id === axis.id);
    if (at >= 0) steps[at] = coef;
    else if (axis.id === last.id) step = coef * inner;
    const extent = at >= 0 ? 1 : axis.id === last.id ? inner : axis.extent;
    const far = coef * (extent - 1);
    if (far > 0) max += far;
    else min += far;
    count *= extent;
  }
  return { step: evenly(steps, step, before, last.extent / inner), min, max, count: Math.min(count, max - min + 1) };
}

/** The same with quotients and remainders, some of which vanish once the axis is cut. */
function anyReach(kernel: Kernel, index: Index, { before, last, inner }: Leading): Reach {
  const { high, index: whole } = halves(kernel, last, inner);
  const same = (e: Expr): Expr => e;
  const at = substitute(index, new Map([[last.id, whole]]), same);
  const still = [...before, high].map((a) => [a.id, ofConstant(0)] as const);
  const { min, max } = substitute(at, new Map(still), same);
  const steps = before.map((a) => coefficient(at, a));
  return { step: evenly(steps, coefficient(at, high), before, high.extent), min, max, count: max - min + 1 };
}

/** The step from strip to strip, if that from the last strip of one iteration of the outer loops to the first of the next is no other. */
function evenly(
  steps: readonly (number | undefined)[],
  step: number | undefined,
  before: readonly Axis[],
  strips: number,
): number | undefined {
  if (step === undefined) return undefined;
  let expected = step * strips;
  for (let k = before.length - 1; k >= 0; k--) {
    if (before[k].extent > 1 && steps[k] !== expected) return undefined;
    expected *= before[k].extent;
  }
  return step;
}

const together = (a: Reach, b: Reach): Reach => ({
  step: a.step === b.step ? a.step : undefined,
  min: Math.min(a.min, b.min),
  max: Math.max(a.max, b.max),
  count: Math.max(a.count, b.count),
});

export const isProduct = ({ op, value }: Kernel["reductions"][number]): boolean =>
  op === "sum" && value.kind === "op" && value.op === "mul";
