// Lazy values become real: computes tensors and turns them into leaves, so that nothing is computed twice.
import { OutOfMemory } from "../backend/wasm/heap.ts";
import {
  bytesOf,
  type Data,
  isDetached,
  isFloat,
  type Leaf,
  pendingUpdates,
  Storage,
  type Tensor,
  topological,
  trace,
  type Update,
} from "../graph/internal.ts";
import { elementsOf, runTrace } from "./execute.ts";
import { pauseIfMany, settle, withMemory } from "./memory.ts";

/** A loop that reads its state in every round would otherwise remember the inputs of all rounds. */
const mostOrigins = 256;

/** Computes the tensors together, after all updates assigned outside a step, and keeps their values on the device. */
export async function realize(...tensors: readonly Tensor[]): Promise<void> {
  const bytes = await withMemory(() => {
    carryOut();
    return compute([...new Set(tensors)].filter((t) => t.op !== "buffer"));
  });
  await pauseIfMany(bytes);
}

/**
 * Carries out what was assigned outside of steps, in program order. Short of memory, all that is not done yet stays pending; an
 * assignment that fails otherwise would do so at every read, so it is dropped, and the error says so.
 */
function carryOut(): void {
  while (pendingUpdates.length > 0) {
    const updates = landingTogether(pendingUpdates);
    try {
      runTrace(trace([], updates));
    } catch (error) {
      if (error instanceof OutOfMemory) throw error;
      pendingUpdates.splice(0, updates.length);
      const problem = error instanceof Error ? error.message : String(error);
      throw new Error(`assign: a value assigned outside of a step is dropped, as it cannot be computed: ${problem}`, {
        cause: error,
      });
    }
    pendingUpdates.splice(0, updates.length);
  }
}

/** The first updates that one step can carry out: none of them reads or writes what another before it writes. */
function landingTogether(updates: readonly Update[]): Update[] {
  const written = new Set<Tensor>();
  const end = updates.findIndex(({ leaf, value }) => {
    const waits = written.has(leaf) || topological([value]).some((t) => written.has(t));
    written.add(leaf);
    return waits;
  });
  return updates.slice(0, end < 0 ? updates.length : end);
}

/** Turns lazy tensors into leaves and returns the bytes that they take. */
function compute(wanted: readonly Tensor[]): number {
  if (wanted.length === 0) return 0;
  const origins = wanted.map(originsOf);
  const { backend, outputs } = runTrace(trace(wanted));
  wanted.forEach((t, i) => {
    const storage = new Storage(t.dtype, t.size);
    settle(storage, backend, outputs[i]);
    const leaf: Leaf = { role: "data", storage, computed: origins[i] };
    t.op = "buffer";
    t.inputs = [];
    t.args = leaf;
  });
  return wanted.reduce((sum, t) => sum + t.size * bytesOf[t.dtype], 0);
}

/** The leaves that a tensor depends on, through values read earlier too; `grad` names a lost dependency by them. */
function originsOf(tensor: Tensor): WeakRef<Tensor>[] {
  const origins = new Set<Tensor>();
  const seen = new Set<Tensor>();
  const open = [tensor];
  for (let t = open.pop(); t !== undefined; t = open.pop()) {
    if (seen.has(t) || isDetached(t) || !isFloat(t.dtype)) continue;
    seen.add(t);
    open.push(...t.inputs);
    if (t.op !== "buffer") continue;
    const { computed } = t.leaf("realize");
    if (computed === undefined) origins.add(t);
    else for (const ref of computed) if (ref.deref() !== undefined) origins.add(ref.deref()!);
  }
  return [...origins].slice(-mostOrigins).map((t) => new WeakRef(t));
}

/** The tensor's elements on the host, as a copy. */
export async function read(tensor: Tensor): Promise<Data> {
  await realize(tensor);
  return elementsOf(tensor.leaf("read").storage);
}
