// Pass 5: places every buffered value: in a leaf it updates, in an output, or in the arena, where values that never live together share bytes.
import { bytesOf, type Node, sizeOf } from "../graph/internal.ts";
import type { Prepared } from "./1-prepare.ts";
import type { Kernel } from "./kernel.ts";
import { type Life, pack } from "./pack.ts";
import type { Run } from "./strips.ts";

/**
 * Where a buffer lies: bound at each run (leaves by leaf, then outputs, then what is kept), at an offset in the program's arena, or, of
 * what only a run of kernels by strips knows, at an offset in the room that each thread has for one strip, which has so many bytes.
 */
export type Location =
  | { readonly kind: "bound"; readonly index: number }
  | { readonly kind: "arena"; readonly offset: number }
  | { readonly kind: "strip"; readonly offset: number; readonly bytes: number };

export interface Copy {
  readonly from: Location;
  readonly to: Location;
  readonly bytes: number;
}

export interface Plan {
  readonly at: (node: Node) => Location;
  /** Updates that could not be written in place, carried out at the end. */
  readonly copies: readonly Copy[];
  readonly arenaBytes: number;
  /** What a thread needs for the values of strips. */
  readonly stripBytes: number;
}

export interface PlanOptions {
  /** Bytes at whose multiples buffers have to start. */
  readonly alignment: number;
  /** Let values share arena bytes when their lifetimes do not overlap. */
  readonly reuse: boolean;
  /** Kernels that take turns. */
  readonly runs: readonly Run[];
  /** Values with a place of their own, bound after the outputs. */
  readonly kept: readonly Node[];
  /** Write updates straight into their leaves where no later read needs the old value. */
  readonly inPlace: boolean;
}

/** Values begin on a line of the cache. */
const line = 64;
/** Bytes after each buffer that vector loads may touch. */
export const slack = 64;
export const bytesFor = (node: Node): number => sizeOf(node.shape) * bytesOf[node.dtype];
const rounded = (bytes: number, alignment: number): number => Math.ceil((bytes + slack) / alignment) * alignment;
const reserved = (node: Node, alignment: number): number => rounded(bytesFor(node), alignment);

export function plan(prepared: Prepared, kernels: readonly Kernel[], leafCount: number, options: PlanOptions): Plan {
  const located = new Map<Node, Location>();
  prepared.outputs.forEach((node, i) => {
    located.set(node, { kind: "bound", index: leafCount + i });
  });
  options.kept.forEach((node, i) => {
    located.set(node, { kind: "bound", index: leafCount + prepared.outputs.length + i });
  });
  const stripBytes = placeInStrips(kernels, located, options);
  const copied: { node: Node; leaf: number }[] = [];
  for (const { leaf, value } of prepared.updates) {
    if (options.inPlace && canReplace(kernels, leaf, value, options.runs))
      located.set(value, { kind: "bound", index: leaf });
    else copied.push({ node: value, leaf });
  }
  const arenaBytes = placeInArena(
    kernels,
    located,
    wholesOf(prepared.joined),
    new Set(copied.map((c) => c.node)),
    options,
  );
  const nowhere: Location = { kind: "arena", offset: 0 }; // of values without elements, which no kernel writes
  const at = (node: Node): Location =>
    node.op === "buffer" ? { kind: "bound", index: node.leaf } : (located.get(node) ?? nowhere);
  const copies = copied.map(({ node, leaf }) => ({
    from: at(node),
    to: { kind: "bound", index: leaf } as const,
    bytes: bytesFor(node),
  }));
  return { at, copies, arenaBytes, stripBytes };
}

/** Whether the leaf's old value is needed nowhere after the value is stored, and within its kernel only at the element being replaced. */
function canReplace(kernels: readonly Kernel[], leaf: number, value: Node, runs: readonly Run[]): boolean {
  const writer = kernels.findIndex((k) => k.buffers.some((b) => b.written && b.node === value));
  const run = runs.find(({ first, calls }) => first <= writer && writer < first + calls);
  for (let i = run?.first ?? writer; i < kernels.length; i++) {
    const kernel = kernels[i];
    const reads = kernel.buffers.findIndex((b) => !b.written && b.node.op === "buffer" && b.node.leaf === leaf);
    if (reads < 0) continue;
    if (i !== writer) return false;
    const store = kernel.stores.find((s) => kernel.buffers[s.buffer].node === value)!;
    const elsewhere = kernel.exprs.some(
      (e) => e.kind === "load" && e.buffer === reads && (e.guards.length > 0 || e.index.key !== store.index.key),
    );
    if (elsewhere) return false;
  }
  return writer >= 0;
}

/** Gives the values inside of runs their places in what each thread has for a strip; the bytes that it needs. */
function placeInStrips(
  kernels: readonly Kernel[],
  located: Map<Node, Location>,
  { runs, reuse, alignment }: PlanOptions,
): number {
  const sizes = runs.map(({ first, calls, inside }) => {
    const lives = new Map<Node, Life & { readonly strip: number }>();
    kernels.slice(first, first + calls).forEach(({ buffers }, i) => {
      for (const { node, written } of buffers) {
        const elements = inside.get(node);
        if (elements === undefined) continue;
        const strip = elements * bytesOf[node.dtype];
        const bytes = rounded(strip, Math.max(line, alignment));
        if (written) lives.set(node, { from: i, until: reuse ? i : calls, bytes, at: 0, strip });
        else if (reuse) lives.get(node)!.until = i;
      }
    });
    const size = pack([...lives.values()]);
    for (const [node, { at, strip }] of lives) located.set(node, { kind: "strip", offset: at, bytes: strip });
    return size;
  });
  return Math.max(0, ...sizes);
}

/** Where in which joined value each part lies, in bytes. */
function wholesOf(joined: Prepared["joined"]): Map<Node, { whole: Node; at: number }> {
  const wholes = new Map<Node, { whole: Node; at: number }>();
  for (const [whole, parts] of joined) {
    let at = 0;
    for (const part of parts) {
      wholes.set(part, { whole, at });
      at += bytesFor(part);
    }
  }
  return wholes;
}

function placeInArena(
  kernels: readonly Kernel[],
  located: Map<Node, Location>,
  wholes: ReadonlyMap<Node, { whole: Node; at: number }>,
  last: ReadonlySet<Node>,
  { reuse, alignment, runs }: PlanOptions,
): number {
  const lives = new Map<Node, Life>();
  const parts: { node: Node; life: Life; start: number }[] = [];
  const times = kernels.map((_, i) => i); // kernels that take turns do so at one time, that of the first
  for (const { first, calls } of runs) times.fill(first, first, first + calls);
  kernels.forEach((kernel, position) => {
    const i = times[position];
    for (const { node, written } of kernel.buffers) {
      const { whole, at: start } = wholes.get(node) ?? { whole: node, at: 0 };
      let life = lives.get(whole);
      if (written && node.op !== "buffer" && !located.has(node)) {
        if (life === undefined)
          lives.set(whole, (life = { from: i, until: i, bytes: reserved(whole, Math.max(line, alignment)), at: 0 }));
        parts.push({ node, life, start });
      }
      if (life !== undefined) life.until = !reuse || last.has(node) ? kernels.length : Math.max(life.until, i);
    }
  });
  const size = pack([...lives.values()]);
  for (const [whole, { at }] of lives) located.set(whole, { kind: "arena", offset: at });
  for (const { node, life, start } of parts) located.set(node, { kind: "arena", offset: life.at + start });
  return size;
}
