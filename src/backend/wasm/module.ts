// Emits a program as one WebAssembly module: a function a kernel, and `main`, which every thread calls once per run.

import type { Copy, Location } from "../../compile/5-plan.ts";
import { type Item, isParallel, share } from "../../compile/6-share.ts";
import type { Access, Program } from "../../compile/program.ts";
import { type Func, WasmModule } from "./assembler.ts";
import { emitKernel } from "./emit.ts";
import { emitBarrier } from "./machine.ts";

const [thread, threads, bindings, arena] = [0, 1, 2, 3];

export interface Emitted {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether any kernel is shared out among threads. */
  readonly parallel: boolean;
}

export function emitProgram(program: Program, memory: ConstructorParameters<typeof WasmModule>[0]): Emitted {
  const module = new WasmModule(memory);
  const functions = program.kernels.map((k, i) => emitKernel(module, k.tiled, `k${i}`));
  const phases = share(program);
  const parallel = isParallel(phases);
  const barrier = parallel ? emitBarrier(module) : undefined;
  const main = module.func("main", ["i32", "i32", "i32", "i32"], [], { export: true });
  for (const phase of phases) {
    if (phase.kind === "barrier") main.get(threads).call(barrier!);
    else if (phase.kind === "shared") emitShared(main, phase.item, functions[phase.item.kernel]);
    else {
      onFirst(main, () => {
        for (const { accesses, tasks, kernel } of phase.items) {
          for (const a of accesses) pushAccess(main, a);
          main.i32(0).i32(tasks).call(functions[kernel]);
        }
      });
    }
  }
  if (program.copies.length > 0) {
    onFirst(main, () => {
      for (const copy of program.copies) emitCopy(main, copy);
    });
  }
  return { bytes: module.bytes() as Uint8Array<ArrayBuffer>, parallel };
}

/** Thread t of n runs tasks ⌈tasks / n⌉·t up to the next thread's first. */
function emitShared(main: Func, { accesses, tasks }: Item, kernel: Func): void {
  for (const a of accesses) pushAccess(main, a);
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

function pushAccess(main: Func, { location, start }: Access): void {
  pushLocation(main, location);
  if (start > 0) main.i32(start).op("i32.add");
}

function emitCopy(main: Func, { from, to, bytes }: Copy): void {
  pushLocation(main, to);
  pushLocation(main, from);
  main.i32(bytes).op("memory.copy");
}
