// The nn room: layers, activations, losses, starting values, and the names and values of a model's tensors.
export { Conv1d, Conv2d, Conv3d, ConvNd, type ConvNdOptions, type PaddingMode } from "./conv.ts";
export { Dropout } from "./dropout.ts";
export { Embedding } from "./embedding.ts";
export { Flatten } from "./flatten.ts";
export { identity, logSoftmax, relu, sigmoid, softmax, tanh } from "./functional.ts";
export * as init from "./init.ts";
export { Linear } from "./linear.ts";
export { binaryCrossEntropy, crossEntropy, mse } from "./loss.ts";
export {
  type HostTensor,
  type Layer,
  type LoadableTensor,
  LoadError,
  load,
  namedParameters,
  namedTensors,
  nameModules,
  parameters,
  type Sizes,
  stateDict,
} from "./module.ts";
export { BatchNorm2d, type BatchNormOptions } from "./norm.ts";
export {
  AvgPool1d,
  AvgPool2d,
  AvgPool3d,
  AvgPoolNd,
  type AvgPoolOptions,
  MaxPool1d,
  MaxPool2d,
  MaxPool3d,
  MaxPoolNd,
  type MaxPoolOptions,
  type PoolGeometry,
  type PoolOptions,
} from "./pool.ts";
export { type Part, Sequential } from "./sequential.ts";
