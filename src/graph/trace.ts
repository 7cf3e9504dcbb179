// A trace: the graph of one step, copied, with equal nodes merged, in topological order. It is what the compiler and the backends read.
import type { DType } from "./dtype.ts";
import { topological } from "./grad.ts";
import type { Args, Op } from "./primitives.ts";
import type { Update } from "./scope.ts";
import type { Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** A node of a trace. A `buffer` node is the leaf bound at its slot. */
export interface Node {
  readonly id: number;
  readonly op: Op;
  readonly inputs: readonly Node[];
  readonly args: Args[Op];
  readonly shape: Shape;
  readonly dtype: DType;
  /** Place in Trace.leaves; −1 for all other nodes. */
  readonly slot: number;
}

export interface Trace {
  readonly nodes: readonly Node[];
  readonly leaves: readonly Tensor[];
  readonly outputs: readonly Node[];
  /** New values of leaves, by slot, written when the step ends. */
  readonly updates: readonly { readonly slot: number; readonly value: Node }[];
  /** Equal for traces that differ only in which leaves they are bound to. */
  readonly key: string;
}

export const argsOf = <O extends Op>(node: Node, _op: O): Args[O] => node.args as Args[O];

/** Copies the graph below the outputs and updates. */
export function trace(outputs: readonly Tensor[], updates: readonly Update[] = []): Trace {
  const nodes: Node[] = [];
  const leaves: Tensor[] = [];
  const byKey = new Map<string, Node>();
  const copies = new Map<Tensor, Node>();
  const lines: string[] = [];
  const copy = (t: Tensor): void => {
    const leaf = t.op === "buffer";
    const inputs = t.inputs.map((i) => copies.get(i)!);
    const attributes = leaf ? leaves.length : JSON.stringify(t.args, exactNumber);
    const key = `${t.op} ${inputs.map((i) => i.id).join()} ${attributes} ${t.dtype} ${t.shape.join()}`;
    let node = byKey.get(key);
    if (node === undefined) {
      node = {
        id: nodes.length,
        op: t.op,
        inputs,
        args: t.args,
        shape: t.shape,
        dtype: t.dtype,
        slot: leaf ? leaves.length : -1,
      };
      if (leaf) leaves.push(t);
      byKey.set(key, node);
      nodes.push(node);
      lines.push(key);
    }
    copies.set(t, node);
  };
  const roots = [...outputs, ...updates.flatMap((u) => [u.value, u.leaf])];
  for (const t of topological(roots)) copy(t);
  const written = updates.map((u) => ({ slot: copies.get(u.leaf)!.slot, value: copies.get(u.value)! }));
  const results = outputs.map((t) => copies.get(t)!);
  lines.push(results.map((n) => n.id).join(), written.map((u) => `${u.slot}:${u.value.id}`).join());
  return { nodes, leaves, outputs: results, updates: written, key: lines.join("\n") };
}

/** JSON has no NaN, infinities or −0; two constants that differ so must not share a key. */
const exactNumber = (_: string, value: unknown): unknown =>
  typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))
    ? Object.is(value, -0)
      ? "-0"
      : String(value)
    : value;
