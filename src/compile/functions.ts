// Functions that kernels call instead of containing them, as expressions of their argument.
import { farSine } from "../graph/internal.ts";
import { ofConstant } from "./affine.ts";
import { Expressions } from "./expressions.ts";
import type { Expr } from "./kernel.ts";

/** A function of one f64. */
export interface ScalarFunction {
  /** In the order of computation; the only load is the argument. */
  readonly exprs: readonly Expr[];
  readonly result: Expr;
}

/** sin(x + quarters·π/2) for far x. */
export function farSineFunction(quarters: 0 | 1): ScalarFunction {
  const exprs = new Expressions();
  const x = exprs.load(0, ofConstant(0), [], "f64");
  const digit = (i: Expr): Expr => exprs.op("digitOfTwoOverPi", [i], "f64");
  const result = farSine(exprs.scalars("f64"), x, quarters, digit);
  return { exprs: exprs.list, result };
}
