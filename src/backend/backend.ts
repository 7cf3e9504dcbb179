// What a backend is: memory on a device, and traces made ready to run there. Whatever the device does may come later.
import type { Program } from "../compile/program.ts";
import type { Data, DType, Trace } from "../graph/internal.ts";

export interface Backend {
  /** The device's name, as `device()` returns it. */
  readonly name: string;
  /** What it computes with here, such as a compiler's version. Throws one line where it does not work here. */
  detail?(): string;
  /** The address of fresh memory. Throws OutOfMemory. */
  allocate(dtype: DType, size: number): number;
  /** Gives memory back, when what was started before is done with it. */
  free(address: number): void;
  /** Writes elements, after all that was started before. */
  write(address: number, data: Data): void;
  /** The elements after all that was started before. */
  read(address: number, dtype: DType, size: number): Data | Promise<Data>;
  /** Throws where the device cannot hold a value. */
  prepare(trace: Trace, options?: PrepareOptions): Executable | Promise<Executable>;
}

export interface PrepareOptions {
  /** The step will run many times, so that more work on it pays. */
  readonly repeated?: boolean;
  /** Check what the compiler makes after each of its passes. */
  readonly verify?: boolean;
  /** The program is to be looked at. */
  readonly shown?: boolean;
}

export interface Executable {
  /** What it runs; undefined where the trace is interpreted as it is, or where nobody asked to look at it and it was compiled before. */
  readonly program?: Program;
  /** The code that runs, to read: C, or a WebAssembly module in base64. */
  source?(): string;
  /** Runs of what was not prepared as a repeated step after which that pays; undefined where it makes no difference. */
  readonly pays?: number;
  /** Runs the step once: addresses of the trace's leaves by leaf, and of fresh memory for its outputs. Throws OutOfMemory. */
  run(leaves: readonly number[], outputs: readonly number[]): void | Promise<void>;
}

/** The device's memory is used up; the message names the request, what is in use, and the limit. */
export class OutOfMemory extends Error {
  override readonly name = "OutOfMemory";
}
