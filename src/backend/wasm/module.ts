// Emits a program as one WebAssembly module: a function a kernel, and `main`, which every thread calls once per run.

import type { Copy, Location } from "../../compile/5-plan.ts";
import { type Item, isParallel, type Phase, share } from "../../compile/6-share.ts";
import { type Access, onceBinding, type Program } from "../../compile/program.ts";
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
  const functions = program.kernels.map((k, i) => emitKernel(module, k.tiled, program.target, `k${i}`));
  const phases = share(program);
  const parallel = isParallel(phases);
  const barrier = parallel ? emitBarrier(module) : undefined;
  const main = module.func("main", ["i32", "i32", "i32", "i32"], [], { export: true });
  const where = ({ once }: Item, call: () => void): unknown =>
    once
      ? main
          .get(bindings)
          .memory("i32.load", 4 * onceBinding(program))
          .if(call)
      : call();
  const room = emitRoom(main, program);
  for (const phase of phases) {
    if (phase.kind === "barrier") main.get(threads).call(barrier!);
    else if (phase.kind === "shared")
      where(phase.item, () => emitShared(main, phase.item, functions[phase.item.kernel]));
    else if (phase.kind === "strips") emitStrips(main, phase, functions, room);
    else {
      onFirst(main, () => {
        for (const item of phase.items) where(item, () => emitWhole(main, item, functions[item.kernel]));
      });
    }
  }
  if (program.copies.length > 0) {
    onFirst(main, () => {
      for (const copy of program.copies) emitCopy(main, copy);
    });
  }
  emitWarm(module, program, functions);
  return { bytes: module.bytes() as Uint8Array<ArrayBuffer>, parallel };
}

/** All tasks of a kernel. */
function emitWhole(main: Func, item: Item, kernel: Func): void {
  const { accesses, tasks, work } = item;
  if (work <= sliceWork || tasks === 1) {
    for (const a of accesses) pushAccess(main, a);
    main.i32(0).i32(tasks).call(kernel);
    return;
  }
  const [begin, end] = [main.local("i32"), main.local("i32")];
  main.i32(0).set(begin).i32(tasks).set(end);
  emitSlices(main, item, kernel, begin, end);
  for (const local of [begin, end]) main.free(local);
}

function emitShared(main: Func, item: Item, kernel: Func): void {
  const [begin, end] = emitShare(main, item.tasks);
  emitSlices(main, item, kernel, begin, end);
  for (const local of [begin, end]) main.free(local);
}

/** What a thread has for the values of a strip, if the program has any. */
function emitRoom(main: Func, { arenaBytes, stripBytes }: Program): number | undefined {
  if (stripBytes === 0) return undefined;
  const room = main.local("i32");
  main.get(thread).i32(stripBytes).op("i32.mul").i32(arenaBytes).op("i32.add").get(arena).op("i32.add").set(room);
  return room;
}

/** Of each of a thread's strips all kernels. */
function emitStrips(
  main: Func,
  { units, stripsOfUnit, items }: Phase & { kind: "strips" },
  functions: readonly Func[],
  room: number | undefined,
): void {
  const [strip, end] = emitShare(main, units);
  if (stripsOfUnit > 1) for (const local of [strip, end]) main.get(local).i32(stripsOfUnit).op("i32.mul").set(local);
  const pushPlace = (access: Access): void => {
    const { location, start } = access;
    if (location.kind !== "strip") return pushAccess(main, access);
    main
      .get(room!)
      .i32(location.offset + start)
      .op("i32.add");
    main.get(strip).i32(location.bytes).op("i32.mul").op("i32.sub");
  };
  main.block(() => {
    main.loop(() => {
      main.get(strip).get(end).op("i32.ge_s").brIf(1);
      for (const { kernel, tasks, accesses } of items) {
        accesses.forEach(pushPlace);
        for (const after of [0, 1]) main.get(strip).i32(after).op("i32.add").i32(tasks).op("i32.mul");
        main.call(functions[kernel]);
      }
      main.get(strip).i32(1).op("i32.add").set(strip).br(0);
    });
  });
  for (const local of [strip, end]) main.free(local);
}

/** Thread t of n has the tasks from ⌈tasks / n⌉·t up to the next thread's first: locals that hold both. */
function emitShare(main: Func, tasks: number): [begin: number, end: number] {
  const chunk = main.local("i32");
  const [begin, end] = [main.local("i32"), main.local("i32")];
  main
    .i32(tasks - 1)
    .get(threads)
    .op("i32.div_u")
    .i32(1)
    .op("i32.add")
    .tee(chunk);
  main.get(thread).op("i32.mul").tee(begin).get(chunk).op("i32.add").tee(end);
  main.i32(tasks).get(end).i32(tasks).op("i32.lt_s").op("select").set(end);
  main.free(chunk);
  return [begin, end];
}

/** Scalar operations of a call of a kernel, at most, where its tasks allow. */
const sliceWork = 2_000_000;

/**
 * Runs the tasks from `begin` to `end`, which are locals, in calls of at most `sliceWork`: engines compile a function simply at
 * first and anew, three to six times as fast, once it has proved busy, and change over where it is called. A single long call would
 * run slowly to its end.
 */
function emitSlices(main: Func, { accesses, tasks, work }: Item, kernel: Func, begin: number, end: number): void {
  const slice = Math.max(1, Math.floor((tasks * sliceWork) / work));
  const next = main.local("i32");
  main.block(() => {
    main.loop(() => {
      main.get(begin).get(end).op("i32.ge_s").brIf(1);
      main.get(begin).i32(slice).op("i32.add").tee(next);
      main.get(end).get(next).get(end).op("i32.lt_s").op("select").set(next);
      for (const a of accesses) pushAccess(main, a);
      main.get(begin).get(next).call(kernel);
      main.get(next).set(begin).br(0);
    });
  });
  main.free(next);
}

/** Scalar operations of a program from which its kernels are worth compiling well before they run. */
const warmedWork = 200_000_000;

/** Calls of a function without any tasks after which engines take it for busy: some thousand bytes of code each, of two million. */
const warmingCalls = 10_000;

/** A function that calls each kernel without tasks until the engine compiles it well, in the background: in a ResNet-50's first step, the simple code runs for half as long. */
function emitWarm(module: WasmModule, { kernels, calls }: Program, functions: readonly Func[]): void {
  if (calls.reduce((sum, c) => sum + c.work, 0) < warmedWork) return;
  const warm = module.func("warm", [], [], { export: true });
  const left = warm.local("i32");
  warm.i32(warmingCalls).set(left);
  warm.loop(() => {
    kernels.forEach(({ tiled }, i) => {
      for (let k = 0; k < tiled.buffers.length; k++) warm.i32(0);
      warm.i32(0).i32(0).call(functions[i]);
    });
    warm.get(left).i32(1).op("i32.sub").tee(left).brIf(0);
  });
}

const onFirst = (main: Func, body: () => void): Func => main.get(thread).op("i32.eqz").if(body);

function pushLocation(main: Func, location: Location): void {
  if (location.kind !== "bound") main.get(arena).i32(location.offset).op("i32.add");
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
