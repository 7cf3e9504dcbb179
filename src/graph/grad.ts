// Derivatives: one reverse-mode rule per primitive. Forward mode and curvature products are compositions of it, so all orders come free.

import { concat, full, iota, where } from "./creators.ts";
import { isFloat } from "./dtype.ts";
import { isDetached } from "./fold.ts";
import { checkTensors, make } from "./operands.ts";
import type { Args, ConvArgs, Op } from "./primitives.ts";
import { fail, sameShape, show } from "./shape.ts";
import { substitute } from "./substitute.ts";
import type { Tensor } from "./tensor.ts";

/** Cotangents of the inputs, given the cotangent g of the node t; undefined where none flows. */
type Vjp<O extends Op> = (g: Tensor, t: Tensor, args: Args[O]) => readonly (Tensor | undefined)[];

const none = (): [] => [];
const first = (t: Tensor): Tensor => t.inputs[0];
const second = (t: Tensor): Tensor => t.inputs[1];

/** Puts back the reduced axes as size 1 and repeats along them. */
const spread = (g: Tensor, like: Tensor, axes: readonly number[]): Tensor =>
  g.reshape(like.shape.map((d, i) => (axes.includes(i) ? 1 : d))).expand(like.shape);

/** √(1 − x²). */
const besideOne = (x: Tensor): Tensor => x.neg().add(1).mul(x.add(1)).sqrt();

const vjp: { readonly [O in Op]: Vjp<O> } = {
  buffer: none,
  const: none,
  iota: none,
  random: none,
  neg: (g) => [g.neg()],
  exp: (g, t) => [g.mul(t)],
  exp2: (g, t) => [g.mul(t).mul(Math.LN2)],
  log: (g, t) => [g.div(first(t))],
  log2: (g, t) => [g.div(first(t)).mul(Math.LOG2E)],
  sin: (g, t) => [g.mul(first(t).cos())],
  cos: (g, t) => [g.mul(first(t).sin()).neg()],
  asin: (g, t) => [g.div(besideOne(first(t)))],
  acos: (g, t) => [g.div(besideOne(first(t))).neg()],
  atan: (g, t) => [g.div(first(t).square().add(1))],
  sinh: (g, t) => [g.mul(first(t).cosh())],
  cosh: (g, t) => [g.mul(first(t).sinh())],
  sqrt: (g, t) => [g.div(t.mul(2))],
  floor: none,
  tanh: (g, t) => [g.mul(t.mul(t).neg().add(1))],
  sigmoid: (g, t) => [g.mul(t.mul(t.neg().add(1)))],
  erf: (g, t) => [
    g.mul(
      first(t)
        .square()
        .neg()
        .exp()
        .mul(2 / Math.sqrt(Math.PI)),
    ),
  ],
  expm1: (g, t) => [g.mul(t.add(1))],
  log1p: (g, t) => [g.div(first(t).add(1))],
  cast: (g, t) => [isFloat(first(t).dtype) && isFloat(t.dtype) ? g.cast(first(t).dtype) : undefined],
  add: (g) => [g, g],
  mul: (g, t) => [g.mul(second(t)), g.mul(first(t))],
  div: (g, t) => {
    const left = g.div(second(t));
    return [left, left.mul(t).neg()];
  },
  max: (g, t) => {
    const right = first(t).lt(second(t));
    return [where(right, g.full(0), g), where(right, g, g.full(0))];
  },
  mod: (g, t) => {
    const quotient = first(t).sub(t).div(second(t)).round(); // ⌊x / y⌋, which is whole but for rounding errors
    return [g, g.mul(quotient).neg()];
  },
  lt: none,
  eq: none,
  and: none,
  or: none,
  xor: none,
  shift: none,
  where: (g, t) => [undefined, where(first(t), g, g.full(0)), where(first(t), g.full(0), g)],
  sum: (g, t, { axes }) => [spread(g, first(t), axes)],
  maxReduce: (g, t, { axes }) => {
    const x = first(t);
    const hit = x.eq(spread(t, x, axes));
    return [where(hit, spread(g.div(hit.cast(x.dtype).sum(axes)), x, axes), 0)]; // ties share the gradient evenly
  },
  reshape: (g, t) => [isDetached(t) ? undefined : g.reshape(first(t).shape)],
  permute: (g, _, { order }) => [g.permute(order.map((_, i) => order.indexOf(i)))],
  expand: (g, t) => [
    g.sum(
      axesThat(t, (i) => first(t).shape[i] !== t.shape[i]),
      { keepDims: true },
    ),
  ],
  pad: (g, t, { before }) => [
    make("slice", [g], { start: before, stop: before.map((b, i) => b + first(t).shape[i]), step: before.map(() => 1) }),
  ],
  slice: (g, t, args) => [unslice(g, first(t), args)],
  flip: (g, _, { axes }) => [g.flip(axes)],
  concat: (g, t, { axis }) => {
    let start = 0;
    return t.inputs.map(({ shape }) => g.slice(axis, start, (start += shape[axis])));
  },
  gather: (g, t) => [make("scatterAdd", [g, second(t)], { size: first(t).shape[0] })],
  scatterAdd: (g, t, { size }) => {
    const [values, rows] = t.inputs;
    const within = rows.ge(0).and(rows.lt(size)); // what was dropped has no gradient
    const lead = within.reshape(...rows.shape, ...values.shape.slice(rows.rank).map(() => 1));
    const cotangent = size === 0 ? values.full(0) : where(lead, g.gather(rows), 0);
    return t.inputs.length === 3 ? [cotangent, undefined, g] : [cotangent];
  },
  matmul: (g, t) => [g.matmul(second(t).transpose()), first(t).transpose().matmul(g)],
  conv: (g, t, args) => [convInputGradient(g, t, args), convWeightGradient(g, t, args)],
};

