// The nn room: layers, activations, losses, starting values, and the names and values of a model's tensors.

export {
  AdaptiveAvgPool1d,
  AdaptiveAvgPool2d,
  AdaptiveAvgPool3d,
  AdaptiveMaxPool1d,
  AdaptiveMaxPool2d,
  AdaptiveMaxPool3d,
  GlobalAvgPool1d,
  GlobalAvgPool2d,
  GlobalAvgPool3d,
} from "./adaptive-pool.ts";
export {
  type Attended,
  Attention,
  type AttentionKind,
  type AttentionMemory,
  type AttentionOptions,
} from "./attention.ts";
export { AttentionPool } from "./attention-pool.ts";
export { BatchNorm1d, BatchNorm2d, BatchNorm3d, type BatchNormOptions } from "./batch-norm.ts";
export { Parallel, Residual } from "./branches.ts";
export type { Cell, CellOptions, State } from "./cell.ts";
export { checkpoint } from "./checkpoint.ts";
export { contractivePenalty, denseContractivePenalty } from "./contractive-penalty.ts";
export { Conv1d, Conv2d, Conv3d, ConvNd, type ConvNdOptions, type PaddingMode } from "./conv.ts";
export {
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  ConvTransposeNd,
  type ConvTransposeOptions,
} from "./conv-transpose.ts";
export { Corrupt, type Corruption } from "./corrupt.ts";
export { type CrossEntropyOptions, crossEntropy, type NllOptions, nll } from "./cross-entropy.ts";
export { DropConnect, type DropConnectOptions } from "./drop-connect.ts";
export { Dropout, Dropout1d, Dropout2d, Dropout3d } from "./dropout.ts";
export { Embedding, type EmbeddingOptions } from "./embedding.ts";
export { Flatten } from "./flatten.ts";
export {
  type AlphaOptions,
  celu,
  elu,
  type GeluOptions,
  gelu,
  glu,
  hardSigmoid,
  hardSwish,
  hardTanh,
  identity,
  leakyRelu,
  logSigmoid,
  logSoftmax,
  mish,
  relu,
  relu6,
  type SoftplusOptions,
  selu,
  sigmoid,
  silu,
  softmax,
  softmin,
  softplus,
  softsign,
  tanh,
} from "./functional.ts";
export { GRU, GRUCell, type GRUKind } from "./gru.ts";
export * as init from "./init.ts";
export { Linear } from "./linear.ts";
export { LocalResponseNorm, type LocalResponseNormOptions } from "./local-response-norm.ts";
export {
  LocallyConnected1d,
  LocallyConnected2d,
  LocallyConnectedNd,
  type LocallyConnectedOptions,
} from "./locally-connected.ts";
export {
  type BinaryCrossEntropyOptions,
  binaryCrossEntropy,
  type CosineSimilarityOptions,
  cosineSimilarity,
  type HuberOptions,
  huber,
  type KlDivergenceOptions,
  klDivergence,
  type LossOptions,
  mae,
  mse,
  type Reduction,
  type SmoothL1Options,
  smoothL1,
} from "./loss.ts";
export { LSTM, LSTMCell, type LSTMKind, type LSTMPart } from "./lstm.ts";
export { Maxout, type MaxoutOptions } from "./maxout.ts";
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
export { type AttendOptions, MultiHeadAttention, type MultiHeadAttentionOptions } from "./multi-head-attention.ts";
export {
  GroupNorm,
  type GroupNormOptions,
  InstanceNorm2d,
  LayerNorm,
  type LayerNormOptions,
  RMSNorm,
  type RMSNormOptions,
} from "./norm.ts";
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
export { PRelu } from "./prelu.ts";
export { type Probed, probe } from "./probe.ts";
export type { Recurrent, RecurrentOptions, RunOptions, RunResult } from "./recurrent.ts";
export { irnn, RNN, RNNCell, type RNNKind } from "./rnn.ts";
export { type Lengths, reverseSequences, sequenceMask } from "./sequence.ts";
export { type Part, Sequential } from "./sequential.ts";
export { type SparsePenaltyOptions, sparsePenalty } from "./sparse-penalty.ts";
export { Standout, type StandoutOptions } from "./standout.ts";
export { Subsample2d } from "./subsample.ts";
export { TiedLinear } from "./tied-linear.ts";
export { TransformerEncoderLayer, type TransformerEncoderLayerOptions } from "./transformer-encoder-layer.ts";
