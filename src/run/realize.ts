// Lazy values become real: computes tensors and turns them into leaves, so that nothing is computed twice.
import {
  bytesOf,
  type Data,
  isDetached,
  isFloat,
  type Leaf,
  Storage,
  type Tensor,
  takeEagerUpdates,
  trace,
} from "../graph/internal.ts";
import { elementsOf, runTrace } from "./execute.ts";
import { pauseIfMany, settle } from "./memory.ts";

/** A loop that reads its state in every round would otherwise remember the inputs of all rounds. */
const mostOrigins = 256;

/** Computes the tensors together, with all updates assigned outside a step, and keeps their values on the device. */
export async function realize(...tensors: readonly Tensor[]): Promise<void> {
  const wanted = [...new Set(tensors)].filter((t) => t.op !== "buffer");
  const updates = takeEagerUpdates();
  if (updates.length > 0) runTrace(trace([], updates)); // before anything that reads the leaves
  if (wanted.length === 0) return;
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
  await pauseIfMany(wanted.reduce((sum, t) => sum + t.size * bytesOf[t.dtype], 0));
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
