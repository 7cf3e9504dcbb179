// Carries a training out: makes its optimizer, trains into the run folder, and tells the outcome.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Tensor } from "../graph/index.ts";
import { writeAtomic } from "../io/atomic.ts";
import { clipByNorm } from "../optim/index.ts";
import {
  type BatchSource,
  type Evaluation,
  type FitResult,
  type Measured,
  Progress,
  Trainer,
  TrainingError,
} from "../train/index.ts";
import { type Io, report } from "./command.ts";
import type { Entry } from "./names.ts";
import { findOptimizer, type Source } from "./optimizers.ts";
import type { Options } from "./options.ts";
import { commandLine } from "./program.ts";
import { rateOf } from "./rates.ts";
import { folderToKeep, newestSound, startLower, type TrainConfig } from "./setup.ts";
import type { Told } from "./tasks.ts";
import { initialize, transferGroups } from "./transfer.ts";

/** What is trained, on what, and what is told of it in the end; everything loaded. */
export interface Job<B> {
  readonly entry: Entry;
  readonly model: object;
  readonly source: Source<B>;
  readonly training: BatchSource<B>;
  /** Batches in an epoch of the training set. */
  readonly batches: number;
  /** What is evaluated at each epoch's end, if anything is. */
  readonly validation?: BatchSource<B>;
  readonly measured: Measured<B, Tensor>;
  /** Steps between checkpoints, besides those of epochs. */
  readonly checkpointEvery?: number;
  /** What the pace counts. */
  readonly unit: string;
  /** How much data there is, e.g. "60000 training and 10000 test samples". */
  readonly extent: string;
  /** By part of the data, what tells it from other data. */
  readonly checksums: Readonly<Record<string, object>>;
  /** The classes, where the data may get others later. */
  readonly classes?: readonly string[] | undefined;
  /** A file of the run folder with the words of its tokens, for texts that are made from it. */
  readonly words?: { readonly file: string; readonly content: object } | undefined;
  /** What comes before the training; gives false where the signal is aborted on the way. */
  prepare?(signal: AbortSignal, io: Io): Promise<boolean>;
  /** The outcome on the test set, given that on the validation set, where there is one; undefined where the signal is aborted on the way. */
  test(validation: Evaluation | undefined, signal: AbortSignal): Promise<Tested | undefined>;
}

export interface Tested {
  /** Of the test set, for JSON. */
  readonly figures: object;
  readonly told: Told;
}

interface Work<B> {
  readonly job: Job<B>;
  readonly config: TrainConfig;
  readonly signal: AbortSignal;
}

/** Gives the exit status. */
export async function carryOut<B>({ job, config, signal }: Work<B>, options: Options, io: Io): Promise<number> {
  const { entry, model, training, unit } = job;
  const { resume, out, json } = options;
  const lr = rateOf(config.schedule ?? "decay", { ...config, batches: job.batches });
  const hasStart = config.init !== undefined || job.prepare !== undefined;
  if (hasStart && (resume === undefined || (await newestSound(resume, io)).checkpoint === undefined)) {
    if (config.init !== undefined) await initialize(model, config.init, io);
    else if (!(await job.prepare!(signal, io))) return unprepared(config, { json }, io);
  }
  const optimizer = findOptimizer(config.optimizer).make(model, job.source, {
    lr,
    momentum: config.momentum,
    weightDecay: config.weightDecay,
    transforms: config.clip === undefined ? [] : [clipByNorm(config.clip)],
    constraints: entry.constraints,
    sparse: entry.task === "words",
    groups: [...transferGroups(model, config, lr), ...(entry.groups ?? [])],
  });
  const trainer = new Trainer(model, optimizer, job.measured);
  const kept = { ...config, dataDir: await folderToKeep(config) };
  io.stderr.write(`${config.model} on ${config.data}: ${job.extent}, device ${config.device}\n`);
  const fitted = trainer.fit(training, {
    ...config,
    validation: job.validation,
    checkpointEvery: job.checkpointEvery ?? 500,
    signal,
    onEvent: (event) => (event.kind === "checkpoint" ? keepWords(event.path as string, job.words) : undefined),
    progress: new Progress({ output: io.stderr, unit }),
    config: kept,
    environment: { device: config.device, classes: job.classes, data: job.checksums },
    ...(resume === undefined ? { out, name: `${config.model}-${basename(config.data)}` } : { resume }),
  });
  const result = await fitted.catch((error) => {
    throw withCommand(error, config, io);
  });
  const tested = result.reason === "interrupted" ? undefined : await job.test(result.validation, signal);
  return conclude(kept, { result, tested }, { json }, io);
}

