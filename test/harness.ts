// Runs a graph of tensors on one backend, memory and all, so that tests can hold backends and compiler passes against each other.
import type { Backend, Executable, PrepareOptions } from "../src/backend/backend.ts";
import type { Pass } from "../src/compile/program.ts";
import {
  allocate,
  type Data,
  type DType,
  sizeOf,
  type Tensor,
  type Trace,
  trace,
  type Update,
} from "../src/graph/internal.ts";

/** Every compiler pass that can be left out. */
export const passes: readonly Pass[] = [
  "join", "transpose", "phases", "stage", "fuse", "merge", "alike", "collapse", "vectorize", "unroll", "block", "steady", "strips", "reuse", "inPlace",
]; // biome-ignore format: a list

/** A backend that answers at once. */
export interface Direct extends Backend {
  read(address: number, dtype: DType, size: number): Data;
  prepare(trace: Trace, options?: PrepareOptions): Executable;
}

/** A traced step with its leaves in the backend's memory. */
export interface Bound {
  readonly trace: Trace;
  /** Runs the step once more: updates have reached their leaves when it returns. */
  step(): Data[];
  /** Gives a leaf other values. */
  write(t: Tensor, data: Data): void;
  /** What a leaf holds now. */
  leaf(t: Tensor): Data;
  free(): void;
}

/** Prepares a trace on a backend and gives its leaves and outputs memory there. */
export function bind(backend: Direct, graph: Trace): Bound {
  const executable = backend.prepare(graph, { repeated: true });
  const leaves = graph.leaves.map((t) => {
    const address = backend.allocate(t.dtype, t.size);
    backend.write(address, hostOf(t));
    return address;
  });
  const outputs = graph.outputs.map((n) => backend.allocate(n.dtype, sizeOf(n.shape)));
  return {
    trace: graph,
    step: () => {
      executable.run(leaves, outputs);
      return graph.outputs.map((n, i) => backend.read(outputs[i], n.dtype, sizeOf(n.shape)));
    },
    write: (t, data) => backend.write(leaves[graph.leaves.indexOf(t)], data),
    leaf: (t) => backend.read(leaves[graph.leaves.indexOf(t)], t.dtype, t.size),
    free: () => {
      for (const address of [...leaves, ...outputs]) backend.free(address);
    },
  };
}

/** The values of tensors, computed by one run on a backend; then those of the updated leaves. */
export function run(backend: Direct, outputs: readonly Tensor[], updates: readonly Update[] = []): Data[] {
  return runTrace(backend, trace(outputs, updates));
}

/** The outputs of a traced step, then its updated leaves, after a second run from the same values: by then what is kept is not computed. */
export function runTrace(backend: Direct, graph: Trace): Data[] {
  const bound = bind(backend, graph);
  bound.step();
  for (const { leaf } of graph.updates) bound.write(graph.leaves[leaf], hostOf(graph.leaves[leaf]));
  const values = bound.step();
  for (const { leaf } of graph.updates) values.push(bound.leaf(graph.leaves[leaf]));
  bound.free();
  return values;
}

/** The outputs of a traced step after one run on a backend that may answer late, then its updated leaves. */
export async function runLater(backend: Backend, graph: Trace): Promise<Data[]> {
  const executable = await backend.prepare(graph);
  const place = (dtype: DType, size: number): number => backend.allocate(dtype, size);
  const leaves = graph.leaves.map((t) => place(t.dtype, t.size));
  graph.leaves.forEach((t, i) => {
    backend.write(leaves[i], hostOf(t));
  });
  const outputs = graph.outputs.map((n) => place(n.dtype, sizeOf(n.shape)));
  await executable.run(leaves, outputs);
  const values: Data[] = [];
  for (const [i, n] of graph.outputs.entries()) values.push(await backend.read(outputs[i], n.dtype, sizeOf(n.shape)));
  for (const { leaf, value } of graph.updates)
    values.push(await backend.read(leaves[leaf], value.dtype, sizeOf(value.shape)));
  for (const address of [...leaves, ...outputs]) backend.free(address);
  return values;
}

/** The elements of a leaf as its maker gave them. */
export function hostOf(leaf: Tensor): Data {
  const { storage, read } = leaf.leaf("hostOf");
  if (read === undefined) return storage.host!;
  const values = read();
  return typed(leaf.dtype, typeof values === "number" ? [values] : values);
}

/** A host array of a dtype. */
export function typed(dtype: DType, values: ArrayLike<number>): Data {
  const data = allocate(dtype, values.length);
  data.set(values);
  return data;
}

/** Lets finalizers run, so that long loops over programs do not pile them up. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A stream of numbers in [0, 1) that is the same in every run (mulberry32). */
export function stream(seed: number): () => number {
  let a = seed | 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