const axesThat = (t: Tensor, holds: (i: number) => boolean): number[] => t.shape.map((_, i) => i).filter(holds);

/**
 * The transpose of a slice: g's elements at their old places, zeros between and around. Along each axis an element becomes a run of
 * `step`, itself among zeros, and the runs lie at multiples of the step: a place is told from its run without a division.
 */
function unslice(g: Tensor, x: Tensor, { start, step }: Args["slice"]): Tensor {
  if (step.every((s) => s === 1))
    return g.pad(x.shape.map((d, i) => [start[i], d - start[i] - g.shape[i]] as [number, number]));
  const runs = x.shape.map((d, i) => Math.ceil(d / step[i]));
  const widths = runs.flatMap((count, i): [number, number][] => {
    const [before, within] = [Math.floor(start[i] / step[i]), start[i] % step[i]];
    return [
      [before, count - before - g.shape[i]],
      [within, step[i] - 1 - within],
    ];
  });
  const placed = g.reshape(g.shape.flatMap((d) => [d, 1])).pad(widths);
  const whole = placed.reshape(runs.map((count, i) => count * step[i]));
  return x.shape.reduce((y, d, i) => y.slice(i, 0, d), whole);
}

/** Size of an axis once dilated. */
const span = (size: number, by: number): number => (size - 1) * by + 1;

/** ∂/∂x of conv(x, w): g, dilated by the stride, against the flipped weights with input and output channels exchanged. */
function convInputGradient(
  g: Tensor,
  t: Tensor,
  { stride, padding, inputDilation, dilation, groups }: ConvArgs,
): Tensor {
  const [x, w] = t.inputs;
  const [outputs, perGroup, ...kernel] = w.shape;
  const spatial = kernel.map((_, i) => i);
  const swapped = w
    .reshape(groups, outputs / groups, perGroup, ...kernel)
    .transpose(1, 2)
    .reshape(groups * perGroup, outputs / groups, ...kernel)
    .flip(spatial.map((i) => i + 2));
  const pads = spatial.map((i) => {
    const reach = span(kernel[i], dilation[i]);
    const low = reach - 1 - padding[i][0];
    const high = span(x.shape[i + 2], inputDilation[i]) - 1 + reach - span(g.shape[i + 2], stride[i]) - low;
    return [low, high] as const;
  });
  return make("conv", [g, swapped], { stride: inputDilation, padding: pads, inputDilation: stride, dilation, groups });
}

/** ∂/∂w of conv(x, w): x against g as the kernel, with batch and channels exchanged. */
function convWeightGradient(
  g: Tensor,
  t: Tensor,
  { stride, padding, inputDilation, dilation, groups }: ConvArgs,
): Tensor {
  const [x, w] = t.inputs;
  const [batch, channels, ...sizes] = x.shape;
  const kernel = w.shape.slice(2);
  const perGroup = channels / groups;
  const order = [2, 1, 0, ...sizes.map((_, i) => i + 3)];
  const rows = x
    .reshape(batch, groups, perGroup, ...sizes)
    .permute(order)
    .reshape(perGroup, groups * batch, ...sizes);
  const pads = kernel.map((k, i) => {
    const high =
      (k - 1) * dilation[i] + span(g.shape[i + 2], stride[i]) - span(sizes[i], inputDilation[i]) - padding[i][0];
    return [padding[i][0], high] as const;
  });
  return make("conv", [rows, g.transpose(0, 1)], {
    stride: dilation,
    padding: pads,
    inputDilation,
    dilation: stride,
    groups,
  }).transpose(0, 1);
}

