// compile(fn): a function of tensors traced once per input signature, then replayed as one program.
import type { Backend, Executable } from "../backend/backend.ts";
import {
  bytesOf,
  captureStep,
  capturing,
  currentModule,
  type Data,
  kindOf,
  type Leaf,
  type Plain,
  Storage,
  sizeOf,
  Tensor,
  type Trace,
  trace,
} from "../graph/internal.ts";
import { executableFor, type LiveValues, nextValues } from "./execute.ts";
import { addressOn, allocateAll, hostData, pauseIfMany, settle, withMemory } from "./memory.ts";
import { afterUpdates } from "./realize.ts";
import { flatten, refuseHidden, replace, type Tree } from "./tree.ts";

/** Signatures of one function that are kept; the oldest goes first. */
const mostTraces = 64;
/** A function traced more often gets a warning that says why. */
const manyTraces = 32;

/**
 * Compiles a function of tensors. The first call with a signature (shapes, dtypes and constants, see Tree) traces it; later calls
 * replay the compiled step with new inputs, leaves at their current values, and fresh live values and random keys.
 * Assignments made while tracing are carried out by each call. A tensor from outside that has not been computed yet is computed anew
 * by each call; live values are read when a call runs, so await it before changing what they read. Throws where fn is async, where tensors of its arguments or result lie
 * in other than arrays and plain objects, and when called while another compiled function is being traced.
 */
export function compile<A extends readonly Tree[], R>(
  fn: (...inputs: A) => R,
  ..._refused: Plain<R>
): (...inputs: A) => Promise<R> {
  if (typeof fn !== "function") throw new TypeError(`compile: takes a function of tensors, got ${kindOf(fn)}`);
  const captured = new Map<string, Capture<R>>();
  let traces = 0;
  let last: readonly string[] = [];
  const captureFor = (backend: Backend, lines: readonly string[], inputs: A, given: readonly Tensor[]): Capture<R> => {
    const signature = lines.join("\n");
    const known = captured.get(signature);
    if (known?.backend === backend) return known;
    const capture = new Capture(fn as (...inputs: readonly Tree[]) => R, inputs, given, backend);
    const oldest = captured.size >= mostTraces ? captured.keys().next().value : undefined;
    if (oldest !== undefined) captured.delete(oldest);
    captured.set(signature, capture);
    if (++traces === manyTraces + 1) warnOfTraces(fn.name, last, lines);
    last = lines;
    return capture;
  };
  const call = async (inputs: A): Promise<R> => {
    const given: Tensor[] = [];
    const lines = flatten(inputs, given);
    return afterUpdates(async ({ backend, ready }) => {
      await ready(given);
      const capture = captureFor(backend, lines, inputs, given);
      const live: LiveValues = new Map();
      const result = await withMemory(() => capture.run(given, live));
      await pauseIfMany(capture.outputBytes);
      return result;
    });
  };
  return (...inputs) => {
    if (capturing() === undefined) return call(inputs);
    const place = currentModule() === "" ? "" : `, in ${currentModule()}`;
    throw new Error(
      `compile: ${nameOf(fn.name)} is called while another compiled function is traced${place}; call the plain function there`,
    );
  };
}

const nameOf = (name: string): string => (name === "" ? "a compiled function" : `the compiled function "${name}"`);

