// What several commands begin with: the device, the data set, a model made to fit it, the model of a run.
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { dataFolder, describeFolder, findFile } from "../data/data-folder.ts";
import type { Dataset } from "../data/index.ts";
import { evaluating, ShapeError, seed, shapesOnly, zeros } from "../graph/index.ts";
import { isFolder } from "../io/folder.ts";
import { type Layer, nameModules } from "../nn/index.ts";
import { type DeviceName, device, deviceNames } from "../run/index.ts";
import { type Checkpoint, loadCheckpoint, newestValid, pointedCheckpoint, type Skipped } from "../train/checkpoint.ts";
import { restore } from "../train/restore.ts";
import { NoRunError, readConfig } from "../train/run-folder.ts";
import { type ZooEntry, zoo } from "../zoo/index.ts";
import { type Io, UsageError } from "./command.ts";
import { dataNames, findData, isMadeUp, isPath } from "./data-sets.ts";
import { type Entry, findEntry, findModel } from "./names.ts";
import { usualRate } from "./optimizers.ts";
import { type Options, readKey } from "./options.ts";
import { commandLine } from "./program.ts";
import { noSuch } from "./suggest.ts";
import { taskOf } from "./tasks.ts";

/** All that a training depends on, as config.json keeps it. */
export interface TrainConfig {
  readonly model: string;
  readonly data: string;
  readonly samples?: number;
  readonly epochs: number;
  readonly maxSteps?: number;
  readonly batch: number;
  readonly optimizer: string;
  readonly lr: number;
  readonly decay: number;
  readonly decayFrom?: number;
  readonly schedule?: string;
  readonly momentum?: number;
  readonly weightDecay?: number;
  readonly clip?: number;
  readonly shift: number;
  readonly crop?: number;
  readonly flip?: number;
  readonly init?: string;
  readonly freeze?: string;
  readonly lrScale?: string;
  readonly seed: number;
  readonly device: string;
  readonly threads?: number;
  /** Whole path. */
  readonly dataDir?: string;
}

const needed = ["model", "data", "epochs", "batch", "optimizer", "lr", "decay", "shift", "seed"] as const;
const optional = [
  ...["samples", "maxSteps", "device", "threads", "dataDir"],
  ...["decayFrom", "schedule", "momentum", "weightDecay", "clip", "crop", "flip", "init", "freeze", "lrScale"],
] as const;

/**
 * The data folder that a run is to remember, whether a flag or HEBB_DATA names it; none where the cache serves, or for
 * data that is made up.
 */
export async function folderToKeep({
  data,
  dataDir,
}: Pick<TrainConfig, "data" | "dataDir">): Promise<string | undefined> {
  const { path, from } = await dataFolder(dataDir);
  return from === "cache" || isMadeUp(data) ? undefined : resolve(path);
}

/**
 * The data set of a model's recipe; in the place of mnist, where it is not found, glyphs, with the reason. Throws a UsageError for a
 * model that has none, as it is made for images of the user's.
 */
export async function usualData(entry: Entry, options: Options): Promise<{ data: string; why?: string }> {
  const { data } = entry.recipe;
  if (data === undefined && "input" in entry)
    throw new UsageError(
      `${entry.name} is made for [${entry.input.join(", ")}] and ${entry.classes} classes; name a folder of images by --data ./PATH, or a data set: ${dataNames.join(", ")}`,
    );
  return data === "mnist" ? mnistOrGlyphs(options) : { data: data! };
}

/** mnist where all its files lie in the data folder or may be fetched, else glyphs, which need none; with the reason. */
async function mnistOrGlyphs({ dataDir, download }: Options): Promise<{ data: string; why: string }> {
  const folder = await dataFolder(dataDir);
  if (download) return { data: "mnist", why: "fetched where it is missing" };
  const names = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"].map(
    (name) => `${name}-ubyte.gz`,
  );
  const found = await Promise.all(names.map((name) => findFile(folder.path, ["mnist", ""], name)));
  if (found.every((file) => file !== undefined)) return { data: "mnist", why: `found in ${folder.path}` };
  const flags = folder.from === "cache" ? "--data mnist" : "--data mnist --download";
  const where = await describeFolder(folder);
  return { data: "glyphs", why: `drawn digits, since mnist is not in ${where}; ${flags} fetches it` };
}

