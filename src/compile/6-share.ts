// Pass 6: shares a program's steps out among threads: large kernels by their tasks, small ones to the first, with barriers between.
import { type TiledKernel, tileLoops } from "./4-tile.ts";
import type { Access, Call, Program } from "./program.ts";

export interface Item extends Call {
  /** Independent iterations that threads may share out. */
  readonly tasks: number;
  readonly parallel: boolean;
}

/** What all threads do next: share one step, or the strips of several, leave small steps to the first of them, or wait for each other. */
export type Phase =
  | { readonly kind: "shared"; readonly item: Item }
  /** Of each strip all of the steps, each of which has so many tasks a strip; the strips of a unit one after the other. */
  | { readonly kind: "strips"; readonly units: number; readonly stripsOfUnit: number; readonly items: readonly Item[] }
  | { readonly kind: "first"; readonly items: readonly Item[] }
  | { readonly kind: "barrier" };

/** The program's steps in order, with a barrier wherever one thread needs what another wrote, or may be in the room that another has for a strip. */
export function share(program: Program): Phase[] {
  const items = program.calls.map((s): Item => {
    const tasks = taskCount(program.kernels[s.kernel].tiled);
    return { ...s, tasks, parallel: tasks > 1 && s.work > program.target.parallelWork };
  });
  const phases: Phase[] = [];
  let open: Item[] = [];
  const runs = new Map(program.runs.map((run) => [run.first, run]));
  for (let i = 0; i < items.length; i++) {
    const run = runs.get(i);
    if (run !== undefined) {
      const members = items.slice(i, i + run.calls).map((m) => ({ ...m, tasks: m.tasks / run.strips, parallel: true }));
      const rooms = phases
        .slice(phases.findLastIndex((p) => p.kind === "barrier") + 1)
        .some((p) => p.kind === "strips");
      if (rooms || members.some((m) => open.some((o) => conflict(o, m)))) {
        phases.push({ kind: "barrier" });
        open = [];
      }
      open.push(...members);
      phases.push({ kind: "strips", units: run.units, stripsOfUnit: run.strips / run.units, items: members });
      i += run.calls - 1;
      continue;
    }
    const item = items[i];
    if (open.some((o) => (o.parallel || item.parallel) && conflict(o, item))) {
      phases.push({ kind: "barrier" });
      open = [];
    }
    open.push(item);
    if (item.parallel) {
      phases.push({ kind: "shared", item });
      continue;
    }
    const small = [item];
    const joins = (next: Item): boolean => !next.parallel && !open.some((o) => o.parallel && conflict(o, next));
    while (i + 1 < items.length && !runs.has(i + 1) && joins(items[i + 1])) {
      small.push(items[++i]);
      open.push(items[i]);
    }
    phases.push({ kind: "first", items: small });
  }
  if (program.copies.length > 0 && items.some((i) => i.parallel)) phases.push({ kind: "barrier" });
  return phases;
}

export const isParallel = (phases: readonly Phase[]): boolean =>
  phases.some((p) => p.kind === "shared" || p.kind === "strips");

/** Number of independent iterations of a kernel. */
export function taskCount(kernel: TiledKernel): number {
  if (kernel.serial) return 1;
  if (kernel.plain.length > 0) return kernel.plain.reduce((n, a) => n * a.extent, 1);
  const [first] = tileLoops(kernel);
  return first === undefined ? 1 : Math.ceil(first.axis.extent / first.step);
}

const conflict = (a: Call, b: Call): boolean =>
  a.accesses.some((x) => b.accesses.some((y) => (x.written || y.written) && !apart(x, y) && overlap(x, y)));

const apart = (x: Access, y: Access): boolean => x.sharing !== undefined && x.sharing === y.sharing;

function overlap(a: Access, b: Access): boolean {
  if (a.location.kind === "bound" || b.location.kind === "bound") {
    return a.location.kind === "bound" && b.location.kind === "bound" && a.location.index === b.location.index;
  }
  if (a.location.kind === "strip" || b.location.kind === "strip") return false; // each thread has its own
  return a.location.offset < b.location.offset + b.bytes && b.location.offset < a.location.offset + a.bytes;
}
