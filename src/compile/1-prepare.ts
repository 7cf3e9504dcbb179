// Pass 1: rewrites the graph into the forms the later passes are good at. Values stay the same; views are added, never loops.

import {
  type Args,
  argsOf,
  bytesOf,
  type DType,
  type Node,
  type Op,
  type Shape,
  sameShape,
  sizeOf,
  type Trace,
} from "../graph/internal.ts";
import { findJoins, type Join, type JoinedProduct, noJoins, type Run, type StackedProduct } from "./join.ts";
import { inPhases, type NodeMaker } from "./phases.ts";
import type { Target } from "./target.ts";

/** A trace whose convolutions have no padding, whose long sums run in stages, and whose results each have a node of their own. */
export interface Prepared {
  readonly outputs: readonly Node[];
  readonly updates: readonly { readonly leaf: number; readonly value: Node }[];
  /** Nodes that must have a buffer. */
  readonly kept: ReadonlySet<Node>;
  /** Nodes that no kernel computes: their parts lie one after another in their buffer. */
  readonly joined: ReadonlyMap<Node, readonly Node[]>;
}

/** Longest run that one sum adds up in sequence: past it partial sums keep the rounding error small and give threads work. */
const longestSum = 4096;

/** Products shorter than this, and rows closer than this many elements, are left as they lie. */
const longDepth = 128;
const veryLongDepth = 512;
const farApart = 64;

/**
 * Lanes that may be idle at the end of an image's rows, for each that is not, before vectors run along the channels instead; not where
 * each channel of the result is a page of memory or more, to all of which they would be stored, unless sums are so long that this does
 * not matter. (In C, of 28 × 28: from 95 to 104 GFLOP/s; of 56 × 56, from 95 to 87 with sums of 576 terms, from 86 to 91 with 2304.)
 */
const [mostIdle, page, deep] = [0.1, 1024, 1024];
/** Rows of a product from which it pays to pack a factor that could be read as it lies: the copy goes through memory, and gains a tenth. */
const manyUses = 256;

/** Elements between neighbours along an axis, where a chain of simple views tells. */
function strideAlong(x: Node, axis: number): number | undefined {
  if (x.op === "permute") return strideAlong(x.inputs[0], argsOf(x, "permute").order[axis]);
  if (x.op === "expand") return x.inputs[0].shape[axis] === x.shape[axis] ? strideAlong(x.inputs[0], axis) : 0;
  return sizeOf(x.shape.slice(axis + 1));
}

class Rewriter implements NodeMaker {
  readonly kept: Set<Node> = new Set();
  readonly joined: Map<Node, readonly Node[]> = new Map();
  readonly #joins = new Map<Join, Node>();
  readonly #stacks = new Map<StackedProduct, Node>();
  readonly #target: Target;
  readonly #options: PrepareOptions;
  /** Views of copies made so far, by value and by how the copy lies. */
  readonly #copies = new Map<Node, Map<string, Node>>();
  #count: number;

  constructor(firstId: number, target: Target, options: PrepareOptions) {
    this.#target = target;
    this.#options = options;
    this.#count = firstId;
  }

