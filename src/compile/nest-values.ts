// The values of a kernel in the loop form: each is computed where it is first needed, and at hand from there on.
import { liveExprs, type TiledKernel } from "./4-tile.ts";
import { type Axis, coefficient, type Index } from "./affine.ts";
import { choiceOf, type Expr, type Guard } from "./kernel.ts";
import type { Block, Condition, Mode, Operator, Place, Position, Statement, Value, Variable } from "./loop-form.ts";

/** Offsets from the loop variables that tell the elements of a register tile apart, by axis id. */
export type Instance = ReadonlyMap<number, number>;
export const none: Instance = new Map();

export class Values {
  readonly kernel: TiledKernel;
  readonly live: readonly Expr[];
  /** Expressions that need a finished reduction. */
  readonly finished: ReadonlySet<Expr>;
  /** What reductions come to, by reduction and instance. */
  readonly results: Map<string, Value> = new Map();
  /** The vector (by its offset along the vector axis) of which only some lanes are in use: past them nothing is read. */
  partial: { readonly offset: number; readonly lanes: number };
  /** The blocks that are open, with the values at hand in each. */
  readonly #open: {
    readonly statements: Statement[];
    readonly values: Map<string, Value>;
    /** Id of the axis whose variable moves on in this block: what varies along it has other values than outside. */
    readonly moved: number | undefined;
  }[] = [];

  constructor(kernel: TiledKernel) {
    this.kernel = kernel;
    this.live = liveExprs(kernel);
    this.partial = { offset: -1, lanes: kernel.lanes };
    const finished = new Set<Expr>();
    for (const e of this.live) if (e.kind === "reduction" || e.args.some((a) => finished.has(a))) finished.add(e);
    this.finished = finished;
  }

  /** What the body adds, as a block; the values in it are not at hand outside, nor those from outside that vary along an axis that moves. */
  block(body: () => void, moved?: number): Block {
    const statements: Statement[] = [];
    this.#open.push({ statements, values: new Map(), moved });
    body();
    this.#open.pop();
    return statements;
  }

  /** A loop in which an axis's variable moves on from where it is. */
  roll(axis: Axis, variable: Variable, count: number, step: number, body: (counter: Variable) => void): void {
    const counter = { name: `k${axis.id}` };
    this.add({ kind: "roll", variable, counter, count, step, body: this.block(() => body(counter), axis.id) });
  }

  add(statement: Statement): void {
    this.#open[this.#open.length - 1].statements.push(statement);
  }

  /** An expression's value for an instance, computed here if it is not at hand. */
  value(e: Expr, instance: Instance, mode: Mode): Value {
    if (e.kind === "const") return { kind: "const", value: e.value, dtype: e.dtype, vector: mode === "vector" };
    if (e.kind === "reduction") return this.results.get(resultKey(e.reduction, instance))!;
    const key = `${e.id}${mode}${restricted(e, instance)}`;
    const found = this.#atHand(key, e);
    if (found !== undefined) return found;
    return this.let(mode === "vector" ? this.#vector(e, instance) : this.#compute(e, instance, "scalar"), key);
  }

  /** Has a value computed here; under a key, it is at hand from now on. */
  let(value: Value, key?: string): Value {
    const { statements, values } = this.#open[this.#open.length - 1];
    statements.push({ kind: "let", value });
    if (key !== undefined) values.set(key, value);
    return value;
  }

  #atHand(key: string, { axes }: Expr): Value | undefined {
    for (let i = this.#open.length - 1; i >= 0; i--) {
      const { values, moved } = this.#open[i];
      const found = values.get(key);
      if (found !== undefined) return found;
      if (moved !== undefined && axes.has(moved)) return undefined;
    }
  }

  /** A vector; what is the same in all lanes is computed once, and spread. */
  #vector(e: Expr, instance: Instance): Value {
    if (e.axes.has(this.kernel.vector!.id) || this.finished.has(e)) return this.#compute(e, instance, "vector");
    const single = this.#atHand(`${e.id}scalar${restricted(e, instance)}`, e);
    if (single === undefined && e.kind === "load") return this.#compute(e, instance, "vector");
    return { kind: "spread", of: single ?? this.value(e, instance, "scalar"), dtype: e.dtype, vector: true };
  }

  #compute(e: Expr, instance: Instance, mode: Mode): Value {
    const type = { dtype: e.dtype, vector: mode === "vector" };
    switch (e.kind) {
      case "op": {
        const { op, args } = mode === "vector" ? operationOf(e) : e;
        return { kind: "op", op, by: e.by, args: args.map((a) => this.value(a, instance, mode)), ...type };
      }
      case "load":
        return this.#load(e, instance, mode);
      case "index":
        return { kind: "index", position: this.#position(e.index, instance), step: this.#step(e.index, mode), ...type };
      case "inside":
        return { kind: "inside", conditions: e.guards.map((g) => this.#condition(g, instance, mode)), ...type };
      default:
        throw new Error(`nest: a ${e.kind} is not computed here`);
    }
  }

  #load(e: Expr & { kind: "load" }, instance: Instance, mode: Mode): Value & { kind: "load" } {
    const { vector, lanes } = this.kernel;
    const conditions = e.guards.map((g) => this.#condition(g, instance, mode));
    const inLanes = conditions.filter((c) => c.step !== 0);
    const step = this.#step(e.index, mode);
    const offset = vector === undefined ? 0 : (instance.get(vector.id) ?? 0);
    return {
      kind: "load",
      place: this.place(e.buffer, e.index, e.dtype, instance),
      step,
      lanes: mode === "vector" && offset === this.partial.offset ? this.partial.lanes : lanes,
      conditions: conditions.filter((c) => c.step === 0),
      inLanes,
      masked: step === 1 && inLanes.every((c) => c.step === 1),
      dtype: e.dtype,
      vector: mode === "vector",
    };
  }

  #condition({ index, size }: Guard, instance: Instance, mode: Mode): Condition {
    return { ...this.#position(index, instance), size, step: this.#step(index, mode) };
  }

  #step(index: Index, mode: Mode): number {
    return mode === "vector" ? coefficient(index, this.kernel.vector!)! : 0;
  }

  place(buffer: number, index: Index, dtype: Expr["dtype"], instance: Instance, further = 0): Place {
    return { buffer, dtype, ...this.#position(index, instance, further) };
  }

  #position(index: Index, instance: Instance, further = 0): Position {
    let at = index.offset + further;
    const rows = new Map<Expr, Value>();
    for (const { coef, atom } of index.terms) if (atom.kind === "axis") at += coef * (instance.get(atom.axis.id) ?? 0);
    for (const e of rowsIn(index)) rows.set(e, this.value(e, none, "scalar"));
    return { index, at, rows };
  }
}

