// What a trace's values are in double precision, and how far rounding may take a correct f32 (or f64) backend from them.
//
// The bound is a running error analysis: each operation passes on its inputs' errors, found by evaluating it at the corners of
// the box that they span, and adds its own rounding. Zero means that there is nothing to round: then all backends agree to the bit.
import { interpret, type Values } from "../src/backend/js/interpret.ts";
import { argsOf, type Data, type Node, sizeOf, type Trace, traits } from "../src/graph/internal.ts";
import { hostOf } from "./harness.ts";

export interface Reference {
  readonly values: Values;
  /** Largest difference from `values` that rounding explains, per element. */
  readonly bounds: Float64Array;
}

const unit = { f32: 2 ** -23, f64: 2 ** -52, i32: 0, bool: 0 };
const tiniest = { f32: 2 ** -149, f64: 2 ** -1074, i32: 0, bool: 0 };
const largest = 3.4028234663852886e38;

/** Values and bounds of all nodes of a trace. */
export function referenceOf(trace: Trace): Map<Node, Reference> {
  const known = new Map<Node, Reference>();
  for (const node of trace.nodes) {
    if (node.op === "buffer") {
      const values = toValues(hostOf(trace.leaves[node.leaf]));
      known.set(node, { values, bounds: new Float64Array(values.length) });
      continue;
    }
    const inputs = node.inputs.map((i) => known.get(i)!);
    const values = compute(
      node,
      inputs.map((i) => i.values),
    );
    const bounds = boundsOf(node, inputs, values);
    for (let i = 0; i < bounds.length; i++) {
      const out = node.dtype === "f32" && !(Math.abs(values[i]) + bounds[i] <= largest) && Number.isFinite(values[i]);
      if (out || Number.isNaN(bounds[i])) bounds[i] = Number.POSITIVE_INFINITY; // past the range of f32
    }
    known.set(node, { values, bounds });
  }
  return known;
}

const toValues = (data: Data): Values =>
  data instanceof Float32Array || data instanceof Float64Array ? Float64Array.from(data) : Int32Array.from(data);

function compute(node: Node, inputs: readonly Values[]): Values {
  const n = sizeOf(node.shape);
  const out = node.dtype === "f32" || node.dtype === "f64" ? new Float64Array(n) : new Int32Array(n);
  interpret[node.op](node, inputs, out);
  return out;
}

/** Evaluates a node in doubles whatever its dtype. */
function inDoubles(node: Node, inputs: readonly Values[]): Float64Array {
  const out = new Float64Array(sizeOf(node.shape));
  interpret[node.op](node, inputs, out);
  return out;
}

function boundsOf(node: Node, inputs: readonly Reference[], values: Values): Float64Array {
  const [x, y] = inputs;
  const errors = inputs.map((i) => i.bounds);
  if (inputs.length === 0 || node.op === "random") return new Float64Array(values.length);
  if (traits[node.op].class === "view") return inDoubles(node, errors);
  if (node.op === "gather") return inDoubles(node, [errors[0], y.values]).map((e) => (e > 0 ? e : 0)); // no row: exact
  if (node.op === "maxReduce" || node.op === "concat") return inDoubles(node, errors);
  if (node.op === "pad") return inDoubles({ ...node, args: { ...argsOf(node, "pad"), value: 0 } }, errors);
  if (node.op === "sum")
    return sumBounds(node, inDoubles(node, errors), inDoubles(node, [absolute(x.values)]), x.values);
  if (node.op === "scatterAdd")
    return sumBounds(
      node,
      inDoubles(node, [errors[0], y.values, ...errors.slice(2)]),
      inDoubles(node, [absolute(x.values), y.values, ...inputs.slice(2).map((base) => absolute(base.values))]),
      x.values,
    );
  if (node.op === "matmul" || node.op === "conv") {
    const [a, b] = [absolute(x.values), absolute(y.values)];
    const passed = inDoubles(node, [errors[0], b.map((v, i) => v + errors[1][i])]);
    inDoubles(node, [a, errors[1]]).forEach((e, i) => {
      passed[i] += e;
    });
    return sumBounds(node, passed, inDoubles(node, [a, b]), x.values, y.values);
  }
  return elementwiseBounds(node, inputs, values);
}

const absolute = (v: Values): Float64Array => Float64Array.from(v, Math.abs);
const whole = (v: Values): boolean => v.every(Number.isInteger);

/** Terms added up for each result. */
function terms(node: Node): number {
  const [x, w] = node.inputs;
  if (node.op === "conv") return sizeOf(w.shape.slice(1));
  if (node.op === "matmul") return x.shape[x.shape.length - 1];
  return node.op === "sum" ? argsOf(node, "sum").axes.reduce((n, a) => n * x.shape[a], 1) : sizeOf(w.shape);
}

