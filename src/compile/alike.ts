// Groups that do the same to other values, as the steps of a recurrent network: what one is lowered to holds for all.
import { argsOf, exactNumber, type Node, stridesOf } from "../graph/internal.ts";
import type { Group } from "./2-schedule.ts";

/** What a group does, without saying to which values. */
export interface Form {
  /** Equal for groups that are lowered to the same, but for the values and where in them it begins. */
  readonly text: string;
  /** The values that are read and the roots, in the order in which the text meets them. */
  readonly values: readonly Node[];
  /** For each of them the element that all reading counts from. */
  readonly starts: readonly number[];
}

/** The form of a group; undefined for one that scatters or puts parts together, which is lowered to several kernels. */
export function formOf(group: Group, stored: (n: Node) => boolean): Form | undefined {
  if (group.roots.some(({ op }) => op === "scatterAdd" || op === "concat")) return undefined;
  return new FormMaker(group).make(stored);
}

class FormMaker {
  readonly #group: Group;
  readonly #numbers = new Map<Node, number>();
  readonly #values: Node[] = [];
  readonly #lines: string[] = [];
  /** The first element of each value that any of its slices begins at. */
  readonly #first = new Map<Node, number>();

  constructor(group: Group) {
    this.#group = group;
  }

  make(stored: (n: Node) => boolean): Form {
    const { roots, cores } = this.#group;
    const order = this.#inside();
    for (const node of order) for (const x of node.inputs) if (node.op !== "reshape") this.#see(node, x);
    for (const root of roots) if (root.op === "reshape") this.#see(root, root.inputs[0]);
    for (const node of order) this.#write(node);
    const numbers = (nodes: readonly Node[]): string => nodes.map((n) => this.#number(n)).join();
    for (const root of roots) this.#values.push(root);
    const text = `${this.#lines.join("\n")}\n${numbers(roots)} ${roots.map((n) => Number(stored(n))).join()} ${numbers(cores)}`;
    return { text, values: this.#values, starts: this.#values.map((n) => this.#startOf(n)) };
  }

  #isRead(n: Node): boolean {
    return n.op === "buffer" || this.#group.reads.has(n);
  }

  /** The nodes that are computed inside, inputs first. */
  #inside(): Node[] {
    const order: Node[] = [];
    const seen = new Set<Node>();
    const visit = (n: Node): void => {
      if (seen.has(n) || this.#isRead(n)) return;
      seen.add(n);
      n.inputs.forEach(visit);
      order.push(n);
    };
    this.#group.roots.forEach(visit);
    return order;
  }

  /** Notes where a node that uses x, a value or a reshaped one, begins in it. */
  #see(node: Node, x: Node): void {
    const value = this.#valueBelow(x);
    if (value === undefined) return;
    const at = offsetOf(node) ?? 0;
    this.#first.set(value, Math.min(at, this.#first.get(value) ?? at));
  }

  #valueBelow(x: Node): Node | undefined {
    let below = x;
    while (below.op === "reshape" && !this.#isRead(below)) below = below.inputs[0];
    return this.#isRead(below) ? below : undefined;
  }

  /** Leaves are read from where they begin, as what takes their place is compared with what is read. */
  #startOf(value: Node): number {
    return value.op === "buffer" ? 0 : (this.#first.get(value) ?? 0);
  }

  #write(node: Node): void {
    const { op, args, dtype, shape, inputs } = node;
    const names = inputs.map((x) => this.#number(x));
    const offset = offsetOf(node);
    const value = offset === undefined ? undefined : this.#valueBelow(inputs[0]);
    const what = value === undefined ? JSON.stringify(args, exactNumber) : `from ${offset! - this.#startOf(value)}`;
    this.#numbers.set(node, this.#lines.push(`${op} ${what} ${dtype} ${shape.join()} ${names.join()}`) - 1);
  }

  /** The line that stands for a node; values that are read get theirs here. */
  #number(node: Node): number {
    let number = this.#numbers.get(node);
    if (number === undefined) {
      this.#values.push(node);
      number = this.#lines.push(`${node.op === "buffer" ? "leaf" : "value"} ${node.dtype} ${node.shape.join()}`) - 1;
      this.#numbers.set(node, number);
    }
    return number;
  }
}

/** The element of its input, as a row, that a slice of neighbours begins at. */
function offsetOf(node: Node): number | undefined {
  if (node.op !== "slice") return undefined;
  const { start, step } = argsOf(node, "slice");
  if (step.some((s) => s !== 1)) return undefined;
  const strides = stridesOf(node.inputs[0].shape);
  return start.reduce((sum, s, i) => sum + s * strides[i], 0);
}
