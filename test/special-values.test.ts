// Zeros of both signs, infinities, NaN, subnormals, extremes: every backend gives what the reference gives.
import { describe, expect, test } from "vitest";
import { JsBackend } from "../src/backend/js/index.ts";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import { f32Scalars, f64Scalars } from "../src/graph/host-scalars.ts";
import { type DType, full, type Tensor, tensor, where } from "../src/graph/index.ts";
import { type Data, elementary } from "../src/graph/internal.ts";
import { make } from "../src/graph/operands.ts";
import { exactModulo } from "./exact-functions.ts";
import { type Direct, run, typed } from "./harness.ts";
import { nativeDevice } from "./native-device.ts";

const js = new JsBackend();
const vector = new WasmBackend({ threads: 1, poison: true });
const scalar = new WasmBackend({ threads: 1, poison: true, without: new Set(["vectorize"]) });
const machines = { vector, scalar };
const native = nativeDevice();
/** The native backend, where there is a compiler. */
const natives: Record<string, Direct> = native === undefined ? {} : { native };

const ulp = 2 ** -23;
const positive = {
  f32: [0, 2 ** -149, 3 * 2 ** -140, 2 ** -126, 2 ** -126 * (1 - ulp), 2 ** -60, 0.5, 1 - ulp / 2, 1, 1 + ulp, 1.5, 2, Math.PI, 88.5, 1e5, 2 ** 24, 2 ** 31, 3.4028234663852886e38],
  f64: [0, 2 ** -1074, 3 * 2 ** -1060, 2 ** -1022, 2 ** -500, 0.5, 1 - 2 ** -53, 1, 1 + 2 ** -52, 1.5, 2, Math.PI, 709.5, 1e5, 2 ** 31, 2 ** 53, Number.MAX_VALUE],
}; // biome-ignore format: a table
const special = (dtype: "f32" | "f64"): number[] => [
  ...[...positive[dtype], Number.POSITIVE_INFINITY].flatMap((v) => [v, -v]),
  Number.NaN,
];
const integers = [0, 1, -1, 2, 3, -3, 7, 31, 2 ** 15, -(2 ** 15), 2 ** 30, -(2 ** 30), 2 ** 31 - 1, -(2 ** 31)];

const same = (a: number, b: number): boolean => Object.is(a, b) || (Number.isNaN(a) && Number.isNaN(b));

/** How many representable numbers lie between two of a dtype. */
function steps(a: number, b: number, dtype: DType): number {
  const ordered = (x: number): bigint => {
    if (dtype === "f64") {
      const bits = new BigInt64Array(Float64Array.of(x).buffer)[0];
      return bits < 0n ? -(bits & 0x7fffffffffffffffn) : bits;
    }
    const bits = BigInt(new Int32Array(Float32Array.of(x).buffer)[0]);
    return bits < 0n ? -(bits & 0x7fffffffn) : bits;
  };
  return Math.abs(Number(ordered(a) - ordered(b)));
}

/** Differences of two results: other NaNs, infinities or signs of zero, or more than `most` numbers apart. */
function differences(
  actual: Data,
  expected: Data,
  inputs: readonly ArrayLike<number>[],
  dtype: DType,
  most: number,
): string[] {
  const found: string[] = [];
  actual.forEach((a, i) => {
    const e = expected[i];
    const fits = same(a, e) || (most > 0 && Number.isFinite(a) && Number.isFinite(e) && steps(a, e, dtype) <= most);
    if (!fits) found.push(`(${inputs.map((x) => x[i]).join(", ")}) gives ${a}, not ${e}`);
  });
  return found;
}

/** Checks that native code makes all at once, as a program of C takes long to compile. */
interface Held {
  readonly name: string;
  readonly output: Tensor;
  readonly check: (actual: Data) => string[];
}

const held: Held[] = [];

/** Checks an operation on lists of operands, on vectors and on single values; in native code, later. */
function check(
  dtype: DType,
  operands: readonly ArrayLike<number>[],
  of: (...x: Tensor[]) => Tensor,
  most = 0,
  fused: number = most, // where C multiplies and adds in one instruction, it rounds less often
): void {
  const leaves = operands.map((values) => tensor(typed(dtype, values)));
  const output = of(...leaves);
  const [expected] = run(js, [output]);
  for (const [name, machine] of Object.entries(machines)) {
    const [actual] = run(machine, [output]);
    expect({ [name]: differences(actual, expected, operands, output.dtype, most) }).toEqual({ [name]: [] });
  }
  held.push({
    name: `${dtype} ${of}`,
    output,
    check: (actual) => differences(actual, expected, operands, output.dtype, fused),
  });
}

/** All pairs of the values, as two lists. */
function pairsOf(values: readonly number[]): [number[], number[]] {
  return [values.flatMap((a) => values.map(() => a)), values.flatMap(() => values)];
}

