// hebb train: a model of the zoo on a data set, into a run folder; or a run that goes on where it stopped.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type Dataset, randomCrop, randomFlip, type Vocabulary } from "../data/index.ts";
import { largestShift, randomShift } from "../data/random-shift.ts";
import { writeAtomic } from "../io/atomic.ts";
import { clipByNorm } from "../optim/index.ts";
import { type FitResult, Progress, Trainer, TrainingError } from "../train/index.ts";
import { checkRunFolder } from "../train/run-folder.ts";
import type { ZooEntry } from "../zoo/index.ts";
import { type Command, type Io, report, UsageError } from "./command.ts";
import { findData, isPath } from "./data-sets.ts";
import { describeModels, findModel } from "./names.ts";
import { findOptimizer, usualRate } from "./optimizers.ts";
import { type Flag, flagName, type Options } from "./options.ts";
import { prepare } from "./prepare.ts";
import { commandLine } from "./program.ts";
import { rateOf } from "./rates.ts";
import {
  buildModel,
  chooseDevice,
  folderToKeep,
  newestSound,
  readRun,
  startAgain,
  startLower,
  type TrainConfig,
  usualData,
  vocabularyFile,
} from "./setup.ts";
import { sourceOf, type Task, taskOf, testBatch } from "./tasks.ts";
import { initialize, transferGroups } from "./transfer.ts";

/** What a run is made of; changing one of the first makes another run, the last may change when it is resumed. */
const fixed = [
  "data",
  "samples",
  "batch",
  "optimizer",
  "lr",
  "decay",
  "decayFrom",
  "schedule",
  "momentum",
  "weightDecay",
  "clip",
  "shift",
  "crop",
  "flip",
  "init",
  "freeze",
  "lrScale",
  "seed",
] as const satisfies readonly Flag[];
/** Whose defaults are those of the model's recipe. */
const ofModel = Object.fromEntries(
  [
    "epochs",
    "batch",
    "optimizer",
    "lr",
    "decay",
    "decayFrom",
    "schedule",
    "momentum",
    "weightDecay",
    "clip",
    "shift",
    "crop",
    "flip",
  ].map((flag) => [flag, "the model's, below"]),
);
const changeable = ["epochs", "maxSteps", "device", "threads", "dataDir"] as const satisfies readonly Flag[];

export const train: Command = {
  summary: "trains a model and saves the run",
  positionals: "MODEL",
  flags: [...fixed, ...changeable, "download", "out", "resume", "config", "json"],
  defaults: { data: "the model's, below; glyphs where mnist is not found", ...ofModel },
  notes: () => ["models and their defaults:", ...describeModels(flagsOf)].join("\n"),
  run: async (positionals, options, io) => {
    if (positionals.length > 1) throw new UsageError(`train takes one model, got ${positionals.join(" ")}`);
    const [model] = positionals;
    const { resume, out } = options;
    const config =
      resume === undefined ? await newConfig(model, options, io) : await resumedConfig(resume, model, options, io);
    checkShift(config);
    if (resume === undefined) await checkOut(out, io);
    return trainRun(config, options, io);
  },
};

/** The flags of a model's recipe, those without effect left out. */
const flagsOf = ({ recipe }: ZooEntry): string =>
  Object.entries(recipe)
    .filter(([flag, value]) => value !== 0 && !(flag === "decay" && value === 1))
    .map(
      ([flag, value]) =>
        `${flagName(flag as Flag)} ${typeof value === "number" ? Number(value.toPrecision(4)) : value}`,
    )
    .join(" ");

/** Everything settled: the user's flags, then the model's recipe. */
async function newConfig(model: string | undefined, options: Options, io: Io): Promise<TrainConfig> {
  if (model === undefined) throw new UsageError(`train needs a model, e.g. ${commandLine(io, "train", "lenet5")}`);
  const entry = findModel(model);
  const { name, recipe } = entry;
  const { optimizer = recipe.optimizer } = options;
  const lr = usualRate(entry, optimizer);
  const device = chooseDevice(options);
  const { data, why } = options.data === undefined ? await usualData(entry, options) : { data: options.data };
  if (why !== undefined) io.stderr.write(`data: ${data} (${why})\n`);
  const place = isPath(data) ? resolve(data) : data;
  const { weightDecay, clip, momentum, ...common } = recipe;
  const own =
    optimizer === recipe.optimizer
      ? recipe
      : findOptimizer(optimizer).searches
        ? common
        : { ...common, weightDecay, clip };
  const falls = (options.decay ?? 1) !== 1 || (options.decayFrom ?? 0) > 0;
  if (falls && options.schedule !== undefined && options.schedule !== "decay")
    throw new UsageError(`--decay and --decay-from belong to --schedule decay, not to ${options.schedule}`);
  const schedule = falls && recipe.schedule !== undefined ? { schedule: "decay" } : {};
  const init = options.init === undefined ? {} : { init: resolve(options.init) };
  const settled = { ...own, lr, seed: 1, ...options, ...schedule, ...init, data: place, optimizer, device };
  return { model: name, ...given(settled, [...fixed, ...changeable]) } as TrainConfig;
}

