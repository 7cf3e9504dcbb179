// How a reduction gathers its terms in WebAssembly: plain sums, maxima, and long sums that carry their rounding errors along.

import type { Reduction, ScalarType } from "../../compile/kernel.ts";
import type { Mode, Total } from "../../compile/loop-form.ts";
import type { Func, Op } from "./assembler.ts";
import { lanes, pushConstant, wasmType } from "./operations.ts";

/** A running total in a local. */
export interface Accumulator {
  readonly reduction: Reduction;
  readonly mode: Mode;
  readonly total: number;
  /** Local of what rounding took from the total so far; only where the reduction is compensated. */
  readonly carry: number | undefined;
  /** Local of the sum of the stages that are done; only where sums run in stages. */
  readonly done: number | undefined;
}

/** Sets up an accumulator with the reduction's neutral element. */
export function openAccumulator(f: Func, { reduction, vector, staged }: Total): Accumulator {
  const mode = vector ? "vector" : "scalar";
  const type = mode === "vector" ? "v128" : wasmType(reduction.value.dtype);
  const opened = (): number => {
    const local = f.local(type);
    pushNeutral(f, reduction, mode);
    f.set(local);
    return local;
  };
  const total = opened();
  const carry = reduction.compensated ? opened() : undefined;
  return { reduction, mode, total, carry, done: staged ? opened() : undefined };
}

/** Ends a stage: what has been added up goes to the sum of the stages, and the next starts anew. */
export function endStage(f: Func, { reduction, mode, total, done }: Accumulator): void {
  if (done === undefined) return;
  f.get(done).get(total);
  combine(f, reduction.op, reduction.value.dtype, mode);
  f.set(done);
  pushNeutral(f, reduction, mode);
  f.set(total);
}

function pushNeutral(f: Func, { op, value }: Reduction, mode: Mode): void {
  const least = value.dtype === "i32" ? -(2 ** 31) : Number.NEGATIVE_INFINITY;
  pushConstant(f, op === "sum" ? 0 : least, value.dtype, mode);
}

/** Takes a term from the stack; lanes of it past `used` do not count. */
export function accumulate(f: Func, { reduction, mode, total, carry }: Accumulator, used: number): void {
  if (used < lanes) {
    const keep = new Uint8Array(Int32Array.from({ length: lanes }, (_, i) => (i < used ? -1 : 0)).buffer);
    pushNeutral(f, reduction, "vector");
    f.v128(keep).op("v128.bitselect");
  }
  if (carry !== undefined) return addCompensated(f, mode, total, carry);
  f.get(total);
  combine(f, reduction.op, reduction.value.dtype, mode);
  f.set(total);
}

/** Adds the term on the stack to the total and the exact error of that addition to the carry (Knuth's two-sum, 1969). */
function addCompensated(f: Func, mode: Mode, total: number, carry: number): void {
  const type = mode === "vector" ? "v128" : "f32";
  const [term, sum, added] = [f.local(type), f.local(type), f.local(type)];
  const op = (name: "add" | "sub"): Func => f.op(mode === "vector" ? `f32x4.${name}` : `f32.${name}`);
  f.tee(term).get(total);
  op("add").tee(sum).get(total);
  op("sub").set(added);
  // (total − (sum − added)) + (term − added)
  f.get(total).get(sum).get(added);
  op("sub");
  op("sub").get(term).get(added);
  op("sub");
  op("add").get(carry);
  op("add").set(carry).get(sum).set(total);
  for (const local of [term, sum, added]) f.free(local);
}

/** Puts two values on the stack together. */
function combine(f: Func, op: Reduction["op"], dtype: ScalarType, mode: Mode): void {
  const type = wasmType(dtype);
  if (mode === "vector") f.op(`${type}x4.${op === "sum" ? "add" : type === "i32" ? "max_s" : "max"}` as Op);
  else if (op === "sum" || type !== "i32") f.op(`${type}.${op === "sum" ? "add" : "max"}` as Op);
  else {
    const [a, b] = [f.local("i32"), f.local("i32")];
    f.set(b).set(a).get(a).get(b).get(a).get(b).op("i32.gt_s").op("select");
    f.free(a);
    f.free(b);
  }
}

/** Ends an accumulator: its total becomes what it comes to. */
export function settle(f: Func, { reduction, mode, total, carry, done }: Accumulator): void {
  if (carry !== undefined) {
    addCarry(f, mode, total, carry);
    f.free(carry);
  }
  if (done !== undefined) {
    f.get(done).get(total);
    combine(f, reduction.op, reduction.value.dtype, mode);
    f.set(total);
    f.free(done);
  }
}

/** The carry is NaN where the total is not finite; then the total stands. */
function addCarry(f: Func, mode: Mode, total: number, carry: number): void {
  const shape = mode === "vector" ? "f32x4" : "f32";
  f.get(total).get(carry).op(`${shape}.add`).get(total).get(carry).get(carry).op(`${shape}.eq`);
  f.op(mode === "vector" ? "v128.bitselect" : "select").set(total);
}

/** Pushes one value from the lanes of another: (0 + 2) + (1 + 3). */
export function reduceLanes(f: Func, op: Reduction["op"], dtype: ScalarType, push: () => void): void {
  const type = wasmType(dtype);
  const half = f.local("v128");
  const all = f.local("v128");
  push();
  f.tee(all).get(all).get(all).shuffle([8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]);
  combine(f, op, dtype, "vector");
  f.tee(half).lane(`${type}x4.extract_lane` as Op, 0);
  f.get(half).lane(`${type}x4.extract_lane` as Op, 1);
  combine(f, op, dtype, "scalar");
  for (const local of [half, all]) f.free(local);
}