const unary: Record<string, [of: (x: Tensor) => Tensor, ulps: number]> = {
  neg: [(x) => x.neg(), 0],
  exp: [(x) => x.exp(), 2],
  log: [(x) => x.log(), 2],
  exp2: [(x) => x.exp2(), 2],
  log2: [(x) => x.log2(), 3],
  asin: [(x) => x.asin(), 3],
  acos: [(x) => x.acos(), 3],
  atan: [(x) => x.atan(), 3],
  sinh: [(x) => x.sinh(), 3],
  cosh: [(x) => x.cosh(), 3],
  sin: [(x) => x.sin(), 3],
  cos: [(x) => x.cos(), 3],
  sqrt: [(x) => x.sqrt(), 0],
  recip: [(x) => x.recip(), 0],
  floor: [(x) => x.floor(), 0],
  tanh: [(x) => x.tanh(), 3],
  sigmoid: [(x) => x.sigmoid(), 3],
  erf: [(x) => x.erf(), 3],
  expm1: [(x) => x.expm1(), 3],
  log1p: [(x) => x.log1p(), 3],
  "cast to i32": [(x) => x.cast("i32"), 0],
  "cast to bool": [(x) => x.cast("bool"), 0],
  "cast to the other float": [(x) => x.cast(x.dtype === "f32" ? "f64" : "f32"), 0],
  relu: [(x) => x.relu(), 0],
  abs: [(x) => x.abs(), 0],
  sign: [(x) => x.sign(), 0],
};

describe.each(["f32", "f64"] as const)("%s", (dtype) => {
  test.each(Object.keys(unary))("%s", (name) => {
    const [of, ulps] = unary[name];
    check(dtype, [special(dtype)], of, dtype === "f64" ? 0 : ulps, ulps > 0 ? 4 : 0);
  });

  const [left, right] = pairsOf(special(dtype));
  test("pairs", () => {
    check(dtype, [left, right], (x, y) => x.add(y));
    check(dtype, [left, right], (x, y) => x.sub(y));
    check(dtype, [left, right], (x, y) => x.mul(y));
    check(dtype, [left, right], (x, y) => x.maximum(y));
    check(dtype, [left, right], (x, y) => x.minimum(y));
    check(dtype, [left, right], (x, y) => x.lt(y));
    check(dtype, [left, right], (x, y) => x.eq(y));
    check(dtype, [left, right], (x, y) => where(x.lt(y), x, y));
    check(dtype, [left, right], (x, y) => x.ge(y));
  });

  test("division is the quotient, rounded once", () => {
    const [x, y] = [left, right].map((v) => typed(dtype, v));
    const quotients = typed(
      dtype,
      Array.from(x, (v, i) => v / y[i]),
    );
    for (const machine of Object.values(machines)) {
      const [actual] = run(machine, [tensor(x).div(tensor(y))]);
      expect(differences(actual, quotients, [left, right], dtype, 0)).toEqual([]);
    }
  });

  test("remainders are exact, for quotients of any size", () => {
    const round = dtype === "f32" ? Math.fround : (v: number) => v;
    const [x, y] = [left.map(round), right.map(round)];
    for (let i = 0; i < 4000; i++) {
      // mantissas all over, exponents close together and far apart; a whole multiple and its neighbours
      const [a, b] = [1 + ((i * Math.SQRT2) % 1), 1 + ((i * Math.E) % 1)].map(round);
      const range = dtype === "f32" ? 120 : 1000;
      const exponent = ((i * 37) % (2 * range)) - range;
      const other = Math.max(
        -range,
        Math.min(range, i % 2 ? exponent + (i % 61) - 30 : ((i * 101) % (2 * range)) - range),
      );
      x.push(round((i % 3 ? a : -a) * 2 ** exponent), round(round(b * 2 ** other) * ((i * 7919) % 100003)));
      y.push(round((i % 5 ? b : -b) * 2 ** other), round(b * 2 ** other));
    }
    const expected = typed(
      dtype,
      x.map((v, i) => exactModulo(v, y[i], round)),
    );
    for (const [name, machine] of Object.entries({ js, ...machines, ...natives })) {
      const [actual] = run(machine, [tensor(typed(dtype, x)).mod(tensor(typed(dtype, y)))]);
      expect({ [name]: differences(actual, expected, [x, y], dtype, 0) }).toEqual({ [name]: [] });
    }
  });

  test.each(["sin", "cos"] as const)("%s of far and near arguments side by side", (name) => {
    const values = Array.from({ length: 3000 }, (_, i) => {
      const exponent = ((i * 37) % (dtype === "f32" ? 140 : 1036)) - 12;
      return (i % 2 ? 1 : -1) * (1 + ((i * Math.SQRT2) % 1)) * 2 ** exponent;
    });
    const x = typed(dtype, [...special(dtype), ...values]);
    const scalars = dtype === "f32" ? f32Scalars : f64Scalars;
    const expected = typed(
      dtype,
      Array.from(x, (v) => elementary[name].of(scalars, v)),
    );
    for (const [machineName, machine] of Object.entries({ ...machines, ...natives })) {
      const [actual] = run(machine, [tensor(x)[name]()]);
      // where C multiplies and adds in one instruction, it rounds less often
      const most = machineName === "native" ? 3 : 0;
      expect({ [machineName]: differences(actual, expected, [x], dtype, most) }).toEqual({ [machineName]: [] });
    }
  });

  test("reductions", () => {
    const rows = pairsOf(special(dtype));
    const table = rows[0].flatMap((a, i) => [a, rows[1][i], 1, -2, 0]);
    const matrix = (x: Tensor): Tensor => x.reshape(-1, 5);
    check(dtype, [table], (x) => matrix(x).max(1));
    check(dtype, [table], (x) => matrix(x).permute(1, 0).max(0));
    const whole = table.map((v) => (Number.isFinite(v) ? Math.max(-9, Math.min(9, Math.trunc(v))) : v)); // their sums are exact
    check(dtype, [whole], (x) => matrix(x).sum(1));
    check(dtype, [whole], (x) => matrix(x).matmul(full([5, 3], 1, dtype)));
  });

  test("what is not chosen does not leak", () => {
    check(dtype, [special(dtype)], (x) => where(x.eq(x), x, 0).pad([[3, 2]], Number.NEGATIVE_INFINITY));
    check(dtype, [special(dtype)], (x) => where(x.lt(0), 1, x.sqrt()));
  });
});