/** Ends a training that was stopped before it began. */
function unprepared(config: TrainConfig, options: Options, io: Io): number {
  const { model, data, device } = config;
  io.stderr.write(`stopped while ${model} was prepared, before anything is saved; start again with the same command\n`);
  report(io, options, "", { command: "train", model, data, device, reason: "interrupted", steps: 0, config });
  return 130;
}

async function keepWords(checkpoint: string, words: Job<unknown>["words"]): Promise<void> {
  if (words === undefined) return;
  const file = join(dirname(dirname(checkpoint)), words.file);
  if (!existsSync(file)) await writeAtomic(file, JSON.stringify(words.content));
}

/** The error of a run that cannot go on, with the command to type once its advice is followed. */
function withCommand(error: unknown, config: TrainConfig, io: Io): unknown {
  if (!(error instanceof TrainingError) || error.run === undefined) return error;
  const command = error.resumable ? commandLine(io, "train", "--resume", error.run) : startLower(io, error.run, config);
  return new Error(`${error.message}: ${command}`, { cause: error });
}

interface Outcome {
  readonly result: FitResult;
  readonly tested: Tested | undefined;
}

function conclude(config: TrainConfig, { result, tested }: Outcome, options: Options, io: Io): number {
  const { reason, epochs, steps, samples, training, validation, seconds, samplesPerSecond, run, resumedAt } = result;
  const { model, data, device } = config;
  const pace = { epochs, steps, resumedAt, samples, seconds, samplesPerSecond };
  const figures = {
    command: "train",
    model,
    data,
    device,
    reason,
    run,
    ...validation?.metrics,
    ...pace,
    training: { loss: training.loss, ...training.metrics },
    test: tested?.figures,
    config,
  };
  if (tested === undefined) {
    const limit = config.maxSteps === undefined ? [] : ["--max-steps", `${config.maxSteps}`];
    const command = commandLine(io, "train", "--resume", run!, ...limit);
    io.stderr.write(`stopped after step ${steps}, all saved; continue with: ${command}\n`);
    report(io, options, "", figures);
    return 130;
  }
  const { words, table: lines } = tested.told;
  const table = lines === undefined ? "" : `\n${lines}\n`;
  const outcome = words.length === 0 ? "trained" : words.map((word) => `test ${word}`).join(", ");
  const summary = `${outcome} after ${steps} steps`;
  const end = resumedAt === steps ? furtherThan(config, result, io) : `run saved in ${run}`;
  report(io, options, `${table}\n${summary}\n${end}`, figures);
  return 0;
}

/** What to say of a run that was finished when it was resumed. */
function furtherThan(config: TrainConfig, { epochs, steps, run }: FitResult, io: Io): string {
  const isCut = epochs < config.epochs;
  const command = commandLine(io, "train", "--resume", run!, ...(isCut ? [] : ["--epochs", `${2 * epochs}`]));
  if (isCut)
    return `${run} has the ${config.maxSteps} steps of --max-steps behind it, ${steps} in all; to go further: ${command}`;
  return `${run} was finished before, after ${epochs} epochs and ${steps} steps; to go further: ${command}`;
}

/** SHA-256 of numbers, which tells whether two runs saw the same data. */
export function sha256(arrays: Iterable<ArrayBufferView>): string {
  const hash = createHash("sha256");
  for (const { buffer, byteOffset, byteLength } of arrays) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest("hex");
}
