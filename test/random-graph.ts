// Builds a graph from a list of small numbers, so that a property-testing library can draw, replay and shrink it.
import fc from "fast-check";
import { concat, grad, hvp, jvp, type Tensor, tensor, where } from "../src/graph/index.ts";
import { sizeOf, type Update } from "../src/graph/internal.ts";
import { param } from "../src/graph/leaves.ts";
import { make } from "../src/graph/operands.ts";
import { stream, typed } from "./harness.ts";

/** One operation: which, on which earlier values, and a number that settles its details. */
export interface Instruction {
  readonly op: number;
  readonly a: number;
  readonly b: number;
  readonly detail: number;
}

export interface Recipe {
  /** Whole numbers and operations that keep them whole: results must then be equal to the bit. */
  readonly whole: boolean;
  /** Extents of the leaves. */
  readonly sizes: readonly [number, number, number];
  readonly instructions: readonly Instruction[];
  readonly outputs: readonly number[];
  readonly gradients: boolean;
  /** Which derivative along a direction there is, if any. */
  readonly direction: number;
  readonly update: number;
}

export interface Graph {
  readonly outputs: readonly Tensor[];
  readonly updates: readonly Update[];
}

const natural = (max: number): fc.Arbitrary<number> => fc.nat({ max });
const size = fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 6 }) }, fc.constantFrom(8, 17, 33));

/** Recipes of up to a dozen operations. */
export const recipes: fc.Arbitrary<Recipe> = fc.record({
  whole: fc.boolean(),
  sizes: fc.tuple(size, size, size),
  instructions: fc.array(fc.record({ op: natural(999), a: natural(15), b: natural(15), detail: natural(15) }), {
    minLength: 1,
    maxLength: 12,
  }),
  outputs: fc.array(natural(20), { maxLength: 3 }),
  gradients: fc.boolean(),
  direction: natural(7),
  update: natural(5),
});

/** Tensors grow no larger than this. */
const most = 700;

type Make = (x: Tensor, y: Tensor, detail: number, leaves: Leaves) => Tensor;

interface Leaves {
  readonly params: readonly Tensor[];
  /** i32 [5], some of them repeated or out of range. */
  readonly rows: Tensor;
  /** The same with other numbers of axes: [], [2, 3], [3, 1, 2] and [0, 2]. */
  readonly indices: readonly Tensor[];
}

/** y, or its sum where it does not broadcast with x. */
const fitted = (x: Tensor, y: Tensor): Tensor => {
  const rank = Math.max(x.rank, y.rank);
  const size = (t: Tensor, i: number): number => t.shape[i - rank + t.rank] ?? 1;
  const fits = Array.from({ length: rank }, (_, i) => [size(x, i), size(y, i)]).every(
    ([p, q]) => p === q || p === 1 || q === 1,
  );
  return fits ? y : y.sum();
};

const subset = (x: Tensor, detail: number): number[] => x.shape.map((_, i) => i).filter((i) => (detail >> i) & 1);
const turned = (x: Tensor, by: number): number[] => x.shape.map((_, i) => (i + by) % x.rank);
const alongFirst = (x: Tensor, of: (x: Tensor) => Tensor): Tensor => of(x.rank === 0 ? x.reshape(1) : x);
const asMatrix = (x: Tensor): Tensor => x.reshape(x.shape[0] ?? 1, -1);

