// Emits a program as one WebAssembly module: a function a kernel, and `main`, which every thread calls once per run.

import type { Copy, Location } from "../../compile/5-plan.ts";
import type { Access, Program, Step } from "../../compile/program.ts";
import { type Func, WasmModule } from "./assembler.ts";
import { emitKernel, taskCount } from "./emit.ts";
import { emitBarrier } from "./machine.ts";

/** Work below which a kernel is not worth sharing out: two threads meet in about a microsecond at best. */
const parallelWork = 60_000;

const [thread, threads, bindings, arena] = [0, 1, 2, 3];

export interface Emitted {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether any kernel is shared out among threads. */
  readonly parallel: boolean;
}

interface Item extends Step {
  readonly tasks: number;
  readonly parallel: boolean;
}

export function emitProgram(program: Program, memory: ConstructorParameters<typeof WasmModule>[0]): Emitted {
  const module = new WasmModule(memory);
  const functions = program.kernels.map((k, i) => emitKernel(module, k.tiled, `k${i}`));
  const items = program.steps.map((s) => {
    const tasks = taskCount(program.kernels[s.kernel].tiled);
    return { ...s, tasks, parallel: tasks > 1 && s.work > parallelWork };
  });
  const parallel = items.some((i) => i.parallel);
  const barrier = parallel ? emitBarrier(module) : undefined;
  const main = module.func("main", ["i32", "i32", "i32", "i32"], [], { export: true });
  emitSteps(main, items, functions, barrier);
  if (program.copies.length > 0) {
    if (barrier !== undefined) main.get(threads).call(barrier);
    onFirst(main, () => {
      for (const copy of program.copies) emitCopy(main, copy);
    });
  }
  return { bytes: module.bytes() as Uint8Array<ArrayBuffer>, parallel };
}

/** Steps in order: shared ones on all threads, runs of small ones on the first, barriers where one needs another's results. */
function emitSteps(main: Func, items: readonly Item[], functions: readonly Func[], barrier: Func | undefined): void {
  let open: Item[] = [];
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    if (barrier !== undefined && open.some((o) => (o.parallel || item.parallel) && conflict(o, item))) {
      main.get(threads).call(barrier);
      open = [];
    }
    open.push(item);
    if (item.parallel) emitShared(main, item, functions[item.kernel]);
    else {
      const run = [item];
      const joins = (next: Item): boolean => !next.parallel && !open.some((o) => o.parallel && conflict(o, next));
      while (i + 1 < items.length && joins(items[i + 1])) {
        run.push(items[++i]);
        open.push(items[i]);
      }
      onFirst(main, () => {
        for (const { accesses, tasks, kernel } of run) {
          for (const a of accesses) pushLocation(main, a.location);
          main.i32(0).i32(tasks).call(functions[kernel]);
        }
      });
    }
  }
}

/** Thread t of n runs tasks ⌈tasks / n⌉·t up to the next thread's first. */
function emitShared(main: Func, { accesses, tasks }: Item, kernel: Func): void {
  for (const a of accesses) pushLocation(main, a.location);
  const chunk = main.local("i32");
  const end = main.local("i32");
  main
    .i32(tasks - 1)
    .get(threads)
    .op("i32.div_u")
    .i32(1)
    .op("i32.add")
    .tee(chunk);
  main.get(thread).op("i32.mul").tee(end);
  main.get(end).get(chunk).op("i32.add").tee(end);
  main.i32(tasks).get(end).i32(tasks).op("i32.lt_s").op("select").call(kernel);
  main.free(chunk);
  main.free(end);
}

const onFirst = (main: Func, body: () => void): Func => main.get(thread).op("i32.eqz").if(body);

function pushLocation(main: Func, location: Location): void {
  if (location.kind === "arena") main.get(arena).i32(location.offset).op("i32.add");
  else main.get(bindings).memory("i32.load", 4 * location.index);
}

function emitCopy(main: Func, { from, to, bytes }: Copy): void {
  pushLocation(main, to);
  pushLocation(main, from);
  main.i32(bytes).op("memory.copy");
}

const conflict = (a: Step, b: Step): boolean =>
  a.accesses.some((x) => b.accesses.some((y) => (x.written || y.written) && overlap(x, y)));

function overlap(a: Access, b: Access): boolean {
  if (a.location.kind === "bound" || b.location.kind === "bound") {
    return a.location.kind === "bound" && b.location.kind === "bound" && a.location.index === b.location.index;
  }
  return a.location.offset < b.location.offset + b.bytes && b.location.offset < a.location.offset + a.bytes;
}
