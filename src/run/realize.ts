// Lazy values become real: computes tensors and turns them into leaves, so that nothing is computed twice.
import { type Backend, OutOfMemory } from "../backend/backend.ts";
import {
  bytesOf,
  type Data,
  isDetached,
  isFloat,
  type Leaf,
  pendingUpdates,
  reading,
  Storage,
  show,
  type Tensor,
  topological,
  trace,
  type Update,
} from "../graph/internal.ts";
import { currentBackend } from "./device.ts";
import { elementsOf, type LiveValues, nextValues, runTrace } from "./execute.ts";
import { overwriteStorage, pauseIfMany, settle, withMemory } from "./memory.ts";
import { inTurn } from "./turns.ts";

/** Of data: a loop that reads its state in every round would otherwise remember the inputs of all rounds. */
const mostOrigins = 256;

/** Computes the tensors together, after all updates assigned outside a step, and keeps their values on the device. */
export const realize = (...tensors: readonly Tensor[]): Promise<void> => afterUpdates(({ ready }) => ready(tensors));

/** Assigned before a turn that failed, and not carried out: the next turn begins with them. */
const leftOver: Update[] = [];

/** What a turn goes by: the device of when it was asked for, and what had been assigned outside of steps by then. */
export interface Turn {
  readonly backend: Backend;
  /** Carries out those assignments, and computes the tensors. */
  ready(tensors: readonly Tensor[]): Promise<void>;
}

/** Does the work in its turn. */
export function afterUpdates<T>(work: (turn: Turn) => Promise<T>): Promise<T> {
  const updates = pendingUpdates.splice(0);
  const backend = currentBackend();
  return inTurn(() => work({ backend, ready: (tensors) => realizeNow(backend, tensors, updates) }));
}

async function realizeNow(backend: Backend, tensors: readonly Tensor[], updates: Update[]): Promise<void> {
  updates.unshift(...leftOver.splice(0));
  const wanted = [...new Set(tensors)].filter((t) => t.op !== "buffer");
  if (wanted.length === 0 && updates.length === 0) return;
  const live: LiveValues = new Map();
  try {
    const bytes = await withMemory(async () => {
      await carryOut(backend, updates, live);
      const open = wanted.filter((t) => t.op !== "buffer"); // a run before may have computed some
      return compute(backend, open, live);
    });
    await pauseIfMany(bytes);
  } finally {
    leftOver.push(...updates.splice(0));
  }
}

/**
 * Carries out what was assigned outside of steps, in program order, and takes it off the list. Short of memory, all that is not done
 * yet stays; an assignment that fails otherwise would do so at every read, so it alone is dropped, and the error says so.
 */
async function carryOut(backend: Backend, updates: Update[], live: LiveValues): Promise<void> {
  let most = updates.length;
  while (updates.length > 0) {
    const together = landingTogether(updates.slice(0, most));
    try {
      await runTrace(backend, trace([], together), live);
    } catch (error) {
      if (error instanceof OutOfMemory) throw error;
      if (together.length === 1) throw dropped(updates.shift()!, error);
      most = 1; // which of them it is
      continue;
    }
    updates.splice(0, together.length);
    live.clear(); // the next run reads its own
  }
}

function dropped({ leaf, value }: Update, cause: unknown): Error {
  const module = value.module || leaf.module;
  const target = `a ${leaf.leaf("assign").role} ${show(leaf.shape)}${module === "" ? "" : ` in ${module}`}`;
  const problem = cause instanceof Error ? cause.message : String(cause);
  return new Error(`assign: a value for ${target} is dropped, as it cannot be computed: ${problem}`, { cause });
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
async function compute(backend: Backend, wanted: readonly Tensor[], live: LiveValues): Promise<number> {
  if (wanted.length === 0) return 0;
  const origins = wanted.map(originsOf);
  const outputs = await runTrace(backend, trace(wanted), live);
  wanted.forEach((t, i) => {
    const storage = new Storage(t.dtype, t.size);
    settle(storage, backend, outputs[i]);
    const leaf: Leaf = { role: "data", storage, ...origins[i] };
    t.op = "buffer";
    t.inputs = [];
    t.args = leaf;
  });
  return wanted.reduce((sum, t) => sum + t.size * bytesOf[t.dtype], 0);
}

/** The leaves that a tensor depends on, through values read earlier too; `grad` names a lost dependency by them. */
function originsOf(tensor: Tensor): Pick<Leaf, "computed" | "unlisted"> {
  const [data, others] = [new Set<Tensor>(), new Set<Tensor>()];
  const note = (leaf: Tensor): unknown => (leaf.leaf("realize").role === "data" ? data : others).add(leaf);
  let unlisted = false;
  const seen = new Set<Tensor>();
  const open = [tensor];
  for (let t = open.pop(); t !== undefined; t = open.pop()) {
    if (seen.has(t) || isDetached(t) || !isFloat(t.dtype)) continue;
    seen.add(t);
    open.push(...t.inputs);
    if (t.op !== "buffer") continue;
    const { computed, unlisted: more } = t.leaf("realize");
    unlisted ||= more === true;
    if (computed === undefined) note(t);
    else for (const ref of computed) if (ref.deref() !== undefined) note(ref.deref()!);
  }
  const listed = [...others, ...[...data].slice(-mostOrigins)];
  return { computed: listed.map((t) => new WeakRef(t)), unlisted: unlisted || data.size > mostOrigins };
}

/** The tensor's elements on the host, as a copy; a live leaf's are read anew. */
export const read = (tensor: Tensor): Promise<Data> =>
  afterUpdates(async ({ ready }) => {
    await ready([tensor]);
    const { role, storage } = tensor.leaf("read");
    return role === "live" ? nextValues(tensor) : elementsOf(storage);
  });

reading.read = read;

/** Gives leaves other elements, after all that was assigned before; the arrays belong to the leaves from then on. */
export const overwrite = (values: ReadonlyMap<Tensor, Data>): Promise<void> =>
  afterUpdates(async ({ ready }) => {
    await ready([]);
    for (const [leaf, data] of values) overwriteStorage(leaf.leaf("overwrite").storage, data);
  });
