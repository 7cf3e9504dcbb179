// The numeric surface of the tensor against PyTorch, values and gradients (test/fixtures/torch/surface-numbers.py), and at its edges.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { JsBackend } from "../../src/backend/js/index.ts";
import { NativeBackend } from "../../src/backend/native/index.ts";
import { WasmBackend } from "../../src/backend/wasm/index.ts";
import { type DType, einsum, full, type Tensor, tensor, vjpOf } from "../../src/graph/index.ts";
import type { Data } from "../../src/graph/internal.ts";
import { softmax } from "../../src/nn/index.ts";
import { type Direct, run, typed } from "../harness.ts";

interface Host {
  dtype: DType;
  shape: number[];
  data: (number | string)[];
}

interface Golden {
  op: string;
  args: unknown[];
  inputs: Host[];
  y: Host;
  g?: Host;
  gradients?: Host[];
}

const goldens: Golden[] = JSON.parse(
  readFileSync(new URL("../fixtures/torch/surface-numbers.json", import.meta.url), "utf8"),
);

const given = ({ data, shape, dtype }: Host): Tensor => tensor(typed(dtype, data.map(Number)), shape);

/** A method of the first tensor, or einsum, with the arguments as PyTorch's script wrote them. */
function apply({ op, args }: Golden, [x, ...rest]: Tensor[]): Tensor {
  if (op === "einsum") return einsum(args[0] as string, x, ...rest);
  const plain = args.map((a) => {
    if (a === null) return undefined;
    return typeof a === "object" && "p" in a ? { ...a, p: Number(a.p) } : a;
  });
  const method = (x as unknown as Record<string, (...a: unknown[]) => Tensor>)[op];
  return method.call(x, ...rest, ...plain);
}

/** The value of a case, then its gradients, each with what is expected. */
function results(golden: Golden): { name: string; actual: Tensor; expected: Host }[] {
  const inputs = golden.inputs.map(given);
  const y = apply(golden, inputs);
  const name = `${golden.op}(${inputs.map((x) => `[${x.shape}]`)}, ${JSON.stringify(golden.args)})`;
  const value = { name, actual: y, expected: golden.y };
  if (golden.g === undefined) return [value];
  const gradients = vjpOf([y], inputs, [given(golden.g)]);
  return [
    value,
    ...gradients.map((actual, i) => ({ name: `${name}, gradient ${i}`, actual, expected: golden.gradients![i] })),
  ];
}

/** Operations whose zeros have the signs of PyTorch's. */
const signed = new Set(["round", "trunc", "ceil", "floor", "floorDiv", "atan2"]);

/** What is wrong with a result; errors are held against the largest expected element. */
function problem(data: Data, { dtype, data: written }: Host, signs: boolean): string | undefined {
  const expected = written.map(Number);
  const scale = Math.max(1e-30, ...expected.filter(Number.isFinite).map(Math.abs));
  const close = (a: number, e: number): boolean =>
    Number.isFinite(e) ? Math.abs(a - e) <= (dtype === "f32" ? 1e-6 * scale : 0) : Object.is(a, e);
  const wrong = expected.findIndex((e, i) => !close(data[i], e) || (signs && e === 0 && !Object.is(data[i], e)));
  return wrong === -1 ? undefined : `element ${wrong} is ${data[wrong]}, not ${expected[wrong]}`;
}

/** What differs from PyTorch in the values and gradients of cases. */
function problems(backend: Direct, cases: readonly Golden[]): string[] {
  const list = cases.flatMap(results);
  const values = run(
    backend,
    list.map(({ actual }) => actual),
  );
  return list.flatMap(({ name, actual, expected }, i) => {
    const meta = `${actual.dtype} [${actual.shape}]`;
    const wanted = `${expected.dtype} [${expected.shape}]`;
    if (meta !== wanted) return [`${name} is ${meta}, not ${wanted}`];
    const text = problem(
      values[i],
      expected,
      signed.has(name.split("(")[0]) && expected.dtype === "f32" && !name.includes("gradient"),
    );
    return text === undefined ? [] : [`${name}: ${text}`];
  });
}

const js = new JsBackend();
const wasm = new WasmBackend({ threads: 1, poison: true, verify: true });
const ops = [...new Set(goldens.map(({ op }) => op))];

describe.each([
  ["js", js],
  ["wasm", wasm],
] as const)("on %s", (_, backend) => {
  test.each(ops)("%s is PyTorch's", (op) => {
    expect(
      problems(
        backend,
        goldens.filter((golden) => golden.op === op),
      ),
    ).toEqual([]);
  });
});

/** Values of a tensor on both backends, which have to be the same. */
function values(t: Tensor): number[] {
  const [a, b] = [run(js, [t])[0], run(wasm, [t])[0]];
  expect([...b]).toEqual([...a]);
  return [...b];
}
const whole = (...v: number[]): Tensor => tensor(Int32Array.from(v));
const { POSITIVE_INFINITY: infinity, NaN: nan } = Number;

