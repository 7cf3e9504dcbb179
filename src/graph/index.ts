// The graph room: tensors, derivatives, randomness, scopes.

export { checkpoint } from "./checkpoint.ts";
export {
  arange,
  concat,
  eye,
  full,
  iota,
  linspace,
  ones,
  onesLike,
  stack,
  where,
  zeros,
  zerosLike,
} from "./creators.ts";
export type { Data, DType } from "./dtype.ts";
export { einsum } from "./einsum.ts";
export { FormatError } from "./format-error.ts";
export { gaussNewton, grad, hvp, jvp, oneHot, vjpOf } from "./grad.ts";
export { live, param, state, tensor } from "./leaves.ts";
export {
  cholesky,
  determinant,
  inverse,
  type QR,
  qr,
  solve,
  type TriangularOptions,
  triangularSolve,
} from "./linear-algebra.ts";
export type { PadMode } from "./pieces.ts";
export type { Args, Leaf, Op } from "./primitives.ts";
export { print } from "./print.ts";
export { bernoulli, normal, permutation, randomBits, uniform } from "./random.ts";
export { type RandomState, randomState, restoreRandom, seed } from "./random-state.ts";
export type { NormOptions, ReduceOptions, VarianceOptions } from "./reductions.ts";
export { type InterpolateOptions, interpolate } from "./resize.ts";
export {
  type Check,
  capturing,
  evaluating,
  isTraining,
  moduleLabel,
  nameModule,
  type Step,
  shapesOnly,
  training,
  within,
} from "./scope.ts";
export { type Shape, ShapeError } from "./shape.ts";
export { type Axes, type Nested, type Operand, Tensor } from "./tensor.ts";
export type { ConvOptions, Padding } from "./windows.ts";
