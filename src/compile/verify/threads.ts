// Checks of sharing out: whatever the number of threads, no two of them touch the same bytes, one writing, without a barrier between.

import { tileLoops } from "../4-tile.ts";
import type { Copy } from "../5-plan.ts";
import type { Item, Phase } from "../6-share.ts";
import type { Access, Program } from "../program.ts";
import { fault as faultAfter } from "./fault.ts";
import { overlap, shown } from "./memory.ts";

const fault = (problem: string): never => faultAfter("share", problem);

/** What runs between two barriers. */
interface Running {
  readonly name: string;
  readonly accesses: readonly Access[];
  /** On all threads, by tasks; else on the first. */
  readonly shared: boolean;
}

/**
 * Any two steps between the same barriers, of which at least one is shared out, might run on different threads: so they must not
 * conflict, except that those which write one value between them write other elements of it (`verifyParts`). Tasks of one step are parts of its loops over results; that these do not conflict follows from its stores, each of
 * which fills its buffer once, and from its reading, where it writes in place, only what the same iteration writes.
 */
export function verifyPhases(program: Program, phases: readonly Phase[]): void {
  let next = 0;
  let running: Running[] = [];
  const run = (made: Running): void => {
    for (const other of running)
      if (made.shared || other.shared)
        for (const a of made.accesses)
          for (const b of other.accesses)
            if ((a.written || b.written) && !(a.sharing !== undefined && a.sharing === b.sharing) && meet(a, b))
              fault(`${other.name} and ${made.name} ${place(b)} without a barrier between`);
    running.push(made);
  };
  const begin = (item: Item, shared: boolean, strips = 1): void => {
    const step = program.calls[next];
    const name = `step ${next} (k${item.kernel})`;
    if (step?.kernel !== item.kernel || step.accesses !== item.accesses)
      fault(`step ${next} of ${program.calls.length} is not what comes next: k${item.kernel}`);
    checkTasks(program, item, shared, strips, name);
    if (strips === 1) run({ name, accesses: item.accesses, shared });
    next++;
  };
  for (const phase of phases) {
    if (phase.kind === "barrier") running = [];
    else if (phase.kind === "shared") begin(phase.item, true);
    else if (phase.kind === "strips") {
      if (running.some((r) => r.accesses.some((a) => a.location.kind === "strip")))
        fault(`step ${next} needs rooms for strips that a run before may still be in`);
      const calls = phase.items.length;
      const strips = phase.units * phase.stripsOfUnit;
      const isRun = (r: Program["runs"][number]): boolean =>
        r.first === next && r.calls === calls && r.strips === strips && r.units === phase.units;
      if (!program.runs.some(isRun))
        fault(`steps ${next} to ${next + calls - 1} take turns in ${strips} strips, as no run does`);
      run({
        name: `steps ${next} to ${next + calls - 1}`,
        accesses: phase.items.flatMap((i) => i.accesses),
        shared: true,
      });
      for (const item of phase.items) begin(item, true, strips);
    } else for (const item of phase.items) begin(item, false);
  }
  if (next < program.calls.length) fault(`step ${next} and what follows is left out`);
  for (const copy of program.copies) run({ name: "a copy", accesses: accessesOf(copy), shared: false });
}

const place = ({ location, written }: Access): string =>
  `meet at ${shown(location)}, which the first ${written ? "writes" : "reads"},`;

/** Whether two accesses of different threads touch the same bytes: each thread has its own for strips. */
const meet = (a: Access, b: Access): boolean => a.location.kind !== "strip" && overlap(a, b);

const accessesOf = ({ from, to, bytes }: Copy): Access[] => [
  { location: from, start: 0, bytes, written: false },
  { location: to, start: 0, bytes, written: true },
];

/** Tasks are all iterations of the plain loops, or, where there are none, of the outermost tiled one. */
function checkTasks(program: Program, item: Item, shared: boolean, turns: number, name: string): void {
  const { tiled } = program.kernels[item.kernel];
  const { plain, serial, outer, strips = 0 } = tiled;
  const along = outer.slice(0, strips);
  if (along.some((axis, i) => plain[i] !== axis) || along.reduce((n, a) => n * a.extent, 1) !== turns)
    fault(`${name} has ${turns} strips, its outermost loops run over ${along.map((a) => a.extent).join(" × ")}`);
  if (shared && serial) fault(`${name} is serial, and shared out`);
  const [first] = tileLoops(tiled);
  const tiles = first === undefined ? 1 : Math.ceil(first.axis.extent / first.step);
  const tasks = serial ? 1 : plain.length > 0 ? plain.reduce((n, a) => n * a.extent, 1) : tiles;
  if (item.tasks * turns !== tasks) fault(`${name} has ${tasks} tasks, not ${item.tasks * turns}`);
}