/** The inputs' errors and the rounding of a sum of K terms, 4·√K·2⁻²⁴·Σ|a||b|; nothing where whole numbers stay exact. */
function sumBounds(node: Node, passed: Float64Array, magnitude: Float64Array, ...factors: Values[]): Float64Array {
  const k = terms(node);
  const u = unit[node.dtype] / 2;
  const rounding = Math.min(k + factors.length - 2, 4 * Math.sqrt(k)) * u;
  const integers = factors.every(whole);
  return passed.map((e, i) =>
    e === 0 && integers && magnitude[i] * u <= 1
      ? 0
      : e + magnitude[i] * rounding + (k > 0 ? k * tiniest[node.dtype] : 0),
  );
}

function elementwiseBounds(node: Node, inputs: readonly Reference[], values: Values): Float64Array {
  const bounds = new Float64Array(values.length);
  const uncertain = inputs.some((i) => i.bounds.some((e) => e > 0));
  if (uncertain) spread(node, inputs, values, bounds);
  const [u, k] = [unit[node.dtype], traits[node.op].ulps];
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    const representable = node.dtype === "f64" || Math.fround(v) === v;
    const exact = traits[node.op].ulps === 0.5 && bounds[i] === 0 && representable;
    if (k > 0 && u > 0 && !exact) bounds[i] += k * u * (Math.abs(v) + bounds[i]) + tiniest[node.dtype];
  }
  return bounds;
}

/** How far the result moves while the operands move within their errors: at the corners, and inside where a jump may hide. */
function spread(node: Node, inputs: readonly Reference[], values: Values, bounds: Float64Array): void {
  const { op } = node;
  for (let corner = 0; corner < 2 ** inputs.length; corner++) {
    const moved = inputs.map(({ values: v, bounds: e }, i) => {
      if (node.inputs[i].dtype === "bool") return (corner >> i) & 1 ? v.map((b, j) => (e[j] > 0 ? 1 - b : b)) : v;
      const sign = (corner >> i) & 1 ? 1 : -1;
      return Float64Array.from(v, (a, j) => a + sign * e[j]);
    });
    inDoubles(node, moved).forEach((f, i) => {
      const change = f === values[i] ? 0 : Math.abs(f - values[i]);
      bounds[i] = Math.max(bounds[i], Number.isNaN(change) ? Number.POSITIVE_INFINITY : change);
    });
  }
  const error = (i: number): number => inputs.reduce((sum, { bounds: e }) => sum + e[i], 0);
  for (let i = 0; i < bounds.length; i++) {
    const e = error(i);
    if (e === 0) continue;
    const [a, b] = [inputs[0].values[i], inputs[1]?.values[i] ?? 0];
    if ((op === "sin" || op === "cos") && e > 0.01) bounds[i] = Math.max(bounds[i], Math.min(2, e));
    if (op === "eq" || (op === "cast" && node.dtype === "bool")) bounds[i] = Math.abs(a - b) <= e ? 1 : 0;
    if (op === "div" && Math.abs(b) <= inputs[1].bounds[i]) bounds[i] = Number.POSITIVE_INFINITY;
    if (op === "mod") bounds[i] = Number.POSITIVE_INFINITY;
    if (op === "and" || op === "or" || op === "xor" || op === "shift")
      bounds[i] = node.dtype === "bool" ? 1 : Number.POSITIVE_INFINITY;
  }
}

const exactly = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

/** Elements held against a bound so far, and those whose bound is infinite, so that nothing is known of them. */
export const compared: { all: number; unbounded: number } = { all: 0, unbounded: 0 };

/** Where a result leaves its bound, or a zero has another sign: a message for the first element that does, or undefined. */
export function disagreement(actual: Data, { values, bounds }: Reference): string | undefined {
  compared.all += values.length;
  for (let i = 0; i < values.length; i++) {
    const [a, v, e] = [actual[i], values[i], bounds[i]];
    if (e === Number.POSITIVE_INFINITY) compared.unbounded++;
    if (e === Number.POSITIVE_INFINITY || (Number.isNaN(a) && Number.isNaN(v))) continue;
    const signs =
      e === 0 && a === 0 && v === 0 && !(actual instanceof Int32Array) && Object.is(a, -0) !== Object.is(v, -0);
    if (signs || !(a === v || Math.abs(a - v) <= e))
      return `element ${i} of ${values.length} is ${exactly(a)}, not ${exactly(v)} ± ${e}`;
  }
  return actual.length === values.length ? undefined : `${actual.length} elements, not ${values.length}`;
}
