// What a backend is: memory on a device, and traces made ready to run there.
import type { Data, DType, Trace } from "../graph/internal.ts";

export interface Backend {
  readonly name: "js" | "wasm" | "native";
  allocate(dtype: DType, size: number): number;
  free(address: number): void;
  write(address: number, data: Data): void;
  read(address: number, dtype: DType, size: number): Data;
  /** `repeated`: the step will run many times, so that more work on it pays. */
  prepare(trace: Trace, repeated?: boolean): Executable;
}

export interface Executable {
  /** Runs the step once: addresses of the trace's leaves by slot, and of fresh memory for its outputs. */
  run(leaves: readonly number[], outputs: readonly number[]): void;
}
