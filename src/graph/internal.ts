// What the rooms below need of the graph beyond its public surface.
export { allocate, bytesOf, copyOf, type Data, type DType, isFloat } from "./dtype.ts";
export { isDetached } from "./fold.ts";
export { topological } from "./grad.ts";
export { type Args, type ConvArgs, type Leaf, type Op, rules } from "./primitives.ts";
export { threefry, threefryRotations } from "./random.ts";
export { captureStep, capturing, currentModule, pendingUpdates, type Update } from "./scope.ts";
export { fail, type Shape, sameShape, show, sizeOf, stridesOf } from "./shape.ts";
export { type Residence, Storage } from "./storage.ts";
export { kindOf, Tensor } from "./tensor.ts";
export { argsOf, type Node, type Trace, trace } from "./trace.ts";
