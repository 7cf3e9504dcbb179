// The run room: devices, realizing lazy values, compiled steps.

export type { Backend, Executable } from "../backend/backend.ts";
export type { DeviceName, DeviceOptions } from "../backend/index.ts";
export { compile } from "./capture.ts";
export { type DeviceReport, device, deviceNames, devices, mostThreads } from "./device.ts";
export { type Explanation, explain, type KernelReport } from "./explain.ts";
export { realize } from "./realize.ts";
export type { Tree } from "./tree.ts";
