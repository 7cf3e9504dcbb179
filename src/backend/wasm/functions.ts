// Functions of a module that kernels call for single values: exact remainders, sines of far arguments.
import { farSineFunction } from "../../compile/functions.ts";
import type { Expr } from "../../compile/kernel.ts";
import { twoOverPi } from "../../graph/internal.ts";
import type { Func, WasmModule } from "./assembler.ts";
import { emitOp, pushConstant, wasmType } from "./operations.ts";

/** (x) → sin(x + quarters·π/2) in f64 for far x. */
export const farSineOf = (module: WasmModule, quarters: 0 | 1): Func =>
  module.sharedFunc(`far sine ${quarters}`, ["f64"], ["f64"], (f) => {
    const { exprs, result } = farSineFunction(quarters);
    const locals = new Map<Expr, number>();
    const push = (e: Expr): void => {
      if (e.kind === "const") pushConstant(f, e.value, e.dtype, "scalar");
      else f.get(e.kind === "load" ? 0 : locals.get(e)!);
    };
    for (const e of exprs) {
      if (e.kind !== "op") continue;
      emitOp(f, e, "scalar", (i) => push(e.args[i]));
      locals.set(e, f.local(wasmType(e.dtype)));
      f.set(locals.get(e)!);
    }
    push(result);
  });

/** (i) → digit i of 2/π, by halving the range. */
export const digitOfTwoOverPi = (module: WasmModule): Func =>
  module.sharedFunc("digit of 2/π", ["i64"], ["f64"], (f) => {
    const choose = (from: number, to: number): void => {
      if (to - from === 1) {
        f.f64(twoOverPi[from]);
        return;
      }
      const middle = (from + to) >> 1;
      f.get(0).i64(BigInt(middle)).op("i64.lt_s");
      f.if(
        () => choose(from, middle),
        () => choose(middle, to),
        "f64",
      );
    };
    choose(0, twoOverPi.length);
  });

/** (x, y) → what is left of x after whole multiples of y are taken away, with the sign of x: nothing is rounded. */
export const remainderOf = (module: WasmModule): Func =>
  module.sharedFunc("remainder", ["f64", "f64"], ["f64"], (f) => {
    const [x, y] = [0, 1];
    const [rest, divisor, multiple, quotient] = [f.local("f64"), f.local("f64"), f.local("f64"), f.local("f64")];
    const signed = (): Func => f.get(x).op("f64.copysign");
    f.get(x).op("f64.abs").set(rest);
    f.get(y).op("f64.abs").set(divisor);
    // x/0, ∞/y and NaN have no remainder
    f.get(rest).f64(Number.POSITIVE_INFINITY).op("f64.lt").get(divisor).f64(0).op("f64.gt").op("i32.and").op("i32.eqz");
    f.if(() => f.f64(Number.NaN).ret());
    f.get(rest).get(divisor).op("f64.lt");
    f.if(() => f.get(x).ret());
    // a quotient below 2²⁸ times a divisor of 24 bits is exact, and so is the difference
    f.get(rest)
      .get(divisor)
      .op("f64.div")
      .op("f64.trunc")
      .tee(quotient)
      .f64(2 ** 28)
      .op("f64.lt");
    f.get(divisor)
      .op("i64.reinterpret_f64")
      .i64(2n ** 29n - 1n)
      .op("i64.and")
      .op("i64.eqz")
      .op("i32.and");
    f.if(() => {
      f.get(rest).get(quotient).get(divisor).op("f64.mul").op("f64.sub").tee(rest);
      f.f64(0)
        .op("f64.lt")
        .if(() => f.get(rest).get(divisor).op("f64.add").set(rest)); // the quotient was rounded up
      f.get(rest);
      signed().ret();
    });
    // long division by halves of a multiple: every difference is exact, since multiple ≤ rest < 2·multiple
    f.get(divisor).set(multiple);
    f.loop(() => {
      f.get(multiple).get(multiple).op("f64.add").get(rest).op("f64.le");
      f.if(() => f.get(multiple).get(multiple).op("f64.add").set(multiple).br(1));
    });
    f.loop(() => {
      f.get(multiple).get(rest).op("f64.le");
      f.if(() => f.get(rest).get(multiple).op("f64.sub").set(rest));
      f.get(multiple).f64(0.5).op("f64.mul").tee(multiple).get(divisor).op("f64.ge").brIf(0);
    });
    f.get(rest);
    signed();
  });

/** (x, y) → x mod y with the sign of y, from the exact remainder and at most one rounded addition. */
export const moduloOf = (module: WasmModule, type: "f32" | "f64"): Func =>
  module.sharedFunc(`modulo ${type}`, [type, type], [type], (f) => {
    const [x, y, rest] = [0, 1, f.local(type)];
    const wide = (local: number): Func => (type === "f32" ? f.get(local).op("f64.promote_f32") : f.get(local));
    const constant = (value: number): Func => (type === "f32" ? f.f32(value) : f.f64(value));
    wide(x);
    wide(y);
    f.call(remainderOf(module));
    if (type === "f32") f.op("f32.demote_f64");
    f.tee(rest);
    constant(0).op(`${type}.eq`);
    f.if(() => f.get(rest).get(y).op(`${type}.copysign`).ret());
    f.get(rest).get(y).op(`${type}.add`).get(rest);
    f.get(rest);
    constant(0).op(`${type}.lt`).get(y);
    constant(0).op(`${type}.lt`).op("i32.ne").op("select");
  });