  node<O extends Op>(op: O, inputs: readonly Node[], args: Args[O], shape: Shape): Node {
    return { id: this.#count++, op, inputs, args, shape, dtype: inputs[0].dtype, leaf: -1 };
  }

  reshape(x: Node, shape: Shape): Node {
    return sameShape(x.shape, shape) ? x : this.node("reshape", [x], { shape }, shape);
  }

  pad(x: Node, widths: readonly (readonly [number, number])[], value = 0): Node {
    if (widths.every(([a, b]) => a === 0 && b === 0)) return x;
    const shape = x.shape.map((d, i) => d + widths[i][0] + widths[i][1]);
    return this.node("pad", [x], { before: widths.map((w) => w[0]), after: widths.map((w) => w[1]), value }, shape);
  }

  crop(x: Node, start: readonly number[], stop: readonly number[]): Node {
    const shape = x.shape.map((_, i) => stop[i] - start[i]);
    return sameShape(shape, x.shape) ? x : this.node("slice", [x], { start, stop, step: x.shape.map(() => 1) }, shape);
  }

  /** A node of its own for a value, so that a result never shares its buffer with a leaf or another result. */
  copy(x: Node): Node {
    return this.node("reshape", [x], { shape: x.shape }, x.shape);
  }

  rewrite(node: Node, inputs: readonly Node[]): Node {
    const same = inputs.every((x, i) => x === node.inputs[i]);
    const plain: Node = same ? node : { ...node, id: this.#count++, inputs };
    if (node.op === "conv") return this.#conv(plain);
    if (node.op === "matmul") return this.#matmul(plain);
    return node.op === "sum" || node.op === "maxReduce" ? this.#reduction(plain, node.op) : plain;
  }

  /** Padding and gaps of the input become a padded copy, or phases, so that the convolution itself reads without conditions. */
  #conv(node: Node): Node {
    const phases = this.#options.phases ? inPhases(node, this) : undefined;
    if (phases !== undefined) return phases;
    const args = argsOf(node, "conv");
    const none = args.padding.map(() => [0, 0] as const);
    const x = this.fit(this.#spread(node.inputs[0], args.inputDilation), [[0, 0], [0, 0], ...args.padding]);
    return this.convolve(
      x === node.inputs[0]
        ? node
        : this.node(
            "conv",
            [x, node.inputs[1]],
            { ...args, padding: none, inputDilation: none.map(() => 1) },
            node.shape,
          ),
    );
  }

  /** An image with d − 1 zeros between its elements along each spatial axis. */
  #spread(x: Node, gaps: readonly number[]): Node {
    if (gaps.every((d) => d === 1)) return x;
    const by = [1, 1, ...gaps];
    const apart = this.reshape(
      x,
      x.shape.flatMap((d) => [d, 1]),
    );
    const wide = this.pad(
      apart,
      by.flatMap(
        (d) =>
          [
            [0, 0],
            [0, d - 1],
          ] as const,
      ),
    );
    const flat = this.reshape(
      wide,
      x.shape.map((d, i) => d * by[i]),
    );
    return this.crop(
      flat,
      by.map(() => 0),
      x.shape.map((d, i) => (d - 1) * by[i] + 1),
    );
  }

  /** A convolution without padding and gaps, of an image in a buffer. */
  convolve(node: Node): Node {
    const image = this.#dense(node);
    if (image !== undefined) return this.convolve(image);
    const filters = this.#filters(node);
    return filters === node.inputs[1] ? node : { ...node, id: this.#count++, inputs: [node.inputs[0], filters] };
  }

  /** A convolution with one tap and a stride, of what it reads of its image side by side, if that is used so often that the copy pays. */
  #dense(node: Node): Node | undefined {
    const [x, filters] = node.inputs;
    const { stride, ...args } = argsOf(node, "conv");
    if (!this.#options.transpose || filters.shape[0] < this.#target.products.uses) return undefined;
    if (stride.every((s) => s === 1) || filters.shape.slice(2).some((n) => n !== 1)) return undefined;
    const shape = [...x.shape.slice(0, 2), ...node.shape.slice(2)];
    const [start, step] = [shape.map(() => 0), [1, 1, ...stride]];
    const stop = shape.map((n, i) => (n - 1) * step[i] + 1);
    const image = this.node("slice", [x], { start, stop, step }, shape);
    this.kept.add(image);
    return this.node("conv", [image, filters], { ...args, stride: stride.map(() => 1) }, node.shape);
  }

  /** In a buffer, where anything changes. */
  fit(x: Node, widths: readonly (readonly [number, number])[]): Node {
    const padded = this.pad(
      x,
      widths.map(([a, b]) => [Math.max(0, a), Math.max(0, b)]),
    );
    const from = widths.map(([a]) => Math.max(0, -a));
    const fitted = this.crop(
      padded,
      from,
      padded.shape.map((d, i) => d - Math.max(0, -widths[i][1])),
    );
    if (fitted !== x) this.kept.add(fitted);
    return fitted;
  }

  /** Filters of a convolution whose rows do not fill vectors, which then run along the channels: a copy has these last, in panels. */
  #filters(node: Node): Node {
    const filters = node.inputs[1];
    if (!this.#options.transpose) return filters;
    const { lanes, products } = this.#target;
    const [batch, channels, ...image] = node.shape;
    const { stride, groups } = argsOf(node, "conv");
    const row = image[image.length - 1];
    const merged = [...stride, ...filters.shape.slice(2)].every((n) => n === 1); // its rows are one
    const idle = merged ? 0 : Math.ceil(row / lanes) * lanes - row;
    const scattered = sizeOf(image) > page && sizeOf(filters.shape.slice(1)) < deep;
    const wide = row >= lanes && (idle <= mostIdle * row || scattered);
    const few = channels < lanes || batch * sizeOf(image) < products.uses;
    if (products.contiguous !== "columns" || wide || few || groups > 1) return filters;
    const width = this.#panelWidth(channels) ?? channels;
    const split = [channels / width, width, ...filters.shape.slice(1)];
    return this.#copied(filters, split, [0, ...[...split.keys()].slice(2), 1]); // [panel, input, taps…, channel of the panel]
  }

  /** Columns of a panel, where so many make whole panels. */
  #panelWidth(columns: number): number | undefined {
    const { lanes, products } = this.#target;
    return products.panels.map((vectors) => vectors * lanes).find((w) => columns % w === 0);
  }

  /**
   * Where factors are large and used often, copies of them make the product read contiguous rows. The right one is packed into panels
   * of columns: what the register tiles of a panel walk through is one run of memory, where rows far apart would fall into the same few
   * sets of the cache. Where its columns make no whole panels, it is copied transposed. Wide vectors run along the columns of the
   * result, and so of the right factor; narrow ones, without panels, along the depth on both sides. Large left factors of several products side by side, as the weights of
   * attention, stay as they are: they are written and read in strips, of which a transposed copy has none.
   */
  #matmul(node: Node): Node {
    if (!this.#options.transpose) return node;
    const [a, b] = node.inputs;
    const rank = node.shape.length;
    const [rows, columns] = node.shape.slice(-2);
    const depth = a.shape[rank - 1];
    const { contiguous, uses } = this.#target.products;
    const turn = (x: Node, axis: number, count: number): Node => (count < uses ? x : this.#contiguous(x, axis));
    const packed = depth < longDepth ? undefined : this.#inPanels(b, rows);
    const alone = rank === 2 || 4 * rows * depth <= this.#target.strips.room;
    let [left, right] = [a, packed ?? b];
    if (contiguous === "columns") {
      if (alone && depth >= veryLongDepth) left = turn(a, rank - 1, columns / 8);
      right = packed ?? turn(b, rank - 1, rows);
    } else if (depth >= longDepth) {
      if (alone) left = turn(a, rank - 1, columns);
      right = packed ?? turn(b, rank - 2, rows);
    }
    return left === a && right === b ? node : { ...node, id: this.#count++, inputs: [left, right] };
  }

  /** A right factor [… depth, columns] as a view of a copy [… panel, depth, column of the panel], if it has so many uses that this pays. */
  #inPanels(b: Node, count: number): Node | undefined {
    const { products } = this.#target;
    const [depth, columns] = b.shape.slice(-2);
    const lead = b.shape.slice(0, -2);
    const width = this.#panelWidth(columns);
    const copied = products.contiguous === "depth" && strideAlong(b, b.shape.length - 2) !== 1;
    if (width === undefined || width === columns) return undefined;
    const [split, order] = [
      [...lead, depth, columns / width, width],
      [...lead.keys(), ...[1, 0, 2].map((i) => lead.length + i)],
    ];
    const made = this.#copies.get(b)?.has(layoutKey(split, order));
    return made || count >= (copied ? products.uses : manyUses) ? this.#copied(b, split, order) : undefined;
  }

  /** A value whose neighbours along one of the last two axes are neighbours in memory: itself, or a view of a copy. */
  #contiguous(x: Node, axis: number): Node {
    const across = strideAlong(x, axis);
    if (across === undefined || across < farApart) return x;
    const rank = x.shape.length;
    return this.#copied(x, x.shape, axis === rank - 1 ? [...x.shape.keys()] : transposed(rank));
  }

  /** A value as a view of a copy, which holds it, reshaped to `split`, with its axes in another order. Made once. */
  #copied(x: Node, split: Shape, order: readonly number[]): Node {
    const views = this.#copies.get(x) ?? new Map<string, Node>();
    this.#copies.set(x, views);
    const key = layoutKey(split, order);
    const known = views.get(key);
    if (known !== undefined) return known;
    const turned = this.permute(this.reshape(x, split), order);
    const copy = turned === x ? this.copy(x) : turned;
    this.kept.add(copy);
    const back = order.map((_, i) => order.indexOf(i));
    const view = this.reshape(this.permute(copy, back), x.shape);
    views.set(key, view);
    return view;
  }

