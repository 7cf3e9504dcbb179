// Derivatives of every primitive in double precision: against differences, and against each other where transposes and symmetry promise it.
import { afterAll, describe, expect, test } from "vitest";
import { JsBackend } from "../src/backend/js/index.ts";
import { gaussNewton, grad, hvp, jvp, type Op, type Tensor, tensor, vjpOf } from "../src/graph/index.ts";
import { isFloat, sizeOf, trace } from "../src/graph/internal.ts";
import { leaf } from "./case-makers.ts";
import { cases } from "./cases.ts";
import { bind, hostOf, stream } from "./harness.ts";

const js = new JsBackend();
const random = stream(5);

let firstOrder = 0;
let secondOrder = 0;

type Values = Float64Array[];

/** Random values of the tensors' shapes, in [−1, 1). */
const directions = (xs: readonly Tensor[]): Values =>
  xs.map((x) => Float64Array.from({ length: x.size }, () => 2 * random() - 1));
const asTensors = (values: Values, xs: readonly Tensor[]): Tensor[] => values.map((v, i) => tensor(v, xs[i].shape));
const dot = (a: Values, b: Values): number =>
  a.reduce((sum, v, i) => sum + v.reduce((s, e, j) => s + e * b[i][j], 0), 0);
const norm = (a: Values): number => Math.sqrt(dot(a, a));

/** A function of leaves that computes the tensors anew wherever it is asked for, a step along the directions away from where they are. */
function along(outputs: readonly Tensor[], xs: readonly Tensor[], vs: Values): (step: number) => Values {
  const bound = bind(js, trace([...outputs, ...xs]));
  const at = xs.map((x) => Float64Array.from(hostOf(x)));
  return (step) => {
    xs.forEach((x, i) => {
      bound.write(
        x,
        at[i].map((e, j) => e + step * vs[i][j]),
      );
    });
    return bound
      .step()
      .slice(0, outputs.length)
      .map((v) => Float64Array.from(v));
  };
}

/** Relative to the size of the things compared, and absolutely where these vanish. */
function close(a: number, b: number, tolerance: number, scale: number): boolean {
  return Math.abs(a - b) <= tolerance * Math.max(1e-3, Math.abs(a), Math.abs(b), scale);
}

interface Sample {
  readonly name: string;
  readonly output: Tensor;
  readonly xs: readonly Tensor[];
}

/** The cases of a primitive that have an f64 input and a float output, not too large. */
const samples = (op: Op): Sample[] =>
  cases[op].flatMap(({ name, inputs, output }) => {
    const xs = inputs.filter((x) => x.dtype === "f64");
    if (xs.length === 0 || !isFloat(output.dtype) || output.dtype === "f32" || inputs.some((x) => x.size > 1500))
      return [];
    return sizeOf(output.shape) > 0 && sizeOf(output.shape) <= 1500 ? [{ name, output, xs }] : [];
  });

/** ⟨u, f(x)⟩ differentiated along v, by the derivative table and by a central difference. */
function checkFirst({ name, output, xs }: Sample): string[] {
  const [vs, [u]] = [directions(xs), directions([output])];
  const tangent = jvp([output], xs, asTensors(vs, xs))[0];
  const cotangents = vjpOf([output], xs, [tensor(u, output.shape)]);
  const alone = xs.map((x) => vjpOf([output], [x], [tensor(u, output.shape)])[0]);
  const [j, ...both] = along([tangent, ...cotangents, ...alone], xs, vs)(0);
  const [g, single] = [both.slice(0, xs.length), both.slice(xs.length)];
  const at = along([output], xs, vs);
  const value = (step: number): Values => at(step).map((v) => v.map((e) => (Number.isNaN(e) ? 0 : e))); // a missing row stays one
  const h = 1e-5;
  const difference = (dot([u], value(h)) - dot([u], value(-h))) / (2 * h);
  const [forward, backward, scale] = [dot([u], [j]), dot(g, vs), norm([u]) * norm([j])];
  firstOrder++;
  const found: string[] = [];
  if (dot(single, vs) !== backward) found.push(`${name}: the derivative by one input is another when asked for alone`);
  if (!close(backward, difference, 1e-6, scale)) found.push(`${name}: vjp ${backward}, difference ${difference}`);
  if (!close(forward, backward, 1e-12, scale)) found.push(`${name}: ⟨u, Jv⟩ ${forward}, ⟨Jᵀu, v⟩ ${backward}`);
  return found;
}

