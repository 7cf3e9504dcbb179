// Simplifying a trace: each rule fires where it may, and nothing changes by a bit, signed zeros and NaN included.
import fc from "fast-check";
import { expect, test } from "vitest";
import { WasmBackend } from "../../src/backend/wasm/index.ts";
import { concat, type DType, full, type Tensor, tensor, where } from "../../src/graph/index.ts";
import { type Data, trace } from "../../src/graph/internal.ts";
import { make } from "../../src/graph/operands.ts";
import { breathe, passes, runTrace, typed } from "../harness.ts";

const plain = new WasmBackend({ threads: 1, poison: true, without: new Set(passes) });

type Plain = "add" | "mul" | "div" | "neg" | "max" | "lt" | "eq" | "xor" | "exp" | "matmul";
const apply = (op: Plain, inputs: readonly Tensor[]): Tensor => make(op, inputs, {});

/** The operations that are left of a value. */
const left = (t: Tensor): string =>
  trace([t])
    .nodes.map((n) => n.op)
    .filter((op) => op !== "buffer" && op !== "const")
    .join(" ");

const x = tensor([[1.5, -2, 3], [0, -0, 1]]); // biome-ignore format: a matrix
const i = tensor(typed("i32", [3, -4, 5]));
const c = (value: number, dtype: DType = "f32"): Tensor => full([2, 3], value, dtype);
const none = full([0], 1, "f32");
const pair = (a: number, b: number): [number, number] => [a, b];

const zeros: Record<string, Tensor> = {
  "a leaf padded with −0": x.pad([pair(1, 0), pair(0, 2)], -0),
  "a constant padded with −0": c(3).pad([pair(1, 1), pair(0, 0)], -0),
  "a constant 0 padded with −0": c(0).pad([pair(1, 1), pair(0, 0)], -0),
};

const simple: Record<string, [Tensor, string]> = {
  "x + −0": [apply("add", [x, c(-0)]), ""],
  "−0 + x": [apply("add", [c(-0), x]), ""],
  "x + 0": [apply("add", [x, c(0)]), "add"],
  "i + 0": [apply("add", [i, full([3], 0, "i32")]), ""],
  "x · 1": [apply("mul", [x, c(1)]), ""],
  "1 · x": [apply("mul", [c(1), x]), ""],
  "x · 2": [apply("mul", [x, c(2)]), "mul"],
  "x / 1": [apply("div", [x, c(1)]), ""],
  "x / 4": [apply("div", [x, c(4)]), "mul"],
  "x / −4": [apply("div", [x, c(-4)]), "mul"],
  "x / 3": [apply("div", [x, c(3)]), "div"],
  "x / 6": [apply("div", [x, c(6)]), "div"],
  "x / 0": [apply("div", [x, c(0)]), "div"],
  "x / 2¹²⁶": [apply("div", [x, c(2 ** 126)]), "mul"],
  "x / 2¹²⁷": [apply("div", [x, c(2 ** 127)]), "div"],
  "x / 2¹⁰²² in f64": [apply("div", [x.cast("f64"), c(2 ** 1022, "f64")]), "cast mul"],
  "x / 2¹⁰²³ in f64": [apply("div", [x.cast("f64"), c(2 ** 1023, "f64")]), "cast div"],
  "x / 2⁻¹²⁷": [apply("div", [x, c(2 ** -127)]), "mul"],
  "x / 2⁻¹²⁹": [apply("div", [x, c(2 ** -129)]), "div"],
  "−(−x)": [apply("neg", [apply("neg", [x])]), ""],
  "−x": [apply("neg", [x]), "neg"],
  "cast to its own dtype": [make("cast", [x], { dtype: "f32" }), ""],
  "cast of a constant": [make("cast", [c(2.5)], { dtype: "i32" }), ""],
  "where true": [where(full([2, 3], 1, "bool"), x, x.exp()), ""],
  "where false": [where(full([2, 3], 0, "bool"), x, x.exp()), "exp"],
  "sum over nothing": [make("sum", [x.slice(0, 0, 1)], { axes: [] }), "slice"],
  "maximum over nothing": [make("maxReduce", [x], { axes: [] }), ""],
  "arithmetic on constants": [apply("add", [apply("mul", [c(2), c(3)]), c(1)]), ""],
  "reshape to its shape": [make("reshape", [x], { shape: [2, 3] }), ""],
  "reshape of a reshape": [make("reshape", [make("reshape", [x], { shape: [6] })], { shape: [3, 2] }), "reshape"],
  "there and back": [make("reshape", [make("reshape", [x], { shape: [6] })], { shape: [2, 3] }), ""],
  "expand to its shape": [make("expand", [x], { shape: [2, 3] }), ""],
  "expand of an expand": [
    make("expand", [make("expand", [x.reshape(1, 1, 2, 3)], { shape: [1, 4, 2, 3] })], { shape: [5, 4, 2, 3] }),
    "reshape expand",
  ],
  "permute that moves nothing": [make("permute", [x], { order: [0, 1] }), ""],
  "permute of axes of one": [make("permute", [x.reshape(2, 1, 3)], { order: [1, 0, 2] }), "reshape"],
  "two permutes": [
    make("permute", [make("permute", [x.reshape(2, 3, 1).expand([2, 3, 4])], { order: [1, 2, 0] })], {
      order: [1, 2, 0],
    }),
    "reshape expand permute",
  ],
  "transposed twice": [make("permute", [make("permute", [x], { order: [1, 0] })], { order: [1, 0] }), ""],
  transposed: [make("permute", [x], { order: [1, 0] }), "permute"],
  "pad by nothing": [make("pad", [x], { before: [0, 0], after: [0, 0], value: 1 }), ""],
  "slice of all": [make("slice", [x], { start: [0, 0], stop: [2, 3], step: [1, 1] }), ""],
  "flip of no axis": [make("flip", [x], { axes: [] }), ""],
  "flip of an axis of one": [make("flip", [x.reshape(6, 1)], { axes: [1] }), "reshape"],
  flip: [make("flip", [x], { axes: [0] }), "flip"],
  "concat of one": [make("concat", [x], { axis: 0 }), ""],
  "views of a constant": [
    make("flip", [c(2).reshape(6).slice(0, 1, 5).reshape(4, 1).expand([4, 3]).permute([1, 0])], { axes: [0] }),
    "",
  ],
  "no elements": [apply("exp", [none]), ""],
  "padded nothing": [make("pad", [none], { before: [1], after: [2], value: 7 }), ""],
  "sum of nothing": [make("sum", [none], { axes: [0] }), ""],
  "concat with nothing": [make("concat", [none, x.reshape(6)], { axis: 0 }), "reshape"],
  "product over nothing": [apply("matmul", [full([2, 0], 1), full([0, 3], 1)]), ""],
};