/** The nodes that the roots depend on, inputs before users; not those that only nodes of `up` depend on. */
export function topological(roots: readonly Tensor[], up: ReadonlySet<Tensor> = new Set()): Tensor[] {
  const seen = new Set<Tensor>();
  const order: Tensor[] = [];
  const stack: [Tensor, number][] = roots.map((r) => [r, 0] as [Tensor, number]).reverse();
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    const [t, next] = top;
    if (next === 0 && seen.has(t)) {
      stack.pop();
    } else if (next < t.inputs.length && !up.has(t)) {
      seen.add(t);
      top[1]++;
      if (!seen.has(t.inputs[next])) stack.push([t.inputs[next], 0]);
    } else {
      seen.add(t);
      order.push(t);
      stack.pop();
    }
  }
  return order;
}

/** The sum of a value's cotangents. Those that fill different places along one axis, as of the slices of a sequence, are put together. */
function total(parts: readonly Tensor[]): Tensor {
  const byAxis = new Map<number, Tensor[]>();
  const terms: Tensor[] = [];
  for (const part of parts) {
    const axis = placedAlong(part);
    if (axis === undefined) terms.push(part);
    else byAxis.set(axis, [...(byAxis.get(axis) ?? []), part]);
  }
  for (const [axis, placed] of byAxis) terms.push(...together(placed, axis));
  return terms.reduce((sum, term) => sum.add(term));
}

const startOf = (part: Tensor, axis: number): number => (part.args as Args["pad"]).before[axis];

/** The one axis along which a value lies among zeros. */
function placedAlong(part: Tensor): number | undefined {
  if (part.op !== "pad" || (part.args as Args["pad"]).value !== 0) return undefined;
  const axes = axesThat(part, (i) => part.shape[i] !== first(part).shape[i]);
  return axes.length === 1 ? axes[0] : undefined;
}

/** Values among zeros as few ones, each of values of which no two share a place. */
function together(placed: readonly Tensor[], axis: number): Tensor[] {
  const chains: { parts: Tensor[]; end: number }[] = [];
  for (const part of [...placed].sort((a, b) => startOf(a, axis) - startOf(b, axis))) {
    const start = startOf(part, axis);
    const end = start + first(part).shape[axis];
    const chain = chains.find((c) => c.end <= start);
    if (chain === undefined) chains.push({ parts: [part], end });
    else {
      chain.parts.push(part);
      chain.end = end;
    }
  }
  return chains.map(({ parts }) => (parts.length === 1 ? parts[0] : sideBySide(parts, axis)));
}

/** Values in the order of their places, with zeros between them. */
function sideBySide(parts: readonly Tensor[], axis: number): Tensor {
  const { shape, dtype } = parts[0];
  const pieces: Tensor[] = [];
  let end = 0;
  const zerosUpTo = (to: number): void => {
    if (to > end) pieces.push(full(shape.with(axis, to - end), 0, dtype));
  };
  for (const part of parts) {
    zerosUpTo(startOf(part, axis));
    pieces.push(first(part));
    end = startOf(part, axis) + first(part).shape[axis];
  }
  zerosUpTo(shape[axis]);
  return concat(pieces, axis);
}

/** Cotangents of those that are needed of a node's `from`, through its value computed from them once more: none of the first time is kept. */
function throughAgain(
  g: Tensor,
  t: Tensor,
  from: readonly Tensor[],
  needed: ReadonlySet<Tensor>,
): [x: Tensor, part: Tensor][] {
  const again = {};
  const inputs = from.map((x) => make("reshape", [x], { shape: x.shape, again }));
  const value = substitute([first(t)], from, inputs);
  const wanted = [...from.keys()].filter((i) => needed.has(from[i]));
  const parts = vjpOf(
    value,
    wanted.map((i) => inputs[i]),
    [g],
  );
  return wanted.map((i, k) => [from[i], parts[k]]);
}

