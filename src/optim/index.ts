// The optim room: losses, optimizers, what happens to gradients on their way, learning-rate schedules.
export { type AdadeltaOptions, adadelta } from "./adadelta.ts";
export { type AdagradOptions, adagrad } from "./adagrad.ts";
export { type AdamOptions, adam, adamax, adamw } from "./adam.ts";
export { averaged } from "./average.ts";
export { type BfgsOptions, bfgs } from "./bfgs.ts";
export { wrongData } from "./check.ts";
export { type ConjugateGradientOptions, conjugateGradient } from "./conjugate-gradient.ts";
export { type Constraint, maxNorm } from "./constraints.ts";
export { hessianProduct, type LanczosOptions, lanczos, type Product } from "./curvature.ts";
export { type FirstOrderOptions, firstOrder, type Rule } from "./first-order.ts";
export type { ParameterGroup } from "./groups.ts";
export { type HessianFreeOptions, hessianFree } from "./hessian-free.ts";
export { type LbfgsOptions, lbfgs } from "./lbfgs.ts";
export { backtrack, strongWolfe, type Trial } from "./line-search.ts";
export { type GradientSource, type Labelled, type Loss, lossOf } from "./loss.ts";
export { type NaturalGradientOptions, naturalGradient } from "./natural-gradient.ts";
export { type NewtonOptions, newton } from "./newton.ts";
export { type Objective, type ObjectiveOver, objective } from "./objective.ts";
export type { Optimizer, Probe, Seen } from "./optimizer.ts";
export { type RmspropOptions, rmsprop } from "./rmsprop.ts";
export {
  constant,
  cosine,
  cosineRestarts,
  exponential,
  type Feedback,
  inverseTime,
  milestones,
  oneCycle,
  plateau,
  polynomial,
  risingMomentum,
  type Schedule,
  stepDecay,
  warmup,
} from "./schedule.ts";
export { type Counts, type Iterate, type Method, type Next, type SecondOrder, secondOrder } from "./second-order.ts";
export { type SgdOptions, sgd } from "./sgd.ts";
export { type SolveCGOptions, type SolveCGResult, solveCG } from "./solve-cg.ts";
export {
  accumulate,
  centralize,
  clipByNorm,
  clipByValue,
  type Gradient,
  globalNorm,
  type Transform,
  weightDecay,
} from "./transforms.ts";
