// The run room: devices, realizing lazy values, compiled steps.
export { compile } from "./capture.ts";
export { type DeviceName, type DeviceOptions, device, deviceNames, mostThreads, nativeCompiler } from "./device.ts";
export { type Explanation, explain, type KernelReport } from "./explain.ts";
export { realize } from "./realize.ts";
export type { Tree } from "./tree.ts";