/** Vector-Jacobian products Σ uᵀ·∂y/∂x over the ys, for each x; zeros where no y depends on x. */
export function vjpOf(ys: readonly Tensor[], xs: readonly Tensor[], us: readonly Tensor[]): Tensor[] {
  const order = topological(ys);
  const needed = new Set<Tensor>(xs);
  for (const t of order) if (t.inputs.some((i) => needed.has(i))) needed.add(t);
  const parts = new Map<Tensor, Tensor[]>();
  const accumulate = (t: Tensor, part: Tensor | undefined): void => {
    if (part === undefined || !needed.has(t)) return;
    const known = parts.get(t);
    if (known === undefined) parts.set(t, [part]);
    else known.push(part);
  };
  const cotangent = new Map<Tensor, Tensor>();
  ys.forEach((y, i) => {
    accumulate(y, us[i]);
  });
  for (const t of order.reverse()) {
    const known = parts.get(t);
    if (known === undefined) continue;
    const g = total(known);
    cotangent.set(t, g);
    if (!t.inputs.some((i) => needed.has(i))) continue;
    const from = t.op === "reshape" ? (t.args as Args["reshape"]).from : undefined;
    if (from !== undefined) {
      for (const [x, part] of throughAgain(g, t, from, needed)) accumulate(x, part);
      continue;
    }
    const passed = (vjp[t.op] as Vjp<Op>)(g, t, t.args);
    t.inputs.forEach((input, i) => {
      accumulate(input, passed[i]);
    });
  }
  const wanted = new Set(xs);
  const data = xs.some((x) => x.op === "buffer" && x.leaf("grad").role === "data");
  const forgotten = (t: Tensor): boolean => {
    if (t.op !== "buffer" || wanted.has(t)) return false;
    const { computed, unlisted } = t.leaf("grad");
    return (unlisted === true && data) || (computed ?? []).some((r) => wanted.has(r.deref()!));
  };
  if (order.some(forgotten)) {
    fail(
      "grad",
      "a value that it passes through has been read, and how it was computed is forgotten then (take gradients before reading)",
    );
  }
  return xs.map((x) => cotangent.get(x) ?? full(x.shape, 0, x.dtype));
}

/** Gradients ∂loss/∂x of a scalar, as tensors of the graph: differentiate them again for higher orders. */
export function grad(loss: Tensor, xs: Tensor): Tensor;
export function grad(loss: Tensor, xs: readonly Tensor[]): Tensor[];
export function grad(loss: Tensor, xs: Tensor | readonly Tensor[]): Tensor | Tensor[] {
  const one = !Array.isArray(xs);
  const list = one ? [xs as Tensor] : (xs as readonly Tensor[]);
  checkTensors("grad", [loss, ...list]);
  if (loss.size !== 1 || !isFloat(loss.dtype))
    fail("grad", `needs a float loss of one element, got ${loss.dtype} ${show(loss.shape)}`);
  for (const x of list)
    if (!isFloat(x.dtype)) fail("grad", `only float tensors have gradients, got ${x.dtype} ${show(x.shape)}`);
  const grads = vjpOf([loss], list, [full(loss.shape, 1, loss.dtype)]);
  return one ? grads[0] : grads;
}

/** Jacobian-vector products Σ ∂y/∂x·v over the xs, one per y, as the transpose of the transpose: vjp_u(u ↦ vjp(y, x, u))(v). */
export function jvp(ys: readonly Tensor[], xs: readonly Tensor[], vs: readonly Tensor[]): Tensor[] {
  if (vs.length !== xs.length) fail("jvp", `needs one vector for each x, got ${vs.length} for ${xs.length}`);
  xs.forEach(({ shape }, i) => {
    if (!sameShape(shape, vs[i].shape))
      fail("jvp", `vector ${i} has the shape ${show(vs[i].shape)}, its x ${show(shape)}`);
  });
  const us = ys.map((y) => full(y.shape, 0, y.dtype === "f64" ? "f64" : "f32"));
  return vjpOf(vjpOf(ys, xs, us), us, vs); // the pullback is linear in u, so the value of u does not matter
}

/** Hessian-vector products H·v of a scalar, one per x. */
export const hvp = (loss: Tensor, xs: readonly Tensor[], vs: readonly Tensor[]): Tensor[] =>
  jvp(grad(loss, xs), xs, vs);

/**
 * Gauss-Newton products Jᵀ·H_L·J·v, one per x, for loss = L(outputs) and outputs = f(xs):
 * the curvature with the second derivative of f left out, positive semi-definite where L is convex (Schraudolph, 2002).
 */
export function gaussNewton(loss: Tensor, outputs: Tensor, xs: readonly Tensor[], vs: readonly Tensor[]): Tensor[] {
  return vjpOf([outputs], xs, hvp(loss, [outputs], jvp([outputs], xs, vs)));
}

/** One where the i32 class index is, zeros elsewhere: [...] → [..., classes]. */
export function oneHot(indices: Tensor, classes: number, dtype: "f32" | "f64" = "f32"): Tensor {
  const shape = [...indices.shape, classes];
  return iota(shape, -1).eq(indices.unsqueeze(-1)).cast(dtype);
}
