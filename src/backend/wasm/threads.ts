// The worker threads of a machine: each runs its part of a whole program, started, joined and stopped through words in
// the shared memory, so that a step costs no message and no promise.

import type { Func, WasmModule } from "./assembler.ts";

/** Memory below this address belongs to the machine: the words below, then the text of the first trap. */
export const reservedBytes = 4096;

// Byte addresses, each on a cache line of its own where threads write it.
const epoch = 0; // raised with every run and every message; idle workers sleep on it
const posted = 4; // messages sent to each worker
const runs = 8; // parallel runs started
const program = 12; // what to run, and its arguments
const bindings = 16;
const arena = 20;
const mayPark = 24; // 0 on a browser's main thread, which must not sleep
const idle = 64; // workers asleep on `epoch`
const received = 128; // messages processed, all workers together
const finished = 192; // workers done with this run
const joining = 256; // 1 while the main thread sleeps on `finished`
const arrived = 320; // threads at the barrier
const generation = 384; // barriers passed; threads at the barrier sleep on it
const parked = 448; // threads asleep on `generation`
const stopped = 512; // 1 + the thread that trapped first, or 0
const trapText = 1024;

/** Milliseconds that an idle worker or the joining main thread looks around before it sleeps. */
const spinTime = 0.05;
/** The same inside a barrier, in rounds of about a nanosecond. */
const barrierSpins = 20_000;

/** What a program exports as `main`: thread number, thread count, addresses of the bindings and the arena. */
export type Main = (thread: number, threads: number, bindings: number, arena: number) => void;

/** A program stopped in the middle (a trap, or the stack ran out): what it was writing is incomplete. */
export class ProgramError extends Error {
  override name = "ProgramError";
}

/**
 * Emits `barrier(threads)`: returns when all threads of the run have called it, having made their writes visible.
 * Free with one thread. Traps when a thread of the run has trapped, so that nobody waits for it.
 */
export function emitBarrier(module: WasmModule): Func {
  const barrier = module.func("barrier", ["i32"]);
  const park = emitPark(module);
  const seen = barrier.local("i32");
  const spins = barrier.local("i32");
  const load = (address: number) => barrier.i32(address).memory("i32.atomic.load");
  const trapIfStopped = () => load(stopped).if(() => barrier.op("unreachable"));

  barrier
    .get(0)
    .i32(1)
    .op("i32.eq")
    .if(() => barrier.ret());
  // In this order: a stop sets `stopped` and then raises `generation`, so it is seen here or ends the wait below.
  load(generation).set(seen);
  trapIfStopped();
  barrier
    .i32(arrived)
    .i32(1)
    .memory("i32.atomic.rmw.add")
    .i32(1)
    .op("i32.add")
    .get(0)
    .op("i32.eq")
    .if(
      () => {
        barrier.i32(arrived).i32(0).memory("i32.atomic.store");
        barrier.i32(generation).get(seen).i32(1).op("i32.add").memory("i32.atomic.store");
        load(parked).if(() => barrier.i32(generation).i32(-1).memory("memory.atomic.notify").op("drop"));
      },
      () => {
        barrier.i32(barrierSpins).set(spins);
        barrier.loop(() => {
          load(generation)
            .get(seen)
            .op("i32.eq")
            .if(() => {
              barrier.get(spins).if(
                () => barrier.get(spins).i32(1).op("i32.sub").set(spins),
                () => barrier.get(seen).call(park),
              );
              barrier.br(1);
            });
        });
      },
    );
  trapIfStopped();
  return barrier;
}

/**
 * Emits `park(seen)`, which sleeps while the generation is `seen`: a function of its own, because V8 11's baseline code
 * loses the locals of a function that waits.
 */
function emitPark(module: WasmModule): Func {
  const park = module.func("park", ["i32"]);
  const count = (step: number) => park.i32(parked).i32(step).memory("i32.atomic.rmw.add").op("drop");
  park
    .i32(mayPark)
    .memory("i32.load")
    .op("i32.eqz")
    .if(() => park.ret());
  count(1);
  park.i32(generation).get(0).i64(-1n).memory("memory.atomic.wait32").op("drop");
  count(-1);
  return park;
}

