// How each scalar operation of a kernel is said in WebAssembly: on four 32-bit lanes, or on one value of any type.

import type { ScalarType } from "../../compile/kernel.ts";
import type { Mode, Operation, Operator } from "../../compile/loop-form.ts";
import { wasmTarget } from "../../compile/target.ts";
import { farFrom } from "../../graph/internal.ts";
import type { Func, Op } from "./assembler.ts";
import { digitOfTwoOverPi, farSineOf, moduloOf } from "./functions.ts";

/** Elements of a vector. */
export const lanes: number = wasmTarget.lanes;

/** Pushes an operand (by number) onto the stack. */
type Push = (i: number) => void;

const bytesOfI32 = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value, value, value, value).buffer);
const bytesOfF32 = (value: number): Uint8Array => new Uint8Array(Float32Array.of(value, value, value, value).buffer);

/** Wasm type of a value. A bool is a lane mask (all ones) in vectors and an i32 of 0 or 1 by itself. */
export const wasmType = (dtype: ScalarType): "i32" | "f32" | "f64" | "i64" => (dtype === "bool" ? "i32" : dtype);

export function pushConstant(f: Func, value: number, dtype: ScalarType, mode: Mode): void {
  if (mode === "vector") f.v128(dtype === "f32" ? bytesOfF32(value) : bytesOfI32(dtype === "bool" ? -value : value));
  else if (dtype === "f32") f.f32(value);
  else if (dtype === "f64") f.f64(value);
  else if (dtype === "i64") f.i64(BigInt(value));
  else f.i32(value);
}

/** Emits an operation; operands are pushed by `push`. */
export function emitOp(f: Func, e: Operation, mode: Mode, push: Push): void {
  if (mode === "vector") emitVector(f, e, push);
  else emitScalar(f, e, push);
}

const named: Partial<Record<Operator, string>> = {
  neg: "neg",
  abs: "abs",
  sqrt: "sqrt",
  floor: "floor",
  add: "add",
  sub: "sub",
  mul: "mul",
  div: "div",
  max: "max",
  lt: "lt",
  le: "le",
  eq: "eq",
};
const bitwise = { and: "v128.and", or: "v128.or", xor: "v128.xor" } as const;
const shifts = { shl: "shl", shr: "shr_u", sar: "shr_s" } as const;

function emitVector(f: Func, e: Operation, push: Push): void {
  const from = e.args[0].dtype;
  const shape = from === "f32" ? "f32x4" : "i32x4";
  const { op } = e;
  if (op === "and" || op === "or" || op === "xor") {
    pushAll(e, push);
    f.op(bitwise[op]);
    return;
  }
  if (op === "shl" || op === "shr" || op === "sar") {
    push(0);
    f.i32(e.by).op(`i32x4.${shifts[op]}` as Op);
    return;
  }
  switch (op) {
    case "where":
      return pushThen(f, push, [1, 2, 0], "v128.bitselect");
    case "lesser":
      return pushThen(f, push, [1, 0], "f32x4.pmin");
    case "greater":
      return pushThen(f, push, [1, 0], "f32x4.pmax");
    case "scale":
      return scaleVector(f, push);
    case "max":
      pushAll(e, push);
      f.op(from === "f32" ? "f32x4.max" : "i32x4.max_s");
      return;
    case "mod":
      moduloVector(f, push);
      return;
    case "farSine":
      farSineVector(f, e, push);
      return;
    case "copySign":
      push(0);
      push(1);
      f.v128(bytesOfI32(0x7fffffff)).op("v128.bitselect");
      return;
    case "cast":
      push(0);
      castVector(f, from, e.dtype);
      return;
    case "lt":
    case "le":
      pushAll(e, push);
      if (from === "bool")
        f.op(op === "lt" ? "i32x4.gt_s" : "i32x4.ge_s"); // true is −1 in a lane
      else f.op((shape === "f32x4" ? `f32x4.${op}` : `i32x4.${op}_s`) as Op);
      return;
    default:
      if (named[op] !== undefined) {
        pushAll(e, push);
        f.op(`${shape}.${named[op]}` as Op);
      } else {
        push(0);
        floatBits(f, op, "vector", "f32");
      }
  }
}

