// Checks of sharing out: whatever the number of threads, no two of them touch the same bytes, one writing, without a barrier between.

import type { Copy } from "../5-plan.ts";
import type { Item, Phase } from "../6-share.ts";
import type { Access, Program } from "../program.ts";
import { fault as faultAfter } from "./fault.ts";
import { overlap } from "./memory.ts";

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
            if ((a.written || b.written) && !(a.sharing !== undefined && a.sharing === b.sharing) && overlap(a, b))
              fault(`${other.name} and ${made.name} ${place(b)} without a barrier between`);
    running.push(made);
  };
  const begin = (item: Item, shared: boolean): void => {
    const step = program.calls[next];
    const name = `step ${next} (k${item.kernel})`;
    if (step?.kernel !== item.kernel || step.accesses !== item.accesses)
      fault(`step ${next} of ${program.calls.length} is not what comes next: k${item.kernel}`);
    checkTasks(program, item, shared, name);
    run({ name, accesses: item.accesses, shared });
    next++;
  };
  for (const phase of phases) {
    if (phase.kind === "barrier") running = [];
    else if (phase.kind === "shared") begin(phase.item, true);
    else for (const item of phase.items) begin(item, false);
  }
  if (next < program.calls.length) fault(`step ${next} and what follows is left out`);
  for (const copy of program.copies) run({ name: "a copy", accesses: accessesOf(copy), shared: false });
}

const place = ({ location, written }: Access): string =>
  `meet at ${location.kind === "arena" ? `@${location.offset}` : `binding ${location.index}`}, which the first ${written ? "writes" : "reads"},`;

const accessesOf = ({ from, to, bytes }: Copy): Access[] => [
  { location: from, start: 0, bytes, written: false },
  { location: to, start: 0, bytes, written: true },
];

/** Tasks are all iterations of the plain loops, or, where there are none, of the outermost tiled one. */
function checkTasks(program: Program, item: Item, shared: boolean, name: string): void {
  const { plain, serial, unrolled, vector, vectors, lanes, outer } = program.kernels[item.kernel].tiled;
  if (shared && serial) fault(`${name} is serial, and shared out`);
  const along =
    vector !== undefined && outer.includes(vector) ? Math.ceil(vector.extent / (lanes * vectors)) : undefined;
  const first = unrolled.length > 0 ? Math.ceil(unrolled[0].axis.extent / unrolled[0].factor) : 1;
  const tasks = serial ? 1 : plain.length > 0 ? plain.reduce((n, a) => n * a.extent, 1) : (along ?? first);
  if (item.tasks !== tasks) fault(`${name} has ${tasks} tasks, not ${item.tasks}`);
}
