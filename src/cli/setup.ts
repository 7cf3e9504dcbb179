// What several commands begin with: models, data sets, optimizers and devices by name, and the model of a run.

import { dataFolder, findFile } from "../data/data-folder.ts";
import { type Batch, cifar10, type Dataset, fashionMnist, glyphs, mnist, type Split } from "../data/index.ts";
import { evaluating, ShapeError, seed, type Tensor, zeros } from "../graph/index.ts";
import { crossEntropy, type Layer, load, nameModules } from "../nn/index.ts";
import { adam, adamw, type Optimizer, type Schedule, sgd } from "../optim/index.ts";
import { type DeviceName, device, deviceNames, mostThreads } from "../run/index.ts";
import { type Checkpoint, loadCheckpoint, newestValid, pointedCheckpoint } from "../train/checkpoint.ts";
import { readConfig } from "../train/run-folder.ts";
import { type ZooEntry, zoo } from "../zoo/index.ts";
import { type Io, UsageError } from "./command.ts";
import type { Options } from "./options.ts";
import { noSuch } from "./suggest.ts";

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
  readonly shift: number;
  readonly seed: number;
  readonly device: string;
  readonly threads?: number;
  readonly dataDir?: string;
}

type Loss = (batch: Batch) => Tensor;

interface OptimizerEntry {
  /** The learning rate where neither the user nor the model's recipe names one. */
  readonly lr: number;
  make(model: object, loss: Loss, lr: number | Schedule): Optimizer<Batch>;
}

const optimizers: Readonly<Record<string, OptimizerEntry>> = {
  sgd: { lr: 0.05, make: (model, loss, lr) => sgd(model, loss, { lr, momentum: 0.9 }) },
  adam: { lr: 1e-3, make: (model, loss, lr) => adam(model, loss, { lr }) },
  adamw: { lr: 1e-3, make: (model, loss, lr) => adamw(model, loss, { lr }) },
};

interface DataPlace {
  readonly dataDir?: string;
  /** Only the first so many of the split. */
  readonly samples?: number;
}

const upTo = (data: Dataset, samples: number | undefined): Dataset =>
  samples === undefined ? data : data.take(samples);

const dataSets: Readonly<Record<string, (split: Split, place: DataPlace) => Dataset>> = {
  mnist: (split, { dataDir: dir, samples }) => upTo(mnist(split, { dir }), samples),
  "fashion-mnist": (split, { dataDir: dir, samples }) => upTo(fashionMnist(split, { dir }), samples),
  cifar10: (split, { dataDir: dir, samples }) => upTo(cifar10(split, { dir }), samples),
  glyphs: (split, { samples }) => glyphs(split, { count: samples }),
};

const find = <T>(kind: string, name: string, table: Readonly<Record<string, T>>): T => {
  if (!Object.hasOwn(table, name)) throw new UsageError(noSuch(kind, `${name}`, Object.keys(table)));
  return table[name];
};

export const findModel = (name: string): ZooEntry =>
  find("model", name, Object.fromEntries(zoo.map((entry) => [entry.name, entry])));

export const findOptimizer = (name: string): OptimizerEntry => find("optimizer", name, optimizers);

/** A split of a data set, normalised where the model wants it so; nothing is read yet. */
export function findData(
  name: string,
  split: Split,
  { normalize = false, ...place }: DataPlace & { normalize?: boolean } = {},
): Dataset {
  const data = find("data set", name, dataSets)(split, place);
  return normalize ? data.normalize() : data;
}

/** mnist where all its files lie in the data folder, else glyphs, which need none. */
export async function defaultData(dataDir: string | undefined): Promise<string> {
  const { path } = await dataFolder(dataDir);
  const names = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"].map(
    (name) => `${name}-ubyte.gz`,
  );
  const found = await Promise.all(names.map((name) => findFile(path, ["mnist", ""], name)));
  return found.every((file) => file !== undefined) ? "mnist" : "glyphs";
}

/** Computes on the device from now on and gives its name. Throws a UsageError for one that does not exist. */
export function chooseDevice({ device: flag, threads }: { device?: string; threads?: number }): string {
  const name = flag ?? (process.env.HEBB_DEVICE || "auto");
  if (!(deviceNames as readonly string[]).includes(name)) throw new UsageError(noSuch("device", name, deviceNames));
  if (threads !== undefined && threads > mostThreads)
    throw new UsageError(`--threads takes 1 to ${mostThreads}, got ${threads}`);
  return device(name as DeviceName | "auto", { threads });
}

export const lossOf =
  (model: Layer): Loss =>
  ({ x, y }) =>
    crossEntropy(model.forward(x), y);

/** The model, with parameters drawn from the seed, made to fit the data. Throws a UsageError where they do not go together. */
export function buildModel(entry: ZooEntry, data: Dataset, seedOf: number): Layer {
  const { name = "the data", shape, classes = [] } = data.info;
  seed(seedOf);
  try {
    const model = entry.build({ input: shape, classes: classes.length });
    nameModules(model);
    const logits = evaluating(() => model.forward(zeros([1, ...shape])));
    if (`${logits.shape}` !== `1,${classes.length}`)
      throw new ShapeError(`it gives [${logits.shape}], ${classes.length} classes take [1, ${classes.length}]`);
    return model;
  } catch (error) {
    if (!(error instanceof ShapeError || error instanceof RangeError)) throw error;
    throw new UsageError(
      `${entry.name} does not fit ${name}, whose samples are [${shape.join(", ")}]: ${error.message}`,
    );
  }
}

export interface TrainedModel {
  readonly config: TrainConfig;
  readonly entry: ZooEntry;
  readonly model: Layer;
  readonly checkpoint: Checkpoint;
}

/** The model of a run with the parameters of its last sound checkpoint, or of its best. */
export async function openRun(run: string, { best = false }: Options, io: Io): Promise<TrainedModel> {
  const config = (await readConfig(run)) as unknown as TrainConfig;
  const entry = findModel(config.model);
  const { checkpoint, skipped } = best
    ? { checkpoint: await loadCheckpoint(await pointedCheckpoint(run, "best")), skipped: [] }
    : await newestValid(run);
  for (const { name, reason } of skipped) io.stderr.write(`skipped ${name}: ${reason}\n`);
  if (checkpoint === undefined) throw new Error(`${run} has no sound checkpoint; train a new run`);
  const model = buildModel(entry, findData(config.data, "train"), config.seed);
  try {
    await load(model, checkpoint.model as Parameters<typeof load>[1]);
  } catch (error) {
    throw new Error(
      `${run}: its checkpoint of step ${checkpoint.step} is not one of ${config.model} (${(error as Error).message})`,
      { cause: error },
    );
  }
  return { config, entry, model, checkpoint };
}
