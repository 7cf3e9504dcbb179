// The machine under the wasm backend: one memory, its allocator, and the threads that run whole programs over it.

import type { ModuleOptions } from "./assembler.ts";
import { Heap } from "./heap.ts";
import { type Main, Pool, programError, reservedBytes, stackOf } from "./threads.ts";

export { emitBarrier, ProgramError } from "./threads.ts";

const pageBytes = 65_536;
const initialPages = 256;
/** 4 GiB, all that 32-bit addresses reach. */
const addressablePages = 65_536;

/** A program compiled and known to the machine. */
export interface Installed {
  readonly id: number;
  /** False: it runs on one thread and the workers sleep on. */
  readonly parallel: boolean;
  readonly main: Main;
}

/** The whole memory as typed arrays, all over the same bytes; index = address / element size. */
export interface Views {
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
}

export class Machine {
  readonly memory: WebAssembly.Memory;
  readonly shared: boolean;
  /** The most threads that a run has; a run has either this many or one. */
  readonly threads: number;
  private readonly heap: Heap;
  private readonly pool: Pool | undefined;
  private views: Views;
  private installs = 0;

  private constructor(threads: number, maximumPages: number, shared: boolean) {
    const { memory, maximum } = createMemory(maximumPages, shared);
    this.memory = memory;
    this.shared = shared;
    this.threads = threads;
    this.views = viewsOf(memory);
    // Vector loads may read past the end of the last buffer: the last page is never handed out.
    const end = memory.buffer.byteLength - pageBytes;
    this.heap = new Heap(reservedBytes, end, (maximum - 1) * pageBytes, (newEnd) => this.extend(newEnd));
    this.pool = threads > 1 ? new Pool(memory, threads - 1) : undefined;
  }

  /**
   * A new machine, usable at once; its workers boot in the background and join in when they are up. `threads` is by
   * default the number of processors; without shared memory it is 1, and standard error says so.
   */
  static create(options: { threads?: number; maximumPages?: number } = {}): Machine {
    const { threads = processors(), maximumPages = addressablePages } = options;
    const shared = typeof SharedArrayBuffer === "function" && (globalThis.crossOriginIsolated ?? true);
    if (!shared && threads > 1) {
      console.warn(
        "hebb: no shared memory, so one thread (a page gets it with the headers COOP: same-origin, COEP: require-corp)",
      );
    }
    return new Machine(shared ? Math.max(1, Math.floor(threads)) : 1, maximumPages, shared);
  }

  /** The options of a WasmModule made for this machine. */
  get imports(): ModuleOptions {
    return { memory: { shared: this.shared, minimum: 1, maximum: addressablePages } };
  }

  /** Address of `bytes` bytes of undefined content; 64 KiB beyond their end may be read. Throws OutOfMemory. */
  alloc(bytes: number, align = 64): number {
    return this.heap.alloc(bytes, align);
  }

  /** Gives back what `alloc` returned. */
  free(address: number): void {
    this.heap.free(address);
  }

  /** Bytes handed out. */
  get used(): number {
    return this.heap.used;
  }

  /** The memory as typed arrays, valid until the next `alloc`. */
  view(): Views {
    return this.views;
  }

  /** Compiles a module that exports `main(thread, threads, bindings, arena)`, here and for the workers, and calls its `warm`, if any. */
  install(module: Uint8Array<ArrayBuffer>, { parallel = true }: { parallel?: boolean } = {}): Installed {
    const compiled = new WebAssembly.Module(module);
    const { exports } = new WebAssembly.Instance(compiled, { env: { memory: this.memory } });
    const [main, warm] = [exports.main as Main, exports.warm as (() => void) | undefined];
    warm?.();
    const installed = { id: this.installs++, parallel: parallel && this.pool !== undefined, main };
    if (installed.parallel) this.pool!.post(installed.id, compiled);
    return installed;
  }

  /**
   * Runs a program to its end on all threads, or on one when it is not parallel or while the workers are still
   * booting. Throws ProgramError when it traps; the next run is not affected.
   */
  run({ id, parallel, main }: Installed, bindings: number, arena: number): void {
    if (parallel && this.pool!.ready) {
      this.pool!.run(main, id, bindings, arena);
      return;
    }
    try {
      main(0, 1, bindings, arena);
    } catch (error) {
      throw programError(stackOf(error), 0, 1);
    }
  }

  /** Takes a program from the workers; it must not be run again. */
  release({ id, parallel }: Installed): void {
    if (parallel) this.pool!.post(id);
  }

  /** Resolves when the workers are up and hold every installed program (or are lost), so that runs are parallel. */
  async ready(): Promise<void> {
    while (this.pool?.alive && !this.pool.ready) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** Ends the workers; the machine goes on with one thread. */
  async close(): Promise<void> {
    await this.pool?.close();
  }

  private extend(end: number): boolean {
    const pages = Math.ceil((end + pageBytes - this.memory.buffer.byteLength) / pageBytes);
    try {
      if (pages > 0) this.memory.grow(pages);
    } catch {
      return false;
    }
    this.views = viewsOf(this.memory);
    return true;
  }
}

/** Reserves address space; where the platform grants less than `pages`, half as much, and so on. */
function createMemory(pages: number, shared: boolean): { memory: WebAssembly.Memory; maximum: number } {
  for (let maximum = pages; ; maximum = Math.floor(maximum / 2)) {
    try {
      const memory = new WebAssembly.Memory({ initial: Math.min(initialPages, maximum), maximum, shared });
      return { memory, maximum };
    } catch (error) {
      if (maximum <= 2 * initialPages) throw error;
    }
  }
}

function viewsOf({ buffer }: WebAssembly.Memory): Views {
  return {
    u8: new Uint8Array(buffer),
    i32: new Int32Array(buffer),
    f32: new Float32Array(buffer),
    f64: new Float64Array(buffer),
  };
}

function processors(): number {
  const node = globalThis.process?.getBuiltinModule?.("node:os");
  return node ? node.availableParallelism() : navigator.hardwareConcurrency;
}
