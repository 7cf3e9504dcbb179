// The wasm backend: programs as WebAssembly with SIMD and threads, over one memory.
import { slack } from "../../compile/5-plan.ts";
import { compileTrace, type Frame, onceBinding, type Pass, type Program } from "../../compile/program.ts";
import { type Target, wasmTarget } from "../../compile/target.ts";
import { allocate, bytesOf, type Data, type DType, type Trace } from "../../graph/internal.ts";
import { type Backend, type Executable, OutOfMemory, type PrepareOptions } from "../backend.ts";
import { Changes } from "./changes.ts";
import { Kept } from "./kept.ts";
import { Machine } from "./machine.ts";
import { emitProgram } from "./module.ts";

export interface WasmOptions {
  /** Threads that share large kernels; results do not depend on it. Default: one per core. */
  threads?: number;
  /** Compiler passes to leave out. */
  without?: ReadonlySet<Pass>;
  /** Fills the arena with NaN before each run, so that reading what was never written shows. */
  poison?: boolean;
  /** Checks each program's intermediate form as it is compiled. */
  verify?: boolean;
  /** What programs are compiled for, where that is not all that WebAssembly can do. */
  target?: Target;
}

export class WasmBackend implements Backend {
  get name(): "wasm" | "native" {
    return "wasm";
  }
  readonly machine: Machine;
  protected readonly without: ReadonlySet<Pass> | undefined;
  readonly #poison: boolean;
  protected readonly verify: boolean;
  readonly #target: Target;
  /** One arena serves all programs, since they run one after the other. */
  #arena = 0;
  #arenaBytes = 0;
  readonly #changes = new Changes();
  /** Frees what a forgotten executable held. */
  readonly #forgotten = new FinalizationRegistry<() => void>((free) => free());

  constructor({ threads, without, poison = false, verify = false, target = wasmTarget }: WasmOptions = {}) {
    this.machine = Machine.create({ threads });
    this.without = without;
    this.#poison = poison;
    this.verify = verify;
    this.#target = target;
  }

  allocate(dtype: DType, size: number): number {
    const address = this.#orRunShort(() => this.machine.alloc(size * bytesOf[dtype] + slack));
    this.#changes.at(address);
    return address;
  }

  free(address: number): void {
    this.#changes.forget(address);
    this.machine.free(address);
  }

  write(address: number, data: Data): void {
    this.#changes.at(address);
    const { f32, f64, i32 } = this.machine.view();
    if (data instanceof Float32Array) f32.set(data, address >>> 2);
    else if (data instanceof Float64Array) f64.set(data, address >>> 3);
    else i32.set(data, address >>> 2);
  }

  read(address: number, dtype: DType, size: number): Data {
    const { f32, f64, i32 } = this.machine.view();
    const data = allocate(dtype, size);
    if (dtype === "f32") data.set(f32.subarray(address >>> 2, (address >>> 2) + size));
    else if (dtype === "f64") data.set(f64.subarray(address >>> 3, (address >>> 3) + size));
    else data.set(i32.subarray(address >>> 2, (address >>> 2) + size));
    return data;
  }

  prepare(trace: Trace, { repeated, verify = this.verify }: PrepareOptions = {}): Executable {
    return this.wasm(compileTrace(trace, { without: this.without, target: this.#target, repeated, verify }));
  }

  protected wasm(program: Program): Executable {
    const { bytes, parallel } = emitProgram(program, this.machine.imports);
    const installed = this.machine.install(bytes, { parallel });
    const source = (): string => moduleText(emitProgram(program, this.machine.imports).bytes);
    const executable = this.executable(program, (bindings, arena) => this.machine.run(installed, bindings, arena), {
      program,
      source,
    });
    this.#forgotten.register(executable, () => this.machine.release(installed));
    return executable;
  }

  /** A program that `run` runs, given the addresses of its bindings and of the arena; `shown` is there to look at. */
  protected executable(
    frame: Frame,
    run: (bindings: number, arena: number) => void,
    shown: Pick<Executable, "program" | "source"> = {},
  ): Executable {
    const bindings = this.machine.alloc(4 * (onceBinding(frame) + 1));
    const kept = new Kept(this.machine, this.#changes, frame);
    const bytes = frame.arenaBytes + Math.min(this.machine.threads, frame.stripRooms) * frame.stripBytes;
    const executable: Executable = {
      ...shown,
      run: (leaves, outputs) => {
        let completed = false;
        try {
          const values = this.#orRunShort(() => kept.bindings(leaves));
          const arena = this.#orRunShort(() => this.#arenaFor(bytes));
          this.machine.view().i32.set([...leaves, ...outputs, ...values], bindings >>> 2);
          if (this.#poison) this.machine.view().f32.fill(Number.NaN, arena >>> 2, (arena + bytes) >>> 2);
          for (const leaf of frame.updated) this.#changes.at(leaves[leaf]); // even if it should stop in the middle
          run(bindings, arena);
          completed = true;
        } finally {
          kept.done(completed);
        }
      },
    };
    this.#forgotten.register(executable, () => this.machine.free(bindings));
    this.#forgotten.register(executable, kept.free);
    return executable;
  }

  /** What takes memory; where there is none left, once more when programs have given back what they keep. */
  #orRunShort<T>(take: () => T): T {
    try {
      return take();
    } catch (error) {
      if (!(error instanceof OutOfMemory)) throw error;
      this.#changes.runShort();
      return take();
    }
  }

  #arenaFor(bytes: number): number {
    if (bytes > this.#arenaBytes || this.#arena === 0) {
      if (this.#arena !== 0) this.machine.free(this.#arena);
      this.#arena = this.#arenaBytes = 0; // should there be no room for the larger one
      this.#arena = this.machine.alloc(bytes + slack);
      this.#arenaBytes = bytes;
    }
    return this.#arena;
  }
}

function moduleText(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return `WebAssembly module of ${bytes.length} bytes, base64:\n${btoa(text)}`;
}