/** Throws a UsageError where images would be moved so far that little of them is left. */
function checkShift({ model, data, shift, crop = 0, flip = 0 }: TrainConfig): void {
  const { shape } = findData(findModel(model), data, "train").info;
  for (const [flag, pixels] of Object.entries({ shift, crop, flip })) {
    if (shape.length !== 3) {
      if (pixels === 0 || findModel(model).tokens === undefined) continue; // a model that does not fit is told of later
      throw new UsageError(`--${flag} is for images; ${data} has none, so leave it at 0`);
    }
    const most = flag === "flip" ? 1 : largestShift(shape);
    if (pixels > most)
      throw new UsageError(
        `--${flag} takes a whole number from 0 to ${most} for ${data}, whose images are ${shape.slice(1).join(" × ")}, not ${pixels}`,
      );
  }
}

/** Throws a UsageError where the run's folder cannot be made, before any work is done for it. */
async function checkOut(out: string | undefined, io: Io): Promise<void> {
  const isRun = out !== undefined && existsSync(join(out, "config.json"));
  if (isRun)
    throw new UsageError(
      `${out} already holds a run; continue it with: ${commandLine(io, "train", "--resume", out)}, or choose another --out`,
    );
  await checkRunFolder(out).catch((error: Error) => {
    throw new UsageError(`--out: ${error.message}`);
  });
}

/** The options among `flags` that were given. */
const given = (options: Options, flags: readonly Flag[]): Options =>
  Object.fromEntries(flags.flatMap((flag) => (options[flag] === undefined ? [] : [[flag, options[flag]]])));

/** The run's own configuration, with more epochs or another machine where asked for. */
async function resumedConfig(run: string, model: string | undefined, options: Options, io: Io): Promise<TrainConfig> {
  if (options.out !== undefined)
    throw new UsageError("--out makes a new run and --resume continues one; give one of them");
  const { maxSteps: _, ...config } = await readRun(run); // how far a run goes is asked for each time
  if (model !== undefined && model !== config.model)
    throw new UsageError(`${run} is a run of ${config.model}, not of ${model}`);
  for (const flag of fixed)
    if (options[flag] !== undefined && options[flag] !== config[flag])
      throw new UsageError(
        `${flagName(flag)} cannot change when a run is resumed; ${run} has ${config[flag]}, not ${options[flag]}; a new run with it: ${startAgain(io, run, flagName(flag), `${options[flag]}`)}`,
      );
  findModel(config.model);
  await newestSound(run, io);
  const changed = { ...config, ...given(options, changeable) };
  return { ...changed, device: chooseDevice(changed) };
}

async function trainRun(config: TrainConfig, { resume, out, json, download }: Options, io: Io): Promise<number> {
  const entry = findModel(config.model);
  const task = taskOf(entry);
  const training = trainingSet(config, download);
  const whole = findData(entry, config.data, "test", { ...config, download });
  const test = whole.batch(testBatch(task, whole.info));
  const model = buildModel(entry, training, config);
  const signal = io.interruption();
  await training.load();
  await test.load();
  const visited = entry.streams ? training.streams(config.batch) : training;
  if (isPath(config.data) && (test.length === 0 || (training.info.classes?.length ?? 0) < 2))
    throw new UsageError(
      `${config.data} has ${training.info.classes?.length} classes and ${training.length + test.length} images, too few to train and to test on; make two folders of ten images or more`,
    );
  if (visited.batches === 0)
    throw new UsageError(
      `${training.length} samples make no batch of ${config.batch}; raise --samples or lower --batch`,
    );
  const lr = rateOf(config.schedule ?? "decay", { ...config, batches: visited.batches });
  const begun = resume !== undefined && (await newestSound(resume, io)).checkpoint !== undefined;
  if (config.init !== undefined && !begun) await initialize(model, config.init, io);
  if (config.init === undefined && !begun && !(await prepare(entry, model, { data: training, signal, io })))
    return unprepared(config, { json }, io);
  const optimizer = findOptimizer(config.optimizer).make(model, sourceOf(entry, model), {
    lr,
    momentum: config.momentum,
    weightDecay: config.weightDecay,
    transforms: config.clip === undefined ? [] : [clipByNorm(config.clip)],
    constraints: entry.constraints,
    groups: [...transferGroups(model, config, lr), ...(entry.groups ?? [])],
  });
  const trainer = new Trainer(model, optimizer, task.measured(test.info));
  const kept = { ...config, dataDir: await folderToKeep(config) };
  io.stderr.write(
    `${config.model} on ${config.data}: ${training.length} training and ${test.length} test samples, device ${config.device}\n`,
  );
  const environment = {
    device: config.device,
    classes: isPath(config.data) ? training.info.classes : undefined, // a folder may change
    data: { train: await checksum(config.data, training), test: await checksum(config.data, test) },
  };
  const vocabulary = training.info.vocabulary && (await training.vocabulary());
  const fitted = trainer.fit(visited, {
    ...config,
    validation: test,
    checkpointEvery: 500,
    signal,
    onEvent: (event) =>
      event.kind === "checkpoint" && vocabulary ? keepVocabulary(event.path as string, vocabulary) : undefined,
    progress: new Progress({ output: io.stderr, unit: task.unit }),
    config: kept,
    environment,
    ...(resume === undefined ? { out, name: `${config.model}-${basename(config.data)}` } : { resume }),
  });
  const result = await fitted.catch((error) => {
    throw withCommand(error, config, io);
  });
  const told = result.validation && task.tell(result.validation, test.info);
  return conclude(kept, { result, told }, { json }, io);
}