test("whole numbers", () => {
  const [left, right] = pairsOf(integers);
  check("i32", [left, right], (x, y) => x.add(y));
  check("i32", [left, right], (x, y) => x.sub(y));
  check("i32", [left, right], (x, y) => x.mul(y));
  check("i32", [left, right], (x, y) => x.maximum(y));
  check("i32", [left, right], (x, y) => x.minimum(y));
  check("i32", [left, right], (x, y) => x.mod(y));
  check("i32", [left, right], (x, y) => x.lt(y));
  check("i32", [left, right], (x, y) => x.eq(y));
  check("i32", [left, right], (x, y) => x.xor(y));
  check("i32", [integers], (x) => x.neg());
  check("i32", [integers], (x) => x.cast("f32"));
  check("i32", [integers], (x) => x.cast("f64"));
  check("i32", [integers], (x) => x.cast("bool"));
  for (const by of [-31, -7, 7, 31]) check("i32", [integers], (x) => x.shift(by));
  check("i32", [left], (x) => x.reshape(-1, integers.length).sum(0));
  check("i32", [left], (x) => x.reshape(-1, integers.length).max(1));
});

test.skipIf(native === undefined)("in native code", { timeout: 120_000 }, () => {
  expect(held.length).toBeGreaterThan(80);
  const values = run(
    native!,
    held.map((h) => h.output),
  );
  expect(Object.fromEntries(held.flatMap((h, i) => h.check(values[i]).map((d) => [h.name, d])))).toEqual({});
});

test("constants fold to what would be computed", () => {
  const found: string[] = [];
  const compare = (name: string, folded: Tensor, computed: Tensor): void => {
    const [[a], [b]] = [run(js, [folded])[0], run(js, [computed])[0]];
    if (!same(a, b)) found.push(`${name} folds to ${a}, not ${b}`);
  };
  for (const dtype of ["f32", "f64", "i32"] as const) {
    const values = dtype === "i32" ? integers : special(dtype);
    const leaves = values.map((v) => tensor(typed(dtype, [v]), []));
    const constants = values.map((v) => full([], v, dtype));
    values.forEach((v, i) => {
      const [x, c] = [leaves[i], constants[i]];
      compare(`−${v}`, c.neg(), x.neg());
      for (const to of ["f32", "f64", "i32", "bool"] as const)
        compare(`${dtype} ${v} as ${to}`, make("cast", [c], { dtype: to }), make("cast", [x], { dtype: to }));
      if (dtype !== "i32") compare(`1/${v}`, c.recip(), x.recip());
      values.forEach((w, j) => {
        for (const op of ["add", "mul", "maximum", "lt", "eq"] as const) {
          compare(`${op}(${v}, ${w})`, c[op](constants[j]), x[op](leaves[j]));
          compare(`${op}(x = ${v}, ${w})`, x[op](constants[j]), x[op](leaves[j]));
        }
      });
    });
  }
  expect(found).toEqual([]);
});
