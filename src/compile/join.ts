// Finds values that are put together from many, as over the steps of a recurrent network, so that each part is computed in its place.
import { argsOf, bytesOf, type Node, type Shape, sameShape, sizeOf, type Trace, traits } from "../graph/internal.ts";

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
}

/** Fewer terms of a sum are not worth it. */
const fewest = 4;

/** Whether a value has no kernel of its own. */
const unmade = (n: Node): boolean => n.op === "buffer" || n.op === "const" || traits[n.op].class === "view";

interface Term {
  readonly node: Node;
  readonly left: Node;
  readonly right: Node;
  readonly transposed: boolean;
}

class Finder {
  readonly whole = new Map<Node, Join>();
  readonly products = new Map<Node, JoinedProduct>();
  readonly #trace: Trace;
  /** Bytes at whose multiples the parts of a join have to start. */
  readonly #alignment: number;
  readonly #position = new Map<Node, number>();
  readonly #users = new Map<Node, number>();
  readonly #candidates = new Map<Node, readonly Node[]>();
  /** Where parts lie. */
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

  find(): Joins {
    for (const n of this.#trace.nodes) {
      const parts = partsOf(n);
      if (parts !== undefined) this.#candidates.set(n, parts);
    }
    for (const [root, parts] of this.#candidates) if (this.#worth(parts)) this.whole.set(root, this.#place(parts));
    // the longest first: others may be over a part of the same run
    const products = [...this.#sums()].map(([root, terms]) => ({ root, terms, alike: this.#alike(terms) }));
    products.sort((a, b) => b.alike.length - a.alike.length);
    for (const { root, terms, alike } of products) if (alike.length >= fewest) this.#product(root, terms, alike);
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
      if (this.#free(part)) this.#placed.set(part, { join, at });
      else copied.add(at);
    });
    return join;
  }

  /** The terms of a sum that are products of the same form and shape. */
  #alike(terms: readonly Node[]): Term[] {
    const found = terms.map(termOf).filter((t) => t !== undefined);
    const usable = (n: Node): boolean =>
      [n, unshaped(n)].some((x) => x.op === "slice" || this.#placed.has(x) || this.#free(x));
    return found.filter(
      ({ left, right, transposed }) =>
        transposed === found[0].transposed &&
        sameShape(left.shape, found[0].left.shape) &&
        sameShape(right.shape, found[0].right.shape) &&
        usable(left) &&
        usable(right),
    );
  }

  #product(root: Node, all: readonly Node[], alike: Term[]): void {
    const placed = (n: Node): number | undefined => this.#placed.get(unshaped(n))?.at ?? sliceOf(unshaped(n))?.at;
    const guide = alike.every((t) => placed(t.left) !== undefined) ? "left" : "right";
    const place = (t: Term): number => placed(t[guide]) ?? this.#position.get(t.right)!;
    alike.sort((a, b) => place(a) - place(b));
    const left = this.#run(
      root,
      alike.map((t) => t.left),
    );
    if (left === undefined) return;
    const right = this.#run(
      root,
      alike.map((t) => t.right),
    );
    if (right === undefined) return;
    const terms = new Set(alike.map((t) => t.node));
    const rest = all.filter((n) => !terms.has(n));
    this.products.set(root, { left, right, transposed: alike[0].transposed, rest });
  }

  /** Values as neighbours in a join: in the one they are in, or in a new one. */
  #run(root: Node, values: readonly Node[]): Run | undefined {
    const [{ shape }] = values;
    const count = values.length;
    const parts = values.map(unshaped);
    if (parts.every((p) => this.#free(p)) && new Set(parts).size === count)
      return { join: this.#place(parts), first: 0, count, shape };
    const slices = parts.map(sliceOf);
    const [{ source, at } = { source: root, at: 0 }] = slices.filter((x) => x !== undefined);
    if (slices.every((x, k) => x?.source === source && x.at === at + k * sizeOf(shape)) && at % sizeOf(shape) === 0)
      return { join: { parts, copied: new Set(), source }, first: at / sizeOf(shape), count, shape };
    const places = parts.map((p) => this.#placed.get(p));
    const join = places[0]?.join;
    const first = places[0]?.at ?? 0;
    if (join === undefined || !places.every((p, k) => p?.join === join && p.at === first + k)) return undefined;
    return join.parts.some((p) => this.#needs(p, root)) ? undefined : { join, first, count, shape };
  }

  /** Whether a value is computed from another. */
  #needs(value: Node, other: Node): boolean {
    const from = this.#position.get(other)!;
    const seen = new Set<Node>();
    const open = [value];
    for (let n = open.pop(); n !== undefined; n = open.pop()) {
      if (n === other) return true;
      if (seen.has(n) || this.#position.get(n)! < from) continue;
      seen.add(n);
      open.push(...n.inputs);
    }
    return false;
  }
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

/** A term of the form Xᵀ·Y, or its transpose. */
function termOf(node: Node): Term | undefined {
  const transposed = isTransposed(node);
  const product = transposed ? node.inputs[0] : node;
  if (product.op !== "matmul" || product.shape.length !== 2 || !isTransposed(product.inputs[0])) return undefined;
  return { node, left: product.inputs[0].inputs[0], right: product.inputs[1], transposed };
}

/** What a trace puts together from many parts, and its nodes in an order that suits. */
export function findJoins(trace: Trace, alignment: number): Joins & { readonly order: readonly Node[] } {
  const { whole, products } = new Finder(trace, alignment).find();
  const order = whole.size + products.size === 0 ? undefined : joinedOrder(trace, { whole, products });
  return order === undefined ? { ...noJoins, order: trace.nodes } : { whole, products, order };
}

export const noJoins: Joins = { whole: new Map(), products: new Map() };

const partsMade = ({ parts, source }: Join): readonly Node[] => (source === undefined ? parts : [source]);

/** The trace's nodes in an order in which all that a node is made from comes before it; undefined if there is none. */
function joinedOrder(trace: Trace, { whole, products }: Joins): Node[] | undefined {
  const sources = (n: Node): readonly Node[] => {
    const product = products.get(n);
    if (product !== undefined)
      return [...partsMade(product.left.join), ...partsMade(product.right.join), ...product.rest];
    return whole.get(n)?.parts ?? n.inputs;
  };
  const done = new Set<Node>();
  const begun = new Set<Node>();
  const order: Node[] = [];
  for (const root of trace.nodes) {
    const open: [Node, number][] = [[root, 0]];
    for (let top = open[0]; top !== undefined; top = open[open.length - 1]) {
      const next = done.has(top[0]) ? undefined : sources(top[0])[top[1]++];
      if (next !== undefined) {
        if (begun.has(next) && !done.has(next)) return undefined;
        begun.add(top[0]);
        open.push([next, 0]);
      } else {
        open.pop();
        if (!done.has(top[0])) order.push(top[0]);
        done.add(top[0]);
      }
    }
  }
  return order;
}
