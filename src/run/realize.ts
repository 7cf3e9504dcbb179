// Lazy values become real: computes tensors and turns them into leaves, so that nothing is computed twice.
import { bytesOf, type Data, type Leaf, Storage, type Tensor, takeEagerUpdates, trace } from "../graph/internal.ts";
import { elementsOf, runTrace } from "./execute.ts";
import { pauseIfMany, settle } from "./memory.ts";

/** Computes the tensors together, with all updates assigned outside a step, and keeps their values on the device. */
export async function realize(...tensors: readonly Tensor[]): Promise<void> {
  const wanted = [...new Set(tensors)].filter((t) => t.op !== "buffer");
  const updates = takeEagerUpdates();
  if (wanted.length === 0 && updates.length === 0) return;
  const { backend, outputs } = runTrace(trace(wanted, updates));
  wanted.forEach((t, i) => {
    const storage = new Storage(t.dtype, t.size);
    settle(storage, backend, outputs[i]);
    const leaf: Leaf = { role: "data", storage, computed: true };
    t.op = "buffer";
    t.inputs = [];
    t.args = leaf;
  });
  await pauseIfMany(wanted.reduce((sum, t) => sum + t.size * bytesOf[t.dtype], 0));
}

/** The tensor's elements on the host, as a copy. */
export async function read(tensor: Tensor): Promise<Data> {
  await realize(tensor);
  return elementsOf(tensor.leaf("read").storage);
}