const bits = (a: Data): string => Array.from(a, (v) => (Object.is(v, -0) ? "-0" : String(v))).join(" ");

/** With simplifying and without. */
function both(outputs: readonly Tensor[]): [string[], string[]] {
  const [simplified, asMade] = [true, false].map((simplify) => trace(outputs, [], { simplify }));
  return [runTrace(plain, simplified).map(bits), runTrace(plain, asMade).map(bits)];
}

test.each(Object.entries(simple))("%s", (_, [value, ops]) => {
  expect(left(value)).toBe(ops);
  const [simplified, asMade] = both([value]);
  expect(simplified).toEqual(asMade);
});

test.each(Object.entries(zeros))("%s", (_, value) => {
  const [simplified, asMade] = both([value]);
  expect(simplified).toEqual(asMade);
  expect(simplified[0]).toMatch(/^-0 /);
});

const special = [0, -0, 1, -1, 2, -4, 0.5, 3, 2 ** 126, -(2 ** 127), 2 ** -127, 2 ** -149, 1.1, 1 / 0, -1 / 0, 0 / 0];
const whole = [0, 1, -1, 2, -3, 7, 31, 2 ** 15 + 1, 2 ** 31 - 1, -(2 ** 31)];

type Step = (x: Tensor, y: Tensor) => Tensor;
const arithmetic: readonly Step[] = [
  (a, b) => apply("add", [a, b]),
  (a, b) => apply("mul", [a, b]),
  (a, b) => apply("max", [a, b]),
  (a) => apply("neg", [a]),
  (a, b) => where(apply("lt", [a, b]), a, b),
  (a, b) => where(apply("eq", [a, b]), b, a),
  (a) => make("cast", [make("cast", [a], { dtype: a.dtype === "i32" ? "f32" : "i32" })], { dtype: a.dtype }),
  (a) => make("cast", [make("cast", [a], { dtype: "bool" })], { dtype: a.dtype }),
  (a, b) => (a.dtype === "i32" ? apply("xor", [a, b]) : apply("div", [a, b])),
  (a, b) => (a.dtype === "i32" ? a : apply("div", [a, b])),
];
const views: readonly Step[] = [
  (a) => a.flip(),
  (a) => a.pad([pair(1, 0)], -0).slice(0, 0, a.size),
  (a) => a.reshape(a.size, 1).permute([1, 0]).reshape(a.size),
  (a) => a.sum().reshape(1).expand([a.size]),
  (a, b) => concat([a.slice(0, 0, 2), b.slice(0, 2)], 0),
];

test("random expressions of special values and constants keep their bits", async () => {
  const number = fc.nat({ max: 99 });
  const recipe = fc.record({
    dtype: fc.constantFrom<DType>("f32", "f64", "i32"),
    steps: fc.array(fc.tuple(number, number, number), { minLength: 1, maxLength: 8 }),
  });
  const made = (dtype: DType, steps: readonly (readonly [number, number, number])[]): Tensor[] => {
    const values = dtype === "i32" ? whole : special;
    const n = values.length;
    const pool: Tensor[] = [
      tensor(typed(dtype, values)),
      ...values.map((v) => full([n], dtype === "f32" ? Math.fround(v) : v, dtype)),
    ];
    const ops = [...arithmetic, ...arithmetic, ...views];
    return steps.map(([op, a, b]) => {
      const pick = (k: number): Tensor => pool[k % 3 === 0 ? pool.length - 1 : k % pool.length];
      const value = ops[op % ops.length](pick(a), pick(b));
      pool.push(value);
      return value;
    });
  };
  const property = fc.asyncProperty(fc.array(recipe, { minLength: 1, maxLength: 16 }), async (list) => {
    const [simplified, asMade] = both(list.flatMap(({ dtype, steps }) => made(dtype, steps)));
    expect(simplified).toEqual(asMade);
    await breathe();
  });
  await fc.assert(property, {
    seed: Number(process.env.SEED ?? 1),
    numRuns: 40,
    endOnFailure: process.env.SHRINK === "no",
  });
});
