// What stays the same from run to run of a step: values that follow from nothing but parameters and states that the step does not update.
import type { Leaf, Node, Trace } from "../graph/internal.ts";
import type { Prepared } from "./1-prepare.ts";
import { bytesFor } from "./5-plan.ts";
import type { Kernel } from "./kernel.ts";

export interface Steady {
  /** Kernels that have to run only where one of `leaves` has changed. */
  readonly kernels: ReadonlySet<Kernel>;
  /** Their values, which keep their places between runs. */
  readonly values: readonly Node[];
  /** Leaves that they read. */
  readonly leaves: readonly number[];
}

/** Tells leaves that stay the same from run to run. */
export function keptLeaves({ leaves, updates }: Trace): (leaf: Node) => boolean {
  const updated = new Set(updates.map((u) => u.leaf));
  return ({ leaf }) => !updated.has(leaf) && ["param", "state"].includes((leaves[leaf].args as Leaf).role);
}

/** Bytes of a kernel's values over those that it reads, at most: what is much larger than the parameters is rather made again. */
const mostGrowth = 2;

/**
 * In inference, and for frozen layers, these are mostly other layouts of weights: transposed factors, panels, filters with channels last. A
 * ResNet-50 for one image has 50 MB of them, which took a tenth of its time.
 */
export function steadyPart(trace: Trace, prepared: Prepared, kernels: readonly Kernel[]): Steady {
  const results = new Set([...prepared.outputs, ...prepared.updates.map((u) => u.value)]);
  for (const parts of prepared.joined.values()) for (const part of parts) results.add(part);
  const writers = new Map<Node, number>();
  for (const { buffers } of kernels)
    for (const { node, written } of buffers) if (written) writers.set(node, (writers.get(node) ?? 0) + 1);
  const values = new Set<Node>();
  const leaves = new Set<number>();
  const keeps = keptLeaves(trace);
  const isSteady = (node: Node): boolean => (node.op === "buffer" ? keeps(node) : values.has(node));
  const bytes = (nodes: readonly Node[]): number => nodes.reduce((sum, n) => sum + bytesFor(n), 0);
  const found = kernels.filter(({ buffers }) => {
    const read = buffers.filter((b) => !b.written).map((b) => b.node);
    const made = buffers.filter((b) => b.written).map((b) => b.node);
    // where several kernels write one value, as where rows are scattered onto it, the others may run each time
    if (!read.every(isSteady) || made.some((node) => results.has(node) || writers.get(node)! > 1)) return false;
    if (bytes(made) > mostGrowth * bytes(read)) return false;
    for (const node of made) values.add(node);
    for (const node of read) if (node.op === "buffer") leaves.add(node.leaf);
    return true;
  });
  return { kernels: new Set(found), values: [...values], leaves: [...leaves] };
}