/** Ends a training that was stopped before it began. */
function unprepared(config: TrainConfig, options: Options, io: Io): number {
  const { model, data, device } = config;
  io.stderr.write(`stopped while ${model} was prepared, before anything is saved; start again with the same command\n`);
  report(io, options, "", { command: "train", model, data, device, reason: "interrupted", steps: 0, config });
  return 130;
}

/** The words of a run's tokens, beside its checkpoints, for texts that are made from it. */
async function keepVocabulary(checkpoint: string, vocabulary: Vocabulary): Promise<void> {
  const file = vocabularyFile(dirname(dirname(checkpoint)));
  if (!existsSync(file)) await writeAtomic(file, JSON.stringify(vocabulary));
}

/** The error of a run that cannot go on, with the command to type once its advice is followed. */
function withCommand(error: unknown, config: TrainConfig, io: Io): unknown {
  if (!(error instanceof TrainingError) || error.run === undefined) return error;
  const command = error.resumable ? commandLine(io, "train", "--resume", error.run) : startLower(io, error.run, config);
  return new Error(`${error.message}: ${command}`, { cause: error });
}

function trainingSet(config: TrainConfig, download: boolean | undefined): Dataset {
  const { batch, shift, crop = 0, flip = 0, seed } = config;
  const entry = findModel(config.model);
  const whole = findData(entry, config.data, "train", { ...config, download }).batch(batch);
  const set = entry.streams ? whole : whole.shuffle({ seed });
  const moves = [
    ...(shift > 0 ? [randomShift(shift)] : []),
    ...(crop > 0 ? [randomCrop({ padding: crop })] : []),
    ...(flip > 0 ? [randomFlip({ probability: flip })] : []),
  ];
  return moves.reduce((moved, move) => moved.map(move, { seed }), set);
}

interface Outcome {
  readonly result: FitResult;
  readonly told: ReturnType<Task["tell"]> | undefined;
}

function conclude(config: TrainConfig, { result, told }: Outcome, options: Options, io: Io): number {
  const { reason, epochs, steps, samples, training, validation, seconds, samplesPerSecond, run, resumedAt } = result;
  const { model, data, device } = config;
  const test = validation && { samples: validation.samples, loss: validation.loss, ...validation.metrics };
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
    test,
    config,
  };
  if (reason === "interrupted" || told === undefined) {
    const limit = config.maxSteps === undefined ? [] : ["--max-steps", `${config.maxSteps}`];
    const command = commandLine(io, "train", "--resume", run!, ...limit);
    io.stderr.write(`stopped after step ${steps}, all saved; continue with: ${command}\n`);
    report(io, options, "", figures);
    return 130;
  }
  const table = told.table === undefined ? "" : `\n${told.table}\n`;
  const summary = `${told.words.map((word) => `test ${word}`).join(", ")} after ${steps} steps`;
  const end = resumedAt === steps ? furtherThan(config, result, io) : `run saved in ${run}`;
  report(io, options, `${table}\n${summary}\n${end}`, figures);
  return 0;
}

/** What to say of a run that was finished when it was resumed. */
function furtherThan(config: TrainConfig, { epochs, steps, run }: FitResult, io: Io): string {
  const flags = epochs < config.epochs ? [] : ["--epochs", `${2 * epochs}`];
  const command = commandLine(io, "train", "--resume", run!, ...flags);
  return `${run} was finished before, after ${epochs} epochs and ${steps} steps; to go further: ${command}`;
}

/** The samples' count and SHA-256, which tell whether two runs saw the same data. */
async function checksum(name: string, data: Dataset): Promise<{ samples: number; sha256?: string }> {
  if (isPath(name)) return { samples: data.length }; // images are decoded as they are needed
  const { x, y } = await data.samples();
  const hash = createHash("sha256");
  for (const { buffer, byteOffset, byteLength } of [x, y]) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return { samples: data.length, sha256: hash.digest("hex") };
}
