// The native backend: programs as C, compiled by the machine's own compiler, over the memory of the wasm backend.
import { compileTrace } from "../../compile/program.ts";
import { nativeTarget } from "../../compile/target.ts";
import type { Trace } from "../../graph/internal.ts";
import type { Executable } from "../backend.ts";
import { WasmBackend, type WasmOptions } from "../wasm/index.ts";
import { renderProgram } from "./module.ts";
import { runtimeSource } from "./runtime.ts";
import { findToolchain, type Toolchain } from "./toolchain.ts";

/** What the runtime module exports. */
interface Runtime {
  load(path: string): number;
  run(main: number, memory: Uint8Array, bindings: number, arena: number, threads: number): void;
}

export interface NativeOptions extends WasmOptions {
  /** Programs with less work in a run, in scalar operations, stay in WebAssembly: they are done before C would be compiled. */
  leastWork?: number;
}

export class NativeBackend extends WasmBackend {
  override readonly name = "native";
  readonly toolchain: Toolchain;
  readonly #runtime: Runtime;
  readonly #leastWork: number;

  /** Throws CompilerError where no C compiler makes code that runs here. */
  constructor({ leastWork = 300_000, ...options }: NativeOptions = {}) {
    const toolchain = findToolchain();
    const module = { exports: {} };
    globalThis.process.dlopen(module, toolchain.compile(runtimeSource));
    super(options);
    this.toolchain = toolchain;
    this.#runtime = module.exports as Runtime;
    this.#leastWork = leastWork;
  }

  override prepare(trace: Trace): Executable {
    const program = compileTrace(trace, this.without, nativeTarget(this.toolchain.lanes));
    if (program.steps.reduce((work, s) => work + s.work, 0) < this.#leastWork) return super.prepare(trace);
    const main = this.#runtime.load(this.toolchain.compile(renderProgram(program, this.toolchain.lanes)));
    const { threads } = this.machine;
    return this.executable(program, (bindings, arena) =>
      this.#runtime.run(main, this.machine.view().u8, bindings, arena, threads),
    );
  }
}
