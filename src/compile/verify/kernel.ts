// Checks of lowering: a kernel's loops bind its axes, operands agree in type, stores fill their buffers; and what it touches of each.
import { isFloat, type Node, sizeOf } from "../../graph/internal.ts";
import { axesIn, type Index } from "../affine.ts";
import { type Expr, indicesIn, type Kernel, printExpr, type ScalarOp, type ScalarType } from "../kernel.ts";
import { fault as faultAfter, named } from "./fault.ts";
import { coverage, coverageTogether, type Range, rangeOf } from "./ranges.ts";

const fault = (name: string, problem: string): never => faultAfter("lower", `${name}: ${problem}`);

/** Elements, from the least to the greatest, that a kernel touches of each buffer from where its indices start; undefined: none. */
export type Touched = readonly (Range | undefined)[];

/** Checks a kernel, and says what it touches. `name` stands for it in errors. */
export function verifyKernel(kernel: Kernel, name: string): Touched {
  checkAxes(kernel, name);
  for (const { op, value, compensated } of kernel.reductions) {
    if (value.dtype === "bool" || value.dtype === "i64") fault(name, `${op} over ${shown(value)}`);
    if (compensated && (op !== "sum" || value.dtype !== "f32")) fault(name, `a compensated ${op} over ${shown(value)}`);
  }
  for (const e of kernel.exprs) {
    const [a] = e.args;
    const late = e.args.find((x) => x.id >= e.id || kernel.exprs[x.id] !== x);
    if (late !== undefined || kernel.exprs[e.id] !== e) fault(name, `${shown(e)} comes before an operand, ${shown(a)}`);
    const problem = typeProblem(kernel, e);
    if (problem !== undefined) fault(name, `${shown(e)} ${problem}`);
    for (const index of indicesIn(e)) checkBounds(index, name);
  }
  checkStores(kernel, name);
  return touchedBy(kernel);
}

const shown = (e: Expr): string => `%${e.id} = ${printExpr(e)} ${e.dtype}`;

/** Axes are distinct and bound: reduced ones inside reductions only. What expressions say they vary along is so. */
function checkAxes(kernel: Kernel, name: string): void {
  const outer = new Set(kernel.outer.map((a) => a.id));
  const reduced = new Set(kernel.reduced.map((a) => a.id));
  const extents = new Map([...kernel.outer, ...kernel.reduced].map((a) => [a.id, a.extent]));
  if (extents.size !== kernel.outer.length + kernel.reduced.length) fault(name, "two loops share an axis");
  const bound = (index: Index): void => {
    for (const { atom } of index.terms) {
      if (atom.kind === "div" || atom.kind === "mod") bound(atom.of);
      else if (atom.kind === "axis" && extents.get(atom.axis.id) !== atom.axis.extent)
        fault(name, `axis i${atom.axis.id} < ${atom.axis.extent} of the index ${index.key} is no loop of the kernel`);
    }
  };
  for (const e of kernel.exprs) {
    indicesIn(e).forEach(bound);
    const axes = new Set(e.args.flatMap((a) => [...a.axes]));
    for (const index of indicesIn(e)) axesIn(index, axes);
    if (e.kind === "reduction") {
      const from = kernel.reductions[e.reduction];
      if (from === undefined) return fault(name, `${shown(e)} is none of ${kernel.reductions.length} reductions`);
      for (const id of from.value.axes) if (!reduced.has(id)) axes.add(id);
    }
    if (axes.size !== e.axes.size || [...axes].some((id) => !e.axes.has(id)))
      fault(name, `${shown(e)} varies along ${list(axes)}, not ${list(e.axes)}`);
  }
  for (const { index, value } of kernel.stores) {
    bound(index);
    for (const id of [...axesIn(index), ...value.axes])
      if (!outer.has(id)) fault(name, `what is stored at ${index.key}, ${shown(value)}, uses the reduced axis i${id}`);
  }
  for (const { value } of kernel.reductions) {
    const inner = below(value).find((e) => e.kind === "reduction");
    if (inner !== undefined) fault(name, `a reduction over ${shown(value)} holds another, ${shown(inner)}`);
  }
}