  permute(x: Node, order: readonly number[]): Node {
    if (order.every((from, i) => from === i)) return x;
    return this.node(
      "permute",
      [x],
      { order },
      order.map((i) => x.shape[i]),
    );
  }

  /** The buffer of a join as rows. */
  #joinOf(join: Join, made: (part: Node) => Node): Node {
    let node = this.#joins.get(join);
    if (node !== undefined) return node;
    if (join.source !== undefined) {
      const source = made(join.source);
      return this.reshape(source, [sizeOf(source.shape)]);
    }
    const parts = join.parts.map((part, i) => (join.copied.has(i) ? this.copy(made(part)) : made(part)));
    node = this.join(parts);
    this.#joins.set(join, node);
    return node;
  }

  /** Parts are copied together where the machine cannot begin buffers at their places. */
  join(parts: readonly Node[]): Node {
    for (const part of parts) this.kept.add(part);
    const size = (part: Node): number => sizeOf(part.shape);
    const fits = parts.every((part) => (size(part) * bytesOf[part.dtype]) % this.#target.alignment === 0);
    const inputs = fits ? parts : parts.map((part) => this.reshape(part, [size(part)]));
    const node = this.node("concat", inputs, { axis: 0 }, [parts.reduce((n, part) => n + size(part), 0)]);
    this.kept.add(node);
    if (fits) this.joined.set(node, parts);
    return node;
  }

  whole(join: Join, shape: Shape, made: (part: Node) => Node): Node {
    return this.reshape(this.#joinOf(join, made), shape);
  }

  /** Xᵀ·Y or Yᵀ·X of runs of parts, and what else is added. */
  product({ left, right, transposed, rest }: JoinedProduct, made: (part: Node) => Node): Node {
    const [x, y] = [this.#rowsOf(left, made), this.#rowsOf(right, made)];
    const [a, b] = transposed ? [y, x] : [x, y];
    const turned = this.permute(a, [1, 0]);
    const product = this.#matmul(this.node("matmul", [turned, b], {}, [a.shape[1], b.shape[1]]));
    return rest.reduce((sum, term) => this.node("add", [sum, made(term)], {}, sum.shape), product);
  }

  /** Rows of a stacked product that are its part `at`. */
  rowsOfStack(product: StackedProduct, at: number, made: (part: Node) => Node): Node {
    const { left, right } = product;
    const [rows, columns] = [left.shape[0], right.shape[1]];
    let whole = this.#stacks.get(product);
    if (whole === undefined) {
      const a = this.#rowsOf(left, made);
      whole = this.#matmul(this.node("matmul", [a, made(right)], {}, [left.count * rows, columns]));
      this.#stacks.set(product, whole);
    }
    return this.crop(whole, [at * rows, 0], [(at + 1) * rows, columns]);
  }

  #rowsOf({ join, first, count, shape: [rows, columns] }: Run, made: (part: Node) => Node): Node {
    const size = rows * columns;
    const run = this.crop(this.#joinOf(join, made), [first * size], [(first + count) * size]);
    return this.reshape(run, [count * rows, columns]);
  }

  /** A sum or maximum over very many elements: over the last run first, then over the partial results. */
  #reduction(node: Node, op: "sum" | "maxReduce"): Node {
    const [x] = node.inputs;
    const { axes } = argsOf(node, op);
    const count = axes.reduce((n, a) => n * x.shape[a], 1);
    if (count <= longestSum || !this.#options.stage) return node;
    // the last neighbouring axes among the reduced ones are one run
    const end = Math.max(...axes) + 1;
    let start = end - 1;
    while (axes.includes(start - 1)) start--;
    const [lead, run, trail] = [x.shape.slice(0, start), sizeOf(x.shape.slice(start, end)), x.shape.slice(end)];
    const before = axes.filter((a) => a < start);
    if (run > longestSum) {
      const chunk = largestDivisor(run, longestSum);
      const size = chunk > 64 ? chunk : longestSum;
      const parts = Math.ceil(run / size);
      const none = (shape: Shape): [number, number][] => shape.map(() => [0, 0]);
      const flat = this.reshape(x, [...lead, run, ...trail]);
      const whole = this.pad(flat, [...none(lead), [0, parts * size - run], ...none(trail)], neutral(op, x.dtype));
      const partial = this.#staged(op, this.reshape(whole, [...lead, parts, size, ...trail]), [start + 1]);
      return this.#reduction(this.node(op, [partial], { axes: [...before, start] }, node.shape), op);
    }
    if (before.length === 0) return node;
    const partial = this.#staged(
      op,
      x,
      axes.filter((a) => a >= start),
    );
    return this.#reduction(this.node(op, [partial], { axes: before }, node.shape), op);
  }

  #staged(op: "sum" | "maxReduce", x: Node, axes: readonly number[]): Node {
    const shape = x.shape.filter((_, i) => !axes.includes(i));
    const partial = this.node(op, [x], { axes }, shape);
    this.kept.add(partial);
    return partial;
  }
}

