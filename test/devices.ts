// The devices that tests run on.
import type { DeviceName } from "../src/run/index.ts";

export const testDevices: readonly DeviceName[] = ["js", "wasm"];
