// What values indices take, for the verifier: found by trying every point, with arithmetic of its own, not the compiler's bounds.
import type { Atom, Index, Term } from "../affine.ts";
import type { Guard } from "../kernel.ts";

/** Points tried at most for what cannot be taken apart; of larger spaces so many are drawn, the corners among them. */
const most = 100_000;

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** A variable of an index: an axis, or a row number, which may be any. */
interface Variable {
  readonly key: string;
  readonly extent: number;
}

function variablesIn(index: Index, into: Map<string, Variable> = new Map()): Map<string, Variable> {
  for (const { atom } of index.terms) {
    if (atom.kind === "axis") into.set(atom.key, { key: atom.key, extent: atom.axis.extent });
    else if (atom.kind === "row") into.set(atom.key, { key: atom.key, extent: atom.rows });
    else variablesIn(atom.of, into);
  }
  return into;
}

/** The value of an index at a point, which is a value a variable. */
export function valueAt(index: Index, point: ReadonlyMap<string, number>): number {
  return termsAt(index.terms, point) + index.offset;
}

function termsAt(terms: readonly Term[], point: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const { coef, atom } of terms) sum += coef * atomAt(atom, point);
  return sum;
}

function atomAt(atom: Atom, point: ReadonlyMap<string, number>): number {
  if (atom.kind === "axis" || atom.kind === "row") return point.get(atom.key)!;
  const of = valueAt(atom.of, point);
  const whole = Math.floor(of / atom.by);
  return atom.kind === "div" ? whole : of - whole * atom.by;
}

/** Terms and guards that share no variable with others can be looked at by themselves. */
interface Component {
  readonly variables: Map<string, Variable>;
  readonly terms: Term[];
  readonly guards: Guard[];
}

function componentsOf(index: Index, guards: readonly Guard[]): Component[] {
  let components: Component[] = [];
  const join = (made: Component): void => {
    const touching = components.filter((c) => [...made.variables.keys()].some((v) => c.variables.has(v)));
    for (const c of touching) {
      for (const [key, v] of c.variables) made.variables.set(key, v);
      made.terms.push(...c.terms);
      made.guards.push(...c.guards);
    }
    components = [...components.filter((c) => !touching.includes(c)), made];
  };
  for (const term of index.terms)
    join({ variables: variablesIn({ ...index, terms: [term] }), terms: [term], guards: [] });
  for (const guard of guards) join({ variables: variablesIn(guard.index), terms: [], guards: [guard] });
  return components;
}

/** Every point of the variables' space; of a large one its corners and some points drawn with a fixed seed. */
export function* pointsOf(variables: readonly Variable[]): Iterable<ReadonlyMap<string, number>> {
  const point = new Map(variables.map((v) => [v.key, 0]));
  const count = variables.reduce((n, v) => n * v.extent, 1);
  if (count <= most) {
    for (let i = 0; i < count; i++) {
      for (let k = variables.length - 1, rest = i; k >= 0; k--) {
        const { key, extent } = variables[k];
        point.set(key, rest % extent);
        rest = Math.floor(rest / extent);
      }
      yield point;
    }
    return;
  }
  let state = 1;
  for (let i = 0; i < most / 10; i++) {
    variables.forEach(({ key, extent }, k) => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      const corner = i < 1024 && k < 10;
      point.set(key, corner ? ((i >> k) & 1) * (extent - 1) : Math.floor(((state >>> 0) / 2 ** 32) * extent));
    });
    yield point;
  }
}

/** Least and greatest value of an index where its guards hold; undefined if they never do. */
export function rangeOf(index: Index, guards: readonly Guard[]): Range | undefined {
  let [min, max] = [index.offset, index.offset];
  for (const { variables, terms, guards: own } of componentsOf(index, guards)) {
    const range = rangeOfTerms([...variables.values()], terms, own);
    if (range === undefined) return undefined;
    min += range.min;
    max += range.max;
  }
  return { min, max };
}

function rangeOfTerms(
  variables: readonly Variable[],
  terms: readonly Term[],
  guards: readonly Guard[],
): Range | undefined {
  if (variables.some((v) => v.extent === 0)) return undefined;
  const [only] = terms;
  if (guards.length === 0 && terms.length === 1 && (only.atom.kind === "axis" || only.atom.kind === "row")) {
    const end = only.coef * (variables[0].extent - 1);
    return { min: Math.min(0, end), max: Math.max(0, end) };
  }
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const point of pointsOf(variables)) {
    const holds = guards.every(({ index, size }) => {
      const at = valueAt(index, point);
      return at >= 0 && at < size;
    });
    if (!holds) continue;
    const value = termsAt(terms, point);
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  return min > max ? undefined : { min, max };
}

/** Whether an index names each of 0 … size − 1 exactly once as the variables run; a line that says what is wrong, if not. */
export function coverage(
  index: Index,
  axes: readonly { id: number; extent: number }[],
  size: number,
): string | undefined {
  const points = axes.reduce((n, a) => n * a.extent, 1);
  if (points !== size) return `${points} iterations store ${size} elements`;
  const steps = [...index.terms].sort((a, b) => Math.abs(a.coef) - Math.abs(b.coef));
  let radix = 1;
  for (const { coef, atom } of steps) {
    if (atom.kind !== "axis") return covered(index, axes, size);
    if (Math.abs(coef) !== radix) return covered(index, axes, size);
    radix *= atom.axis.extent;
  }
  return radix === size ? undefined : `the index names ${radix} of ${size} elements`;
}

/** The same by trying. */
function covered(index: Index, axes: readonly Loop[], size: number): string | undefined {
  if (size > most) return "its digits do not fit together";
  return coverageTogether([{ index, axes }], size, rangeOf(index, [])!.min);
}

interface Loop {
  readonly id: number;
  readonly extent: number;
}

/** Whether several indices between them name each of 0 … size − 1 exactly once; of more than can be tried, only how many they are. */
export function coverageTogether(
  parts: readonly { readonly index: Index; readonly axes: readonly Loop[] }[],
  size: number,
  least = 0,
): string | undefined {
  const points = parts.reduce((sum, { axes }) => sum + axes.reduce((n, a) => n * a.extent, 1), 0);
  if (points !== size) return `${points} iterations store ${size} elements`;
  if (size > most) return undefined;
  const seen = new Uint8Array(size);
  for (const { index, axes } of parts) {
    for (const point of pointsOf(axes.map((a) => ({ key: `i${a.id}`, extent: a.extent })))) {
      const at = valueAt(index, point) - least;
      if (!(at >= 0 && at < size)) return `element ${at} is past the end`;
      if (seen[at]++ > 0) return `element ${at} is stored twice`;
    }
  }
  return undefined;
}