/** The Hessian of ⟨u, f(x)⟩ times v, against differences of the gradient; and its symmetry. */
function checkSecond({ name, output, xs }: Sample): string[] {
  const [vs, ws, [u]] = [directions(xs), directions(xs), directions([output])];
  const loss = output.mul(tensor(u, output.shape)).sum();
  const gradient = grad(loss, xs);
  const products = [...hvp(loss, xs, asTensors(vs, xs)), ...hvp(loss, xs, asTensors(ws, xs))];
  const both = along(products, xs, vs)(0);
  const [hv, hw] = [both.slice(0, xs.length), both.slice(xs.length)];
  const slope = along(gradient, xs, vs);
  const h = 1e-5;
  const [up, down] = [slope(h), slope(-h)];
  const difference = up.map((g, i) => g.map((e, j) => (e - down[i][j]) / (2 * h)));
  const gap = norm(difference.map((d, i) => d.map((e, j) => e - hv[i][j])));
  const scale = Math.max(norm(hv), norm(slope(0)), 1e-3);
  secondOrder++;
  const found: string[] = [];
  if (!(gap <= 1e-5 * scale))
    found.push(`${name}: hvp is ${gap} from the difference of gradients, their size ${scale}`);
  const [wHv, vHw] = [dot(ws, hv), dot(vs, hw)];
  if (!close(wHv, vHw, 1e-10, norm(ws) * norm(hv))) found.push(`${name}: wᵀHv ${wHv}, vᵀHw ${vHw}`);
  return found;
}

const differentiable = (Object.keys(cases) as Op[]).filter((op) => samples(op).length > 0);

describe.each(differentiable)("%s", (op) => {
  test("first order", () => {
    expect(samples(op).flatMap(checkFirst)).toEqual([]);
  });

  test("second order", () => {
    // products of the values with one another, so that the Hessian is not zero for linear operations
    const curved = samples(op)
      .filter((_, i) => i % 3 === 0)
      .map((s) => ({ ...s, output: s.output.mul(s.output) }));
    expect(curved.flatMap(checkSecond)).toEqual([]);
  });
});

test("Gauss-Newton products are symmetric and never negative", () => {
  const [x, w, b, out] = [
    leaf([6, 4], "f64"),
    leaf([4, 5], "f64", [-1, 1]),
    leaf([5], "f64", [-1, 1]),
    leaf([5, 3], "f64", [-1, 1]),
  ];
  const xs = [w, b, out];
  const logits = x.matmul(w).add(b).tanh().matmul(out);
  const shifted = logits.sub(logits.max(-1, { keepDims: true }).detach());
  const losses = [logits.square().mean(), shifted.exp().sum(-1).log().sub(shifted.at(0, 1)).mean()];
  for (const loss of losses) {
    const [vs, ws] = [directions(xs), directions(xs)];
    const products = [
      ...gaussNewton(loss, logits, xs, asTensors(vs, xs)),
      ...gaussNewton(loss, logits, xs, asTensors(ws, xs)),
    ];
    const both = along(products, xs, vs)(0);
    const [gv, gw] = [both.slice(0, 3), both.slice(3)];
    expect(dot(vs, gv)).toBeGreaterThanOrEqual(0);
    expect(dot(ws, gw)).toBeGreaterThanOrEqual(0);
    expect(close(dot(ws, gv), dot(vs, gw), 1e-10, norm(ws) * norm(gv))).toBe(true);
  }
});

test("detached values and whole numbers pass no gradient", () => {
  const x = leaf([3], "f64");
  const zero = (y: Tensor): void => expect(grad(y.sum(), x).op).toBe("const");
  zero(x.detach().mul(2));
  zero(x.cast("i32").cast("f64"));
  zero(x.lt(0).cast("f64"));
});

test("gradients of slices that fill a value are put together, in whatever order they were taken", () => {
  const x = leaf([9, 3], "f64");
  const ops = (...at: number[]): string[] => {
    const loss = at
      .map((i) =>
        x
          .slice(0, i, i + 2)
          .square()
          .sum(),
      )
      .reduce((a, b) => a.add(b));
    return trace([grad(loss, x)]).nodes.map((n) => n.op);
  };
  for (const at of [
    [0, 2, 4, 6],
    [6, 4, 2, 0],
    [1, 7, 3],
  ]) {
    expect(ops(...at)).toContain("concat");
    expect(ops(...at)).not.toContain("pad");
  }
  expect(ops(0, 1, 4)).toContain("pad"); // two of them overlap
});

test("vectors that do not fit are refused", () => {
  const x = leaf([3], "f64");
  expect(() => jvp([x.exp()], [x], [])).toThrow(/^jvp: needs one vector for each x, got 0 for 1/);
  expect(() => jvp([x.exp()], [x], [leaf([4], "f64")])).toThrow(/^jvp: vector 0 has the shape/);
  expect(() => grad(x, x)).toThrow(/one element/);
  expect(() => grad(x.sum(), x.cast("i32"))).toThrow(/only float tensors/);
});

afterAll(() => {
  console.log(`derivatives: ${firstOrder} first-order samples, ${secondOrder} second-order samples`);
});
