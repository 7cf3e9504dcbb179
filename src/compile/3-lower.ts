// Pass 3: turns a group into a kernel. Views vanish into index expressions, loops are split where that removes a division, then merged.
import { argsOf, type Node, type Op, sizeOf, stridesOf } from "../graph/internal.ts";
import type { Group } from "./2-schedule.ts";
import {
  type Atom,
  type Axis,
  coefficient,
  flatten,
  type Index,
  ofAxis,
  ofConstant,
  ofRow,
  plus,
  quotient,
  shifted,
  substitute,
  times,
} from "./affine.ts";
import { Expressions } from "./expressions.ts";
import { type BufferUse, type Expr, indicesIn, type Kernel, type Reduction, type Store } from "./kernel.ts";
import { Place } from "./place.ts";
import { isRow, type ValueMaker, type ValueRule, valueRules } from "./value-rules.ts";

/** Terms of an f32 sum up to which plain addition is accurate enough. */
const shortSum = 16;

/** How the axes of the result and of the reduction are divided into loops: sizes per axis, outermost first. */
interface Split {
  outer: number[][];
  reduced: number[][];
}

class Lowering implements ValueMaker {
  readonly exprs: Expressions = new Expressions();
  readonly outer: Axis[] = [];
  readonly reduced: Axis[] = [];
  readonly reductions: Reduction[] = [];
  readonly buffers: BufferUse[] = [];
  readonly group: Group;
  readonly #memo = new Map<string, Expr>();
  readonly #rootPlace: Place;
  readonly #reducedCoords: Index[];
  #axes = 0;