/** An operation on operands in the given order. */
function pushThen(f: Func, push: Push, order: readonly number[], op: Op): void {
  order.forEach(push);
  f.op(op);
}

/** a · 2ⁿ by two powers, since one could leave the range. */
function scaleVector(f: Func, push: Push): void {
  const [n, half] = [f.local("v128"), f.local("v128")];
  push(0);
  push(1);
  f.tee(n).i32(1).op("i32x4.shr_s").tee(half);
  floatBits(f, "pow2", "vector", "f32");
  f.op("f32x4.mul").get(n).get(half).op("i32x4.sub");
  floatBits(f, "pow2", "vector", "f32");
  f.op("f32x4.mul");
  for (const local of [n, half]) f.free(local);
}

const pushAll = (e: Operation, push: Push): void => {
  e.args.forEach((_, i) => {
    push(i);
  });
};

function castVector(f: Func, from: ScalarType, to: ScalarType): void {
  if (to === "bool") {
    // −0 and +0 are false, NaN is true
    f.v128(bytesOfI32(0)).op(from === "f32" ? "f32x4.ne" : "i32x4.ne");
  } else if (from === "bool") f.v128(to === "f32" ? bytesOfF32(1) : bytesOfI32(1)).op("v128.and");
  else f.op(to === "f32" ? "f32x4.convert_i32x4_s" : "i32x4.trunc_sat_f32x4_s");
}

/** Operations on the parts of a float; the operand is on the stack. */
function floatBits(f: Func, op: Operator, mode: Mode, float: "f32" | "f64"): void {
  const wide = float === "f64";
  const int = mode === "vector" ? "i32x4" : wide ? "i64" : "i32";
  const flt = mode === "vector" ? "f32x4" : float;
  const bits = (value: number | bigint): void => {
    if (mode === "vector") f.v128(bytesOfI32(Number(value)));
    else if (wide) f.i64(BigInt(value));
    else f.i32(Number(value));
  };
  const toBits = (): unknown => mode === "vector" || f.op((wide ? "i64.reinterpret_f64" : "i32.reinterpret_f32") as Op);
  const toFloat = (): unknown =>
    mode === "vector" || f.op((wide ? "f64.reinterpret_i64" : "f32.reinterpret_i32") as Op);
  const logic = (name: "and" | "or"): unknown => f.op((mode === "vector" ? `v128.${name}` : `${int}.${name}`) as Op);
  const shift = (name: "shl" | "shr_u", by: number): unknown => {
    if (wide && mode === "scalar") f.i64(BigInt(by));
    else f.i32(by);
    return f.op(`${int}.${name}` as Op);
  };
  const [fraction, bias] = wide ? [52, 1023] : [23, 127];
  switch (op) {
    case "round": {
      // adding 1.5·2^fraction leaves the nearest integer in the low bits
      const magic = 1.5 * 2 ** fraction;
      if (mode === "vector") f.v128(bytesOfF32(magic));
      else if (wide) f.f64(magic);
      else f.f32(magic);
      f.op(`${flt}.add` as Op);
      toBits();
      bits(wide ? 0x4338000000000000n : 0x4b400000);
      f.op(`${int}.sub` as Op);
      return;
    }
    case "toFloat":
      f.op((mode === "vector" ? "f32x4.convert_i32x4_s" : wide ? "f64.convert_i64_s" : "f32.convert_i32_s") as Op);
      return;
    case "pow2":
      bits(bias);
      f.op(`${int}.add` as Op);
      shift("shl", fraction);
      toFloat();
      return;
    case "exponent":
      toBits();
      shift("shr_u", fraction);
      bits(wide ? 0x7ff : 0xff);
      logic("and");
      bits(bias);
      f.op(`${int}.sub` as Op);
      return;
    case "mantissa":
      toBits();
      bits(wide ? 0x800fffffffffffffn : 0x807fffff | 0);
      logic("and");
      bits(wide ? 0x3ff0000000000000n : 0x3f800000);
      logic("or");
      toFloat();
      return;
    case "high":
      toBits();
      bits(wide ? 0xfffffffff8000000n : 0xfffff000 | 0);
      logic("and");
      toFloat();
      return;
    default:
      throw new Error(`wasm: no instruction for ${op}`);
  }
}

