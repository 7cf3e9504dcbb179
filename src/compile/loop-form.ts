// The loop form: what a kernel does, loop by loop and value by value. Pass 7 makes it; emitters print it and decide nothing.
import type { Axis, Index } from "./affine.ts";
import type { Expr, Reduction, ScalarOp, ScalarType } from "./kernel.ts";

/** A whole number that is set or counted while a kernel runs: where a loop stands. */
export interface Variable {
  readonly name: string;
  /** The axis that it runs along, if indices depend on it. */
  readonly axis?: Axis;
}

/** The name of an axis's variable. */
export const axisName = ({ id }: Axis): string => `i${id}`;

/** Whole numbers from variables; min: the lesser of two. */
export type Whole =
  | number
  | Variable
  | { readonly op: "add" | "mul" | "div" | "mod" | "min"; readonly a: Whole; readonly b: Whole };

/** The tasks that a call of the kernel runs: from `begin` to before `end`. */
export const begin: Variable = { name: "begin" };
export const end: Variable = { name: "end" };

/** An index at one element of a register tile: its terms, and a constant that replaces its own. */
export interface Position {
  readonly index: Index;
  readonly at: number;
  /** Row numbers that the index reads from memory. */
  readonly rows: ReadonlyMap<Expr, Value>;
}

export interface Place extends Position {
  readonly buffer: number;
  readonly dtype: ScalarType;
}

/** 0 ≤ position < size; in lane k, of the position k · step further on. */
export interface Condition extends Position {
  readonly size: number;
  readonly step: number;
}

/** A running total of a reduction, for one element of the tile or, lane by lane, for a vector of them. */
export interface Total {
  readonly reduction: Reduction;
  readonly vector: boolean;
  /** Begins anew at each stage, and is added to a total of the stages. */
  readonly staged: boolean;
}

/** Operations besides those of expressions, on vectors: x < y ? x : y, y < x ? x : y, and a · 2ⁿ, for which some processors have one instruction. */
export type Operator = ScalarOp | "lesser" | "greater" | "scale";

/** What emitters need to know of an operation, of a value or of an expression. */
export interface Operation {
  readonly op: Operator;
  /** Bits of a shift; quarter turns of a far sine. */
  readonly by: number;
  readonly dtype: ScalarType;
  readonly args: readonly { readonly dtype: ScalarType }[];
}

export type Mode = "vector" | "scalar";

/** One value, or one in each lane. */
export type Value = { readonly dtype: ScalarType; readonly vector: boolean } & (
  | { readonly kind: "const"; readonly value: number }
  | { readonly kind: "op"; readonly op: Operator; readonly by: number; readonly args: readonly Value[] }
  | Load
  | { readonly kind: "index"; readonly position: Position; readonly step: number }
  | { readonly kind: "inside"; readonly conditions: readonly Condition[] }
  /** One value in all lanes. */
  | { readonly kind: "spread"; readonly of: Value }
  /** The sum or the maximum of all lanes. */
  | { readonly kind: "across"; readonly op: Reduction["op"]; readonly of: Value }
  | { readonly kind: "total"; readonly total: Total }
  /** An element of what `array` has put side by side. */
  | { readonly kind: "element"; readonly array: string; readonly at: Whole }
);

export interface Load {
  readonly kind: "load";
  readonly place: Place;
  /** Elements from one lane to the next. */
  readonly step: number;
  /** Lanes that are read; what the others hold is not looked at. */
  readonly lanes: number;
  /** The value is 0 where one of these fails: the same in all lanes. */
  readonly conditions: readonly Condition[];
  /** And lane by lane. */
  readonly inLanes: readonly Condition[];
  /** All of a vector may be read where one of its lanes may: buffers have room around them. */
  readonly masked: boolean;
}

export type Statement =
  /** for (variable = from; variable < to; variable += step); unrolled: whatever compiles the code should write out the rounds. */
  | {
      readonly kind: "loop";
      readonly variable: Variable;
      readonly from: Whole;
      readonly to: Whole;
      readonly step: number;
      readonly unrolled: boolean;
      readonly body: Block;
    }
  /** Variables with a value each. */
  | {
      readonly kind: "within";
      readonly values: readonly { readonly variable: Variable; readonly value: Whole }[];
      readonly body: Block;
    }
  | { readonly kind: "when"; readonly less: Whole; readonly than: Whole; readonly body: Block }
  /** The axis's variable goes `step` further in each of so many rounds, which `counter` counts, and then back. */
  | {
      readonly kind: "roll";
      readonly variable: Variable;
      readonly counter: Variable;
      readonly count: number;
      readonly step: number;
      readonly body: Block;
    }
  | { readonly kind: "block"; readonly body: Block }
  /** Computes a value, which what follows in this block may use. */
  | { readonly kind: "let"; readonly value: Value }
  /** Begins a total with the reduction's neutral element. */
  | { readonly kind: "open"; readonly total: Total }
  /** Adds a term to a total; only its first lanes count. */
  | { readonly kind: "add"; readonly total: Total; readonly term: Value; readonly lanes: number }
  | { readonly kind: "endStage"; readonly total: Total }
  /** After the last term: a total becomes what it comes to. */
  | { readonly kind: "settle"; readonly total: Total }
  | { readonly kind: "array"; readonly array: string; readonly totals: readonly Total[] }
  /** Stores the first lanes of a value, `step` elements apart. */
  | {
      readonly kind: "store";
      readonly place: Place;
      readonly value: Value;
      readonly step: number;
      readonly lanes: number;
    }
  | { readonly kind: "prefetch"; readonly place: Place };

export type Block = readonly Statement[];