const list = (axes: Iterable<number>): string => `[${[...axes].map((id) => `i${id}`).join(" ")}]`;

function below(e: Expr, into: Set<Expr> = new Set()): Expr[] {
  if (!into.has(e)) {
    into.add(e);
    for (const a of e.args) below(a, into);
  }
  return [...into];
}

/** The bounds that an index carries are those of its terms. */
function checkBounds(index: Index, name: string): void {
  let [min, max] = [index.offset, index.offset];
  for (const { coef, atom } of index.terms) {
    const ends =
      atom.kind === "axis"
        ? [0, atom.axis.extent - 1]
        : atom.kind === "row"
          ? [0, atom.rows - 1]
          : atom.kind === "mod"
            ? [0, atom.by - 1]
            : [Math.floor(atom.of.min / atom.by), Math.floor(atom.of.max / atom.by)];
    min += Math.min(coef * ends[0], coef * ends[1]);
    max += Math.max(coef * ends[0], coef * ends[1]);
    if (atom.kind === "div" || atom.kind === "mod") checkBounds(atom.of, name);
  }
  const empty = index.terms.some(({ atom }) => atom.kind === "axis" && atom.axis.extent === 0);
  if (!empty && (min !== index.min || max !== index.max))
    fault(name, `the index ${index.key} runs from ${min} to ${max}, not from ${index.min} to ${index.max}`);
}

const number = (t: ScalarType): boolean => t !== "bool" && t !== "i64";
const float = (t: ScalarType): boolean => t !== "i64" && isFloat(t);
const whole = (t: ScalarType): boolean => t === "i32" || t === "i64";
const bits = (t: ScalarType): boolean => !float(t);
const wholeOf = (t: ScalarType): ScalarType => (t === "f64" ? "i64" : "i32");
const floatOf = (t: ScalarType): ScalarType => (t === "i64" ? "f64" : "f32");

interface Signature {
  readonly operands: number;
  /** What the operands, alike, may be. */
  readonly takes: (t: ScalarType) => boolean;
  readonly gives: (t: ScalarType) => ScalarType;
}

const same = (t: ScalarType): ScalarType => t;
const signature = (operands: number, takes: Signature["takes"], gives: Signature["gives"] = same): Signature => ({
  operands,
  takes,
  gives,
});
const any = (): boolean => true;
const comparison = signature(2, any, () => "bool");

const signatures: Record<Exclude<ScalarOp, "where" | "cast">, Signature> = {
  neg: signature(1, number),
  abs: signature(1, float),
  sqrt: signature(1, float),
  floor: signature(1, float),
  add: signature(2, (t) => t !== "bool"),
  sub: signature(2, (t) => t !== "bool"),
  mul: signature(2, number),
  div: signature(2, float),
  max: signature(2, number),
  mod: signature(2, number),
  copySign: signature(2, float),
  lt: comparison,
  le: comparison,
  eq: comparison,
  and: signature(2, bits),
  or: signature(2, bits),
  xor: signature(2, bits),
  shl: signature(1, whole),
  shr: signature(1, whole),
  sar: signature(1, whole),
  round: signature(1, float, wholeOf),
  toFloat: signature(1, whole, floatOf),
  pow2: signature(1, whole, floatOf),
  exponent: signature(1, float, wholeOf),
  mantissa: signature(1, float),
  high: signature(1, float),
  farSine: signature(2, float),
  digitOfTwoOverPi: signature(1, (t) => t === "i64", floatOf),
};