function emitScalar(f: Func, e: Operation, push: Push): void {
  const from = e.args[0].dtype;
  const type = wasmType(from);
  const float = type === "f32" || type === "f64";
  const { op } = e;
  switch (op) {
    case "where":
      push(1);
      push(2);
      push(0);
      f.op("select");
      return;
    case "and":
    case "or":
    case "xor":
      pushAll(e, push);
      f.op(`${type}.${op}` as Op);
      return;
    case "shl":
    case "shr":
    case "sar":
      push(0);
      if (type === "i64") f.i64(BigInt(e.by));
      else f.i32(e.by);
      f.op(`${type}.${shifts[op]}` as Op);
      return;
    case "copySign":
      pushAll(e, push);
      f.op(`${type}.copysign` as Op);
      return;
    case "mod":
      if (float) {
        pushAll(e, push);
        f.call(moduloOf(f.module, type));
      } else moduloOfIntegers(f, push);
      return;
    case "farSine":
      farSineScalar(f, e, push);
      return;
    case "digitOfTwoOverPi":
      push(0);
      f.call(digitOfTwoOverPi(f.module));
      return;
    case "cast":
      push(0);
      castScalar(f, from, e.dtype);
      return;
    case "max":
      maxScalar(f, type, push);
      return;
    case "neg":
      if (float) push(0);
      else {
        pushConstant(f, 0, from, "scalar");
        push(0);
      }
      f.op((float ? `${type}.neg` : `${type}.sub`) as Op);
      return;
    default:
      emitNamed(f, e, type, float, push);
  }
}

function maxScalar(f: Func, type: "i32" | "i64" | "f32" | "f64", push: Push): void {
  push(0);
  push(1);
  if (type === "f32" || type === "f64") {
    f.op(`${type}.max`);
    return;
  }
  push(0);
  push(1);
  f.op("i32.gt_s").op("select");
}

function emitNamed(f: Func, e: Operation, type: string, float: boolean, push: Push): void {
  const name = named[e.op];
  pushAll(e, push);
  if (name === undefined) {
    // the float's own type: of the operand, or of the result where the operand is an integer
    const wide = type === "f64" || type === "i64";
    floatBits(f, e.op, "scalar", wide ? "f64" : "f32");
    return;
  }
  f.op(`${type}.${name}${!float && (name === "lt" || name === "le") ? "_s" : ""}` as Op);
}

/** x mod y: all lanes at once where the quotients are small, else one by one. */
function moduloVector(f: Func, push: Push): void {
  const [result, quotient] = [f.local("v128"), f.local("v128")];
  const magnitude = (i: number): Func => {
    push(i);
    return f.op("f32x4.abs");
  };
  magnitude(0);
  magnitude(1);
  f.op("f32x4.div")
    .tee(quotient)
    .v128(bytesOfF32(2 ** 22))
    .op("f32x4.lt");
  magnitude(1);
  f.v128(bytesOfF32(Number.POSITIVE_INFINITY)).op("f32x4.lt").op("v128.and").op("i32x4.all_true");
  f.if(
    () => moduloOfSmallQuotients(f, push, magnitude, quotient, result),
    () => {
      push(0);
      f.set(result);
      for (let lane = 0; lane < lanes; lane++) {
        f.get(result).get(result).lane("f32x4.extract_lane", lane);
        push(1);
        f.lane("f32x4.extract_lane", lane).call(moduloOf(f.module, "f32")).lane("f32x4.replace_lane", lane).set(result);
      }
    },
  );
  f.get(result);
  f.free(result);
  f.free(quotient);
}

