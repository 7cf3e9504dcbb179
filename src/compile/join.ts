// Finds values that are put together from many, as over the steps of a recurrent network, so that each part is computed in its place.
import {
  argsOf,
  bytesOf,
  isAgain,
  type Node,
  type Shape,
  sameShape,
  sizeOf,
  type Trace,
  traits,
} from "../graph/internal.ts";
import { keptLeaves } from "./steady.ts";

/** Values one after another in one buffer. */
export interface Join {
  readonly parts: readonly Node[];
  /** Positions of parts that are computed elsewhere and copied. */
  readonly copied: ReadonlySet<number>;
  /** The value that the parts are slices of, if they are. */
  readonly source?: Node;
}

/** A sum of products over the same run of parts: Σₜ Xₜᵀ·Yₜ is one product of what the Xₜ and the Yₜ make up. */
export interface JoinedProduct {
  readonly left: Run;
  readonly right: Run;
  /** The sum is of the transposed products. */
  readonly transposed: boolean;
  /** Further terms of the sum. */
  readonly rest: readonly Node[];
}

/** Products Aₖ·B with one right factor and none of which needs another: the rows of one product, of what the Aₖ make up. */
export interface StackedProduct {
  readonly left: Run;
  readonly right: Node;
}

/** Neighbouring parts of a join, each a matrix of the given shape. */
export interface Run {
  readonly join: Join;
  readonly first: number;
  readonly count: number;
  readonly shape: Shape;
}

/** Nodes of a trace that are to be made in another way. */
export interface Joins {
  readonly whole: ReadonlyMap<Node, Join>;
  readonly products: ReadonlyMap<Node, JoinedProduct>;
  /** Of a stacked product its parts, each with its place. */
  readonly stacked: ReadonlyMap<Node, { readonly product: StackedProduct; readonly at: number }>;
}

/** Fewer products are not worth it, in a sum or with one right factor. */
const fewest = 4;

/** Products of so many rows gain nothing by more of them; rows may be copied to be side by side for products of so many columns. */
const [manyRows, columnsOfCopied] = [64, 32];
/** Bytes of products that are made at once: more would no longer be in the second-level cache when they are used. */
const stackBytes = 1024 * 1024;
/** How often the nodes of a trace may be gone through in search of independent products. */
const mostPasses = 100;
const mayCopy = (rows: number, columns: number): boolean => rows < manyRows && columns >= columnsOfCopied;

/** Whether a value has no kernel of its own. */
const unmade = (n: Node): boolean => n.op === "buffer" || n.op === "const" || traits[n.op].class === "view";

interface Term {
  readonly node: Node;
  readonly left: Node;
  readonly leftShape: Shape;
  readonly right: Node;
  readonly transposed: boolean;
}

class Finder {
  readonly whole = new Map<Node, Join>();
  readonly products = new Map<Node, JoinedProduct>();
  readonly stacked = new Map<Node, { product: StackedProduct; at: number }>();
  readonly #trace: Trace;
  /** Bytes at whose multiples the parts of a join have to start. */
  readonly #alignment: number;
  readonly #position = new Map<Node, number>();
  readonly #users = new Map<Node, number>();
  readonly #candidates = new Map<Node, readonly Node[]>();
  /** Where parts lie, or copies of them. */
  readonly #placed = new Map<Node, { readonly join: Join; readonly at: number }>();

  constructor(trace: Trace, alignment: number) {
    this.#trace = trace;
    this.#alignment = alignment;
    trace.nodes.forEach((n, i) => {
      this.#position.set(n, i);
      for (const x of n.inputs) this.#count(x);
    });
    for (const n of [...trace.outputs, ...trace.updates.map((u) => u.value)]) this.#count(n);
  }

