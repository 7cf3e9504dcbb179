// Finds kernels that can take turns strip by strip along an axis that they share, so that what one has written is in the cache when the next reads it.
import { bytesOf, type Node, sizeOf } from "../graph/internal.ts";
import type { Prepared } from "./1-prepare.ts";
import { rebuild } from "./3-lower.ts";
import { type Axis, coefficient, type Index, ofAxis, ofConstant, plus, substitute, times } from "./affine.ts";
import type { Expr, Kernel } from "./kernel.ts";
import type { Lowered } from "./program.ts";
import type { Target } from "./target.ts";

/** Neighbouring calls that take turns: the first strip of each, then the second of each. */
export interface Run {
  /** The first of the calls, and how many they are. */
  readonly first: number;
  readonly calls: number;
  readonly strips: number;
  /** Values that nobody reads but the run, with the elements of a strip: each thread has room for one of them. */
  readonly inside: ReadonlyMap<Node, number>;
}

/** Strips of a run at least: threads share them out. */
const leastStrips = 16;
/** Numbers of strips that are tried for a run. */
const mostTried = 8;
/** Rows of a product that a strip has at least, where it has not all of them: fewer make no good register tiles. */
const leastRows = 32;
/** Kernels that do not belong to a run and are moved ahead of it, at most. */
const mostMoved = 6;

/** Orders kernels so that those which can take turns are neighbours, and lays these out in strips. */
export function inStrips(
  lowered: readonly Lowered[],
  prepared: Prepared,
  target: Target,
): { lowered: Lowered[]; runs: Run[] } {
  const finder = new Finder(lowered, prepared, target);
  const ordered: Lowered[] = [];
  const runs: Run[] = [];
  const taken = new Set<number>();
  lowered.forEach((next, i) => {
    if (taken.has(i)) return;
    const found = finder.from(i, taken);
    if (found === undefined) return void ordered.push(next);
    for (const j of found.moved) ordered.push(lowered[j]);
    runs.push({ first: ordered.length, calls: found.members.length, strips: found.strips, inside: finder.inside(found) });
    for (const j of found.members) ordered.push(finder.split(lowered[j], found.strips));
    for (const j of [...found.moved, ...found.members]) taken.add(j);
  });
  return { lowered: ordered, runs };
}

/** What a kernel's s-th strip touches of a buffer, in elements: those from `min` to `max`, `step`·s later, or where it does not move on evenly, elsewhere. */
interface Reach {
  readonly step: number | undefined;
  readonly min: number;
  readonly max: number;
}

/** What is known of the values that the members of a run touch. */
interface Touched {
  /** Of those that move with the strips, which stretch of so many elements is a strip's own. */
  readonly step: number;
  readonly cell: number;
  written: boolean;
  /** Members that touch it. */
  members: number;
}

interface Found {
  readonly strips: number;
  readonly members: number[];
  readonly moved: number[];
  readonly touched: Map<Node, Touched>;
  /** Bytes that need not come from afar once more. */
  saved: number;
}

class Finder {
  readonly #lowered: readonly Lowered[];
  readonly #target: Target;
  readonly #results: ReadonlySet<Node>;
  readonly #updates: ReadonlySet<Node>;
  /** Parts of larger values, which lie in these. */
  readonly #parts: ReadonlySet<Node>;
  /** For each value the last kernel that reads it. */
  readonly #lastRead = new Map<Node, number>();
  readonly #reach = new Map<Kernel, Map<number, readonly Reach[] | undefined>>();
  readonly #split = new Map<Kernel, Map<number, Kernel>>();

  constructor(lowered: readonly Lowered[], prepared: Prepared, target: Target) {
    this.#lowered = lowered;
    this.#target = target;
    this.#updates = new Set(prepared.updates.map((u) => u.value));
    this.#results = new Set([...prepared.outputs, ...this.#updates]);
    this.#parts = new Set([...prepared.joined.values()].flat());
    lowered.forEach(({ kernel }, i) => {
      for (const { node, written } of kernel.buffers) if (!written) this.#lastRead.set(node, i);
    });
  }