/** What changes no sum, no maximum. */
const neutral = (op: "sum" | "maxReduce", dtype: DType): number =>
  op === "sum" ? 0 : dtype === "i32" ? -(2 ** 31) : Number.NEGATIVE_INFINITY;

function largestDivisor(n: number, limit: number): number {
  for (let d = limit; d > 1; d--) if (n % d === 0) return d;
  return 1;
}

const layoutKey = (split: Shape, order: readonly number[]): string => `${split} ${order}`;

/** The order of axes that exchanges the last two. */
const transposed = (rank: number): number[] =>
  Array.from({ length: rank }, (_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));

/** (A·B)ᵀ of a product that nothing else uses becomes Bᵀ·Aᵀ, so that the result is stored as it is wanted and can be fused onward. */
function transposedProduct(
  node: Node,
  users: ReadonlyMap<Node, number>,
  rewriter: Rewriter,
  inputs: readonly Node[],
): Node | undefined {
  if (node.op !== "permute" || node.inputs[0].op !== "matmul" || users.get(node.inputs[0]) !== 1) return undefined;
  const rank = node.shape.length;
  const order = transposed(rank);
  if (!sameShape(order, argsOf(node, "permute").order)) return undefined;
  const turned = inputs.map((x) => {
    if (x.op === "permute" && sameShape(argsOf(x, "permute").order, order)) return x.inputs[0];
    return rewriter.permute(x, order);
  });
  return rewriter.node("matmul", turned.reverse(), {}, node.shape);
}