/** The key of what a reduction comes to at an element of the tile. */
export const resultKey = (reduction: number, instance: Instance): string =>
  `${reduction} ${[...instance].map(([id, offset]) => `${id}:${offset}`).join()}`;

/** Row numbers that an index reads from memory. */
export function rowsIn(index: Index): Expr[] {
  return index.terms.flatMap(({ atom }) =>
    atom.kind === "row" ? [atom.expr] : atom.kind === "axis" ? [] : rowsIn(atom.of),
  );
}

/** The part of an instance that an expression depends on, as text. */
function restricted(e: Expr, instance: Instance): string {
  let text = "";
  for (const [id, offset] of instance) if (offset !== 0 && e.axes.has(id)) text += ` ${id}+${offset}`;
  return text;
}

/** An operation on vectors: choices and scalings that are one instruction, and all others as they are. */
function operationOf(e: Expr & { kind: "op" }): { readonly op: Operator; readonly args: readonly Expr[] } {
  const choice = choiceOf(e);
  if (choice !== undefined) return { op: choice, args: e.args.slice(1) };
  return (e.op === "mul" && e.dtype === "f32" ? scalingOf(e) : undefined) ?? e;
}

/** a · 2ⁿ as the elementary functions write it: by two powers, since one could leave the range. */
function scalingOf({ args: [product, last] }: Expr & { kind: "op" }): ReturnType<typeof operationOf> | undefined {
  if (!isOp(product, "mul") || !isOp(last, "pow2") || !isOp(last.args[0], "sub")) return undefined;
  const [n, half] = last.args[0].args;
  const [a, first] = product.args;
  const halved = isOp(half, "sar") && half.by === 1 && half.args[0] === n;
  return halved && isOp(first, "pow2") && first.args[0] === half ? { op: "scale", args: [a, n] } : undefined;
}

const isOp = (e: Expr, op: Operator): e is Expr & { kind: "op" } => e.kind === "op" && e.op === op;
