// The native backend: programs as C, compiled by the machine's own compiler, over the memory of the wasm backend.
import { compileTrace, type Frame, type Program, workOfTrace } from "../../compile/program.ts";
import { nativeTarget, type Target, wasmTarget } from "../../compile/target.ts";
import type { Leaf, Trace } from "../../graph/internal.ts";
import type { Executable, PrepareOptions } from "../backend.ts";
import { WasmBackend, type WasmOptions } from "../wasm/index.ts";
import { renderProgram } from "./module.ts";
import { Recall } from "./recall.ts";
import { runtimeSource } from "./runtime.ts";
import { CompilerError, findToolchain, type Toolchain } from "./toolchain.ts";
import { trialOf } from "./trial.ts";
import { tuning } from "./tune.ts";

export { CompilerError, hasCompiler } from "./toolchain.ts";

/** What the runtime module exports. */
interface Runtime {
  load(path: string): number;
  run(main: number, memory: Uint8Array, bindings: number, arena: number, threads: number): void;
}

interface Compiler {
  readonly toolchain: Toolchain;
  readonly target: Target;
  readonly runtime: Runtime;
  /** What processes before have compiled; not where tiles are still being measured. */
  readonly recall: Recall | undefined;
}

export interface NativeOptions extends WasmOptions {
  /** Scalar operations in a run below which a program stays in WebAssembly: of steps that are repeated, and of those run once. */
  leastWork?: readonly [repeated: number, once: number];
  /** Where compiled code is kept. Default: `hebb/native` in the user's cache folder. */
  folder?: string;
  /** Measures which register tiles are the fastest for large kernels that are new to this machine: about a second for each, once. */
  tune?: boolean;
}

/**
 * Runs large programs as C and small ones as WebAssembly, which is done before C would be compiled. Which it is depends on the
 * program alone and, of one that is not known to be repeated, on how often it has run, never on how long something took. Where the
 * compiler fails, or is found to make wrong code, all stays in WebAssembly; where it fails on one program, that one does.
 */
export class NativeBackend extends WasmBackend {
  readonly #leastWork: readonly [number, number];
  readonly #folder: string | undefined;
  readonly #tune: boolean;
  #compiler: Compiler | undefined;
  /** Why no C is compiled. */
  #problem: string | undefined;

  /** What programs run on. */
  override get name(): "native" | "wasm" {
    return this.#problem === undefined ? "native" : "wasm";
  }

  constructor({ leastWork = [300_000, 1e10], folder, tune = false, ...options }: NativeOptions = {}) {
    super(options);
    this.#leastWork = leastWork;
    this.#folder = folder;
    this.#tune = tune;
  }

  /** The compiler's version. Throws CompilerError where none makes code that runs here, and gives the right results. */
  detail(): string {
    return this.compiler().toolchain.version;
  }