test("powers by a tensor are exact to 1 ULP in f32", () => {
  expect(values(tensor([10, 3, 2, -10, 7]).pow(tensor([3, 20, -140, 5, 0.5])))).toEqual(
    [1000, 3 ** 20, 2 ** -140, -1e5, Math.sqrt(7)].map(Math.fround),
  );
  expect(values(tensor([1.5, 10]).pow(30.5))).toEqual([1.5 ** 30.5, 10 ** 30.5].map(Math.fround));
});

test("whole quotients, also where there is none", () => {
  expect(values(tensor([7, -7, 7, -7, 0, 6]).floorDiv(tensor([2, 2, -2, -2, 5, 3])))).toEqual([3, -4, -4, 3, 0, 2]);
  expect(values(tensor([1, -1, 0, infinity, 1, -1, 0, 1]).floorDiv(tensor([0, 0, 0, 2, infinity, infinity, infinity, nan])))).toEqual([infinity, -infinity, nan, nan, 0, -1, 0, nan]); // biome-ignore format: a table
  expect(values(whole(7, -7, 5, -(2 ** 31), 2 ** 31 - 1).floorDiv(whole(2, 2, 0, -1, -2)))).toEqual([3, -4, 0, 2 ** 31 - 1, -(2 ** 30)]); // biome-ignore format: a table
  expect(values(tensor([2 ** 23 + 1, -(2 ** 23) - 3]).floorDiv(1))).toEqual([2 ** 23 + 1, -(2 ** 23) - 3]);
  const x = tensor(Float64Array.of(3, -0.1, 1e300));
  expect(values(x.floorDiv(0.1))).toEqual([29, -1, expect.closeTo(1e301, -290)]); // 0.1 is a little more than a tenth
});

test("bits move by the counts of a tensor", () => {
  const counts = [0, 1, 5, 31, 32, 40, -1, -5, -31, -32, 2 ** 31 - 1, -(2 ** 31)];
  const expected = (x: number): number[] =>
    counts.map((n) => (Math.abs(n) > 31 ? 0 : n < 0 ? (x >>> -n) | 0 : (x << n) | 0));
  for (const x of [1, -1, 0x12345678, -(2 ** 31)]) {
    expect(values(whole(x).shift(whole(...counts)))).toEqual(expected(x));
    expect(values(whole(x).shift(-3))).toEqual([(x >>> 3) | 0]);
  }
});

test("reductions and scans of nothing, of whole numbers, of bools", () => {
  const none = full([2, 0], 1);
  expect(values(none.prod(1))).toEqual([1, 1]);
  expect(values(none.logsumexp(1))).toEqual([-infinity, -infinity]);
  expect(values(none.norm(1))).toEqual([0, 0]);
  expect([values(none.any(1)), values(none.all(1))]).toEqual([[0, 0], [1, 1]]); // biome-ignore format: a line
  expect(none.cumsum().shape).toEqual([2, 0]);
  expect([softmax(none).shape, values(softmax(none))]).toEqual([[2, 0], []]);
  expect(values(whole(1, 2, 3, 4).cumprod())).toEqual([1, 2, 6, 24]);
  expect(values(whole(1, 2, 3, 4).prod())).toEqual([24]);
  const truths = whole(0, 1, 0, 1).cast("bool");
  expect([values(truths.cumsum()), values(truths.argmax()), values(truths.argmin()), values(truths.prod())]).toEqual([[0, 1, 1, 2], [1], [0], [0]]); // biome-ignore format: a line
  expect(values(tensor([nan, 0]).any())).toEqual([1]);
  expect(values(tensor([-0, -0]).cumsum()).map((v) => Object.is(v, -0))).toEqual([true, true]);
  expect(values(tensor([infinity, 1]).logsumexp())).toEqual([infinity]);
  expect(values(tensor([-infinity, -infinity]).logsumexp())).toEqual([-infinity]);
  expect(values(tensor([3, nan, 1, nan]).argmin())).toEqual([1]);
  expect(values(tensor([5]).variance(0, { correction: 1 }))).toEqual([nan]);
  const long = Array.from({ length: 37 }, (_, i) => i - 18);
  expect(values(tensor(long).cumsum())).toEqual(long.map((_, i) => long.slice(0, i + 1).reduce((a, b) => a + b)));
});

test("products of whole numbers stay whole", () => {
  const [a, b] = [whole(2 ** 24 + 1, 3), whole(1, 1)];
  expect([a.dot(b).dtype, ...values(a.dot(b))]).toEqual(["i32", 2 ** 24 + 4]);
  const y = einsum("ij,jk->ik", a.reshape(1, 2), b.reshape(2, 1));
  expect([y.dtype, ...values(y)]).toEqual(["i32", 2 ** 24 + 4]);
  expect(values(einsum(" i j -> j i ", whole(1, 2, 3, 4).reshape(2, 2)))).toEqual([1, 3, 2, 4]);
  expect(values(einsum("ij,ij", tensor([[1, 2]]), tensor([[3, 4], [5, 6]])))).toEqual([28]); // biome-ignore format: a line
});

