// The current device: which backend realizes tensors and runs steps.
import type { Backend } from "../backend/backend.ts";
import { JsBackend } from "../backend/js/index.ts";
import { hasCompiler, NativeBackend } from "../backend/native/index.ts";
import { WasmBackend } from "../backend/wasm/index.ts";

export type DeviceName = "js" | "wasm" | "native";

/** Names that `device()` accepts; `auto` is the fastest that works here. */
export const deviceNames: readonly (DeviceName | "auto")[] = ["auto", "native", "wasm", "js"];

/** More than any machine has use for; each thread reserves memory of its own. */
export const mostThreads = 256;

export interface DeviceOptions {
  /** Default: as many as the machine has cores. */
  threads?: number;
  /**
   * On `native`, measures several register tiles for each large kernel that is new to this machine and keeps the fastest: about a
   * second for each kernel, once; results stay the same. Default: whether HEBB_TUNE is 1; otherwise estimates decide.
   */
  tune?: boolean;
}

const makers: Record<DeviceName, (options: DeviceOptions) => Backend> = {
  native: (options) => new NativeBackend(options),
  wasm: ({ threads }) => new WasmBackend({ threads }),
  js: () => new JsBackend(),
};
const made = new Map<string, Backend>();
let current: Backend | undefined;

/**
 * Chooses where tensors are computed from now on, and returns the device's name.
 * Values that live on another device are moved when they are next used.
 */
export function device(name?: DeviceName | "auto", options: DeviceOptions = {}): string {
  if (name !== undefined) {
    if (!deviceNames.includes(name)) throw new Error(`device: "${name}" is not one of ${deviceNames.join(", ")}`);
    const { threads, tune = globalThis.process?.env?.HEBB_TUNE === "1" } = options;
    if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= mostThreads)) {
      throw new Error(`device: threads must be a whole number from 1 to ${mostThreads}, got ${threads}`);
    }
    const kind = name !== "auto" ? name : hasCompiler() ? "native" : "wasm";
    const key = `${kind} ${threads ?? ""} ${tune}`;
    const backend = made.get(key) ?? makers[kind]({ threads, tune });
    if (name === "native") (backend as NativeBackend).compiler(); // an error is due now, not a warning later
    made.set(key, backend);
    current = backend;
  }
  return currentBackend().name;
}

export function currentBackend(): Backend {
  if (current === undefined) {
    const wanted = globalThis.process?.env?.HEBB_DEVICE;
    device((wanted as DeviceName | undefined) ?? "auto");
  }
  return current!;
}

/** What C is compiled with for the device "native". Throws CompilerError, which says why there is nothing. */
export function nativeCompiler(): string {
  const backend = current instanceof NativeBackend ? current : new NativeBackend({ threads: 1 });
  return backend.compiler().toolchain.version;
}
