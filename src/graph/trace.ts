// A trace: the graph of one step, copied, with equal nodes merged, in topological order. It is what the compiler and the backends read.
import type { DType } from "./dtype.ts";
import { type Draft, fold } from "./fold.ts";
import { topological } from "./grad.ts";
import type { Args, Op } from "./primitives.ts";
import type { Update } from "./scope.ts";
import type { Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** A node of a trace. A `buffer` node is the leaf bound at its leaf. */
export interface Node {
  readonly id: number;
  readonly op: Op;
  readonly inputs: readonly Node[];
  readonly args: Args[Op];
  readonly shape: Shape;
  readonly dtype: DType;
  /** Place in Trace.leaves; −1 for all other nodes. */
  readonly leaf: number;
}

export interface Trace {
  readonly nodes: readonly Node[];
  readonly leaves: readonly Tensor[];
  readonly outputs: readonly Node[];
  /** New values of leaves, by leaf, written when the step ends. */
  readonly updates: readonly { readonly leaf: number; readonly value: Node }[];
  /** Equal for traces that differ only in which leaves they are bound to. */
  readonly key: string;
}

export const argsOf = <O extends Op>(node: Node, _op: O): Args[O] => node.args as Args[O];

/** The nodes of a trace being made: equal ones are one, and what can be simplified is. */
class Tracer {
  readonly nodes: Node[] = [];
  readonly leaves: Tensor[] = [];
  readonly lines: string[] = [];
  readonly #byKey = new Map<string, Node>();
  readonly #simplify: boolean;

  constructor(simplify: boolean) {
    this.#simplify = simplify;
  }

  readonly add = (draft: Draft): Node => {
    const { op, inputs, args, shape, dtype } = draft;
    const key = `${op} ${inputs.map((i) => i.id).join()} ${JSON.stringify(args, exactNumber)} ${dtype} ${shape.join()}`;
    let node = this.#byKey.get(key);
    if (node === undefined) {
      node =
        (this.#simplify ? fold(draft, this.add) : undefined) ??
        this.#append({ op, inputs, args, shape, dtype }, -1, key);
      this.#byKey.set(key, node);
    }
    return node;
  };

  leaf(t: Tensor): Node {
    const leaf = this.leaves.push(t) - 1;
    const { op, args, shape, dtype } = t;
    return this.#append({ op, inputs: [], args, shape, dtype }, leaf, `leaf ${leaf} ${dtype} ${shape.join()}`);
  }

  #append(draft: Draft, leaf: number, line: string): Node {
    const node = { id: this.nodes.length, ...draft, leaf };
    this.nodes.push(node);
    this.lines.push(`${node.id} ${line}`);
    return node;
  }
}

/** Copies the graph below the outputs and updates; `simplify` off (in tests) leaves every node as it was made. */
export function trace(
  outputs: readonly Tensor[],
  updates: readonly Update[] = [],
  { simplify = true }: { simplify?: boolean } = {},
): Trace {
  const tracer = new Tracer(simplify);
  const copies = new Map<Tensor, Node>();
  const times = new Map<object, number>();
  const copy = (t: Tensor): Node => {
    if (t.op === "buffer") return tracer.leaf(t);
    const args = t.op === "reshape" ? reshapeArgs(t, times) : t.args;
    return tracer.add({ op: t.op, inputs: t.inputs.map((i) => copies.get(i)!), args, shape: t.shape, dtype: t.dtype });
  };
  const roots = [...outputs, ...updates.flatMap((u) => [u.value, u.leaf])];
  for (const t of topological(roots)) copies.set(t, copy(t));
  const written = updates
    .filter(({ leaf }) => leaf.size > 0)
    .map((u) => ({ leaf: copies.get(u.leaf)!.leaf, value: copies.get(u.value)! }));
  const results = outputs.map((t) => copies.get(t)!);
  return withoutUnused(
    { nodes: tracer.nodes, leaves: tracer.leaves, outputs: results, updates: written },
    tracer.lines,
  );
}

/** Without what only derivatives ask for; what is computed again together has one number, the same in each trace. */
function reshapeArgs(t: Tensor, times: Map<object, number>): Args["reshape"] {
  const { again } = t.args as Args["reshape"];
  if (typeof again !== "object") return { shape: t.shape };
  if (!times.has(again)) times.set(again, times.size + 1);
  return { shape: t.shape, again: times.get(again)! };
}

/** Leaves out the nodes that only what has been simplified away needed; leaves stay. */
function withoutUnused(whole: Omit<Trace, "key">, lines: readonly string[]): Trace {
  const { nodes, outputs, updates } = whole;
  const used = new Set<Node>([...outputs, ...updates.map((u) => u.value)]);
  for (let i = nodes.length - 1; i >= 0; i--) if (used.has(nodes[i])) for (const x of nodes[i].inputs) used.add(x);
  const kept = (n: Node): boolean => n.op === "buffer" || used.has(n);
  const key = [
    ...lines.filter((_, i) => kept(nodes[i])),
    outputs.map((n) => n.id).join(),
    updates.map((u) => `${u.leaf}:${u.value.id}`).join(),
  ].join("\n");
  return { ...whole, nodes: nodes.filter(kept), key };
}

/** JSON has no NaN, infinities or −0; two constants that differ so must not share a key. */
export const exactNumber = (_: string, value: unknown): unknown =>
  typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))
    ? Object.is(value, -0)
      ? "-0"
      : String(value)
    : value;
