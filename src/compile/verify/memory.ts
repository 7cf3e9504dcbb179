// Checks of the memory plan: the program's steps are followed over a memory that holds names of values instead of values.
import { bytesOf, type Node, sizeOf, type Trace } from "../../graph/internal.ts";
import type { Prepared } from "../1-prepare.ts";
import { bytesFor, type Location } from "../5-plan.ts";
import { shifted } from "../affine.ts";
import type { Kernel } from "../kernel.ts";
import { type Access, type Call, onceBinding, type Program } from "../program.ts";
import { fault as faultAfter, named } from "./fault.ts";
import type { Touched } from "./kernel.ts";

const fault = (problem: string): never => faultAfter("plan", problem);

/** Bytes that hold a stretch of a value. */
interface Held {
  readonly from: number;
  readonly to: number;
  readonly node: Node;
  /** Which of the value's bytes lies at `from`. */
  readonly at: number;
  /** Who put it there. */
  readonly by: string;
}

export const shown = (l: Location): string =>
  l.kind === "bound" ? `binding ${l.index}` : `${l.kind === "strip" ? "strip" : ""}@${l.offset}`;

/** Bytes that a value takes where it lies: of one that is inside a run of strips, those of a strip. */
const bytesAt = (location: Location, node: Node): number =>
  location.kind === "strip" ? location.bytes : bytesFor(node);

class Memory {
  readonly #joined: Prepared["joined"];
  readonly #arena: Held[] = [];
  readonly #bound = new Map<number, Held[]>();
  #strip: Held[] = [];

  constructor(joined: Prepared["joined"]) {
    this.#joined = joined;
  }

  #place(location: Location): { held: Held[]; from: number } {
    if (location.kind === "arena") return { held: this.#arena, from: location.offset };
    if (location.kind === "strip") return { held: this.#strip, from: location.offset };
    let held = this.#bound.get(location.index);
    if (held === undefined) this.#bound.set(location.index, (held = []));
    return { held, from: 0 };
  }

  /** Nothing of the strips before is there any more. */
  newRun(): void {
    this.#strip = [];
  }

  write(location: Location, node: Node, by: string): void {
    const { held, from } = this.#place(location);
    const to = from + bytesAt(location, node);
    for (let i = held.length - 1; i >= 0; i--) {
      const h = held[i];
      if (h.to <= from || h.from >= to) continue;
      const rest = [
        { ...h, to: from },
        { ...h, from: to, at: h.at + to - h.from },
      ].filter((r) => r.from < r.to);
      held.splice(i, 1, ...rest);
    }
    held.push({ from, to, node, at: 0, by });
  }

  /** What stands where a value should be: undefined where the value does. */
  problem(location: Location, node: Node): string | undefined {
    const place = this.#place(location);
    let from = place.from;
    for (const part of this.#parts(node)) {
      const to = from + bytesAt(location, part);
      let right = 0;
      for (const h of place.held) {
        const common = Math.min(h.to, to) - Math.max(h.from, from);
        if (common <= 0) continue;
        const at = `@${Math.max(h.from, from) - place.from}`;
        if (h.node !== part || h.from - h.at !== from)
          return `at ${shown(location)}, where buffers overlap at ${at}: ${h.by} wrote ${named(h.node)}`;
        right += common;
      }
      if (right < to - from) return `at ${shown(location)}, where ${to - from - right} bytes were never written`;
      from = to;
    }
    return undefined;
  }

  #parts(node: Node): readonly Node[] {
    return this.#joined.get(node)?.flatMap((p) => this.#parts(p)) ?? [node];
  }
}

/** `kernels` are those of the steps, before equal ones were put together; `touched` is what each of the program's kernels touches. */
export function verifyMemory(
  trace: Trace,
  prepared: Prepared,
  program: Program,
  kernels: readonly Kernel[],
  touched: readonly Touched[],
): void {
  const memory = new Memory(prepared.joined);
  const leaves = leavesOf(prepared);
  for (const leaf of leaves.values()) memory.write({ kind: "bound", index: leaf.leaf }, leaf, "the caller");
  const last = new Map<Node, number>();
  kernels.forEach((k, i) => {
    for (const b of k.buffers) if (b.written) last.set(b.node, i);
  });
  program.calls.forEach((step, i) => {
    if (program.runs.some((r) => i === r.first || i === r.first + r.calls)) memory.newRun();
    const { buffers } = kernels[i];
    const name = `step ${i} (k${step.kernel})`;
    step.accesses.forEach((access, b) => {
      const { node } = buffers[b];
      checkAccess(access, node, touched[step.kernel][b], program, `${name}, b${b}: ${named(node)}`);
      const adds = program.kernels[step.kernel].tiled.adds !== undefined;
      if (access.written || (adds && buffers.some((o) => o.written && o.node === node))) return; // see verifyRuns
      const problem = memory.problem(access.location, node);
      if (problem !== undefined) fault(`${name} reads ${named(node)} ${problem}`);
      const end = last.get(node);
      if (end !== undefined && end >= i && !program.kernels[step.kernel].tiled.serial)
        fault(`${name} reads ${named(node)}, which step ${end} still writes`);
    });
    checkInPlace(step, program.kernels[step.kernel].tiled, name);
    for (const { location, written } of step.accesses) {
      const kept = location.kind === "bound" && location.index >= program.leafCount + program.outputCount;
      if (kept && written && !step.once) fault(`${name} writes ${shown(location)}, which is kept, in each run`);
    }
    step.accesses.forEach((access, b) => {
      if (access.written) memory.write(access.location, buffers[b].node, name);
    });
  });
  checkEnd(trace, prepared, program, memory, leaves);
}

