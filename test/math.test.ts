// Accuracy and special values of the elementary functions (graph/elementary.ts) in both evaluators (graph/host-scalars.ts).
import { afterAll, describe, expect, it } from "vitest";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import { type Elementary, elementary } from "../src/graph/elementary.ts";
import { f32Scalars, f64Scalars } from "../src/graph/host-scalars.ts";
import { tensor } from "../src/graph/index.ts";
import { type Exact, exact, ulpsFrom } from "./exact-functions.ts";
import { run } from "./harness.ts";
import { nativeDevice } from "./native-device.ts";

const names = Object.keys(elementary) as Elementary[];
const bounds32: Record<Elementary, number> = {
  exp: 1.5,
  exp2: 1.5,
  log: 1.5,
  log2: 3,
  asin: 3,
  acos: 3,
  atan: 3,
  sinh: 3,
  cosh: 3,
  sigmoid: 2.5,
  tanh: 3,
  erf: 3,
  expm1: 3,
  log1p: 3,
  sin: 3,
  cos: 3,
};
const bound64 = (name: Elementary): number => (name === "asin" ? 2.5 : 2);

/** erf by a series without cancellation, to about 1e-15. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = ((2 * x) / Math.sqrt(Math.PI)) * Math.exp(-x * x);
  let sum = term;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return sum;
}

const references: Record<Elementary, (x: number) => number> = {
  exp: Math.exp,
  exp2: (x) => 2 ** x,
  log: Math.log,
  log2: Math.log2,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  expm1: Math.expm1,
  log1p: Math.log1p,
  erf,
  sigmoid: (x) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x))),
};

const words = new Int32Array(1);
const floats = new Float32Array(words.buffer);
const fromBits = (bits: number): number => {
  words[0] = bits;
  return floats[0];
};

/** Where exhaustive sweeps found the largest errors. */
const worst = [
  -1.950914979, 0.5210946798, 1.000121117, 0.3767091632, 0.4336353838, 88326.3984375, 165.1862945557, 0.693915069,
];

/** Bit patterns at a prime stride, the neighbours of each power of two, and the ranges in which the reductions change over. */
function* inputs32(): Generator<number> {
  yield* worst.map(Math.fround);
  for (let bits = 0; bits < 2 ** 32; bits += 65521) yield fromBits(bits);
  for (let exponent = 0; exponent < 256; exponent++)
    for (const sign of [0, 0x80000000])
      for (let offset = -3; offset <= 3; offset++) yield fromBits((sign | (exponent << 23)) + offset);
  const ranges = [
    [-2.2, 2.2],
    [0.3, 0.6],
    [0.95, 1.05],
    [-6, -3],
    [-104.5, -86],
    [88, 89],
    [3, 10],
  ];
  for (const [low, high] of ranges) for (let i = 0; i < 6000; i++) yield Math.fround(low + ((high - low) * i) / 6000);
  for (let n = 1; n <= 63000; n += n < 2000 ? 1 : 37) {
    yield Math.fround((n * Math.PI) / 2);
    yield Math.fround((n * Math.PI) / 2 + 0.6);
  }
}

/** |y − reference| in units of the last place of a float32 with that value; infinity stands for 2¹²⁸. */
function ulps32(y: number, reference: number): number {
  if (Number.isNaN(y) || Number.isNaN(reference)) return Number.isNaN(y) && Number.isNaN(reference) ? 0 : Infinity;
  const finite = (v: number) => Math.max(-(2 ** 128), Math.min(2 ** 128, v));
  const magnitude = Math.min(Math.abs(reference), 2 ** 127);
  const exponent = Math.max(f64Scalars.exponent(magnitude), -126);
  return Math.abs(finite(y) - finite(reference)) / 2 ** (exponent - 23);
}

const table: string[] = [];
afterAll(() => console.log(["          largest error, ULP      at", ...table].join("\n")));
const record = (name: string, dtype: string, ulps: number, at: number) =>
  table.push(`${name.padEnd(8)} ${dtype}   ${ulps.toFixed(3).padStart(8)}   ${at}`);

describe("float32", () => {
  it.each(names)("%s stays within its bound", (name) => {
    let [largest, at] = [0, 0];
    for (const x of inputs32()) {
      const y = elementary[name].of(f32Scalars, x);
      const error = ulps32(y, references[name](x));
      if (!(error <= largest)) [largest, at] = [error, x];
    }
    record(name, "f32", largest, at);
    expect(largest, `at ${at}`).toBeLessThanOrEqual(bounds32[name]);
  });

  it("never leaves the range of tanh, erf and sigmoid, and keeps odd functions odd", () => {
    for (const x of inputs32()) {
      if (!(x >= 0)) continue;
      for (const name of ["tanh", "erf", "sigmoid"] as const) {
        const y = elementary[name].of(f32Scalars, x);
        if (!(y >= 0 && y <= 1)) expect.fail(`${name}(${x}) = ${y}`);
        if (name !== "sigmoid" && !Object.is(elementary[name].of(f32Scalars, -x), -y)) expect.fail(`${name}(${-x})`);
      }
    }
  });
});