  /** Loops run over the given shape: the roots', or for scattering that of the scattered values. */
  constructor(group: Group, split: Split, shape: readonly number[] = group.roots[0].shape) {
    this.group = group;
    const coordsOf = (sizes: readonly number[][], into: Axis[]): Index[] =>
      sizes.map((factors) =>
        factors.reduce((index, extent) => {
          const axis = { id: this.#axes++, extent };
          into.push(axis);
          return plus(times(index, extent), ofAxis(axis));
        }, ofConstant(0)),
      );
    const coords = coordsOf(split.outer, this.outer);
    this.#reducedCoords = coordsOf(split.reduced, this.reduced);
    this.#rootPlace = new Place(shape, { coords }, []);
  }

  kernel(stored: (n: Node) => boolean): Kernel {
    const stores: Store[] = [];
    for (const root of this.group.roots) {
      const value = this.value(root, this.#rootPlace.reshaped(root.shape));
      this.#memo.set(`${root.id} ${this.#rootPlace.key}`, value);
      if (stored(root)) stores.push({ buffer: this.#buffer(root, true), index: this.#rootPlace.flat, value });
    }
    const { outer, reduced, reductions, buffers } = this;
    return { outer, reduced, reductions, stores, buffers, exprs: this.exprs.list, serial: false };
  }

  /** Adds each value to the row of the result that its index names, if there is one, one after the other. */
  scatter(node: Node): Kernel {
    const [values, indices, base] = node.inputs;
    const { coords } = this.#rootPlace;
    const rank = indices.shape.length;
    const row = this.value(indices, new Place(indices.shape, { coords: coords.slice(0, rank) }, []));
    const index = flatten([ofRow(row, node.shape[0]), ...coords.slice(rank)], stridesOf(node.shape));
    const before = this.exprs.load(this.#buffer(this.group.inPlace ? base : node, false), index, [], node.dtype);
    const sum = this.exprs.op("add", [before, this.value(values, this.#rootPlace)]);
    const value = this.exprs.op("where", [isRow(this.exprs, row, node.shape[0]), sum, before]);
    const stores = [{ buffer: this.#buffer(node, true), index, value }];
    const { outer, reduced, reductions, buffers } = this;
    return { outer, reduced, reductions, stores, buffers, exprs: this.exprs.list, serial: true };
  }

  /** Computes one input of a concatenation into its places. */
  part(node: Node, k: number): Kernel {
    const { axis } = argsOf(node, "concat");
    const start = node.inputs.slice(0, k).reduce((n, x) => n + x.shape[axis], 0);
    const value = this.value(node.inputs[k], this.#rootPlace);
    const coords = this.#rootPlace.coords.map((c, i) => (i === axis ? shifted(c, start) : c));
    this.buffers.push({ node, written: true, shared: true });
    const stores = [{ buffer: this.buffers.length - 1, index: flatten(coords, stridesOf(node.shape)), value }];
    const { outer, reduced, reductions, buffers } = this;
    return { outer, reduced, reductions, stores, buffers, exprs: this.exprs.list, serial: false };
  }

  /** Fills the buffer of a scattering with what it starts from. */
  clear(node: Node): Kernel {
    const base = node.inputs[2];
    const value =
      base === undefined ? this.exprs.constant(0, node.dtype) : this.value(base, this.#rootPlace.reshaped(base.shape));
    const stores = [{ buffer: this.#buffer(node, true), index: this.#rootPlace.flat, value }];
    const { outer, reduced, reductions, buffers } = this;
    return { outer, reduced, reductions, stores, buffers, exprs: this.exprs.list, serial: false };
  }

  #buffer(node: Node, written: boolean): number {
    const at = this.buffers.findIndex((b) => b.node === node && b.written === written);
    return at >= 0 ? at : this.buffers.push({ node, written }) - 1;
  }

  value(node: Node, place: Place): Expr {
    const key = `${node.id} ${place.key}`;
    let e = this.#memo.get(key);
    if (e === undefined) this.#memo.set(key, (e = this.#compute(node, place)));
    return e;
  }

  #compute(node: Node, place: Place): Expr {
    if (this.reads(node)) return this.load(node, place);
    return (valueRules[node.op] as ValueRule<Op>)(this, node, place, node.args);
  }

  /** Whether a node's elements are there to be read. */
  reads(node: Node): boolean {
    return node.op === "buffer" || this.group.reads.has(node);
  }

  load(node: Node, { flat, guards }: Place): Expr {
    const safe = flat.min >= 0 && flat.max < sizeOf(node.shape);
    const needed = guards.flatMap(({ index, size, unseen }) => (safe && unseen ? [] : [{ index, size }]));
    return this.exprs.load(this.#buffer(node, false), flat, needed, node.dtype);
  }

  reduction(node: Node, place: Place): Expr {
    const value = this.#summand(node, place);
    const axes = new Set(value.axes);
    for (const a of this.reduced) axes.delete(a.id);
    const op = node.op === "maxReduce" ? "max" : "sum";
    const terms = this.reduced.reduce((n, a) => n * a.extent, 1);
    const compensated = node.op === "sum" && node.dtype === "f32" && terms > shortSum;
    const at = this.reductions.push({ op, value, compensated }) - 1;
    return this.exprs.reduction(at, node.dtype, axes);
  }

  /** What a reduction adds up, at a place of its result and along its reduced axes. */
  #summand(node: Node, place: Place): Expr {
    const r = this.#reducedCoords;
    const { coords, guards } = place;
    const [x, w] = node.inputs;
    if (node.op === "matmul") {
      const [row, column] = coords.slice(-2);
      const lead = coords.slice(0, -2);
      const a = this.value(x, new Place(x.shape, { coords: [...lead, row, r[0]] }, guards));
      return this.exprs.op("mul", [a, this.value(w, new Place(w.shape, { coords: [...lead, r[0], column] }, guards))]);
    }
    if (node.op === "conv") {
      const { stride, dilation, groups } = argsOf(node, "conv");
      const group = quotient(coords[1], node.shape[1] / groups);
      const channel = plus(times(group, w.shape[1]), r[0]);
      const taps = stride.map((s, i) => plus(times(coords[i + 2], s), times(r[i + 1], dilation[i])));
      const a = this.value(w, new Place(w.shape, { coords: [coords[1], ...r] }, guards));
      return this.exprs.op("mul", [
        a,
        this.value(x, new Place(x.shape, { coords: [coords[0], channel, ...taps] }, guards)),
      ]);
    }
    const { axes } = argsOf(node, "sum");
    let [kept, gone] = [0, 0];
    return this.value(
      x,
      new Place(x.shape, { coords: x.shape.map((_, i) => (axes.includes(i) ? r[gone++] : coords[kept++])) }, guards),
    );
  }
}

/** Sizes of the axes that a reduction runs over. */
function reducedSizes(core: Node | undefined): number[] {
  if (core === undefined) return [];
  const [x, w] = core.inputs;
  if (core.op === "matmul") return [x.shape[x.shape.length - 1]];
  if (core.op === "conv") return w.shape.slice(1);
  return argsOf(core, "sum").axes.map((a) => x.shape[a]);
}

export interface LowerOptions {
  /** Merge neighbouring loops that every access walks as one. */
  readonly collapse: boolean;
}

/** The kernels of a group: one, or two where values are scattered into a filled buffer, or one for each part of a concatenation. */
export function lower(group: Group, stored: (n: Node) => boolean, options: LowerOptions): Kernel[] {
  const [root] = group.roots;
  if (root.op === "concat")
    return root.inputs.map(({ shape }, k) =>
      refined(shape, [], options, (split) => new Lowering(group, split, shape).part(root, k)),
    );
  if (root.op !== "scatterAdd") {
    const reduced = reducedSizes(group.cores[0]);
    return [refined(root.shape, reduced, options, (split) => new Lowering(group, split).kernel(stored))];
  }
  const flat = { ...group, roots: [root], cores: [] };
  const { shape } = root.inputs[0];
  const scatter = new Lowering(flat, { outer: shape.map((d) => [d]), reduced: [] }, shape).scatter(root);
  if (group.inPlace) return [scatter];
  const base = root.inputs[2]?.op !== "buffer" && root.inputs[2] !== undefined ? root.shape : [sizeOf(root.shape)];
  return [refined(base, [], options, (split) => new Lowering(flat, split, base).clear(root)), scatter];
}

/** A kernel over the axes, split where that removes a division; `make` lowers it for a split. */
function refined(
  outer: readonly number[],
  reduced: readonly number[],
  { collapse: merged }: LowerOptions,
  make: (split: Split) => Kernel,
): Kernel {
  const split: Split = { outer: outer.map((d) => [d]), reduced: reduced.map((d) => [d]) };
  // Splitting at most once per division found: each round removes one, and sizes are finite.
  for (let round = 0; ; round++) {
    const kernel = make(split);
    if (round === 24 || !refine(kernel, split)) return merged ? collapse(kernel) : kernel;
  }
}

const indicesOf = (kernel: Kernel): Index[] => [
  ...kernel.stores.map((s) => s.index),
  ...kernel.exprs.flatMap(indicesIn),
];

/** Finds an axis whose division by a constant disappears when its loop is split in two, and records the split. */
function refine(kernel: Kernel, split: Split): boolean {
  const visit = (atom: Atom): boolean => {
    if (atom.kind === "axis" || atom.kind === "row") return false;
    for (const { coef, atom: part } of atom.of.terms) {
      if (part.kind !== "axis") {
        if (visit(part)) return true;
        continue;
      }
      const at = coef > 0 && atom.by % coef === 0 ? atom.by / coef : 0;
      if (at > 1 && at < part.axis.extent && part.axis.extent % at === 0) return cut(kernel, split, part.axis, at);
    }
    return false;
  };
  return indicesOf(kernel).some((index) => index.terms.some((t) => visit(t.atom)));
}

function cut(kernel: Kernel, split: Split, axis: Axis, at: number): boolean {
  const inOuter = kernel.outer.includes(axis);
  const list = inOuter ? split.outer : split.reduced;
  let position = (inOuter ? kernel.outer : kernel.reduced).indexOf(axis);
  for (const factors of list) {
    if (position < factors.length) {
      factors.splice(position, 1, axis.extent / at, at);
      return true;
    }
    position -= factors.length;
  }
  return false;
}

/** Merges neighbouring axes (h, l) into one wherever every index moves by h's step when l has run once through. */
function collapse(kernel: Kernel): Kernel {
  const indices = indicesOf(kernel);
  const mergeable = (h: Axis, l: Axis): boolean =>
    indices.every((index) => {
      const [a, b] = [coefficient(index, h), coefficient(index, l)];
      return a !== undefined && b !== undefined && a === b * l.extent;
    });
  const replaced = new Map<number, Index>();
  let next = Math.max(-1, ...kernel.outer.map((a) => a.id), ...kernel.reduced.map((a) => a.id)) + 1;
  const pass = (axes: readonly Axis[]): Axis[] => {
    const kept: { axis: Axis; parts: Axis[] }[] = [];
    for (const axis of axes) {
      const last = kept[kept.length - 1];
      if (axis.extent === 1) continue;
      if (last !== undefined && mergeable(last.parts[last.parts.length - 1], axis)) last.parts.push(axis);
      else kept.push({ axis, parts: [axis] });
    }
    return kept.map(({ axis, parts }) => {
      if (parts.length === 1) return axis;
      const whole = { id: next++, extent: parts.reduce((n, p) => n * p.extent, 1) };
      parts.forEach((part, i) => {
        replaced.set(part.id, i === parts.length - 1 ? ofAxis(whole) : ofConstant(0)); // the innermost part's factor is the whole's
      });
      return whole;
    });
  };
  const [outer, reduced] = [pass(kernel.outer), pass(kernel.reduced)];
  return replaced.size === 0 ? { ...kernel, outer, reduced } : rebuild({ ...kernel, outer, reduced }, replaced);
}

/** The element at which what a kernel touches of each buffer starts: without it, kernels that differ in nothing else are one. */
export const startsOf = (kernel: Kernel): number[] =>
  leastOf(kernel).map((n) => (Number.isFinite(n) ? Math.max(0, n) : 0));

/** The least offset of what a kernel touches of each buffer, below 0 where guards keep it from being touched there. */
export function leastOf(kernel: Kernel): number[] {
  const least = kernel.buffers.map(() => Number.POSITIVE_INFINITY);
  const touch = (buffer: number, { offset }: Index): void => {
    least[buffer] = Math.min(least[buffer], offset);
  };
  for (const e of kernel.exprs) if (e.kind === "load") touch(e.buffer, e.index);
  for (const s of kernel.stores) touch(s.buffer, s.index);
  return least;
}

/** Two axes in the place of one of a kernel's, the inner of the given extent, and the index that they make. */
export function halves(
  { outer, reduced }: Pick<Kernel, "outer" | "reduced">,
  axis: Axis,
  inner: number,
): { high: Axis; low: Axis; index: Index } {
  const next = Math.max(...[...outer, ...reduced].map((a) => a.id)) + 1;
  const high = { id: next, extent: axis.extent / inner };
  const low = { id: next + 1, extent: inner };
  return { high, low, index: plus(times(ofAxis(high), inner), ofAxis(low)) };
}

/** The kernel with its axes replaced in every index, and its buffers starting where the given elements were. */
export function rebuild(
  kernel: Kernel,
  axes: ReadonlyMap<number, Index>,
  starts: readonly number[] = kernel.buffers.map(() => 0),
): Kernel {
  const exprs = new Expressions();
  const made: Expr[] = [];
  const renew = (e: Expr): Expr => made[e.id];
  const move = (index: Index): Index => substitute(index, axes, renew);
  const reducedAxes = new Set(kernel.reduced.map((a) => a.id));
  for (const e of kernel.exprs) {
    const guards =
      e.kind === "load" || e.kind === "inside" ? e.guards.map((g) => ({ index: move(g.index), size: g.size })) : [];
    if (e.kind === "const") made.push(exprs.constant(e.value, e.dtype));
    else if (e.kind === "load")
      made.push(exprs.load(e.buffer, shifted(move(e.index), -starts[e.buffer]), guards, e.dtype));
    else if (e.kind === "index") made.push(exprs.index(move(e.index)));
    else if (e.kind === "inside") made.push(exprs.inside(guards));
    else if (e.kind === "op") made.push(exprs.op(e.op, e.args.map(renew), e.dtype, e.by));
    else {
      const value = renew(kernel.reductions[e.reduction].value);
      made.push(exprs.reduction(e.reduction, e.dtype, new Set([...value.axes].filter((id) => !reducedAxes.has(id)))));
    }
  }
  const reductions = kernel.reductions.map((r) => ({ ...r, value: renew(r.value) }));
  const stores = kernel.stores.map(({ buffer, index, value }) => ({
    buffer,
    index: shifted(move(index), -starts[buffer]),
    value: renew(value),
  }));
  return { ...kernel, exprs: exprs.list, reductions, stores };
}
