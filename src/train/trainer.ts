// The Trainer: epochs of optimizer steps over a data set, with validation, early stopping, checkpoints and exact resuming.
import { randomState, type Tensor } from "../graph/index.ts";
import { kindOf } from "../graph/internal.ts";
import { nameModules } from "../nn/index.ts";
import type { Labelled, Optimizer } from "../optim/index.ts";
import {
  type BatchSource,
  batchSize,
  checkSource,
  type Evaluate,
  type EvaluateOptions,
  type Evaluation,
  evaluator,
  type Measured,
  outputsOf,
} from "./evaluate.ts";
import { Fit } from "./fit.ts";
import type { MetricsEvent } from "./log.ts";
import { type Metrics, sumsOf } from "./metrics.ts";
import type { ProgressUpdate } from "./progress.ts";

/** Who is told of the progress; Progress draws it on a terminal. */
export interface Reporter {
  /** After each step. */
  update(update: ProgressUpdate): void;
  /** At an epoch's end. */
  epoch(update: ProgressUpdate): void;
  /** A line for the user. */
  print(line: string): void;
  stop(): void;
}

export interface FitOptions<B = Labelled> {
  /** Passes over the data. */
  epochs?: number;
  /** Stop after so many steps in all, resumed ones included. */
  maxSteps?: number;
  /** Evaluated at each epoch's end. */
  validation?: BatchSource<B>;
  /** Stop once so many epochs in a row brought no lower validation loss (training loss where there is no validation). */
  patience?: number;
  /** Visit data that can be shuffled, as a Dataset can, and is not, in a new order each epoch, decided by the seed. */
  shuffle?: boolean;
  /** Aborting finishes the step, saves a checkpoint and returns (Ctrl-C of the command line). */
  signal?: AbortSignal;
  /** Folder to write the run to; it must be empty or absent. */
  out?: string;
  /** Without `out`: write the run to runs/NAME-TIMESTAMP. */
  name?: string;
  /** Run folder to continue from its newest sound checkpoint; the outcome is bit for bit that of a run never interrupted. */
  resume?: string;
  /** Saved in the run folder as config.json, anew when resuming, and, with the machine's description, environment.json. */
  config?: object;
  environment?: object;
  /** Steps between checkpoints; one is saved at each epoch's end in any case. */
  checkpointEvery?: number;
  /** Steps between the "step" lines of metrics.jsonl, besides that of step 1. Default 10. */
  logEvery?: number;
  /** Told of every step, epoch and checkpoint; awaited. */
  onEvent?: (event: MetricsEvent) => void | Promise<void>;
  /** false for silence. Default in Node: a bar on standard error, plain lines where that is no terminal. */
  progress?: Reporter | false;
}

/** Why a fit ended. */
export type Reason = "epochs" | "maxSteps" | "patience" | "interrupted";

export interface FitResult<R extends object = object> {
  readonly reason: Reason;
  /** Whole epochs and steps since the run began, resumed parts included. */
  readonly epochs: number;
  readonly steps: number;
  /** Means over the last epoch's steps, or over those of the begun one, without metrics that counted nothing; NaN before the first. */
  readonly training: Pick<Evaluation, "loss" | "metrics">;
  readonly validation?: Evaluation<R>;
  /** The epoch (from 1) with the lowest validation loss, or training loss, and that loss. */
  readonly best?: { readonly epoch: number; readonly loss: number };
  /** Of this call alone; the pace is that of training, without validation. */
  readonly samples: number;
  readonly seconds: number;
  readonly samplesPerSecond: number;
  /** The run folder. */
  readonly run?: string;
  /** The step that a resumed run went on from. */
  readonly resumedAt?: number;
}

/**
 * A training that cannot go on: a loss or a parameter that is no longer finite, a full disk. The run folder, `run`, keeps
 * its last good checkpoint; `resumable` says whether going on from it can end otherwise.
 */
