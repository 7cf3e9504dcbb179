// Building a kernel's expressions: equal ones are shared, arithmetic is simplified, elementary functions are written out.
import { type Elementary, elementary, type Scalars } from "../graph/internal.ts";
import { axesIn, type Index } from "./affine.ts";
import { type Expr, type Guard, printExpr, type ScalarOp, type ScalarType } from "./kernel.ts";

type Draft = Expr extends infer E ? (E extends Expr ? Omit<E, "id" | "axes"> : never) : never;

export class Expressions {
  readonly list: Expr[];
  readonly #byKey = new Map<string, Expr>();

  /** With those that there are already. */
  constructor(before: readonly Expr[] = []) {
    this.list = [...before];
  }

  constant(value: number, dtype: ScalarType): Expr {
    return this.#add({ kind: "const", value: dtype === "f32" ? Math.fround(value) : value, dtype, args: [] });
  }
  load(buffer: number, index: Index, guards: readonly Guard[], dtype: ScalarType): Expr {
    return this.#add({
      kind: "load",
      buffer,
      index,
      guards,
      dtype,
      args: rowsOf(index, ...guards.map((g) => g.index)),
    });
  }
  index(index: Index): Expr {
    return this.#add({ kind: "index", index, dtype: "i32", args: rowsOf(index) });
  }
  inside(guards: readonly Guard[]): Expr {
    return this.#add({ kind: "inside", guards, dtype: "bool", args: rowsOf(...guards.map((g) => g.index)) });
  }
  reduction(reduction: number, dtype: ScalarType, axes: ReadonlySet<number>): Expr {
    return this.#add({ kind: "reduction", reduction, dtype, args: [] }, axes);
  }

  op(op: ScalarOp, args: readonly Expr[], dtype: ScalarType = args[args.length - 1].dtype, by = 0): Expr {
    const [a, b] = args;
    if (op === "add" && isOp(b, "neg")) return this.op("sub", [a, b.args[0]]);
    if (op === "add" && isOp(a, "neg")) return this.op("sub", [b, a.args[0]]);
    if (op === "mul" && isConst(b, 1)) return a;
    if (op === "mul" && isConst(a, 1)) return b;
    if (op === "where" && args[0].kind === "const") return args[0].value !== 0 ? args[1] : args[2];
    return this.#add({ kind: "op", op, args, dtype, by });
  }

  elementary(name: Elementary, x: Expr): Expr {
    return elementary[name].of(this.scalars(x.dtype as "f32" | "f64"), x);
  }

  /** The operations in which elementary functions are written, as expressions. */
  scalars(dtype: "f32" | "f64"): Scalars<Expr> {
    const int: ScalarType = dtype === "f32" ? "i32" : "i64";
    const op =
      (name: ScalarOp, type?: ScalarType) =>
      (...args: Expr[]): Expr =>
        this.op(name, args, type);
    return {
      dtype,
      constant: (v) => this.constant(v, dtype),
      add: op("add"),
      sub: op("sub"),
      mul: op("mul"),
      div: op("div"),
      neg: op("neg"),
      abs: op("abs"),
      sqrt: op("sqrt"),
      floor: op("floor"),
      copySign: op("copySign", dtype),
      lt: op("lt", "bool"),
      le: op("le", "bool"),
      eq: op("eq", "bool"),
      select: op("where"),
      round: op("round", int),
      toFloat: op("toFloat", dtype),
      integer: (v) => this.constant(v, int),
      iadd: op("add"),
      isub: op("sub"),
      iand: op("and"),
      ishr: (a, bits) => this.op("sar", [a], int, bits),
      ieq: op("eq", "bool"),
      pow2: op("pow2", dtype),
      exponent: op("exponent", int),
      mantissa: op("mantissa", dtype),
      high: op("high", dtype),
      farSine: (near, x, quarters) => this.op("farSine", [near, x], dtype, quarters),
    };
  }

  #add(draft: Draft, axes: ReadonlySet<number> = dependencies(draft)): Expr {
    const e = { ...draft, id: this.list.length, axes } as Expr;
    const key = `${printExpr(e)} ${e.dtype}`;
    const found = this.#byKey.get(key);
    if (found !== undefined) return found;
    this.#byKey.set(key, e);
    this.list.push(e);
    return e;
  }
}

const isOp = (e: Expr | undefined, op: ScalarOp): e is Expr & { kind: "op" } => e?.kind === "op" && e.op === op;
const isConst = (e: Expr | undefined, value: number): boolean => e?.kind === "const" && e.value === value;

/** Row numbers that indices read from memory: operands like any other. */
function rowsOf(...indices: Index[]): Expr[] {
  const rows: Expr[] = [];
  const visit = (index: Index): void => {
    for (const { atom } of index.terms) {
      if (atom.kind === "row") rows.push(atom.expr);
      else if (atom.kind !== "axis") visit(atom.of);
    }
  };
  indices.forEach(visit);
  return rows;
}

function dependencies(draft: Draft): ReadonlySet<number> {
  const axes = new Set<number>();
  for (const a of draft.args) for (const id of a.axes) axes.add(id);
  if (draft.kind === "load" || draft.kind === "index") axesIn(draft.index, axes);
  if (draft.kind === "load" || draft.kind === "inside") for (const g of draft.guards) axesIn(g.index, axes);
  return axes;
}
