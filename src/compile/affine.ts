// Index expressions: sums of loop axes, quotients and remainders, kept in a normal form with exact bounds. Views vanish into them.
import type { Expr, Guard } from "./kernel.ts";

/** A loop variable running over 0 … extent − 1. */
export interface Axis {
  readonly id: number;
  readonly extent: number;
}

/** What an index is a sum of: a loop axis, ⌊of / by⌋, of mod by, or a row number read from memory (clamped to 0 … rows − 1). */
export type Atom =
  | { readonly kind: "axis"; readonly axis: Axis; readonly key: string }
  | { readonly kind: "div" | "mod"; readonly of: Index; readonly by: number; readonly key: string }
  | { readonly kind: "row"; readonly expr: Expr; readonly rows: number; readonly key: string };

export interface Term {
  readonly coef: number;
  readonly atom: Atom;
}

export interface Index {
  readonly terms: readonly Term[];
  readonly offset: number;
  readonly min: number;
  readonly max: number;
  /** Equal for equal indices. */
  readonly key: string;
}

const atomMax = (atom: Atom): number => {
  if (atom.kind === "axis") return atom.axis.extent - 1;
  if (atom.kind === "row") return atom.rows - 1;
  return atom.kind === "mod" ? atom.by - 1 : Math.floor(atom.of.max / atom.by);
};
const atomMin = (atom: Atom): number => (atom.kind === "div" ? Math.floor(atom.of.min / atom.by) : 0);

function build(terms: readonly Term[], offset: number): Index {
  const byKey = new Map<string, Term>();
  for (const { coef, atom } of terms) {
    const same = byKey.get(atom.key);
    byKey.set(atom.key, { coef: coef + (same?.coef ?? 0), atom });
  }
  const kept = [...byKey.values()].filter((t) => t.coef !== 0 && (atomMax(t.atom) !== 0 || atomMin(t.atom) !== 0));
  kept.sort((a, b) => (a.atom.key < b.atom.key ? -1 : 1));
  let [min, max] = [offset, offset];
  for (const { coef, atom } of kept) {
    min += coef * (coef > 0 ? atomMin(atom) : atomMax(atom));
    max += coef * (coef > 0 ? atomMax(atom) : atomMin(atom));
  }
  return { terms: kept, offset, min, max, key: `${kept.map((t) => `${t.coef}*${t.atom.key}`).join("+")}+${offset}` };
}

export const ofConstant = (value: number): Index => build([], value);
export const ofAxis = (axis: Axis): Index => build([{ coef: 1, atom: { kind: "axis", axis, key: `i${axis.id}` } }], 0);
export const ofRow = (expr: Expr, rows: number): Index =>
  build([{ coef: 1, atom: { kind: "row", expr, rows, key: `[${expr.id}<${rows}]` } }], 0);

export const plus = (a: Index, b: Index): Index => build([...a.terms, ...b.terms], a.offset + b.offset);
export const times = (a: Index, by: number): Index =>
  build(
    a.terms.map((t) => ({ coef: t.coef * by, atom: t.atom })),
    a.offset * by,
  );
export const shifted = (a: Index, by: number): Index => build(a.terms, a.offset + by);

/** a = by·whole + rest, where the whole part is exact. */
function split(a: Index, by: number): { whole: Index; rest: Index } {
  const q = Math.floor(a.offset / by);
  const whole = a.terms.filter((t) => t.coef % by === 0).map((t) => ({ coef: t.coef / by, atom: t.atom }));
  return {
    whole: build(whole, q),
    rest: build(
      a.terms.filter((t) => t.coef % by !== 0),
      a.offset - q * by,
    ),
  };
}

