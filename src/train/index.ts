// hebb/train: the training loop, its metrics, and the files of a run.
export { type BatchSource, type Evaluate, type Evaluated, type Evaluation, evaluator } from "./evaluate.ts";
export type { MetricsEvent } from "./log.ts";
export { accuracy, confusionMatrix, type Metric, renderConfusion } from "./metrics.ts";
export { Progress, type ProgressState, type ProgressUpdate } from "./progress.ts";
export { type FitOptions, type FitResult, type Reason, type Reporter, Trainer, TrainingError } from "./trainer.ts";
