// compile(fn): a function of tensors traced once per input signature, then replayed as one program.
import type { Backend, Executable } from "../backend/backend.ts";
import { bytesOf, captureStep, type Leaf, Storage, sizeOf, Tensor, type Trace, trace } from "../graph/internal.ts";
import { currentBackend } from "./device.ts";
import { executableFor, refresh } from "./execute.ts";
import { addressOn, hostData, pauseIfMany, settle } from "./memory.ts";
import { realize } from "./realize.ts";

/** Tensors in any nesting of arrays and plain objects; other values are constants of the trace. */
export type Tree = unknown;

/** Signatures of one function that are kept; the oldest goes first. */
const mostTraces = 64;

/**
 * Compiles a function of tensors. The first call with a signature (shapes, dtypes and plain values) traces it; later calls
 * replay the compiled step with new inputs, leaves at their current values, and fresh live values and random keys.
 * Assignments made while tracing are carried out by each call.
 */
export function compile<A extends readonly Tree[], R>(fn: (...inputs: A) => R): (...inputs: A) => Promise<R> {
  const captured = new Map<string, Capture<R>>();
  return async (...inputs) => {
    const given: Tensor[] = [];
    const signature = flatten(inputs, given);
    await realize(...given); // and carries out what was assigned outside of steps
    const backend = currentBackend();
    let capture = captured.get(signature);
    if (capture?.backend !== backend) {
      capture = new Capture(fn as (...inputs: readonly Tree[]) => R, inputs, given, backend);
      const oldest = captured.size >= mostTraces ? captured.keys().next().value : undefined;
      if (oldest !== undefined) captured.delete(oldest);
      captured.set(signature, capture);
    }
    const result = capture.run(given);
    await pauseIfMany(capture.outputBytes);
    return result;
  };
}

/** Frees a forgotten capture's own memory. */
const forgotten = new FinalizationRegistry<{ backend: Backend; addresses: readonly number[] }>(
  ({ backend, addresses }) => {
    for (const address of addresses) backend.free(address);
  },
);

/** A traced and prepared step, with memory of its own for its inputs. */
class Capture<R> {
  readonly backend: Backend;
  /** Bytes that each run hands out. */
  readonly outputBytes: number;
  readonly #trace: Trace;
  readonly #executable: Executable;
  readonly #result: R;
  readonly #outputs: Tensor[] = [];
  /** Storages that the step writes. */
  readonly #updated = new Set<Storage>();
  /** For each leaf of the trace, the number of the input bound there, or −1. */
  readonly #inputAt: number[];
  /** Addresses of inputs and live values, by leaf; −1 for other leaves. */
  readonly #own: number[];

  constructor(
    fn: (...inputs: readonly Tree[]) => R,
    inputs: readonly Tree[],
    given: readonly Tensor[],
    backend: Backend,
  ) {
    this.backend = backend;
    const placeholders = given.map((t) => {
      const leaf: Leaf = { role: "input", storage: new Storage(t.dtype, t.size) };
      return new Tensor("buffer", [], leaf, t.shape, t.dtype);
    });
    let next = 0;
    const { result, step } = captureStep(() => fn(...(replace(inputs, () => placeholders[next++]) as readonly Tree[])));
    if (result instanceof Promise)
      throw new Error("compile: the function is async; trace it without await and read results after the call");
    this.#result = result;
    flatten(result, this.#outputs);
    this.#trace = trace(this.#outputs, [...step.updates.values()]);
    this.#executable = executableFor(backend, this.#trace);
    for (const { slot } of this.#trace.updates) this.#updated.add((this.#trace.leaves[slot].args as Leaf).storage);
    const { leaves, outputs } = this.#trace;
    this.outputBytes = outputs.reduce((sum, n) => sum + sizeOf(n.shape) * bytesOf[n.dtype], 0);
    this.#inputAt = leaves.map((t) => placeholders.indexOf(t));
    this.#own = leaves.map((t) => {
      const { role } = t.args as Leaf;
      return role === "input" || role === "live" ? backend.allocate(t.dtype, t.size) : -1;
    });
    forgotten.register(this, { backend, addresses: this.#own.filter((address) => address >= 0) });
  }

  run(given: readonly Tensor[]): R {
    const { backend } = this;
    const { leaves, outputs } = this.#trace;
    const addresses = leaves.map((t, i) => {
      const { role, storage } = t.args as Leaf;
      if (role === "live") refresh(t, backend, this.#own[i]);
      else if (role === "input") return this.#bind(given[this.#inputAt[i]], this.#own[i]);
      else return addressOn(backend, storage);
      return this.#own[i];
    });
    const places = outputs.map((node) => backend.allocate(node.dtype, sizeOf(node.shape)));
    this.#executable.run(addresses, places);
    let next = 0;
    return replace(this.#result, () => {
      const { dtype, shape } = outputs[next];
      const storage = new Storage(dtype, sizeOf(shape));
      settle(storage, backend, places[next++]);
      return new Tensor("buffer", [], { role: "data", storage } satisfies Leaf, shape, dtype);
    }) as R;
  }

  /** Host data is copied to the step's own memory; values already on the device are used where they lie. */
  #bind(input: Tensor, own: number): number {
    const { storage } = input.args as Leaf;
    if (this.#updated.has(storage)) {
      this.backend.write(own, hostData(storage)); // the step writes this very leaf: its input is the value of before
      return own;
    }
    if (storage.resident !== undefined || storage.host === undefined) return addressOn(this.backend, storage);
    this.backend.write(own, storage.host);
    return own;
  }
}

/** Collects the tensors of a tree in order and describes the rest of it. */
function flatten(tree: Tree, tensors: Tensor[]): string {
  if (tree instanceof Tensor) {
    tensors.push(tree);
    return `${tree.dtype}[${tree.shape}]`;
  }
  if (Array.isArray(tree)) return `[${tree.map((t) => flatten(t, tensors)).join()}]`;
  if (isPlain(tree))
    return `{${Object.keys(tree)
      .map((k) => `${k}:${flatten(tree[k], tensors)}`)
      .join()}}`;
  return typeof tree === "object" || typeof tree === "function"
    ? `object ${identity(tree)}`
    : Object.is(tree, -0)
      ? "number -0"
      : `${typeof tree} ${JSON.stringify(String(tree))}`;
}

const identities = new WeakMap<object, number>();
let objects = 0;

/** A number for each object: a trace made with one is not replayed for another. */
function identity(object: object | null): number {
  if (object === null) return -1;
  let id = identities.get(object);
  if (id === undefined) identities.set(object, (id = objects++));
  return id;
}

/** The tree with its tensors replaced in the order of flatten. */
function replace(tree: Tree, next: (t: Tensor) => Tensor): Tree {
  if (tree instanceof Tensor) return next(tree);
  if (Array.isArray(tree)) return tree.map((t) => replace(t, next));
  return isPlain(tree) ? Object.fromEntries(Object.keys(tree).map((k) => [k, replace(tree[k], next)])) : tree;
}

const isPlain = (tree: Tree): tree is Record<string, Tree> =>
  typeof tree === "object" && tree !== null && Object.getPrototypeOf(tree) === Object.prototype;