/** Computes on the device from now on and gives its name. Throws a UsageError for one that does not exist. */
export function chooseDevice({ device: flag, threads }: { device?: string; threads?: number }): string {
  const name = flag ?? (process.env.HEBB_DEVICE || "auto");
  if (!(deviceNames as readonly string[]).includes(name))
    throw new UsageError(`${flag === undefined ? "HEBB_DEVICE: " : ""}${noSuch("device", name, deviceNames)}`);
  return device(name as DeviceName | "auto", { threads });
}

/**
 * The model, with parameters drawn from the seed, made to fit the data. Throws a UsageError with the models that do where
 * they do not go together.
 */
export function buildModel(
  entry: ZooEntry,
  data: Dataset,
  { seed: seedOf, batch }: Pick<TrainConfig, "seed" | "batch">,
): Layer {
  const { name = "the data", shape } = data.info;
  seed(seedOf);
  const model = fitted(entry, data, batch);
  if (!(model instanceof Error)) return model;
  const others = shapesOnly(() => fittingModels(data, 9));
  throw new UsageError(
    `${entry.name} does not fit ${name}, whose samples are [${shape.join(", ")}] (${model.message}); ${others.length > 0 ? `models that fit: ${others.slice(0, 8).join(", ")}${others.length > 8 ? " and more" : ""}` : "no model does"}`,
  );
}

/** The names of the first `most` models that fit the data. */
function fittingModels(data: Dataset, most: number): string[] {
  const found: string[] = [];
  for (const other of zoo) {
    if (found.length === most) break;
    if (!(fitted(other, data) instanceof Error)) found.push(other.name);
  }
  return found;
}

/** A model made for the data, or why there is none. */
function fitted(entry: ZooEntry, { info }: Dataset, batch?: number): Layer | Error {
  const { shape, tokens, classes } = info;
  if ((tokens === undefined) !== (entry.tokens === undefined))
    return new ShapeError(`it takes ${entry.tokens === undefined ? "pixels, not text" : "text, not pixels"}`);
  const unfit = taskOf(entry).unfit(info);
  if (unfit !== undefined) return new ShapeError(unfit);
  try {
    const model = entry.build({ input: shape, tokens, classes: classes?.length, batch });
    nameModules(model);
    const task = taskOf(entry);
    const sample = zeros([1, ...shape], tokens === undefined ? "f32" : "i32");
    const given = evaluating(() => task.answer?.(model, sample) ?? model.forward(sample));
    const wanted = [1, ...task.outputs(info)];
    if (`${given.shape}` === `${wanted}`) return model;
    return new ShapeError(`it gives [${given.shape}], ${classes?.length ?? tokens} classes take [${wanted}]`);
  } catch (error) {
    if (error instanceof ShapeError || error instanceof RangeError) return error;
    throw error;
  }
}

export interface TrainedModel {
  readonly config: TrainConfig;
  readonly entry: ZooEntry;
  readonly model: Layer;
  readonly checkpoint: Checkpoint;
}

/**
 * A run's configuration, its data folder left out where that is no longer there. Throws a UsageError where the folder is no
 * run, or one made in code, whose model the command line does not know, or naming file and key of an unusable value.
 */
export async function readRun(run: string): Promise<TrainConfig> {
  const config = await readConfig(run).catch((error) => {
    throw error instanceof NoRunError ? new UsageError(error.message) : error;
  });
  const missing = needed.find((key) => config[key] === undefined);
  if (missing !== undefined)
    throw new UsageError(
      `${run} was made in code, not by hebb train (its config.json has no "${missing}"); there, trainer.fit(data, { resume: ${JSON.stringify(run)} }) continues it and trainer.evaluate(data) measures it`,
    );
  const known = [...needed, ...optional].filter((key) => config[key] !== undefined);
  const values = known.map((key) => [key, readKey(join(run, "config.json"), key, config[key])]);
  const { dataDir, ...rest }: TrainConfig = { ...config, ...Object.fromEntries(values) };
  return dataDir !== undefined && (await isFolder(dataDir)) ? { ...rest, dataDir } : rest;
}

/** Where a run keeps the words of its tokens. */
export const vocabularyFile = "vocabulary.json";

