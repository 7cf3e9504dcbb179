// hebb/train: the training loop, its metrics, and the files of a run.
export { type Bleu, bleu } from "./bleu.ts";
export {
  type BatchSource,
  type Evaluate,
  type Evaluated,
  type EvaluateOptions,
  type Evaluation,
  evaluator,
  type Measured,
} from "./evaluate.ts";
export type { MetricsEvent } from "./log.ts";
export {
  accuracy,
  accuracyOf,
  type Collector,
  type Collectors,
  confusion,
  confusionMatrix,
  type Ignoring,
  type MeanMetric,
  type Metric,
  type Metrics,
  meanOf,
  perplexity,
  renderConfusion,
  type Sums,
  type Tally,
  type Targeted,
  type TotalMetric,
} from "./metrics.ts";
export { Progress, type ProgressState, type ProgressUpdate } from "./progress.ts";
export { type FitOptions, type FitResult, type Reason, type Reporter, Trainer, TrainingError } from "./trainer.ts";