/** Operations that take whole numbers to whole numbers. */
const wholeOps: readonly Make[] = [
  (x, y) => x.add(fitted(x, y)),
  (x, y) => x.sub(fitted(x, y)),
  (x, y) => x.mul(fitted(x, y)),
  (x, y) => x.maximum(fitted(x, y)),
  (x, y) => where(x.lt(fitted(x, y)), x, fitted(x, y)),
  (x, y, d) => where(x.eq(fitted(x, y)), d, x),
  (x) => x.neg(),
  (x, _, d) => x.mul([2, -1, 0.5, 3][d % 4]),
  (x, _, d) => x.add((d % 5) - 2),
  (x) => x.relu(),
  (x) => x.abs(),
  (x, _, d) => x.sum(subset(x, d), { keepDims: d > 8 }),
  (x, _, d) => x.sum(subset(x, d)),
  (x, _, d) => x.max(subset(x, d), { keepDims: d > 8 }),
  (x, _, d) => x.sub(x.max(subset(x, d), { keepDims: true })),
  (x, _, d) => x.permute(turned(x, d)),
  (x) => x.reshape(-1),
  (x, _, d) => x.reshape(-1, x.size % (d + 1) === 0 ? d + 1 : 1),
  (x, _, d) => x.flip(subset(x, d)),
  (x, _, d) => alongFirst(x, (v) => v.slice(d % v.rank, d % 2, undefined, 1 + (d % 3))),
  (x, _, d) =>
    x.pad(
      x.shape.map((_, i) => [(d >> i) & 1, d % 3]),
      d % 2,
    ),
  (x, _, d) =>
    x
      .unsqueeze(d % (x.rank + 1))
      .expand([...x.shape.slice(0, d % (x.rank + 1)), 2 + (d % 3), ...x.shape.slice(d % (x.rank + 1))]),
  (x, y, d) => alongFirst(x, (v) => concat([v, y.shape.join() === v.shape.join() ? y : v.neg()], d % v.rank)),
  (x, _, __, { rows }) => alongFirst(x, (v) => (v.shape[0] === 0 ? v : v.gather(rows))),
  (x, _, d, { rows }) =>
    alongFirst(x, (v) =>
      make("scatterAdd", [v.shape[0] >= 5 ? v.slice(0, 0, 5) : v.slice(0, 0, 1).expand(5, ...v.shape.slice(1)), rows], {
        size: 1 + (d % 6),
      }),
    ),
  (x, y) =>
    asMatrix(x).shape[1] === asMatrix(y).shape[0]
      ? asMatrix(x).matmul(asMatrix(y))
      : asMatrix(x).matmul(asMatrix(x).transpose()),
  (x, y) =>
    asMatrix(x).shape[1] === asMatrix(y).shape[1]
      ? asMatrix(x).matmul(asMatrix(y).transpose())
      : asMatrix(x).transpose().matmul(asMatrix(x)),
  (x, _, d, { params }) => x.reshape(1, 1, -1).conv(params[4], { padding: 1 + (d % 2), stride: 1 + (d % 3) }),
  (x, _, d, { params }) =>
    asMatrix(x)
      .reshape(1, 1, x.shape[0] ?? 1, -1)
      .conv(params[4].reshape(1, 1, 2, 3), { padding: 2, stride: 1 + (d % 2), dilation: 1 + (d >> 3) }),
  (x) => x.detach(),
  (x, _, d) =>
    x
      .flip(subset(x, d))
      .reshape([...x.shape].reverse())
      .permute(turned(x, 1)),
  (x, _, d) => x.permute(turned(x, d)).reshape(-1).flip().reshape(x.shape),
  (x, y) => x.lt(fitted(x, y)).cast("f32"),
  (x, _, d) => x.add(x.flip(subset(x, d))),
  (x, _, d) => x.mul(2).sub(x.mul(3).flip(subset(x, d))),
  (x, _, d) => alongFirst(x, (v) => concat([v, v.flip(d % v.rank)], (d >> 1) % v.rank)),
  (x, y, d) =>
    alongFirst(x, (v) => {
      const parts = [v, v.neg(), v.flip(0), y.shape.join() === v.shape.join() ? y : v.mul(2), v.slice(-1, 0, 1)];
      const axis = d % v.rank;
      const last = axis === v.rank - 1 ? parts : parts.slice(0, 4);
      return concat(last.slice(0, 2 + (d >> 2)), axis);
    }),
  (x, _, d, { indices }) => alongFirst(x, (v) => v.gather(indices[d % 3])),
  (x, _, d, { indices }) => x.reshape(-1, 1).gather(indices[d % 3]),
  (x, _, d, { indices }) => x.reshape(1, -1).gather(indices[d % 3]),
  (x, _, d, { indices }) =>
    alongFirst(x, (v) =>
      v.add(
        v
          .gather(indices[3])
          .sum([0, 1], { keepDims: d > 8 })
          .sum(),
      ),
    ),
  (x, _, d, { indices }) => {
    const at = indices[d % 3];
    const rows = d > 8 ? x.reshape(-1).pad([[0, at.size]]).slice(0, 0, at.size).reshape(at.shape) : undefined; // biome-ignore format: a line
    const wide = at.shape.map(() => 1);
    const values = rows ?? x.reshape(...wide, -1).expand([...at.shape, x.size]);
    return make("scatterAdd", [values, at], { size: 1 + (d % 7) });
  },
  (x, _, d) => alongFirst(x, (v) => concat([v.slice(d % v.rank, 1, 1), v, v.slice(d % v.rank, 0, 0, 2)], d % v.rank)),
  (x, _, d) =>
    alongFirst(x, (v) => v.slice(d % v.rank, 1, 1, 3).sum(d % v.rank, { keepDims: true }).add(v)), // biome-ignore format: a line
  (x, _, d) => x.unsqueeze(d % (x.rank + 1)).mul(2),
  (x) => x.div(tensor([1, 2, -4]).reshape(3, ...x.shape.map(() => 1))),
];

