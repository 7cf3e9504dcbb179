// The kernel: loop axes, reductions, scalar expressions, stores. The whole vocabulary between the scheduler and the emitters.
import type { DType, Node } from "../graph/internal.ts";
import type { Axis, Index } from "./affine.ts";

/** Element types inside a kernel; i64 holds the bits of an f64 in elementary functions. */
export type ScalarType = DType | "i64";

/** Operations on scalars that emitters know. Elementary functions have been rewritten in terms of them. */
export type ScalarOp =
  | "neg"
  | "abs"
  | "sqrt"
  | "floor"
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "max"
  | "mod"
  | "copySign"
  | "lt"
  | "le"
  | "eq"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "shr"
  | "sar"
  | "where"
  | "cast"
  | "round"
  | "toFloat"
  | "pow2"
  | "exponent"
  | "mantissa"
  | "high"
  | "farSine"
  | "digitOfTwoOverPi";

/** 0 ≤ index < size. */
export interface Guard {
  readonly index: Index;
  readonly size: number;
  /** Outside, nobody looks at what is read: it need only be safe to read. */
  readonly unseen?: boolean;
}

interface Common {
  /** Position in the kernel's expressions; operands come before their users. */
  readonly id: number;
  readonly dtype: ScalarType;
  readonly args: readonly Expr[];
  /** Ids of the axes that the value varies along. */
  readonly axes: ReadonlySet<number>;
}

export type Expr = Common &
  (
    | { readonly kind: "const"; readonly value: number }
    /** An element of a buffer; 0 where a guard fails. */
    | { readonly kind: "load"; readonly buffer: number; readonly index: Index; readonly guards: readonly Guard[] }
    /** The index itself, as i32. */
    | { readonly kind: "index"; readonly index: Index }
    /** Whether all guards hold. */
    | { readonly kind: "inside"; readonly guards: readonly Guard[] }
    /** The finished value of a reduction. */
    | { readonly kind: "reduction"; readonly reduction: number }
    | {
        readonly kind: "op";
        readonly op: ScalarOp /** Bits of a shift; quarter turns of a far sine. */;
        readonly by: number;
      }
  );

export interface Reduction {
  readonly op: "sum" | "max";
  readonly value: Expr;
  /** A long sum, whose rounding errors are added up beside it. */
  readonly compensated: boolean;
}

export interface Store {
  readonly buffer: number;
  readonly index: Index;
  readonly value: Expr;
}

/** A buffer parameter: what a node's value, or a leaf, is kept in. */
export interface BufferUse {
  readonly node: Node;
  readonly written: boolean;
  /** Of a node that several kernels write: each writes other elements. */
  readonly shared?: boolean;
}

export interface Kernel {
  /** Loops over the results, outermost first. */
  readonly outer: readonly Axis[];
  /** Loops of the reductions, outermost first. */
  readonly reduced: readonly Axis[];
  readonly reductions: readonly Reduction[];
  readonly stores: readonly Store[];
  readonly exprs: readonly Expr[];
  readonly buffers: readonly BufferUse[];
  /** Iterations depend on each other (scattering): one thread, in order, one lane. */
  readonly serial: boolean;
  /** How many of the outermost loops run over strips, between which other kernels run. */
  readonly strips?: number;
  /** The last of these, if sums go on along it: each of its strips adds to what the one before wrote, the first to 0. */
  readonly adds?: Axis;
}

/** Every index that an expression itself reads with. */
export function indicesIn(e: Expr): Index[] {
  if (e.kind === "load") return [e.index, ...e.guards.map((g) => g.index)];
  if (e.kind === "index") return [e.index];
  return e.kind === "inside" ? e.guards.map((g) => g.index) : [];
}

/** A kernel as text; kernels that print alike are one function. */
export function printKernel(kernel: Kernel): string {
  const lines = kernel.buffers.map((b, i) => `b${i}: ${b.node.dtype}${b.written ? " out" : ""}`);
  const axes = (list: readonly Axis[]): string => list.map((a) => `i${a.id}<${a.extent}`).join(" ");
  const [strips, rest] = [kernel.outer.slice(0, kernel.strips ?? 0), kernel.outer.slice(kernel.strips ?? 0)];
  if (kernel.strips !== undefined) lines.push(`strips ${axes(strips)}${kernel.adds ? " adding up" : ""}`);
  lines.push(`for ${axes(rest)}${kernel.serial ? " serially" : ""}`);
  if (kernel.reductions.length > 0) lines.push(`reduce ${axes(kernel.reduced)}`);
  for (const e of kernel.exprs) lines.push(`  %${e.id} = ${printExpr(e)} ${e.dtype}`);
  kernel.reductions.forEach((r, i) => {
    lines.push(`  r${i} = ${r.compensated ? "compensated " : ""}${r.op} %${r.value.id}`);
  });
  for (const s of kernel.stores) lines.push(`  b${s.buffer}[${s.index.key}] = %${s.value.id}`);
  return lines.join("\n");
}

export function printExpr(e: Expr): string {
  const guards = (list: readonly Guard[]): string => list.map((g) => ` if ${g.index.key}<${g.size}`).join("");
  switch (e.kind) {
    case "const":
      return Object.is(e.value, -0) ? "-0" : String(e.value);
    case "load":
      return `b${e.buffer}[${e.index.key}]${guards(e.guards)}`;
    case "index":
      return `index ${e.index.key}`;
    case "inside":
      return `inside${guards(e.guards)}`;
    case "reduction":
      return `r${e.reduction}`;
    case "op":
      return `${e.op}(${e.args.map((a) => `%${a.id}`).join(", ")}${e.by === 0 ? "" : `, ${e.by}`})`;
  }
}

/** Whether a choice is x < y ? x : y ("lesser") or y < x ? x : y ("greater"), for which processors have one instruction; y stands where one is NaN. */
export function choiceOf(e: Expr): "lesser" | "greater" | undefined {
  if (e.kind !== "op" || e.op !== "where" || e.dtype !== "f32") return undefined;
  const [condition, x, y] = e.args;
  if (condition.kind !== "op" || condition.op !== "lt") return undefined;
  const [p, q] = condition.args;
  if (p === x && q === y) return "lesser";
  return p === y && q === x ? "greater" : undefined;
}
