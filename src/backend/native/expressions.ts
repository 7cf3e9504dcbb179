// How a kernel's expressions are said in C: constants, operations by name, indices.
import type { Atom, Index } from "../../compile/affine.ts";
import type { Expr, ScalarType } from "../../compile/kernel.ts";
import { axisName, type Mode, type Operation, type Operator } from "../../compile/loop-form.ts";

const letters: Record<ScalarType, string> = { f32: "f", f64: "d", i32: "i", i64: "l", bool: "b" };

/** Name of a type in the prelude: f, d, i, l, b, or vf, vi, vb. */
export const typeName = (dtype: ScalarType, mode: Mode = "scalar"): string =>
  `${mode === "vector" ? "v" : ""}${letters[dtype]}`;

const infix: Partial<Record<Operator, string>> = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  lt: "<",
  le: "<=",
  eq: "==",
  and: "&",
  or: "|",
  xor: "^",
};
const comparisons = new Set<Operator>(["lt", "le", "eq"]);

/** A constant as one value; all bits of a float survive. */
export function constantText(value: number, dtype: ScalarType): string {
  if (dtype === "i32" || dtype === "bool") return value === -(2 ** 31) ? "(-2147483647 - 1)" : `(${value})`;
  if (dtype === "i64") return `(${BigInt(value)}ll)`;
  const suffix = dtype === "f32" ? "f" : "";
  if (Number.isNaN(value)) return `__builtin_nan${suffix}("")`;
  if (!Number.isFinite(value)) return `(${value < 0 ? "-" : ""}__builtin_inf${suffix}())`;
  const digits = Object.is(value, -0) ? "-0" : String(value);
  return `(${/[.e]/.test(digits) ? digits : `${digits}.0`}${suffix})`;
}

/** An operation on operands already in C. */
export function operationText(e: Operation, mode: Mode, args: readonly string[]): string {
  const { op } = e;
  const from = e.args[0].dtype;
  const type = typeName(from, mode);
  const [a, b] = args;
  if (op === "neg") return from === "i32" || from === "i64" ? `(-${a})` : `neg_${type}(${a})`;
  if (op === "where") return `where_${typeName(e.dtype, mode)}(${args.join(", ")})`;
  if (op === "cast") return from === e.dtype ? a : `cast_${type}_${typeName(e.dtype, mode)}(${a})`;
  if (op === "farSine") return `farSine_${type}(${a}, ${b}, ${e.by})`;
  if (op === "shl" || op === "shr" || op === "sar") return `${op}_${type}(${a}, ${e.by})`;
  if (op === "div" && from === "i32") return `div_i(${a}, ${b})`;
  if (op === "max" && from === "f32" && isPositive(e.args[1])) return `clamp_${type}(${a}, ${b})`;
  const sign = infix[op];
  if (sign === undefined) return `${op}_${type}(${args.join(", ")})`;
  if (!comparisons.has(op)) return `(${a} ${sign} ${b})`;
  if (mode === "scalar") return `(${a} ${sign} ${b})`;
  // true is −1 in a lane, so truths compare the other way round
  return from === "bool" && op !== "eq" ? `(vb)(${b} ${sign} ${a})` : `(vb)(${a} ${sign} ${b})`;
}

/** Whether an operand is a constant from +0 up. */
const isPositive = (operand: Operation["args"][number]): boolean =>
  "value" in operand && (operand.value as number) >= 0 && !Object.is(operand.value, -0);

/** The terms of an index and a constant as a 64-bit expression; `row` gives the C of a row number read from memory. */
export function indexText({ terms }: Index, constant: number, row: (e: Expr) => string): string {
  const parts = terms.map(({ coef, atom }) => (coef === 1 ? "" : `${coef} * `) + atomText(atom, row));
  if (constant !== 0 || parts.length === 0) parts.push(`(${constant})`);
  return parts.join(" + ");
}

function atomText(atom: Atom, row: (e: Expr) => string): string {
  if (atom.kind === "axis") return axisName(atom.axis);
  if (atom.kind === "row") return `row(${row(atom.expr)}, ${atom.rows})`;
  // C rounds towards zero, so the dividend is raised by whole divisors until it cannot be negative
  const raised = Math.max(0, Math.ceil(-atom.of.min / atom.by));
  const dividend = indexText(atom.of, atom.of.offset + raised * atom.by, row);
  if (atom.kind === "mod") return `((${dividend}) % ${atom.by})`;
  return raised > 0 ? `((${dividend}) / ${atom.by} - ${raised})` : `((${dividend}) / ${atom.by})`;
}