describe("on devices", () => {
  const native = nativeDevice();
  const wasm = new WasmBackend({ threads: 1, poison: true });
  const inputs = Float32Array.from(inputs32());
  const outputs = names.map((name) => tensor(inputs)[name]());

  it("wasm gives the bits of the evaluator", () => {
    const values = run(wasm, outputs);
    names.forEach((name, k) => {
      const at = inputs.findIndex((x, i) => !Object.is(values[k][i], elementary[name].of(f32Scalars, x)));
      expect(at < 0 ? "same" : `${name}(${inputs[at]}) is ${values[k][at]}`).toBe("same");
    });
  });

  it.skipIf(native === undefined)("native stays within the bounds", { timeout: 120_000 }, () => {
    const points = names.map((name) => Float64Array.from(points64(name)));
    const wide = names.map((name, k) => tensor(points[k])[name]());
    const values = run(native!, [...outputs, ...wide]);
    const found: Record<string, string> = {};
    const hold = (
      name: Elementary,
      dtype: "f32" | "f64",
      xs: ArrayLike<number>,
      of: (x: number, y: number) => number,
    ): void => {
      const actual = values[names.indexOf(name) + (dtype === "f64" ? names.length : 0)];
      let [largest, at] = [0, 0];
      for (let i = 0; i < xs.length; i++) {
        const error = of(xs[i], actual[i]);
        if (!(error <= largest)) [largest, at] = [error, xs[i]];
      }
      record(`${name} C`, dtype, largest, at);
      if (!(largest <= (dtype === "f32" ? bounds32[name] : bound64(name))))
        found[`${name} ${dtype}`] = `${largest} at ${at}`;
    };
    names.forEach((name, k) => {
      hold(name, "f32", inputs, (x, y) => ulps32(y, references[name](x)));
      hold(name, "f64", points[k], (x, y) => ulpsFrom(exact[name](x), y));
    });
    expect(found).toEqual({});
  });
});

describe("special values", () => {
  const special = { zero: [0, -0], infinite: [Infinity, -Infinity, NaN] };
  const values = {
    f32: [
      2 ** -149,
      2 ** -140 * 1.5,
      2 ** -126,
      2 ** -126 - 2 ** -149,
      2 ** 128 - 2 ** 104,
      1,
      1 - 2 ** -24,
      1 + 2 ** -23,
    ],
    f64: [Number.MIN_VALUE, 2 ** -1060 * 1.5, 2 ** -1022, Number.MAX_VALUE, 1, 1 - 2 ** -53, 1 + 2 ** -52],
  };
  describe.each([f32Scalars, f64Scalars])("in $dtype", (s) => {
    it.each(names)("%s agrees with the standard library", (name) => {
      for (const x of [...special.zero, ...special.infinite]) {
        const expected = references[name](x);
        expect(elementary[name].of(s, x), `${name}(${x})`).toBe(s.constant(expected));
      }
      for (const x of values[s.dtype].flatMap((v) => [v, -v])) {
        const [y, expected] = [elementary[name].of(s, x), s.constant(references[name](x))];
        if (expected === 0 || !Number.isFinite(expected)) expect(y, `${name}(${x})`).toBe(expected);
        else expect(Math.abs(y / expected - 1), `${name}(${x})`).toBeLessThan(s.dtype === "f32" ? 3e-7 : 5e-16);
      }
    });
    it("returns tiny arguments unchanged where the slope is 1", () => {
      for (const x of [values[s.dtype][0], -values[s.dtype][0], values[s.dtype][1], -values[s.dtype][1]])
        for (const name of ["sin", "asin", "atan", "sinh", "tanh", "expm1", "log1p"] as const)
          expect(elementary[name].of(s, x)).toBe(x);
    });
  });
});

/** Numbers between two bounds: half of them evenly spread, half evenly over the exponents down to 2⁻⁶⁰. */
function* stratified(low: number, high: number, count: number): Generator<number> {
  const golden = (Math.sqrt(5) - 1) / 2;
  for (let i = 1; i <= count; i++) {
    const u = (i * golden) % 1;
    yield low + (high - low) * u;
    const bound = i % 2 ? low : high;
    const x = bound * 2 ** (-60 * ((i * Math.SQRT2) % 1));
    if (x >= low && x <= high) yield x;
  }
}

