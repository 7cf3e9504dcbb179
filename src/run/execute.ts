// Running a trace: finds or prepares its executable, binds leaves and outputs, runs.
import type { Backend, Executable } from "../backend/backend.ts";
import {
  allocate,
  copyOf,
  type Data,
  fail,
  type Leaf,
  type Storage,
  show,
  type Tensor,
  type Trace,
} from "../graph/internal.ts";
import { debugLevel, reportProgram } from "./debug.ts";
import { addressOn, allocateAll, hostData } from "./memory.ts";

const limit = 256; // programs kept per backend; the least recently used goes first

/** What has been prepared for a structure, and how often it has been asked for. */
interface Known {
  readonly executable: Executable;
  uses: number;
}

const caches = new WeakMap<Backend, Map<string, Known>>();

/**
 * The executable of a trace's structure, prepared once per backend; one for a step that is repeated may be another. What is asked for
 * so often that it would have paid to prepare it as a repeated step is from then on taken for one.
 */
export async function executableFor(
  backend: Backend,
  trace: Trace,
  repeated = false,
  shown = false,
): Promise<Executable> {
  let cache = caches.get(backend);
  if (cache === undefined) caches.set(backend, (cache = new Map()));
  const key = `${repeated ? "repeated " : ""}${shown ? "shown " : ""}${trace.key}`;
  let known = cache.get(key);
  if (known === undefined) {
    const started = performance.now();
    const executable = await backend.prepare(trace, { repeated, shown, verify: debugLevel() > 0 || undefined });
    if (debugLevel() > 0) reportProgram(backend.name, executable, trace, performance.now() - started);
    known = { executable, uses: 0 };
    const oldest = cache.size >= limit ? cache.keys().next().value : undefined;
    if (oldest !== undefined) cache.delete(oldest); // a captured step may still hold it; backends free what nobody holds
  } else cache.delete(key);
  cache.set(key, known);
  return ++known.uses > (known.executable.pays ?? Number.POSITIVE_INFINITY)
    ? executableFor(backend, trace, true, shown)
    : known.executable;
}

/** Values of live leaves, read once for a run however often it is tried. */
export type LiveValues = Map<Tensor, Data>;

/** The values of a live leaf for a run. Throws where they are not as many as its shape takes. */
export function nextValues(leaf: Tensor, live: LiveValues = new Map()): Data {
  let data = live.get(leaf);
  if (data !== undefined) return data;
  const read = leaf.leaf("live").read!();
  const values = typeof read === "number" ? [read] : read;
  if (values.length !== leaf.size)
    fail("live", `its function gives ${values.length} numbers, ${show(leaf.shape)} takes ${leaf.size}`);
  live.set(leaf, (data = copyOf("live", values, leaf.dtype)));
  return data;
}

/** Runs a trace once and returns the addresses of its outputs, which the caller owns. */
export async function runTrace(backend: Backend, trace: Trace, live: LiveValues): Promise<number[]> {
  const executable = await executableFor(backend, trace);
  const addresses: number[] = [];
  for (const leaf of trace.leaves) {
    const { role, storage } = leaf.args as Leaf;
    if (role === "live") storage.host ??= allocate(leaf.dtype, leaf.size);
    const found = addressOn(backend, storage);
    const address = typeof found === "number" ? found : await found;
    if (role === "live") backend.write(address, nextValues(leaf, live));
    addresses.push(address);
  }
  return allocateAll(backend, trace.outputs, (places) => executable.run(addresses, places));
}

/** A copy of the elements; what comes off a device is one already. */
export const elementsOf = async (storage: Storage): Promise<Data> =>
  storage.resident === undefined ? (await hostData(storage)).slice() : hostData(storage);
