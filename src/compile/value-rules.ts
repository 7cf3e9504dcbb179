// What an element of each primitive's value is, as an expression: one rule a primitive.
import {
  type Args,
  argsOf,
  type Elementary,
  forElementary,
  missing,
  type Node,
  type Op,
  threefryOf,
  traits,
} from "../graph/internal.ts";
import { boundsWithin, ofConstant, ofRow, shifted, times } from "./affine.ts";
import type { Expressions } from "./expressions.ts";
import type { Expr, ScalarOp } from "./kernel.ts";
import { Place } from "./place.ts";

/** The kernel being made. */
export interface ValueMaker {
  readonly exprs: Expressions;
  /** An element of a node's value: computed, or read where the node has a buffer. */
  value(node: Node, place: Place): Expr;
  load(node: Node, place: Place): Expr;
  /** Whether a node's elements are there to be read. */
  reads(node: Node): boolean;
  /** A sum, maximum or contraction along the kernel's reduced axes. */
  reduction(node: Node, place: Place): Expr;
}

export type ValueRule<O extends Op> = (maker: ValueMaker, node: Node, place: Place, args: Args[O]) => Expr;

/** The same operation on the elements at the same place. */
const scalar =
  (op: ScalarOp): ValueRule<Op> =>
  (maker, { inputs, dtype }, place) =>
    maker.exprs.op(
      op,
      inputs.map((x) => maker.value(x, place)),
      dtype,
    );

const reduction: ValueRule<Op> = (maker, node, place) => maker.reduction(node, place);

const ownKernels: ValueRule<Op> = (_, { op }) => {
  throw new Error(`lower: ${op} is computed by kernels of its own`);
};

export const valueRules: { readonly [O in Op]: ValueRule<O> } = {
  ...forElementary(
    (name): ValueRule<Elementary> =>
      (maker, { inputs: [x] }, place) =>
        maker.exprs.elementary(name, maker.value(x, place)),
  ),
  buffer: (maker, node, place) => maker.load(node, place),
  const: ({ exprs }, { dtype }, _, { value }) => exprs.constant(value, dtype),
  iota: ({ exprs }, _, place, { axis }) => exprs.index(place.coords[axis]),
  random,
  neg: scalar("neg"),
  sqrt: scalar("sqrt"),
  floor: scalar("floor"),
  cast: (maker, { inputs: [x] }, place, { dtype }) => {
    const value = maker.value(x, place);
    return value.dtype === dtype ? value : maker.exprs.op("cast", [value], dtype);
  },
  add: scalar("add"),
  mul: scalar("mul"),
  div: scalar("div"),
  max: scalar("max"),
  mod: scalar("mod"),
  lt: scalar("lt"),
  eq: scalar("eq"),
  and: scalar("and"),
  or: scalar("or"),
  xor: scalar("xor"),
  shift: (maker, { inputs: [x] }, place, { by }) => {
    const value = maker.value(x, place);
    return by === 0 ? value : maker.exprs.op(by > 0 ? "shl" : "shr", [value], "i32", Math.abs(by));
  },
  where: scalar("where"),
  sum: reduction,
  maxReduce: reduction,
  reshape: (maker, { inputs: [x] }, place) => maker.value(x, place.reshaped(x.shape)),
  permute: (maker, { inputs: [x] }, place, { order }) => {
    const coords = x.shape.map((_, i) => place.coords[order.indexOf(i)]);
    return maker.value(x, place.moved(x.shape, coords));
  },
  expand: (maker, { inputs: [x] }, place) => {
    const coords = place.coords.map((c, i) => (x.shape[i] === 1 ? ofConstant(0) : c));
    return maker.value(x, place.moved(x.shape, coords));
  },
  pad,
  slice: (maker, { inputs: [x] }, place, { start, step }) => {
    const coords = place.coords.map((c, i) => shifted(times(c, step[i]), start[i]));
    return maker.value(x, place.moved(x.shape, coords));
  },
  flip: (maker, { inputs: [x] }, place, { axes }) => {
    const coords = place.coords.map((c, i) => (axes.includes(i) ? shifted(times(c, -1), x.shape[i] - 1) : c));
    return maker.value(x, place.moved(x.shape, coords));
  },
  concat: ownKernels,
  gather: (maker, { inputs: [table, indices] }, place) => {
    const rank = indices.shape.length;
    const row = maker.value(indices, place.moved(indices.shape, place.coords.slice(0, rank)));
    const coords = [ofRow(row, table.shape[0]), ...place.coords.slice(rank)];
    const { exprs } = maker;
    const value = maker.value(table, place.moved(table.shape, coords));
    return exprs.op("where", [
      isRow(exprs, row, table.shape[0]),
      value,
      exprs.constant(missing(table.dtype), table.dtype),
    ]);
  },
  scatterAdd: ownKernels,
  matmul: reduction,
  conv: reduction,
};

/** Whether a row number read from memory is one of 0 … rows − 1. What it reads is safe in any case: indices clamp it. */
export const isRow = (exprs: Expressions, row: Expr, rows: number): Expr =>
  row.kind === "index" && row.index.min >= 0 && row.index.max < rows
    ? exprs.constant(1, "bool")
    : exprs.op(
        "and",
        [
          exprs.op("lt", [exprs.constant(-1, "i32"), row], "bool"),
          exprs.op("lt", [row, exprs.constant(rows, "i32")], "bool"),
        ],
        "bool",
      );

function pad(maker: ValueMaker, node: Node, place: Place, { before, value }: Args["pad"]): Expr {
  const [x] = node.inputs;
  const coords = place.coords.map((c, i) => shifted(c, -before[i]));
  const guards = coords
    .map((index, i) => ({ index, size: x.shape[i] }))
    .filter(({ index, size }) => {
      const { min, max } = boundsWithin(index, place.guards);
      return min < 0 || max >= size;
    });
  if (guards.length === 0) return maker.value(x, place.moved(x.shape, coords));
  const inner = (unseen: boolean): Expr =>
    maker.value(x, place.moved(x.shape, coords, [...place.guards, ...guards.map((g) => ({ ...g, unseen }))]));
  if (Object.is(value, 0) && isRead(maker, x)) return inner(false); // a load gives 0 where its guards fail
  const around = maker.exprs.constant(value, node.dtype);
  return maker.exprs.op("where", [maker.exprs.inside(guards), inner(true), around], node.dtype);
}

/** Whether an element of a node is an element of a buffer, or 0 for what has been added around. */
function isRead(maker: ValueMaker, node: Node): boolean {
  if (maker.reads(node)) return true;
  const zeros = node.op === "pad" && Object.is(argsOf(node, "pad").value, 0);
  return (zeros || traits[node.op].class === "view") && isRead(maker, node.inputs[0]);
}

function random(maker: ValueMaker, node: Node, place: Place, { stream }: Args["random"]): Expr {
  const { exprs } = maker;
  const op =
    (name: "add" | "xor" | "or") =>
    (a: Expr, b: Expr): Expr =>
      exprs.op(name, [a, b]);
  const constant = (v: number): Expr => exprs.constant(v | 0, "i32");
  const rotate = (a: Expr, by: number): Expr =>
    op("or")(exprs.op("shl", [a], "i32", by), exprs.op("shr", [a], "i32", 32 - by));
  const [source] = node.inputs;
  const word = (i: number): Expr => maker.value(source, new Place(source.shape, { coords: [ofConstant(i)] }, []));
  const counter = [exprs.index(place.flat), constant(stream)] as const;
  return threefryOf({ constant, add: op("add"), xor: op("xor"), rotate }, [word(0), word(1)], counter)[0];
}