test("gradients at the origin and at poles", () => {
  const zero = tensor([0]);
  const gradient = (y: Tensor, x: Tensor): number[] => [...run(js, [vjpOf([y], [x], [full(y.shape, 1)])[0]])[0]];
  expect(gradient(zero.atan2(zero.detach()), zero)).toEqual([0]);
  expect(gradient(zero.norm(), zero)).toEqual([0]);
  const one = tensor([1]);
  expect([gradient(one.asin(), one), gradient(one.acos(), one)]).toEqual([[infinity], [-infinity]]);
  expect(gradient(one.floorDiv(2).add(one.round()).add(one.ceil()).add(one.trunc()), one)).toEqual([0]);
});

test("tan, log10, rsqrt and atan2 are as precise as they say", () => {
  const x = Float32Array.from({ length: 4000 }, (_, i) => Math.fround(((i * Math.SQRT2) % 1) * 2 ** ((i % 30) - 15)));
  const y = Float32Array.from(
    { length: 4000 },
    (_, i) => (i % 2 ? 1 : -1) * Math.fround(((i * Math.E) % 1) * 2 ** ((i % 17) - 8)),
  );
  const ulps = (actual: Data, exact: (i: number) => number): number =>
    Math.max(
      ...Array.from(actual, (a, i) => Math.abs(a - exact(i)) / 2 ** (Math.floor(Math.log2(Math.abs(exact(i)))) - 23)),
    );
  const [a, b] = [tensor(x), tensor(y)];
  const found = run(wasm, [a.tan(), a.log10(), a.rsqrt(), a.atan2(b)]);
  const exact = [(i: number) => Math.tan(x[i]), (i: number) => Math.log10(x[i]), (i: number) => 1 / Math.sqrt(x[i]), (i: number) => Math.atan2(x[i], y[i])]; // biome-ignore format: a list
  const errors = found.map((f, i) => ulps(f.subarray(1), (j) => exact[i](j + 1)));
  console.log(`tan ${errors[0]}, log10 ${errors[1]}, rsqrt ${errors[2]}, atan2 ${errors[3]} ULP at most`);
  errors.forEach((e, i) => {
    expect(e).toBeLessThan([4, 3, 1.5, 4][i]);
  });
});

test("what is wrong is said", () => {
  const x = full([2, 3], 1);
  const wrong = (value: unknown): never => value as never;
  expect(() => x.clamp()).toThrow(new TypeError("clamp: needs min, max or both, got neither"));
  expect(() => x.clamp(wrong("a"))).toThrow(new TypeError("clamp: takes a tensor or a number, got a string"));
  expect(() => x.norm(0, { p: wrong("2") })).toThrow(new TypeError("norm: p must be a number, got a string"));
  expect(() => x.norm(0, { p: nan })).toThrow(new RangeError("norm: p must be a number, got NaN"));
  expect(() => x.std(0, { correction: -1 })).toThrow(RangeError);
  expect(() => x.std(0, { correction: wrong(null) })).toThrow(TypeError);
  expect(() => x.prod(2)).toThrow(/^prod: axis 2 does not exist/);
  expect(() => x.cumsum(2)).toThrow(/^cumsum: axis 2 does not exist/);
  expect(() => x.argmin(2)).toThrow(/^argmin: axis 2 does not exist/);
  expect(() => x.dot(x)).toThrow(/^dot: needs two vectors, got \[2, 3\] and \[2, 3\]$/);
  expect(() => full([2], 1).dot(full([3], 1))).toThrow(/^dot: sizes differ, \[2\] and \[3\]$/);
  expect(() => x.outer(wrong(3))).toThrow(new TypeError("outer: takes tensors, got a number"));
  expect(() => whole(1).shift(32)).toThrow(RangeError);
  expect(() => whole(1).shift(full([1], 1))).toThrow(/^shift: by must be whole numbers, i32, got f32$/);
  expect(() => einsum(wrong(x), x)).toThrow(TypeError);
  expect(() => einsum("ij", wrong(1))).toThrow(/^einsum: takes tensors/);
  expect(() => einsum("ij,jk", x)).toThrow(/^einsum: equation "ij,jk" has 2 operands, got 1$/);
  expect(() => einsum("ijk", x)).toThrow(/^einsum: "ijk" in equation "ijk" does not name the axes of \[2, 3\]$/);
  expect(() => einsum("ij->k", x)).toThrow(/^einsum: output "k" is in no operand/);
  expect(() => einsum("ij->ii", x)).toThrow(/^einsum: output "i" occurs twice/);
  expect(() => einsum("i1", x)).toThrow(/^einsum: equation takes/);
  expect(() => einsum("ii", x)).toThrow(/^einsum: sizes of "i" differ in equation "ii", 2 and 3$/);
  expect(() => einsum("ij,ij", x, full([2, 4], 1))).toThrow(/^einsum: sizes of "j" differ/);
});

test("compiled from C too, a case of each operation", () => {
  const native = new NativeBackend({ threads: 1, leastWork: [0, 0], poison: true });
  const cases = ops.map((op) => goldens.findLast((golden) => golden.op === op)!);
  expect(problems(native, cases)).toEqual([]);
}, 60000);
