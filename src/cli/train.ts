// hebb train: a model of the zoo on a data set, into a run folder; or a run that goes on where it stopped.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { largestShift } from "../data/random-shift.ts";
import { checkRunFolder } from "../train/run-folder.ts";
import { type Command, type Io, UsageError } from "./command.ts";
import { findData, findPairs, findWords, isPath } from "./data-sets.ts";
import { carryOut } from "./job.ts";
import { labelledJob } from "./labelled-job.ts";
import { describeModels, type Entry, findEntry } from "./names.ts";
import { findOptimizer, usualRate } from "./optimizers.ts";
import { type Flag, flagName, type Options } from "./options.ts";
import { commandLine } from "./program.ts";
import { chooseDevice, newestSound, readRun, startAgain, type TrainConfig, usualData } from "./setup.ts";
import { translationJob } from "./translation-job.ts";
import { wordsJob } from "./words-job.ts";

/** What the model's recipe settles where the user does not, besides the epochs. */
const ofRecipe = [
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
] as const satisfies readonly Flag[];
/** What a run is made of; changing one of the first makes another run, the last may change when it is resumed. */
const fixed = ["data", ...ofRecipe, "init", "freeze", "lrScale", "seed"] as const satisfies readonly Flag[];
const ofModel = Object.fromEntries(["epochs", ...ofRecipe].map((flag) => [flag, "the model's, below"]));
const changeable = ["epochs", "maxSteps", "device", "threads", "dataDir"] as const satisfies readonly Flag[];

export const train: Command = {
  summary: "trains a model and saves the run",
  positionals: "MODEL",
  flags: [...fixed, ...changeable, "download", "out", "resume", "config", "json"],
  defaults: {
    data: "the model's, below; glyphs where mnist is not found",
    ...ofModel,
    samples: "the model's, below, or all",
  },
  notes: () => ["models and their defaults:", ...describeModels(flagsOf)].join("\n"),
  run: async (positionals, options, io) => {
    if (positionals.length > 1) throw new UsageError(`train takes one model, got ${positionals.join(" ")}`);
    const [model] = positionals;
    const { resume, out } = options;
    const config =
      resume === undefined ? await newConfig(model, options, io) : await resumedConfig(resume, model, options, io);
    checkData(config);
    if (resume === undefined) await checkOut(out, io);
    const entry = findEntry(config.model);
    const { download } = options;
    const signal = io.interruption();
    if (entry.task === "translate")
      return carryOut({ job: await translationJob(entry, config, { download }), config, signal }, options, io);
    if (entry.task === "words")
      return carryOut({ job: await wordsJob(entry, config, { download, resume }), config, signal }, options, io);
    return carryOut({ job: await labelledJob(entry, config, { download }), config, signal }, options, io);
  },
};

/** The flags of a model's recipe, those without effect left out. */
const flagsOf = ({ recipe }: Entry): string =>
  Object.entries(recipe)
    .filter(([flag, value]) => (value !== 0 || flag === "momentum") && !(flag === "decay" && value === 1))
    .map(
      ([flag, value]) =>
        `${flagName(flag as Flag)} ${typeof value === "number" ? Number(value.toPrecision(4)) : value}`,
    )
    .join(" ");

/** Everything settled: the user's flags, then the model's recipe. */
async function newConfig(model: string | undefined, options: Options, io: Io): Promise<TrainConfig> {
  if (model === undefined) throw new UsageError(`train needs a model, e.g. ${commandLine(io, "train", "lenet5")}`);
  const entry = findEntry(model);
  const { name, recipe } = entry;
  if (entry.task === "words" && options.init !== undefined)
    throw new UsageError(
      `--init copies rows by their number, which in another text is another word's, so ${name} takes none; leave it out, or continue a run with --resume`,
    );
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

/** Throws a UsageError where the data is not for the model, or images would be moved so far that little of them is left. */
function checkData({ model, data, shift, crop = 0, flip = 0 }: TrainConfig): void {
  const entry = findEntry(model);
  if (entry.task === "translate") findPairs(entry, data, "train");
  if (entry.task === "words") findWords(entry, data);
  const shape = "input" in entry ? findData(entry, data, "train").info.shape : [];
  const isText = !("input" in entry) || entry.tokens !== undefined;
  for (const [flag, pixels] of Object.entries({ shift, crop, ...(isText && { flip }) })) {
    if (shape.length !== 3) {
      if (pixels === 0 || !isText) continue; // a model that does not fit is told of later
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
  findEntry(config.model);
  await newestSound(run, io);
  const changed = { ...config, ...given(options, changeable) };
  return { ...changed, device: chooseDevice(changed) };
}