/** A quotient below 2²² is right or one too large once rounded down; its product with y and the difference are exact in f64. */
function moduloOfSmallQuotients(
  f: Func,
  push: Push,
  magnitude: (i: number) => unknown,
  quotient: number,
  result: number,
): void {
  const [rest, low] = [f.local("v128"), f.local("v128")];
  f.get(quotient).op("f32x4.trunc").set(quotient);
  const half = (upper: boolean): void => {
    const promote = (value: () => void): void => {
      value();
      if (upper) {
        value();
        f.shuffle([8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]);
      }
      f.op("f64x2.promote_low_f32x4");
    };
    promote(() => magnitude(0));
    promote(() => f.get(quotient));
    promote(() => magnitude(1));
    f.op("f64x2.mul").op("f64x2.sub").op("f32x4.demote_f64x2_zero");
  };
  half(false);
  f.set(low);
  f.get(low);
  half(true);
  f.shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]).set(rest);
  // one divisor more where the quotient was too large, and where the signs differ, except to a zero
  f.get(rest);
  magnitude(1);
  f.get(rest).v128(bytesOfF32(0)).op("f32x4.lt").op("v128.and").op("f32x4.add").set(rest);
  f.get(rest);
  push(0);
  f.v128(bytesOfI32(0x7fffffff)).op("v128.bitselect").set(low);
  f.get(low);
  push(1);
  push(0);
  push(1);
  f.op("v128.xor").i32(31).op("i32x4.shr_s").op("v128.and").op("f32x4.add");
  f.v128(bytesOfF32(0));
  push(1);
  f.v128(bytesOfI32(0x7fffffff)).op("v128.bitselect");
  f.get(rest).v128(bytesOfF32(0)).op("f32x4.ne").op("v128.bitselect").set(result);
  f.free(rest);
  f.free(low);
}

/** The operand on the stack becomes its sine, computed in f64. */
function callFarSine(f: Func, quarters: number, type: ScalarType): void {
  if (type === "f32") f.op("f64.promote_f32");
  f.call(farSineOf(f.module, quarters as 0 | 1));
  if (type === "f32") f.op("f32.demote_f64");
}

/** The near sine, or where the argument is far, the sine of that. */
function farSineScalar(f: Func, e: Operation, push: Push): void {
  const type = e.dtype as "f32" | "f64";
  push(1);
  f.op(`${type}.abs`);
  pushConstant(f, farFrom, type, "scalar");
  f.op(`${type}.ge`).if(
    () => {
      push(1);
      callFarSine(f, e.by, type);
    },
    () => push(0),
    type,
  );
}

/** The near sines, and where any lane is far, all of those one by one. */
function farSineVector(f: Func, e: Operation, push: Push): void {
  const [result, far] = [f.local("v128"), f.local("v128")];
  push(0);
  f.set(result);
  push(1);
  f.op("f32x4.abs").v128(bytesOfF32(farFrom)).op("f32x4.ge").tee(far).op("v128.any_true");
  f.if(() => {
    for (let lane = 0; lane < lanes; lane++) {
      f.get(far).lane("i32x4.extract_lane", lane);
      f.if(() => {
        f.get(result);
        push(1);
        f.lane("f32x4.extract_lane", lane);
        callFarSine(f, e.by, "f32");
        f.lane("f32x4.replace_lane", lane).set(result);
      });
    }
  });
  f.get(result);
  f.free(result);
  f.free(far);
}

/** The remainder with the sign of the divisor, 0 where that is 0. */
function moduloOfIntegers(f: Func, push: Push): void {
  const [divisor, rest] = [f.local("i32"), f.local("i32")];
  push(1);
  f.i32(1);
  push(1);
  f.op("select").set(divisor); // rem_s traps on 0
  push(0);
  f.get(divisor).op("i32.rem_s").tee(rest);
  // a rest other than 0 whose sign is not the divisor's is one divisor off
  f.get(divisor)
    .i32(0)
    .get(rest)
    .get(divisor)
    .op("i32.xor")
    .i32(0)
    .op("i32.lt_s")
    .get(rest)
    .i32(0)
    .op("i32.ne")
    .op("i32.and");
  f.op("select").op("i32.add");
  f.free(divisor);
  f.free(rest);
}

function castScalar(f: Func, from: ScalarType, to: ScalarType): void {
  const [a, b] = [wasmType(from), wasmType(to)];
  if (to === "bool") {
    pushConstant(f, 0, from, "scalar");
    f.op(`${a}.ne` as Op);
  } else if (a === b) return;
  else if (a === "f32" && b === "f64") f.op("f64.promote_f32");
  else if (a === "f64" && b === "f32") f.op("f32.demote_f64");
  else if (b === "i32") f.op(`i32.trunc_sat_${a}_s` as Op);
  else f.op(`${b}.convert_i32_s` as Op);
}