/** Operations of whole numbers and truths, which are sudden where numbers are uncertain. */
const exactOps: readonly Make[] = [
  (x, _, d) =>
    x
      .cast("i32")
      .mod((d % 5) + 1)
      .cast("f32"),
  (x, y) => x.mod(fitted(x, y).abs().add(1)),
  (x, y) => x.mod(fitted(x, y).sub(0.5)),
  (x, _, d) => x.cast("i32").sum(subset(x, d)).cast("f32"),
  (x, y, d) => x.cast("i32").mul(3).maximum(fitted(x, y).cast("i32")).max(subset(x, d), { keepDims: true }).cast("f32"),
  (x, y) => x.cast("i32").xor(fitted(x, y).cast("i32").shift(1)).mod(64).cast("f32"),
  (x, y, d) => x.lt(fitted(x, y)).and(x.eq(d % 3)).or(x.ge(1).flip(subset(x, d))).cast("f32"), // biome-ignore format: a line
  (x, y, d) => where(x.cast("bool").flip(subset(x, d)), x, fitted(x, y)),
  (x, _, d, { indices }) =>
    alongFirst(x, (v) =>
      v
        .cast("i32")
        .gather(indices[d % 3])
        .cast("f32"),
    ),
  (x, _, d) => alongFirst(x, (v) => concat([v.cast("bool"), v.lt(1).flip(0)], d % v.rank).cast("f32")),
  (x, y) => x.cast("f64").add(fitted(x, y).cast("f64")).mul(0.5).cast("f32"),
  (x) => x.mul(0.5).floor(),
];

const smoothOps: readonly Make[] = [
  (x) => x.tanh(),
  (x) => x.sigmoid(),
  (x) => x.tanh().exp(),
  (x) => x.sin(),
  (x) => x.cos(),
  (x) => x.erf(),
  (x) => x.square().add(1).sqrt(),
  (x) => x.square().log1p(),
  (x, y) => x.div(fitted(x, y).square().add(1)),
  (x, _, d) => x.div(x.abs().sum(subset(x, d), { keepDims: true }).add(1)),
  (x) => x.square().add(0.5).log(),
  (x) => x.square().neg().expm1(),
  (x) => alongFirst(x, (v) => v.sub(v.max(-1, { keepDims: true })).exp()),
  (x) =>
    alongFirst(x, (v) => v.sub(v.mean(-1, { keepDims: true })).div(v.variance(-1, { keepDims: true }).add(0.1).sqrt())),
];

