// Running a trace: finds or prepares its executable, binds leaves and outputs, runs.
import type { Backend, Executable } from "../backend/backend.ts";
import { allocate, type Data, type Leaf, type Storage, type Tensor, type Trace } from "../graph/internal.ts";
import { debugLevel, reportProgram } from "./debug.ts";
import { currentBackend } from "./device.ts";
import { addressOn, allocateAll, hostData } from "./memory.ts";

const limit = 256; // programs kept per backend; the least recently used goes first
const caches = new WeakMap<Backend, Map<string, Executable>>();

/** The executable of a trace's structure, prepared once per backend. */
export function executableFor(backend: Backend, trace: Trace): Executable {
  let cache = caches.get(backend);
  if (cache === undefined) caches.set(backend, (cache = new Map()));
  let found = cache.get(trace.key);
  if (found === undefined) {
    const started = performance.now();
    found = backend.prepare(trace);
    if (debugLevel() > 0) reportProgram(backend, trace, performance.now() - started);
    const oldest = cache.size >= limit ? cache.keys().next().value : undefined;
    if (oldest !== undefined) cache.delete(oldest); // a captured step may still hold it; backends free what nobody holds
  } else cache.delete(trace.key);
  cache.set(trace.key, found);
  return found;
}

/** The next values of a live leaf. */
export function nextValues(leaf: Tensor): Data {
  const values = leaf.leaf("live").read!();
  const data = allocate(leaf.dtype, leaf.size);
  if (typeof values === "number") data[0] = values;
  else data.set(values);
  return data;
}

/** Runs a trace once and returns the addresses of its outputs, which the caller owns. */
export function runTrace(trace: Trace): { backend: Backend; outputs: number[] } {
  const backend = currentBackend();
  const executable = executableFor(backend, trace);
  const addresses = trace.leaves.map((leaf) => {
    const { role, storage } = leaf.args as Leaf;
    if (role !== "live") return addressOn(backend, storage);
    storage.host ??= allocate(leaf.dtype, leaf.size);
    const address = addressOn(backend, storage);
    backend.write(address, nextValues(leaf));
    return address;
  });
  const outputs = allocateAll(backend, trace.outputs, (places) => executable.run(addresses, places));
  return { backend, outputs };
}

/** A copy of the elements; what comes off a device is one already. */
export const elementsOf = (storage: Storage): ReturnType<typeof hostData> =>
  storage.resident === undefined ? hostData(storage).slice() : hostData(storage);