export interface PrepareOptions {
  /** Compute the parts of larger values in their places, and sums of products over them as one. */
  readonly join: boolean;
  /** Copy factors of products whose rows lie far apart. */
  readonly transpose: boolean;
  /** Sums over many elements as sums of partial ones. */
  readonly stage: boolean;
  /** Convolutions of images with gaps as several of images without. */
  readonly phases: boolean;
}

export function prepare(trace: Trace, target: Target, options: PrepareOptions): Prepared {
  const rewriter = new Rewriter(1 + Math.max(-1, ...trace.nodes.slice(-1).map((n) => n.id)), target, options);
  const { whole, products, stacked, order } = options.join
    ? findJoins(trace, target.alignment)
    : { ...noJoins, order: trace.nodes };
  const users = usersOf(trace);
  const made = new Map<Node, Node>();
  const of = (n: Node): Node => made.get(n)!;
  const make = (node: Node): Node => {
    const [join, product] = [whole.get(node), products.get(node)];
    if (join !== undefined) return rewriter.whole(join, node.shape, of);
    if (product !== undefined) return rewriter.product(product, of);
    const stack = stacked.get(node);
    if (stack !== undefined) return rewriter.rowsOfStack(stack.product, stack.at, of);
    // a product of a stack is turned as it is: by itself it would be computed twice
    if (node.op === "permute" && stacked.has(node.inputs[0])) return rewriter.rewrite(node, node.inputs.map(of));
    const swapped = transposedProduct(node, users, rewriter, node.inputs[0]?.inputs.map(of) ?? []);
    return rewriter.rewrite(swapped ?? node, swapped?.inputs ?? node.inputs.map(of));
  };
  for (const node of order) made.set(node, make(node));
  const taken = new Set<Node>([...rewriter.joined.keys(), ...[...rewriter.joined.values()].flat()]);
  const result = (node: Node): Node => {
    const value = of(node);
    const own = value.op === "buffer" || taken.has(value) ? rewriter.copy(value) : value;
    taken.add(own);
    rewriter.kept.add(own);
    return own;
  };
  const outputs = trace.outputs.map(result);
  const updates = trace.updates.map(({ leaf, value }) => ({ leaf, value: result(value) }));
  return { outputs, updates, kept: rewriter.kept, joined: rewriter.joined };
}

/** How often each node is used, by others or as a result. */
function usersOf(trace: Trace): Map<Node, number> {
  const users = new Map<Node, number>();
  const count = (n: Node): unknown => users.set(n, (users.get(n) ?? 0) + 1);
  for (const n of trace.nodes) n.inputs.forEach(count);
  for (const n of [...trace.outputs, ...trace.updates.map((u) => u.value)]) count(n);
  return users;
}