export class TrainingError extends Error {
  override readonly name = "TrainingError";
  readonly run: string | undefined;
  readonly resumable: boolean;

  constructor(
    message: string,
    { run, resumable = false, cause }: { run?: string; resumable?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.run = run;
    this.resumable = resumable;
  }
}

/**
 * Trains a model with an optimizer: `await new Trainer(model, adam(model, loss), { metrics: { accuracy } }).fit(mnist("train"), { epochs: 5 })`.
 * One step is one `await optimizer.step(batch)`, of whatever tree of tensors a batch B is. Metrics read the outputs O of that
 * step, at no second pass; see Measured for where those come from.
 */
export class Trainer<B = Labelled, O = Tensor, R extends object = object> {
  readonly model: object;
  readonly optimizer: Optimizer<B>;
  readonly metrics: Metrics<B, O>;
  /** Samples in a batch. */
  readonly size: (batch: B) => number;
  readonly #evaluate: Evaluate<B, R>;
  /** What metrics read in each step. */
  readonly #probe: Optimizer<B>["probe"];

  constructor(
    model: object,
    optimizer: Optimizer<B>,
    { metrics = {}, collect, size = batchSize }: Measured<B, O, R> = {},
  ) {
    if (typeof optimizer?.step !== "function" || typeof optimizer.loss !== "function")
      throw new TypeError(`Trainer: takes (model, optimizer), got ${kindOf(optimizer)} as the optimizer`);
    if ("loss" in metrics)
      throw new Error('Trainer: a metric cannot be called "loss", the loss is; give it another name');
    this.model = model;
    this.optimizer = optimizer;
    this.metrics = metrics;
    this.size = size;
    nameModules(model);
    this.#evaluate = evaluator({ model, loss: optimizer.loss, metrics, collect, size });
    if (Object.keys(metrics).length > 0)
      this.#probe = (batch, { returned }) => sumsOf(metrics, batch, outputsOf(model, returned) as O);
  }

  /**
   * Loss and metrics over a data set, in evaluating mode; undefined where `signal` is aborted on the way. Throws where the
   * set is empty.
   */
  evaluate(data: BatchSource<B>, options: EvaluateOptions = {}): Promise<Evaluation<R> | undefined> {
    return this.#evaluate(data, options);
  }

  /**
   * Trains on the data. Throws a TrainingError naming the step and the module, or the label, where a loss stops being finite, or
   * the file that cannot be written, and one line for options that do not fit, a run folder that exists, a checkpoint of another model.
   */
  async fit(data: BatchSource<B>, options: FitOptions<B> = {}): Promise<FitResult<R>> {
    checkSource("fit:", data);
    if (options.validation !== undefined) checkSource("fit: validation", options.validation);
    for (const name of ["epochs", "maxSteps", "patience", "checkpointEvery", "logEvery"] as const) {
      const value = options[name];
      if (value !== undefined && !(Number.isInteger(value) && value >= 1))
        throw new RangeError(`fit: ${name} is a whole number of at least 1, not ${value}`);
    }
    if (options.out !== undefined && options.resume !== undefined)
      throw new Error("fit: out makes a new run and resume continues one; give one of them");
    const { shuffle = true, validation } = options;
    const ordered = shuffle && data.shuffle && !data.shuffled ? data.shuffle({ seed: randomState().seed }) : data;
    await ordered.load?.();
    await validation?.load?.();
    if (ordered.batches === 0) throw new Error(emptyData);
    if (validation?.batches === 0) throw new Error("fit: the validation set is empty: it gives no batch");
    if (this.#probe !== undefined) this.optimizer.probe = this.#probe; // another trainer may have had its own
    const fit = await Fit.open(this, ordered, options);
    return fit.run();
  }
}

/** What is said of data that gives no batch. */
export const emptyData = "fit: the data set gives no batch; it is empty, or smaller than a batch with dropLast";
