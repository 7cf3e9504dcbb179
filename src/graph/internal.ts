// What the rooms below need of the graph beyond its public surface.
export { allocate, bytesOf, copyOf, type Data, type DType, isFloat, missing } from "./dtype.ts";
export { type Elementary, elementary, forElementary } from "./elementary.ts";
export { isDetached } from "./fold.ts";
export { topological } from "./grad.ts";
export { hostMath } from "./host-math.ts";
export { kindOf } from "./kind.ts";
export { checkTensors, make } from "./operands.ts";
export { type Args, type ConvArgs, type Leaf, type Op, type OpClass, rules, traits } from "./primitives.ts";
export type { Scalars } from "./scalars.ts";
export { captureStep, capturing, currentModule, type Plain, pendingUpdates, type Update } from "./scope.ts";
export { fail, type Shape, sameShape, show, sizeOf, stridesOf } from "./shape.ts";
export { farFrom, farSine, twoOverPi } from "./sine.ts";
export { type Residence, Storage } from "./storage.ts";
export { substitute } from "./substitute.ts";
export { reading, Tensor } from "./tensor.ts";
export { threefry, threefryOf } from "./threefry.ts";
export { argsOf, type Node, type Trace, trace } from "./trace.ts";
export { paddingOf } from "./windows.ts";