/** The graph of a recipe: its chosen values, the gradients of their sum, and updates of its parameters. */
export function build({ whole, sizes: [m, n, k], instructions, outputs, gradients, direction, update }: Recipe): Graph {
  const random = stream(m * 64 + n * 8 + k);
  const draw = (): number => (whole ? Math.floor(random() * 5) - 2 : 3 * random() - 1.5);
  const values = (shape: readonly number[]): Float32Array => Float32Array.from({ length: sizeOf(shape) }, draw);
  const shapes = [[m, n], [m, n], [n, k], [], [2, 1, 3], [n]];
  const params = shapes.map((shape) => param(values(shape), shape));
  const index = (...shape: number[]): Tensor =>
    tensor(
      typed(
        "i32",
        Array.from({ length: sizeOf(shape) }, () => Math.floor(8 * random()) - 1),
      ),
      shape,
    );
  const indices = [index(), index(2, 3), index(3, 1, 2), index(0, 2)];
  const leaves: Leaves = { params, rows: tensor(typed("i32", [0, 2, m - 1, 0, 1])), indices };
  const ops = [...wholeOps, ...(whole ? exactOps : smoothOps)];
  const pool: Tensor[] = [...params];
  for (const { op, a, b, detail } of instructions) {
    // half the time a late value, so that chains grow long, else a parameter, so that they are shared
    const pick = (i: number): Tensor =>
      i % 2 === 0 ? pool[Math.max(0, pool.length - 1 - i / 2)] : params[(i >> 1) % params.length];
    const [x, y] = [pick(a), pick(b)];
    const made = ops[op % ops.length](x, y, detail, leaves);
    if (made.size > 0 && made.size <= most && made.rank <= 5) pool.push(made);
  }
  const computed = pool.slice(Math.min(params.length, pool.length - 1));
  const chosen = [...new Set([computed[computed.length - 1], ...outputs.map((i) => computed[i % computed.length])])];
  const loss = chosen.map((t, i) => t.mul(i + 1).sum()).reduce((sum, t) => sum.add(t));
  const grads = gradients ? grad(loss, params) : [];
  const middle = computed[direction % computed.length];
  const further = gradients ? [grad(loss, middle), ...along(direction, loss, chosen, params)] : [];
  const flowing = [...grads, ...further].filter((g) => g.op !== "const");
  return { outputs: [...chosen, loss, ...flowing], updates: updatesOf(update, params, pool, grads) };
}

/** A derivative along the second parameter as a direction of the first. */
function along(kind: number, loss: Tensor, chosen: readonly Tensor[], [a, b]: readonly Tensor[]): readonly Tensor[] {
  if (kind === 1) return jvp(chosen, [a], [b]);
  return kind === 2 ? hvp(loss, [a], [b]) : [];
}

function updatesOf(
  kind: number,
  params: readonly Tensor[],
  pool: readonly Tensor[],
  grads: readonly Tensor[],
): Update[] {
  const [a, b, c, d] = params;
  const like = (t: Tensor): Tensor => pool.findLast((p) => p.shape.join() === t.shape.join())!;
  const all: readonly Update[][] = [
    [],
    [
      { leaf: a, value: b },
      { leaf: b, value: a },
    ],
    params.map((p, i) => ({ leaf: p, value: p.sub((grads[i] ?? p).mul(0.5)) })),
    [
      { leaf: a, value: a.flip(0) },
      { leaf: d, value: d.add(1) },
    ],
    [
      { leaf: a, value: like(a) },
      { leaf: b, value: like(b).add(a) },
      { leaf: c, value: c.mul(2) },
    ],
    [
      { leaf: a, value: a.sum(0, { keepDims: true }).expand(a.shape) },
      { leaf: b, value: b.add(like(d)) },
    ],
  ];
  return all[kind % all.length];
}