  /** The compiler, found and tried out at the first call. Throws CompilerError where none makes code that runs here. */
  compiler(): Compiler {
    if (this.#problem !== undefined) throw new CompilerError(this.#problem);
    if (this.#compiler !== undefined) return this.#compiler;
    try {
      const { toolchain, ...known } = start(this.#folder, this.#tune);
      const trial = trialOf(toolchain, known.target);
      // each in one file, where compilers see most, and all side by side
      const sources = trial.programs.map((program) => renderProgram(program, 1));
      const [runtime, ...files] = toolchain.compile([runtimeSource], ...sources);
      const compiler = { toolchain, ...known, runtime: loadRuntime(runtime) };
      const executables = trial.programs.map((program, i) => this.#native(files[i], program, compiler));
      trial.judge(executables, { memory: this, expected: (program) => this.wasm(program) });
      this.#compiler = compiler;
    } catch (error) {
      this.#problem = (error as Error).message;
      throw error instanceof CompilerError ? error : new CompilerError(this.#problem);
    }
    return this.#compiler;
  }

  override prepare(trace: Trace, options: PrepareOptions = {}): Executable {
    const { repeated = false, verify = this.verify, shown = false } = options;
    const [least, once] = this.#leastWork;
    const work = workOfTrace(trace);
    const large = work >= least && this.#problem === undefined;
    const compiler = large && (repeated || work >= once) ? this.#compilerIfAny() : undefined;
    const target = compiler?.target ?? wasmTarget;
    const record = verify ? undefined : compiler?.recall?.recordOf(this.#textsOf(trace, repeated));
    const made = compiler && record !== undefined && !shown ? this.#recalled(record, compiler) : undefined;
    if (made !== undefined) return made;
    const program = compileTrace(trace, { without: this.without, target, repeated, verify });
    const pays = large && compiler === undefined && this.#problem === undefined ? Math.ceil(once / work) : undefined;
    if (compiler === undefined) return Object.assign(this.wasm(program), pays !== undefined && { pays });
    try {
      return this.#compiled(program, compiler, record);
    } catch (error) {
      if (!(error instanceof CompilerError)) throw error;
      console.warn(`hebb: one program runs as WebAssembly, not as native code: ${error.message}`);
      return super.prepare(trace, { repeated, verify });
    }
  }

  #compilerIfAny(): Compiler | undefined {
    try {
      return this.compiler();
    } catch (error) {
      console.warn(`hebb: no native code, WebAssembly instead: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** Compiled, and kept. */
  #compiled(program: Program, compiler: Compiler, record: string | undefined): Executable {
    const files = renderProgram(program, compilers());
    const [file] = compiler.toolchain.compile(files);
    if (record !== undefined) compiler.recall?.keep(record, { file, frame: program });
    const source = (): string => renderProgram(program, compilers()).join("\n");
    return this.#native(file, program, compiler, { program, source });
  }

  /** What was compiled of a trace by a process before. */
  #recalled(record: string, compiler: Compiler): Executable | undefined {
    const found = compiler.recall?.find(record);
    try {
      return found && this.#native(found.file, found.frame, compiler);
    } catch (error) {
      if (error instanceof CompilerError) return undefined;
      throw error;
    }
  }

  /** All that shapes the program of a trace. */
  #textsOf({ key, leaves }: Trace, repeated: boolean): string[] {
    const roles = leaves.map(({ args }) => (args as Leaf).role);
    return [key, roles.join(), String(repeated), this.#leastWork.join(), [...(this.without ?? [])].sort().join()];
  }

  #native(
    file: string,
    frame: Frame,
    { runtime }: Compiler,
    shown?: Pick<Executable, "program" | "source">,
  ): Executable {
    const main = load(runtime, file);
    const { threads } = this.machine;
    const run = (bindings: number, arena: number): void =>
      runtime.run(main, this.machine.view().u8, bindings, arena, threads);
    return this.executable(frame, run, shown);
  }
}

function start(folder: string | undefined, tune: boolean): Omit<Compiler, "runtime"> {
  const toolchain = findToolchain(folder);
  const tiles = tuning(toolchain, tune);
  const target = nativeTarget(toolchain.lanes, tiles);
  const found = tiles === undefined ? "" : tiles.found;
  const recall = found === undefined ? undefined : Recall.of(toolchain, found);
  return { toolchain, target, recall };
}

function loadRuntime(file: string): Runtime {
  const module = { exports: {} };
  try {
    globalThis.process.dlopen(module, file);
  } catch (error) {
    throw new CompilerError(`compiled code does not load: ${(error as Error).message}`);
  }
  return module.exports as Runtime;
}

function load(runtime: Runtime, path: string): number {
  try {
    return runtime.load(path);
  } catch (error) {
    throw new CompilerError(`compiled code does not load: ${(error as Error).message}`);
  }
}

/** Compilers that run side by side. */
const compilers = (): number => Math.min(8, globalThis.process.getBuiltinModule("node:os").availableParallelism());