  #count(n: Node): void {
    this.#users.set(n, (this.#users.get(n) ?? 0) + 1);
  }

  find(): this {
    for (const n of this.#trace.nodes) {
      const parts = partsOf(n);
      if (parts !== undefined) this.#candidates.set(n, parts);
    }
    for (const [root, parts] of this.#candidates) if (this.#worth(parts)) this.whole.set(root, this.#place(parts));
    // the longest first: others may be over a part of the same run
    const products = [...this.#sums()].map(([root, terms]) => ({ root, terms, alike: this.#alike(terms) }));
    products.sort((a, b) => b.alike.length - a.alike.length);
    for (const { root, terms, alike } of products) if (alike.length >= fewest) this.#product(root, terms, alike);
    for (const products of independentProducts(this.#trace)) this.#stack(products);
    return this;
  }

  /** Sums of many terms, by the node that holds the result. */
  #sums(): Map<Node, Node[]> {
    const sums = new Map<Node, Node[]>();
    const inside = new Set<Node>();
    for (const root of [...this.#trace.nodes].reverse()) {
      if (root.op !== "add" || inside.has(root)) continue;
      const terms: Node[] = [];
      const open = [...root.inputs].reverse();
      for (let n = open.pop(); n !== undefined; n = open.pop()) {
        if (n.op !== "add" || this.#users.get(n) !== 1) terms.push(n);
        else {
          inside.add(n);
          open.push(...[...n.inputs].reverse());
        }
      }
      if (terms.length >= fewest) sums.set(root, terms);
    }
    return sums;
  }

  /** Whether a value can be computed straight into a join: it has a kernel, and no other place yet. */
  #free(n: Node): boolean {
    const aligned = (sizeOf(n.shape) * bytesOf[n.dtype]) % this.#alignment === 0;
    return aligned && !unmade(n) && !this.#candidates.has(n) && !this.#placed.has(n) && sizeOf(n.shape) > 0;
  }

  /** Whether most parts of a whole can be computed in place; the others are copied. */
  #worth(parts: readonly Node[]): boolean {
    const aligned = parts.every((p) => (sizeOf(p.shape) * bytesOf[p.dtype]) % this.#alignment === 0);
    return aligned && 2 * new Set(parts.filter((p) => this.#free(p))).size >= parts.length;
  }

  #place(parts: readonly Node[]): Join {
    const copied = new Set<number>();
    const join: Join = { parts, copied };
    parts.forEach((part, at) => {
      if (!this.#free(part)) copied.add(at);
      if (!this.#placed.has(part)) this.#placed.set(part, { join, at });
    });
    return join;
  }

  /** The terms of a sum that are products of the same form and shape. */
  #alike(terms: readonly Node[]): Term[] {
    const found = terms.map(termOf).filter((t) => t !== undefined);
    const usable = (n: Node, other: number, rows: number): boolean =>
      mayCopy(rows, other) || [n, unshaped(n)].some((x) => x.op === "slice" || this.#placed.has(x) || this.#free(x));
    return found.filter(
      ({ left, leftShape, right, transposed }) =>
        transposed === found[0].transposed &&
        sameShape(leftShape, found[0].leftShape) &&
        sameShape(right.shape, found[0].right.shape) &&
        usable(left, right.shape[1], leftShape[0]) &&
        usable(right, leftShape[1], leftShape[0]),
    );
  }

  /** Where a value is among others: its place in a join, or where it begins in what it is a run of. */
  #at(value: Node): number | undefined {
    const part = unshaped(value);
    return (this.#placed.get(part) ?? sliceOf(part))?.at;
  }

  #product(root: Node, all: readonly Node[], alike: Term[]): void {
    const guide = alike.every((t) => this.#at(t.left) !== undefined) ? "left" : "right";
    const place = (t: Term): number => this.#at(t[guide]) ?? this.#position.get(t.right)!;
    alike.sort((a, b) => place(a) - place(b));
    const [{ leftShape, right: matrix, transposed }] = alike;
    const [rows, columns] = leftShape;
    const lefts = alike.map((t) => t.left);
    const left = this.#run([root], lefts, leftShape, mayCopy(rows, matrix.shape[1]));
    if (left === undefined) return;
    const rights = alike.map((t) => t.right);
    const right = this.#run([root], rights, matrix.shape, mayCopy(rows, columns));
    if (right === undefined) return;
    const terms = new Set(alike.map((t) => t.node));
    const rest = all.filter((n) => !terms.has(n));
    this.products.set(root, { left, right, transposed, rest });
  }

  /** Products of one right factor as one, the left ones in the order in which they lie. Those that have a place already keep it. */
  #stack(products: readonly Node[]): void {
    const place = (n: Node): number => this.#at(n.inputs[0]) ?? this.#position.get(n)!;
    const alone = products.filter((n) => !this.#placed.has(n)).sort((a, b) => place(a) - place(b));
    const most = Math.floor(stackBytes / sizeOf(products[0].shape) / bytesOf[products[0].dtype]);
    for (let i = 0; i + fewest <= alone.length && most >= fewest; i += most) {
      const some = alone.slice(i, i + most);
      const [{ shape }, right] = some[0].inputs;
      if (some.length < fewest) return;
      const lefts = some.map((n) => n.inputs[0]);
      const left = this.#run(some, lefts, shape, mayCopy(1, right.shape[1]));
      const product = left && { left, right };
      if (product) some.forEach((n, at) => void this.stacked.set(n, { product, at }));
    }
  }

  /** Values as neighbours in a join, which none of `roots` is needed for: in the one they are in, or in a new one, of copies where this is allowed. */
  #run(roots: readonly Node[], values: readonly Node[], shape: Shape, copied: boolean): Run | undefined {
    const count = values.length;
    const parts = values.map(unshaped);
    if (parts.every((p) => this.#free(p)) && new Set(parts).size === count)
      return { join: this.#place(parts), first: 0, count, shape };
    const slices = parts.map(sliceOf);
    const [{ source, at } = { source: roots[0], at: 0 }] = slices.filter((x) => x !== undefined);
    if (slices.every((x, k) => x?.source === source && x.at === at + k * sizeOf(shape)) && at % sizeOf(shape) === 0)
      return { join: { parts, copied: new Set(), source }, first: at / sizeOf(shape), count, shape };
    const places = parts.map((p) => this.#placed.get(p));
    const join = places[0]?.join;
    const first = places[0]?.at ?? 0;
    if (join !== undefined && places.every((p, k) => p?.join === join && p.at === first + k))
      if (!this.#need(join.parts, roots)) return { join, first, count, shape };
    return copied ? { join: this.#place(parts), first: 0, count, shape } : undefined;
  }

  /** Whether some of the values are computed from some of the others. */
  #need(values: readonly Node[], others: readonly Node[]): boolean {
    const sought = new Set(others);
    const from = Math.min(...others.map((n) => this.#position.get(n)!));
    const seen = new Set<Node>();
    const open = [...values];
    for (let n = open.pop(); n !== undefined; n = open.pop()) {
      if (sought.has(n)) return true;
      if (seen.has(n) || this.#position.get(n)! < from) continue;
      seen.add(n);
      open.push(...n.inputs);
    }
    return false;
  }
}

/**
 * Products of few rows with the same right factor and shape, none of which is computed from another: those with equally many before
 * them. Left out is what is computed again for a derivative, late on purpose, and what is the same in each run.
 */
function independentProducts(trace: Trace): Node[][] {
  const { nodes } = trace;
  const byFactor = new Map<Node, Node[]>();
  const [again, steady] = [new Set<Node>(), new Set<Node>()];
  const position = new Map<Node, number>();
  const keeps = keptLeaves(trace);
  nodes.forEach((n, i) => {
    position.set(n, i);
    if (n.op === "buffer" ? keeps(n) : n.inputs.every((x) => steady.has(x))) steady.add(n);
    else if (isAgain(n) || n.inputs.some((x) => again.has(x))) again.add(n);
    else if (n.op === "matmul" && n.shape.length === 2 && n.shape[0] < manyRows) {
      const products = byFactor.get(n.inputs[1]);
      if (!products?.push(n)) byFactor.set(n.inputs[1], [n]);
    }
  });
  let left = mostPasses * nodes.length;
  return [...byFactor.values()].flatMap((products) => {
    if (products.length < fewest) return [];
    const range = nodes.slice(position.get(products[0]), position.get(products[products.length - 1])! + 1);
    left -= range.length;
    return left < 0 ? [] : apart(range, new Set(products));
  });
}

/** Products by how many come before them; `nodes` are those from the first to the last of them. */
function apart(nodes: readonly Node[], products: ReadonlySet<Node>): Node[][] {
  const before = new Map<Node, number>();
  const groups = new Map<string, Node[]>();
  for (const n of nodes) {
    let count = 0;
    for (const x of n.inputs) count = Math.max(count, before.get(x) ?? 0);
    if (products.has(n)) {
      const key = `${count++} ${n.shape} ${n.inputs[0].dtype}`;
      if (!groups.get(key)?.push(n)) groups.set(key, [n]);
    }
    if (count > 0) before.set(n, count);
  }
  return [...groups.values()];
}

/** The parts of a concatenation that lie one after another in memory. */
function partsOf(n: Node): Node[] | undefined {
  const outermost = n.shape.findIndex((d) => d > 1);
  return n.op === "concat" && argsOf(n, "concat").axis === outermost ? n.inputs.map(unshaped) : undefined;
}

const unshaped = (n: Node): Node => (n.op === "reshape" ? unshaped(n.inputs[0]) : n);

/** Of which value a node is a run of neighbouring elements, and from which element on. */
function sliceOf(n: Node): { source: Node; at: number } | undefined {
  if (n.op !== "slice") return undefined;
  const [source] = n.inputs;
  const { start, step } = argsOf(n, "slice");
  const axis = n.shape.findIndex((d) => d > 1);
  const whole = source.shape.every((d, i) => i <= axis || d === n.shape[i]);
  if (axis < 0 || !whole || step.some((s) => s !== 1)) return undefined;
  return { source, at: start.reduce((at, s, i) => at * source.shape[i] + s, 0) };
}

const isTransposed = (n: Node): boolean => n.op === "permute" && sameShape(argsOf(n, "permute").order, [1, 0]);

/** A term of the form Xᵀ·Y, or its transpose. A column is a row transposed. */
function termOf(node: Node): Term | undefined {
  const transposed = isTransposed(node);
  const product = transposed ? node.inputs[0] : node;
  if (product.op !== "matmul" || product.shape.length !== 2) return undefined;
  const [turned, right] = product.inputs;
  const [columns, rows] = turned.shape;
  if (!isTransposed(turned) && rows > 1) return undefined;
  const left = isTransposed(turned) ? turned.inputs[0] : turned;
  return { node, left, leftShape: [rows, columns], right, transposed };
}

/** What a trace puts together from many parts, and its nodes in an order that suits. */
export function findJoins(trace: Trace, alignment: number): Joins & { readonly order: readonly Node[] } {
  const { whole, products, stacked } = new Finder(trace, alignment).find();
  while (whole.size + products.size + stacked.size > 0) {
    const order = joinedOrder(trace, { whole, products, stacked });
    if (Array.isArray(order)) return { whole, products, stacked, order };
    const waiting = [...stacked].filter(([, { product }]) => order.has(product));
    if (waiting.length === 0) break;
    for (const [n] of waiting) stacked.delete(n);
  }
  return { ...noJoins, order: trace.nodes };
}

export const noJoins: Joins = { whole: new Map(), products: new Map(), stacked: new Map() };

const partsMade = ({ parts, source }: Join): readonly Node[] => (source === undefined ? parts : [source]);

/** The trace's nodes in an order in which all that a node is made from comes before it; if there is none, stacked products that wait for each other. */
function joinedOrder(trace: Trace, { whole, products, stacked }: Joins): Node[] | Set<StackedProduct> {
  const done = new Set<Node | StackedProduct>();
  const sources = (n: Node): readonly Node[] => {
    if (done.has(n)) return [];
    const product = products.get(n);
    if (product !== undefined)
      return [...partsMade(product.left.join), ...partsMade(product.right.join), ...product.rest];
    const rows = stacked.get(n)?.product;
    if (rows === undefined) return whole.get(n)?.parts ?? n.inputs;
    return done.has(rows) ? [] : [...partsMade(rows.left.join), rows.right];
  };
  const begun = new Set<Node>();
  const order: Node[] = [];
  for (const root of trace.nodes) {
    const open = [{ node: root, from: sources(root), at: 0 }];
    for (let top = open[0]; top !== undefined; top = open[open.length - 1]) {
      const { node, from } = top;
      const next = from[top.at++];
      begun.add(node);
      if (next !== undefined && begun.has(next) && !done.has(next))
        return new Set(open.flatMap((o) => stacked.get(o.node)?.product ?? []));
      if (next !== undefined) open.push({ node: next, from: sources(next), at: 0 });
      else {
        open.pop();
        if (!done.has(node)) order.push(node);
        done.add(node).add(stacked.get(node)?.product ?? node);
      }
    }
  }
  return order;
}
