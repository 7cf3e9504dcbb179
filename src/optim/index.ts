// The optim room: optimizers and learning-rate schedules.
export { type AdamOptions, adam, adamw } from "./adam.ts";
export { wrongData } from "./check.ts";
export { type FirstOrderOptions, firstOrder, type Rule } from "./first-order.ts";
export { type Labelled, type Loss, lossOf, type Optimizer, type Probe, type Seen } from "./optimizer.ts";
export { constant, cosine, type Schedule, stepDecay, warmup } from "./schedule.ts";
export { type SgdOptions, sgd } from "./sgd.ts";