/** Least and greatest value of an index where guards hold: an index whose terms contain a guarded one's lies as close as that. */
export function boundsWithin(a: Index, guards: readonly Guard[]): { min: number; max: number } {
  let [min, max] = [0, 0];
  let rest = a;
  for (const { index, size } of guards) {
    if (index.terms.length === 0) continue;
    const [{ coef, atom }] = index.terms;
    const ratio = (rest.terms.find((t) => t.atom.key === atom.key)?.coef ?? 0) / coef;
    if (ratio === 0 || !Number.isInteger(ratio)) continue;
    const less = plus(rest, times(index, -ratio));
    if (less.terms.length !== rest.terms.length - index.terms.length) continue;
    rest = less;
    min += Math.min(0, ratio * (size - 1));
    max += Math.max(0, ratio * (size - 1));
  }
  return { min: Math.max(a.min, min + rest.min), max: Math.min(a.max, max + rest.max) };
}

/** The multiple of `by` that lies below all of an index, if it is the same for all of it. */
function steady(a: Index, by: number, guards: readonly Guard[]): number | undefined {
  const { min, max } = a.min >= 0 && a.max < by ? a : boundsWithin(a, guards);
  const q = Math.floor(min / by);
  return q === Math.floor(max / by) ? q : undefined;
}

/** ⌊a / by⌋ for a whole by ≥ 1, where guards hold. */
export function quotient(a: Index, by: number, guards: readonly Guard[] = []): Index {
  const { whole, rest } = split(a, by);
  const q = steady(rest, by, guards);
  if (q !== undefined) return shifted(whole, q);
  return plus(whole, build([{ coef: 1, atom: { kind: "div", of: rest, by, key: `(${rest.key}/${by})` } }], 0));
}

/** a mod by, in 0 … by − 1, for a whole by ≥ 1, where guards hold. */
export function remainder(a: Index, by: number, guards: readonly Guard[] = []): Index {
  const { rest } = split(a, by);
  const q = steady(rest, by, guards);
  if (q !== undefined) return shifted(rest, -q * by);
  return build([{ coef: 1, atom: { kind: "mod", of: rest, by, key: `(${rest.key}%${by})` } }], 0);
}

/** The coordinates in a shape of a row-major flat index, where guards hold. */
export function unflatten(flat: Index, shape: readonly number[], guards: readonly Guard[] = []): Index[] {
  let rest = flat;
  const coords = new Array<Index>(shape.length);
  for (let i = shape.length - 1; i > 0; i--) {
    coords[i] = remainder(rest, shape[i], guards);
    rest = quotient(rest, shape[i], guards);
  }
  if (shape.length > 0) coords[0] = rest;
  return coords;
}

export function flatten(coords: readonly Index[], strides: readonly number[]): Index {
  return coords.reduce((sum, c, i) => plus(sum, times(c, strides[i])), ofConstant(0));
}

/** The factor of an axis where it stands by itself; undefined where it also stands inside a quotient, remainder or row. */
export function coefficient(index: Index, axis: Axis): number | undefined {
  let coef = 0;
  for (const { coef: c, atom } of index.terms) {
    if (atom.kind === "axis") coef += atom.axis.id === axis.id ? c : 0;
    else if (atom.kind === "row" ? atom.expr.axes.has(axis.id) : usesAxis(atom.of, axis)) return undefined;
  }
  return coef;
}

export const usesAxis = (index: Index, axis: Axis): boolean => axesIn(index).has(axis.id);

/** Ids of all axes that an index depends on. */
export function axesIn(index: Index, into: Set<number> = new Set()): Set<number> {
  for (const { atom } of index.terms) {
    if (atom.kind === "axis") into.add(atom.axis.id);
    else if (atom.kind === "row") for (const id of atom.expr.axes) into.add(id);
    else axesIn(atom.of, into);
  }
  return into;
}

/** The index with axes replaced; rows are rewritten by the given function. */
export function substitute(index: Index, axes: ReadonlyMap<number, Index>, row: (e: Expr) => Expr): Index {
  let sum = ofConstant(index.offset);
  for (const { coef, atom } of index.terms) {
    let value: Index;
    if (atom.kind === "axis") value = axes.get(atom.axis.id) ?? ofAxis(atom.axis);
    else if (atom.kind === "row") value = ofRow(row(atom.expr), atom.rows);
    else value = (atom.kind === "div" ? quotient : remainder)(substitute(atom.of, axes, row), atom.by);
    sum = plus(sum, times(value, coef));
  }
  return sum;
}