/** Doubles next to multiples of π/2; the last is the closest of all. */
function* quarterTurns(): Generator<number> {
  for (let n = 1; n < 63662; n += 211) yield (n * Math.PI) / 2;
  for (let n = 63700; n < 2 ** 50; n = Math.ceil(n * 1.07)) yield n * (Math.PI / 2);
  yield 6381956970095103 * 2 ** 797;
}

/** Around each power of two from the far arguments on, and between them. */
function* farArguments(): Generator<number> {
  for (let exponent = 16; exponent < 1024; exponent++) {
    const power = 2 ** exponent;
    for (const mantissa of [1, 1 + 2 ** -52, 2 - 2 ** -52, 1 + ((exponent * Math.SQRT2) % 1)])
      yield exponent % 2 ? mantissa * power : -mantissa * power;
  }
  yield* [99999.99999999999, 1e5, 100000.00000000001];
}

const ranges64: Record<Elementary, number[][]> = {
  exp: [
    [-745, 709.78],
    [-1.2, 1.2],
  ],
  log: [
    [2 ** -1074, 2 ** -1000],
    [1e-10, 1e300],
    [0.6, 1.6],
  ],
  sin: [
    [-1e5, 1e5],
    [-7, 7],
  ],
  cos: [
    [-1e5, 1e5],
    [-7, 7],
  ],
  tanh: [
    [-20, 20],
    [-1, 1],
  ],
  sigmoid: [
    [-744, 40],
    [-6, 6],
  ],
  erf: [
    [-6.2, 6.2],
    [0.7, 1.5],
  ],
  expm1: [
    [-40, 709.7],
    [-1, 1],
    [0.34, 0.45],
  ],
  log1p: [
    [-1 + 2 ** -53, 1e300],
    [-0.7, 1.6],
  ],
  exp2: [
    [-1074, 1023.99],
    [-1.6, 1.6],
  ],
  log2: [
    [2 ** -1074, 2 ** -1000],
    [1e-10, 1e300],
    [0.6, 1.6],
  ],
  asin: [
    [-0.99999, 0.99999],
    [0.3, 0.5],
  ],
  acos: [
    [-0.99999, 0.99999],
    [0.99, 1 - 2 ** -53],
  ],
  atan: [
    [-1e300, 1e300],
    [-3, 3],
    [0.3, 0.5],
  ],
  sinh: [
    [-710.4, 710.4],
    [-1, 1],
    [0.2, 0.6],
  ],
  cosh: [
    [-710.4, 710.4],
    [-1, 1],
  ],
};

/** Where an elementary function is measured in f64. */
function* points64(name: Elementary): Generator<number> {
  for (const [low, high] of ranges64[name]) yield* stratified(low, high, 300);
  if (name !== "sin" && name !== "cos") return;
  yield* quarterTurns();
  yield* farArguments();
}

describe("float64", () => {
  it.each(names)("%s stays within its bound", (name) => {
    let [largest, at] = [0, 0];
    const check = (x: number, reference: Exact) => {
      const error = ulpsFrom(reference, elementary[name].of(f64Scalars, x));
      if (!(error <= largest)) [largest, at] = [error, x];
    };
    for (const x of points64(name)) check(x, exact[name](x));
    record(name, "f64", largest, at);
    expect(largest, `at ${at}`).toBeLessThanOrEqual(bound64(name));
  });
});

describe("evaluators", () => {
  it.each([f32Scalars, f64Scalars])("$dtype operations do what Scalars promises", (s) => {
    const [digits, cleared, top] = s.dtype === "f32" ? [24, 12, 127] : [53, 27, 1023];
    expect([0.5, 1.5, 2.5, -0.5, -2.5, 1.4999].map((x) => s.toFloat(s.round(x)))).toEqual([0, 2, 2, 0, -2, 1]);
    expect(s.pow2(s.integer(top))).toBe(2 ** top);
    expect(s.pow2(s.integer(1 - top))).toBe(2 ** (1 - top));
    expect([1, -6, 0.75, 2 ** (1 - top)].map((x) => s.exponent(x))).toEqual([0, 2, -1, 1 - top]);
    expect([1, -6, 0.75].map((x) => s.mantissa(x))).toEqual([1, -1.5, 1.5]);
    expect(s.high(2 - 2 ** (1 - digits))).toBe(2 - 2 ** (1 + cleared - digits));
    expect([s.copySign(3, -0), s.copySign(-3, 2), s.copySign(0, -1)]).toEqual([-3, 3, -0]);
    expect([s.lt(NaN, 1), s.le(1, 1), s.eq(NaN, NaN)].map((c) => s.select(c, 1, 0))).toEqual([0, 1, 0]);
    expect([s.ishr(s.integer(-5), 1), s.iand(s.integer(-1), s.integer(6)), s.ieq(3, 3)]).toEqual([-3, 6, 1]);
    expect(s.add(1, 2 ** -digits)).toBe(1);
  });
});