/** Leaves that the graph reads, by leaf. */
function leavesOf(prepared: Prepared): Map<number, Node> {
  const leaves = new Map<number, Node>();
  const seen = new Set<Node>();
  const open = [...prepared.outputs, ...prepared.updates.map((u) => u.value)];
  for (let n = open.pop(); n !== undefined; n = open.pop()) {
    if (seen.has(n)) continue;
    seen.add(n);
    if (n.op === "buffer") leaves.set(n.leaf, n);
    open.push(...n.inputs);
  }
  return leaves;
}

function checkAccess(access: Access, node: Node, range: Touched[number], program: Program, name: string): void {
  const { location, start, bytes } = access;
  const size = bytesOf[node.dtype];
  if (bytes !== bytesFor(node)) fault(`${name} is said to have ${bytes} bytes, not ${bytesFor(node)}`);
  if (location.kind === "arena" && (location.offset < 0 || location.offset + bytes > program.arenaBytes))
    fault(
      `${name} lies at ${shown(location)} to ${location.offset + bytes}, the arena has ${program.arenaBytes} bytes`,
    );
  if (location.kind === "strip" && (location.offset < 0 || location.offset + location.bytes > program.stripBytes))
    fault(`${name} lies at ${shown(location)}, a strip's values have ${program.stripBytes} bytes`);
  if (location.kind === "bound" && !(location.index >= 0 && location.index < onceBinding(program)))
    fault(`${name} lies at ${shown(location)}, which is none`);
  if ((location.kind !== "bound" && location.offset % size !== 0) || start % size !== 0)
    fault(`${name} lies at ${shown(location)} + ${start}, which is not aligned to ${size} bytes`);
  if (range === undefined) return;
  const [from, to] = [start / size + range.min, start / size + range.max];
  if (from < 0 || to >= sizeOf(node.shape))
    faultAfter("lower", `${name} is touched from element ${from} to ${to}, it has ${sizeOf(node.shape)}`);
}

export function overlap({ location: a, ...x }: Access, { location: b, ...y }: Access): boolean {
  if (a.kind === "bound") return b.kind === "bound" && a.index === b.index;
  if (b.kind !== a.kind) return false;
  const end = (l: typeof a, { bytes }: { bytes: number }): number => l.offset + (l.kind === "strip" ? l.bytes : bytes);
  return a.offset < end(b as typeof a, y) && b.offset < end(a, x);
}

/** Where a kernel writes what it also reads, each iteration reads there only the element that it writes. */
function checkInPlace(step: Call, kernel: Kernel, name: string): void {
  for (const [w, store] of step.accesses.entries()) {
    if (!store.written) continue;
    for (const [b, other] of step.accesses.entries()) {
      if (b === w || !overlap(store, other)) continue;
      const what = `${name} writes b${w} at ${shown(store.location)}, over b${b} at ${shown(other.location)}`;
      if (other.written) fault(`${what}, which it writes too`);
      const { index } = kernel.stores.find((s) => s.buffer === w)!;
      const size = (a: number): number => bytesOf[kernel.buffers[a].node.dtype];
      const key = shifted(index, store.start / size(w)).key;
      const elsewhere = kernel.exprs.find(
        (e) => e.kind === "load" && e.buffer === b && shifted(e.index, other.start / size(b)).key !== key,
      );
      const apart =
        store.location.kind !== "bound" &&
        other.location.kind !== "bound" &&
        store.location.offset !== other.location.offset;
      if (apart || size(w) !== size(b) || elsewhere !== undefined) fault(`${what}, which it reads elsewhere`);
    }
  }
}

/** When all is done, outputs and updated leaves hold their new values, and the other leaves what they held. */
function checkEnd(
  trace: Trace,
  prepared: Prepared,
  program: Program,
  memory: Memory,
  leaves: ReadonlyMap<number, Node>,
): void {
  const values = new Map(prepared.updates.map((u) => [u.leaf, u.value]));
  for (const { from, to, bytes } of program.copies) {
    const value = to.kind === "bound" ? values.get(to.index) : undefined;
    if (value === undefined) return fault(`a copy to ${shown(to)}, which is no leaf to be updated`);
    if (bytes !== bytesFor(value)) fault(`a copy of ${bytes} bytes of ${named(value)}, which has ${bytesFor(value)}`);
    const problem = memory.problem(from, value);
    if (problem !== undefined) fault(`a copy reads ${named(value)} ${problem}`);
    memory.write(to, value, `the copy of ${named(value)}`);
  }
  const check = (index: number, node: Node, what: string): void => {
    const problem = memory.problem({ kind: "bound", index }, node);
    if (problem !== undefined) fault(`${what} should be ${named(node)} ${problem}`);
  };
  prepared.outputs.forEach((n, i) => {
    check(trace.leaves.length + i, n, `output ${i}`);
  });
  for (const [leaf, value] of values) check(leaf, value, `the updated leaf ${leaf}`);
  for (const [leaf, node] of leaves) if (!values.has(leaf)) check(leaf, node, `leaf ${leaf}`);
}
