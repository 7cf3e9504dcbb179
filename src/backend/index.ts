// The backends there are, by the names of their devices.
import type { Backend } from "./backend.ts";
import { JsBackend } from "./js/index.ts";
import { hasCompiler, NativeBackend } from "./native/index.ts";
import { WasmBackend } from "./wasm/index.ts";

export type DeviceName = "native" | "wasm" | "js";

export interface DeviceOptions {
  /** Default: as many as the machine has cores. */
  threads?: number;
  /**
   * On `native`, measures several register tiles for each large kernel that is new to this machine and keeps the fastest: about a
   * second for each kernel, once; results stay the same. Default: whether HEBB_TUNE is 1; otherwise estimates decide.
   */
  tune?: boolean;
}

export interface DeviceKind {
  /** What it is, in a few words. */
  readonly description: string;
  readonly sharesThreads: boolean;
  /** Whether it may well work here, without trying it out. */
  likely(): boolean;
  make(options: DeviceOptions): Backend;
}

/** The fastest first. */
export const deviceKinds: Readonly<Record<DeviceName, DeviceKind>> = {
  native: {
    description: "large steps compiled to machine code, small ones to WebAssembly",
    sharesThreads: true,
    likely: hasCompiler,
    make: (options) => new NativeBackend(options),
  },
  wasm: {
    description: "compiled to WebAssembly, with SIMD and threads",
    sharesThreads: true,
    likely: () => true,
    make: ({ threads }) => new WasmBackend({ threads }),
  },
  js: {
    description: "reference interpreter in double precision: slow, for checking",
    sharesThreads: false,
    likely: () => true,
    make: () => new JsBackend(),
  },
};