/** The vocabulary in a text that a run keeps. Throws an Error where it is damaged. */
export function readVocabulary<T>(file: string, text: string, from: (json: unknown) => T): T {
  try {
    return from(JSON.parse(text));
  } catch (error) {
    throw new Error(
      `${file} is damaged (${(error as Error).message}); delete it, and the vocabulary of the run's data is taken`,
    );
  }
}

/** The command that trains anew what a run trained, in a folder of its own. */
export const startAgain = (io: Io, run: string, ...flags: readonly string[]): string =>
  commandLine(io, "train", "--config", join(run, "config.json"), ...flags);

/** The same with a tenth of the learning rate, at most the usual one, where numbers grew beyond all bounds. */
export function startLower(io: Io, run: string, { model, optimizer, lr }: TrainConfig): string {
  const lower = Math.min(lr / 10, usualRate(findEntry(model), optimizer));
  return startAgain(io, run, "--lr", `${Number(lower.toPrecision(3))}`);
}

/** The newest sound checkpoint of a run, if it has saved any, and those passed over. Throws where it has, but none is sound. */
export async function newestSound(run: string, io: Io): Promise<{ checkpoint?: Checkpoint; skipped: Skipped[] }> {
  const { checkpoint, skipped } = await newestValid(run);
  if (checkpoint === undefined && skipped.length > 0)
    throw new Error(
      `none of the checkpoints of ${run} is sound (${skipped[0].reason}); start again with: ${startAgain(io, run)}`,
    );
  return { checkpoint, skipped };
}

/** The model of a run with the parameters of its last sound checkpoint, or of its best. */
export async function openRun(run: string, options: Options, io: Io): Promise<TrainedModel> {
  const config = await readRun(run);
  const entry = findModel(config.model);
  const make = async (): Promise<Layer> => {
    const data = findData(entry, config.data, "train");
    if (isPath(config.data)) await checkClasses(run, config.data, data);
    return buildModel(entry, data, config);
  };
  return { config, entry, ...(await restored(run, make, options, io)) };
}

/** A model as `make` makes it, with the parameters of a run's last sound checkpoint, or of its best. */
export async function restored<M extends object>(
  run: string,
  make: () => M | Promise<M>,
  { best = false }: Options,
  io: Io,
): Promise<{ model: M; checkpoint: Checkpoint }> {
  const { checkpoint, skipped } = best ? await bestCheckpoint(run) : await newestSound(run, io);
  for (const { name, reason } of skipped) io.stderr.write(`skipped ${name}: ${reason}\n`);
  if (checkpoint === undefined)
    throw new Error(`${run} has saved no checkpoint yet; train it with: ${commandLine(io, "train", "--resume", run)}`);
  const model = await make();
  await restore(checkpoint, { model }).catch(async (error: Error) => {
    const { model: name } = await readRun(run);
    throw new Error(
      `${run}: its checkpoint of step ${checkpoint.step} is not one of ${name}, which its config.json names (${error.message}); was that file changed?`,
      { cause: error },
    );
  });
  return { model, checkpoint };
}

/** Throws a UsageError where a run's folder of images has other classes than when it was trained. */
async function checkClasses(run: string, folder: string, { info: { classes = [] } }: Dataset): Promise<void> {
  const { classes: trained } = await readEnvironment(run);
  if (trained !== undefined && `${trained}` !== `${classes}`)
    throw new UsageError(
      `${run} was trained on the classes ${trained.join(", ")}, and ${folder} now has ${classes.join(", ")}; give its folders their names again`,
    );
}

/** What a run noted of its data as it began. */
export interface RunEnvironment {
  readonly classes?: readonly string[];
  /** By part of the data, what tells it from other data. */
  readonly data?: Readonly<Record<string, { readonly sha256?: string } | undefined>>;
}

/** Empty where the note is gone. */
export async function readEnvironment(run: string): Promise<RunEnvironment> {
  return JSON.parse(await readFile(join(run, "environment.json"), "utf8").catch(() => "{}"));
}

async function bestCheckpoint(run: string): Promise<{ checkpoint: Checkpoint; skipped: readonly Skipped[] }> {
  try {
    return { checkpoint: await loadCheckpoint(await pointedCheckpoint(run, "best")), skipped: [] };
  } catch (error) {
    throw new Error(`${(error as Error).message}; without --best the newest sound checkpoint is taken`, {
      cause: error,
    });
  }
}