  /** The run that begins with a kernel and spares the most, if there is one. */
  from(first: number, taken: ReadonlySet<number>): Found | undefined {
    const { kernel } = this.#lowered[first];
    if (!this.#eligible(kernel) || bytesTouched(kernel) < this.#target.blockBytes) return undefined;
    let best: Found | undefined;
    const room = 2 * this.#target.blockBytes;
    const least = Math.max(leastStrips, bytesTouched(kernel) / room);
    for (const strips of stripCounts(kernel, least).slice(0, mostTried)) {
      const found = this.#extend(first, strips, taken);
      if (found === undefined || found.members.length < 2 || found.saved < this.#target.blockBytes) continue;
      if (best === undefined || found.saved > best.saved) best = found;
    }
    return best;
  }

  #extend(first: number, strips: number, taken: ReadonlySet<number>): Found | undefined {
    const found: Found = { strips, members: [], moved: [], touched: new Map(), saved: 0 };
    if (!this.#join(found, first)) return undefined;
    for (let j = first + 1; j < this.#lowered.length && !taken.has(j); j++) {
      if (this.#join(found, j)) continue;
      if (found.moved.length === mostMoved || !this.#goesAhead(found, this.#lowered[j].kernel)) break;
      found.moved.push(j);
    }
    // what was passed over after the last member stays where it is
    const last = found.members[found.members.length - 1];
    while (found.moved.length > 0 && found.moved[found.moved.length - 1] > last) found.moved.pop();
    return found;
  }

  /** Whether a kernel can as well run before a run. */
  #goesAhead({ touched }: Found, { serial, buffers }: Kernel): boolean {
    const waits = ({ node, written }: Kernel["buffers"][number]): boolean =>
      written ? this.#updates.has(node) : touched.get(node)?.written === true;
    return !serial && !buffers.some(waits);
  }

  /** Adds a kernel to a run, if its strips need no others of what the run writes, and something that the run has at hand. */
  #join(found: Found, j: number): boolean {
    const { kernel } = this.#lowered[j];
    if (!this.#eligible(kernel)) return false;
    const reaches = this.#reaches(this.#lowered[j], found.strips);
    if (reaches === undefined) return false;
    let [bytes, saved] = [0, 0];
    const added: [Node, Touched][] = [];
    for (const [i, { node, written }] of kernel.buffers.entries()) {
      const reach = reaches[i];
      const known = found.touched.get(node);
      const size = bytesOf[node.dtype];
      const own = cellOf(reach);
      const same = own !== undefined && reach.step === known?.step && own === known?.cell;
      if ((written || known?.written) && known !== undefined && !same) return false;
      if (same) saved += size * sizeOf(node.shape);
      bytes += size * (reach.max - reach.min + 1);
      if (known !== undefined) continue;
      if (own !== undefined) added.push([node, { step: reach.step!, cell: own, written, members: 0 }]);
      else if (written) return false;
    }
    const alone = found.members.length === 0;
    if ((!alone && saved === 0) || bytes > 2 * this.#target.blockBytes) return false;
    for (const [node, touched] of added) found.touched.set(node, touched);
    for (const { node, written } of kernel.buffers) {
      const touched = found.touched.get(node);
      if (touched !== undefined) touched.members++;
      if (touched !== undefined) touched.written ||= written;
    }
    found.saved += saved;
    found.members.push(j);
    return true;
  }

  #eligible({ serial, buffers }: Kernel): boolean {
    return !serial && !buffers.some((b) => b.shared || (b.written && (this.#updates.has(b.node) || this.#parts.has(b.node))));
  }

  /** Values that a run writes and that nobody else reads. */
  inside({ members, touched }: Found): Map<Node, number> {
    const last = members[members.length - 1];
    const inside = new Map<Node, number>();
    for (const [node, { written, step, cell }] of touched) {
      const elsewhere = this.#results.has(node) || this.#parts.has(node) || (this.#lastRead.get(node) ?? 0) > last;
      if (written && !elsewhere && cell === 0 && step > 0) inside.set(node, step);
    }
    return inside;
  }

  #reaches({ like, later }: Lowered, strips: number): readonly Reach[] | undefined {
    let known = this.#reach.get(like);
    if (known === undefined) this.#reach.set(like, (known = new Map()));
    if (!known.has(strips)) known.set(strips, reachesOf(like, strips));
    const found = known.get(strips);
    if (found === undefined || later.every((n) => n === 0)) return found;
    return found?.map((r, i) => ({ step: r.step, min: r.min + later[i], max: r.max + later[i] }));
  }

  split(lowered: Lowered, strips: number): Lowered {
    const { kernel, like, later } = lowered;
    let known = this.#split.get(like);
    if (known === undefined) this.#split.set(like, (known = new Map()));
    let made = known.get(strips);
    if (made === undefined) known.set(strips, (made = splitOf(like, strips)));
    return { kernel: { ...made, buffers: kernel.buffers }, like: made, later };
  }
}

/** Which stretch of `step` elements a strip keeps to; undefined where it does not move, or reaches into others'. */
function cellOf({ step, min, max }: Reach): number | undefined {
  if (step === undefined || step <= 0) return undefined;
  const cell = Math.floor(min / step);
  return Math.floor(max / step) === cell ? cell : undefined;
}

const bytesTouched = ({ buffers }: Kernel): number =>
  buffers.reduce((sum, { node }) => sum + bytesOf[node.dtype] * sizeOf(node.shape), 0);

/** Into how many strips a kernel can be cut along its outermost axes, from the least on, each time about twice as many. */
function stripCounts({ outer }: Kernel, least: number): number[] {
  const counts = new Set<number>();
  let before = 1;
  for (const { extent } of outer.slice(0, 3)) {
    for (let d = 2; d <= extent; d++) if (extent % d === 0) counts.add(before * d);
    before *= extent;
  }
  const sorted = [...counts].filter((n) => n >= least).sort((a, b) => a - b);
  return sorted.reduce<number[]>((some, n) => (n >= 1.9 * (some.at(-1) ?? 0) ? [...some, n] : some), []);
}

/** The axes that strips run along: all of the first ones, and so many iterations of the last to a strip. */
function leading(outer: readonly Axis[], strips: number): { axes: Axis[]; inner: number } | undefined {
  const axes: Axis[] = [];
  let left = strips;
  for (const axis of outer) {
    axes.push(axis);
    if (axis.extent >= left) return axis.extent % left === 0 ? { axes, inner: axis.extent / left } : undefined;
    if (left % axis.extent !== 0) return undefined;
    left /= axis.extent;
  }
  return undefined;
}

/** The kernel with the axes that its strips run along outermost. */
function splitOf(kernel: Kernel, strips: number): Kernel {
  const { axes, inner } = leading(kernel.outer, strips)!;
  if (inner === 1) return { ...kernel, strips: axes.length };
  const last = axes[axes.length - 1];
  const { high, low, index } = cut(kernel, last, inner);
  const outer = kernel.outer.flatMap((a) => (a === last ? [high, low] : [a]));
  return { ...rebuild({ ...kernel, outer }, new Map([[last.id, index]])), strips: axes.length };
}

/** Two axes in the place of one. */
function cut({ outer, reduced }: Kernel, axis: Axis, inner: number): { high: Axis; low: Axis; index: Index } {
  const next = Math.max(...[...outer, ...reduced].map((a) => a.id)) + 1;
  const high = { id: next, extent: axis.extent / inner };
  const low = { id: next + 1, extent: inner };
  return { high, low, index: plus(times(ofAxis(high), inner), ofAxis(low)) };
}

/** What the strips of a kernel touch of each buffer; undefined where it has no such strips. */
function reachesOf(kernel: Kernel, strips: number): Reach[] | undefined {
  const found = leading(kernel.outer, strips);
  if (found === undefined) return undefined;
  const { axes, inner } = found;
  const last = axes[axes.length - 1];
  const few = axes.filter((a) => (a === last ? inner : 1) < leastRows && a.extent > 1);
  if (kernel.reductions.some((r) => isProduct(r) && few.some((a) => reused(r.value, a)))) return undefined;
  const { high, low, index } = cut(kernel, last, inner);
  const along = [...axes.slice(0, -1), high];
  const moved = new Map(axes.map((a) => [a.id, a === last ? index : ofAxis(a)]));
  const still = new Map([...along.map((a) => [a.id, ofConstant(0)] as const), [low.id, ofAxis(low)] as const]);
  const same = (e: Expr): Expr => e;
  const reachOf = (original: Index): Reach => {
    const at = substitute(original, moved, same);
    const { min, max } = substitute(at, still, same);
    return { step: stepOf(at, along), min, max };
  };
  const reaches = kernel.buffers.map((): Reach[] => []);
  for (const e of kernel.exprs) if (e.kind === "load") reaches[e.buffer].push(reachOf(e.index));
  for (const s of kernel.stores) reaches[s.buffer].push(reachOf(s.index));
  return reaches.map((list) => list.reduce(together));
}

/** How far an index moves from one iteration of these loops to the next, all of them run through as one; undefined where it does not do so evenly. */
function stepOf(index: Index, along: readonly Axis[]): number | undefined {
  const step = coefficient(index, along[along.length - 1]);
  let expected = step;
  for (const axis of [...along].reverse()) {
    if (expected === undefined || coefficient(index, axis) !== expected) return undefined;
    expected *= axis.extent;
  }
  return step;
}

const together = (a: Reach, b: Reach): Reach => ({
  step: a.step === b.step ? a.step : undefined,
  min: Math.min(a.min, b.min),
  max: Math.max(a.max, b.max),
});

/** Whether a factor is the same for all places along an axis: a register tile of few of these reads it too often. */
const reused = ({ args }: Expr, axis: Axis): boolean => args.some((factor) => !factor.axes.has(axis.id));

const isProduct = ({ op, value }: Kernel["reductions"][number]): boolean =>
  op === "sum" && value.kind === "op" && value.op === "mul";
