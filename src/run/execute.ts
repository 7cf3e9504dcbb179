// Running a trace: finds or prepares its executable, binds leaves and outputs, runs.
import type { Backend, Executable } from "../backend/backend.ts";
import { allocate, type Leaf, type Storage, sizeOf, type Tensor, type Trace } from "../graph/internal.ts";
import { currentBackend } from "./device.ts";
import { addressOn, hostData } from "./memory.ts";

const limit = 256; // programs kept per backend; the least recently used goes first
const caches = new WeakMap<Backend, Map<string, Executable>>();

/** The executable of a trace's structure, prepared once per backend. */
export function executableFor(backend: Backend, trace: Trace): Executable {
  let cache = caches.get(backend);
  if (cache === undefined) caches.set(backend, (cache = new Map()));
  let found = cache.get(trace.key);
  if (found === undefined) {
    found = backend.prepare(trace);
    const oldest = cache.size >= limit ? cache.keys().next().value : undefined;
    if (oldest !== undefined) cache.delete(oldest); // a captured step may still hold it; backends free what nobody holds
  } else cache.delete(trace.key);
  cache.set(trace.key, found);
  return found;
}

/** Writes the next values of a live leaf. */
export function refresh(leaf: Tensor, backend: Backend, address: number): void {
  const values = leaf.leaf("live").read!();
  const data = allocate(leaf.dtype, leaf.size);
  if (typeof values === "number") data[0] = values;
  else data.set(values);
  backend.write(address, data);
}

/** Runs a trace once and returns the addresses of its outputs, which the caller owns. */
export function runTrace(trace: Trace): { backend: Backend; outputs: number[] } {
  const backend = currentBackend();
  const executable = executableFor(backend, trace);
  const addresses = trace.leaves.map((leaf) => {
    const { role, storage } = leaf.args as Leaf;
    if (role === "live") storage.host ??= allocate(leaf.dtype, leaf.size);
    const address = addressOn(backend, storage);
    if (role === "live") refresh(leaf, backend, address);
    return address;
  });
  const outputs = trace.outputs.map((node) => backend.allocate(node.dtype, sizeOf(node.shape)));
  executable.run(addresses, outputs);
  return { backend, outputs };
}

/** A copy of the elements; what comes off a device is one already. */
export const elementsOf = (storage: Storage): ReturnType<typeof hostData> =>
  storage.resident === undefined ? hostData(storage).slice() : hostData(storage);