/** A run that stopped in the middle, as an error for the caller; `stack` is the trap's, in V8's or SpiderMonkey's form. */
export function programError(stack: string, thread: number, threads: number): ProgramError {
  const what = stack.split("\n", 1)[0].replace(/^RuntimeError: /, "");
  const kernel = /(?:at )?(\S+?)(?: \(|@)\S*wasm/.exec(stack)?.[1];
  const where = `thread ${thread} of ${threads} stopped${kernel ? ` in "${kernel}"` : ""}`;
  return new ProgramError(`${where}: ${what}; what this run was writing is incomplete, later runs are not affected`);
}

/** A worker of Node or of the browser. */
interface Thread {
  postMessage(message: unknown): void;
  terminate(): unknown;
}

/** Plain script, so that it starts from the sources as from the built package, bundled or not. */
const workerSource = `
const port = typeof require === "function" ? require("node:worker_threads").parentPort : self;
const programs = new Map();
let memory, words, thread, threads, done = 0, messages = 0;

port.onmessage = ({ data }) => {
  if (data.memory) {
    ({ memory, thread, threads } = data);
    words = new Int32Array(memory.buffer, 0, ${reservedBytes / 4});
  } else if (data.module) {
    programs.set(data.id, new WebAssembly.Instance(data.module, { env: { memory } }).exports.main);
  } else programs.delete(data.id);
  messages++;
  Atomics.add(words, ${received / 4}, 1);
  serve();
};

function serve() {
  for (;;) {
    const seen = Atomics.load(words, ${epoch / 4});
    if (Atomics.load(words, ${posted / 4}) > messages) return;
    const run = Atomics.load(words, ${runs / 4});
    if (run !== done) {
      done = run;
      work();
    } else {
      const until = performance.now() + ${spinTime};
      while (Atomics.load(words, ${epoch / 4}) === seen && performance.now() < until);
      Atomics.add(words, ${idle / 4}, 1);
      Atomics.wait(words, ${epoch / 4}, seen);
      Atomics.sub(words, ${idle / 4}, 1);
    }
  }
}

function work() {
  try {
    programs.get(words[${program / 4}])(thread, threads, words[${bindings / 4}], words[${arena / 4}]);
  } catch (error) {
    if (Atomics.compareExchange(words, ${stopped / 4}, 0, 1 + thread) === 0) {
      const text = new Uint8Array(memory.buffer, ${trapText}, ${reservedBytes - trapText}).fill(0);
      const stack = String(error).split("\\n", 1)[0] + "\\n" + error.stack;
      for (let i = 0; i < Math.min(stack.length, text.length); i++) text[i] = stack.charCodeAt(i);
    }
    Atomics.add(words, ${generation / 4}, 1);
    Atomics.notify(words, ${generation / 4});
  }
  Atomics.add(words, ${finished / 4}, 1);
  if (Atomics.load(words, ${joining / 4})) Atomics.notify(words, ${finished / 4});
}
`;

/** Starts a worker that does not keep the process alive; `lost` hears of its end, whatever the reason. */
function startThread(number: number, lost: (reason: string) => void): Thread {
  const name = `hebb-${number}`;
  const node = globalThis.process?.getBuiltinModule?.("node:worker_threads");
  if (node) {
    const worker = new node.Worker(workerSource, { eval: true, name, execArgv: [] });
    worker.on("error", (error: Error) => lost(error.message));
    worker.on("exit", (code) => lost(`exit code ${code}`));
    worker.unref();
    return worker;
  }
  const worker = new Worker(URL.createObjectURL(new Blob([workerSource], { type: "text/javascript" })), { name });
  worker.onerror = ({ message }) => lost(message);
  return worker;
}

/** False on a browser's main thread, where waiting throws. */
function canSleep(words: Int32Array): boolean {
  try {
    Atomics.wait(words, epoch / 4, words[epoch / 4] + 1);
    return true;
  } catch {
    return false;
  }
}

/** The other threads of a machine. The calling thread is number 0 of every run, these are 1 … count. */
export class Pool {
  readonly count: number;
  /** False once the workers are gone for good. */
  alive = true;
  private readonly memory: WebAssembly.Memory;
  private readonly words: Int32Array;
  private readonly threads: Thread[] = [];

  /** Starts the workers over a shared memory; they boot in the background. */
  constructor(memory: WebAssembly.Memory, count: number) {
    this.count = count;
    this.memory = memory;
    this.words = new Int32Array(memory.buffer, 0, reservedBytes / 4);
    this.words[mayPark / 4] = canSleep(this.words) ? 1 : 0;
    try {
      for (let n = 1; n <= count; n++) {
        this.threads.push(startThread(n, (reason) => this.lose(reason)));
        this.threads[n - 1].postMessage({ memory, thread: n, threads: count + 1 });
      }
    } catch (error) {
      this.lose(String(error));
    }
    this.announce();
  }

  /** True while every worker lives and has processed every message: `run` may be called. */
  get ready(): boolean {
    return this.alive && Atomics.load(this.words, received / 4) === this.words[posted / 4] * this.count;
  }

  /** Gives a program to all workers, or without a module takes it from them. */
  post(id: number, module?: WebAssembly.Module): void {
    if (!this.alive) return;
    for (const thread of this.threads) thread.postMessage({ id, module });
    this.announce();
  }

  /** Runs `main` here and program `id` on all workers; returns when all are done. Throws ProgramError. */
  run(main: Main, id: number, bindingsAddress: number, arenaAddress: number): void {
    const { words } = this;
    words[program / 4] = id;
    words[bindings / 4] = bindingsAddress;
    words[arena / 4] = arenaAddress;
    for (const address of [arrived, finished, stopped]) words[address / 4] = 0;
    Atomics.add(words, runs / 4, 1);
    this.wake();
    let trap: unknown;
    try {
      main(0, this.count + 1, bindingsAddress, arenaAddress);
    } catch (error) {
      if (Atomics.compareExchange(words, stopped / 4, 0, 1) === 0) trap = error;
      Atomics.add(words, generation / 4, 1);
      Atomics.notify(words, generation / 4);
    }
    this.join();
    const first = words[stopped / 4];
    if (first > 0) throw programError(first === 1 ? stackOf(trap) : this.text(), first - 1, this.count + 1);
  }

  async close(): Promise<void> {
    this.alive = false;
    await Promise.all(this.threads.map((thread) => thread.terminate()));
  }

  /** Calls the workers back to their event loops, where the messages just sent lie. */
  private announce(): void {
    Atomics.add(this.words, posted / 4, 1);
    this.wake();
  }

  private wake(): void {
    Atomics.add(this.words, epoch / 4, 1);
    if (Atomics.load(this.words, idle / 4) > 0) Atomics.notify(this.words, epoch / 4);
  }

  private join(): void {
    const { words, count } = this;
    const until = performance.now() + spinTime;
    for (let done = Atomics.load(words, finished / 4); done < count; done = Atomics.load(words, finished / 4)) {
      if (words[mayPark / 4] === 0 || performance.now() < until) continue;
      Atomics.store(words, joining / 4, 1);
      Atomics.wait(words, finished / 4, done);
      Atomics.store(words, joining / 4, 0);
    }
  }

  private text(): string {
    const bytes = new Uint8Array(this.memory.buffer, trapText, reservedBytes - trapText);
    return String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0)));
  }

  /** A worker ended by itself, or never started. */
  private lose(reason: string): void {
    if (!this.alive) return;
    console.warn(`hebb: a worker thread was lost (${reason}); going on with one thread`);
    void this.close();
  }
}

/** The error in one line, then its frames: engines differ in whether `stack` repeats the message. */
export const stackOf = (error: unknown): string => `${error}\n${(error as Error).stack}`;