/** What is wrong with the types of an expression and its operands. */
function typeProblem(kernel: Kernel, e: Expr): string | undefined {
  if (e.kind === "index") return e.dtype === "i32" ? undefined : "is an index, which is i32";
  if (e.kind === "inside") return e.dtype === "bool" ? undefined : "is a condition, which is bool";
  if (e.kind === "const") return undefined;
  if (e.kind === "reduction") {
    const { dtype } = kernel.reductions[e.reduction].value;
    return dtype === e.dtype ? undefined : `is a reduction over ${dtype}`;
  }
  if (e.kind === "load") {
    const buffer = kernel.buffers[e.buffer];
    if (buffer === undefined || buffer.written) return "reads no buffer that is there to be read";
    return buffer.node.dtype === e.dtype ? undefined : `reads a buffer of ${buffer.node.dtype}`;
  }
  const types = e.args.map((a) => a.dtype);
  const wrong = `takes (${types.join(", ")})`;
  if (e.op === "cast") return types.length === 1 && types[0] !== e.dtype ? undefined : wrong;
  if (e.op === "where")
    return types.length === 3 && types[0] === "bool" && types[1] === e.dtype && types[2] === e.dtype
      ? undefined
      : wrong;
  const { operands, takes, gives } = signatures[e.op];
  const shift = e.op === "shl" || e.op === "shr" || e.op === "sar";
  if (shift && !(e.by > 0 && e.by < (types[0] === "i64" ? 64 : 32))) return `shifts ${types[0]} by ${e.by}`;
  const fits = types.length === operands && types.every((t) => t === types[0] && takes(t));
  return fits && gives(types[0]) === e.dtype ? undefined : wrong;
}

/** Every buffer to be written has one store, of its type, that fills it; scattering fills by another kernel first. */
function checkStores(kernel: Kernel, name: string): void {
  kernel.buffers.forEach(({ node, written, shared }, b) => {
    const stores = kernel.stores.filter((s) => s.buffer === b);
    if (stores.length !== (written ? 1 : 0))
      fault(name, `${stores.length} stores to b${b}, ${written ? "which is written" : "which is only read"}`);
    for (const { index, value } of stores) {
      checkBounds(index, name);
      if (value.dtype !== node.dtype) fault(name, `b${b} of ${node.dtype} is given ${shown(value)}`);
      if (kernel.exprs[value.id] !== value)
        fault(name, `b${b} is given ${shown(value)}, which the kernel does not compute`);
      if (kernel.serial || shared) continue;
      const problem = coverage(
        index,
        kernel.outer.filter((a) => a !== kernel.adds),
        sizeOf(node.shape),
      );
      if (problem !== undefined) fault(name, `the store to b${b}[${index.key}] does not fill it: ${problem}`);
    }
  });
}

/** Kernels that write parts of one value fill it between them, each element once. */
export function verifyParts(kernels: readonly Kernel[]): void {
  const parts = new Map<Node, { index: Index; axes: Kernel["outer"] }[]>();
  for (const { outer, stores, buffers } of kernels)
    for (const { index, buffer } of stores) {
      const { node, shared } = buffers[buffer];
      if (shared) parts.set(node, [...(parts.get(node) ?? []), { index, axes: outer }]);
    }
  for (const [node, list] of parts) {
    const problem = coverageTogether(list, sizeOf(node.shape));
    if (problem !== undefined) fault(named(node), `its parts do not fill it: ${problem}`);
  }
}

function touchedBy(kernel: Kernel): Touched {
  const touched = new Array<Range | undefined>(kernel.buffers.length);
  const touch = (buffer: number, range: Range | undefined): void => {
    const { min, max } = touched[buffer] ?? { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
    if (range !== undefined) touched[buffer] = { min: Math.min(min, range.min), max: Math.max(max, range.max) };
  };
  for (const e of kernel.exprs) if (e.kind === "load") touch(e.buffer, rangeOf(e.index, e.guards));
  for (const s of kernel.stores) touch(s.buffer, rangeOf(s.index, []));
  return touched;
}
