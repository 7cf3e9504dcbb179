// The current device: which backend realizes tensors and runs steps.
import type { Backend } from "../backend/backend.ts";
import { type DeviceName, type DeviceOptions, deviceKinds } from "../backend/index.ts";

const names = Object.keys(deviceKinds) as DeviceName[];

/** Names that `device()` accepts; `auto` is the fastest that works here. */
export const deviceNames: readonly (DeviceName | "auto")[] = ["auto", ...names];

/** More than any machine has use for; each thread reserves memory of its own. */
export const mostThreads = 256;

const made = new Map<string, Backend>();
let current: Backend | undefined;

/**
 * Chooses where tensors are computed from now on, by name or as a backend of one's own, and returns the device's name.
 * Values that live on another device are moved when they are next used. Throws where a device that is named does not work here.
 */
export function device(name?: DeviceName | "auto" | Backend, options: DeviceOptions = {}): string {
  if (typeof name === "object") current = name;
  else if (name !== undefined) {
    if (!deviceNames.includes(name)) throw new Error(`device: "${name}" is not one of ${deviceNames.join(", ")}`);
    const backend = backendOf(name, options);
    if (name !== "auto") backend.detail?.(); // an error is due now, not a warning later
    current = backend;
  }
  return currentBackend().name;
}

function backendOf(name: DeviceName | "auto", options: DeviceOptions): Backend {
  const { threads, tune = globalThis.process?.env?.HEBB_TUNE === "1" } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= mostThreads)) {
    throw new Error(`device: threads must be a whole number from 1 to ${mostThreads}, got ${threads}`);
  }
  const kind = name !== "auto" ? name : names.find((n) => deviceKinds[n].likely())!;
  const key = `${kind} ${threads ?? ""} ${tune}`;
  const backend = made.get(key) ?? deviceKinds[kind].make({ threads, tune });
  made.set(key, backend);
  return backend;
}

export function currentBackend(): Backend {
  if (current === undefined) device((globalThis.process?.env?.HEBB_DEVICE as DeviceName | undefined) ?? "auto");
  return current!;
}

export interface DeviceReport {
  readonly name: DeviceName;
  readonly description: string;
  readonly sharesThreads: boolean;
  /** What it computes with here, such as a compiler's version. */
  readonly detail?: string;
  /** Why it does not work here. */
  readonly problem?: string;
}

/** What can compute here; each device is tried out. */
export const devices = (): DeviceReport[] =>
  names.map((name) => {
    const { description, sharesThreads } = deviceKinds[name];
    try {
      return { name, description, sharesThreads, detail: backendOf(name, { threads: 1 }).detail?.() };
    } catch (error) {
      return { name, description, sharesThreads, problem: (error as Error).message };
    }
  });