function warnOfTraces(name: string, before: readonly string[], now: readonly string[]): void {
  const at = now.findIndex((line, i) => line !== before[i]);
  const short = (line = "nothing"): string => (line.length > 80 ? `${line.slice(0, 79)}…` : line);
  const change = at < 0 ? "the device changed" : `argument ${short(before[at])} became ${short(now[at])}`;
  console.warn(
    `hebb: ${nameOf(name)} was traced ${manyTraces + 1} times, last because ${change} (pass numbers that change as tensors or live(() => …), tensors in few shapes, and the same functions and objects)`,
  );
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
  readonly #result: R;
  readonly #outputs: Tensor[] = [];
  /** Storages that the step writes. */
  readonly #updated = new Set<Storage>();
  /** For each leaf of the trace, the number of the input bound there, or −1. */
  readonly #inputAt: number[];
  #prepared: Prepared | undefined;

  constructor(
    fn: (...inputs: readonly Tree[]) => R,
    inputs: readonly Tree[],
    given: readonly Tensor[],
    backend: Backend,
  ) {
    refuseHidden(inputs, "argument");
    this.backend = backend;
    const placeholders = given.map((t) => {
      const leaf: Leaf = { role: "input", storage: new Storage(t.dtype, t.size) };
      return new Tensor("buffer", [], leaf, t.shape, t.dtype);
    });
    let next = 0;
    const { result, step } = captureStep(() => fn(...(replace(inputs, () => placeholders[next++]) as readonly Tree[])));
    flatten(result, this.#outputs, "result");
    refuseHidden(result, "result");
    this.#result = result;
    this.#trace = trace(this.#outputs, [...step.updates.values()]);
    const { leaves, outputs, updates } = this.#trace;
    for (const { leaf } of updates) this.#updated.add((leaves[leaf].args as Leaf).storage);
    this.outputBytes = outputs.reduce((sum, n) => sum + sizeOf(n.shape) * bytesOf[n.dtype], 0);
    this.#inputAt = leaves.map((t) => placeholders.indexOf(t));
  }

  /** Runs the step once; where it throws for want of memory, nothing has changed, and it may be called again. */
  async run(given: readonly Tensor[], live: LiveValues): Promise<R> {
    const { backend } = this;
    const { leaves, outputs } = this.#trace;
    this.#prepared ??= await this.#prepare();
    const { executable, own } = this.#prepared;
    const addresses: number[] = [];
    for (let i = 0; i < leaves.length; i++) {
      const bound = this.#inputAt[i] >= 0 ? given[this.#inputAt[i]] : leaves[i];
      const address = this.#bind(bound, leaves[i], own[i], live);
      addresses.push(typeof address === "number" ? address : await address);
    }
    const places = await allocateAll(backend, outputs, (fresh) => executable.run(addresses, fresh));
    let next = 0;
    return replace(this.#result, () => {
      const { dtype, shape } = outputs[next];
      const storage = new Storage(dtype, sizeOf(shape));
      settle(storage, backend, places[next++]);
      return new Tensor("buffer", [], { role: "data", storage } satisfies Leaf, shape, dtype);
    }) as R;
  }

  async #prepare(): Promise<Prepared> {
    const executable = await executableFor(this.backend, this.#trace, true);
    const { leaves } = this.#trace;
    const owners = leaves.filter((t) => roleOf(t) === "input" || roleOf(t) === "live");
    const addresses = await allocateAll(this.backend, owners);
    forgotten.register(this, { backend: this.backend, addresses });
    return { executable, own: leaves.map((t) => addresses[owners.indexOf(t)] ?? -1) };
  }

  /** Where a leaf's value lies for a run: host data is copied to the step's own memory; values on the device are used there. */
  #bind(bound: Tensor, leaf: Tensor, own: number, live: LiveValues): number | Promise<number> {
    const { backend } = this;
    const { role, storage } = bound.args as Leaf;
    const write = (data: Data): number => {
      backend.write(own, data);
      return own;
    };
    if (role === "live") return write(nextValues(bound, live));
    if (bound === leaf) return addressOn(backend, storage);
    if (!this.#updated.has(storage)) {
      const onHost = storage.resident === undefined && storage.host !== undefined;
      return onHost ? write(storage.host!) : addressOn(backend, storage);
    }
    const data = hostData(storage); // the step writes this very leaf: its input is the value of before
    return data instanceof Promise ? data.then(write) : write(data);
  }
}

const roleOf = (leaf: Tensor): Leaf["role"] => (leaf.args as Leaf).role;

/** What a trace takes on its backend: a program, and addresses of inputs and live values by leaf, −1 for other leaves. */
interface Prepared {
  readonly executable: Executable;
  readonly own: readonly number[];
}
