// What the command line calls by name: models, data sets, optimizers.
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  type Batch,
  cifar10,
  type DataOptions,
  type Dataset,
  fashionMnist,
  glyphs,
  imageFolder,
  mnist,
  mr,
  type Split,
  trec,
} from "../data/index.ts";
import type { Shape, Tensor } from "../graph/index.ts";
import {
  adadelta,
  adagrad,
  adam,
  adamax,
  adamw,
  type FirstOrderOptions,
  type Optimizer,
  rmsprop,
  sgd,
} from "../optim/index.ts";
import { type ZooEntry, zoo } from "../zoo/index.ts";
import { UsageError } from "./command.ts";
import { noSuch } from "./suggest.ts";

export type Loss = (batch: Batch) => Tensor | { readonly loss: Tensor; readonly outputs: Tensor };

interface OptimizerEntry {
  /** The learning rate where neither the user nor the model's recipe names one. */
  readonly lr: number;
  make(model: object, loss: Loss, options: FirstOrderOptions): Optimizer<Batch>;
}

const optimizers: Readonly<Record<string, OptimizerEntry>> = {
  sgd: { lr: 0.05, make: (model, loss, options) => sgd(model, loss, { momentum: 0.9, ...options }) },
  adam: { lr: 1e-3, make: adam },
  adamw: { lr: 1e-3, make: adamw },
  adamax: { lr: 2e-3, make: adamax },
  adagrad: { lr: 0.01, make: adagrad },
  adadelta: { lr: 1, make: adadelta },
  rmsprop: { lr: 1e-3, make: rmsprop },
};

export interface DataPlace {
  readonly dataDir?: string;
  /** Only the first so many of the split. */
  readonly samples?: number;
  /** Fetch what is missing, also into a folder that the user named. */
  readonly download?: boolean;
}

const taken =
  <O extends DataOptions>(set: (split: Split, options?: O) => Dataset, more?: O) =>
  (split: Split, { dataDir: dir, samples, download }: DataPlace): Dataset => {
    const data = set(split, { ...more, dir, download } as O);
    return samples === undefined ? data : data.take(samples);
  };

const dataSets: Readonly<Record<string, (split: Split, place: DataPlace) => Dataset>> = {
  mnist: taken(mnist),
  "fashion-mnist": taken(fashionMnist),
  cifar10: taken(cifar10),
  mr: taken(mr),
  "mr-characters": taken(mr, { level: "characters" }),
  trec: taken(trec),
  "trec-characters": taken(trec, { level: "characters" }),
  glyphs: (split, { samples }) => glyphs(split, { count: samples }),
};

const models = Object.fromEntries(zoo.map((entry) => [entry.name, entry]));

export const dataNames: readonly string[] = Object.keys(dataSets);
export const optimizerNames: readonly string[] = Object.keys(optimizers);

const find = <T>(kind: string, name: string, table: Readonly<Record<string, T>>): T => {
  if (!Object.hasOwn(table, name)) throw new UsageError(noSuch(kind, `${name}`, Object.keys(table)));
  return table[name];
};

export const findModel = (name: string): ZooEntry => find("model", name, models);

export const findOptimizer = (name: string): OptimizerEntry => find("optimizer", name, optimizers);

/** The learning rate where the user names none: the recipe's, or the optimizer's where that is another one. */
export function usualRate({ recipe }: ZooEntry, optimizer: string): number {
  return optimizer === recipe.optimizer ? recipe.lr : findOptimizer(optimizer).lr;
}

/** Whether `--data` names a folder of images instead of a data set. */
export const isPath = (data: string): boolean => /[\\/]|^\.\.?$/.test(data);

/**
 * A split of a data set, or of a folder with a folder of images for each class, which are taken at the size that the model is made for;
 * normalised where the model wants it so, unless `raw`. A folder without a part for tests keeps a tenth of its images for them. Nothing
 * is read yet. Throws a UsageError for a name that is none, and for a model that takes no images.
 */
export function findData(
  { name: model, input, tokens, normalize }: ZooEntry,
  name: string,
  split: Split,
  { raw = false, ...place }: DataPlace & { raw?: boolean } = {},
): Dataset {
  if (isPath(name) && (input.length !== 3 || tokens !== undefined))
    throw new UsageError(`${model} takes no images, so it cannot be trained on the folder ${name}`);
  const data = isPath(name) ? folderOf(name, split, input, place) : find("data set", name, dataSets)(split, place);
  return normalize && !raw ? data.normalize() : data;
}

function folderOf(path: string, split: Split, input: Shape, { samples }: DataPlace): Dataset {
  const [channels, height, width] = input;
  if (channels !== 1 && channels !== 3)
    throw new UsageError(`images have 1 or 3 channels, and the model takes ${channels}, so not the folder ${path}`);
  const options = { size: [height, width], channels } as const;
  try {
    const parts = existsSync(join(path, "train"));
    const data = parts
      ? imageFolder(path, { ...options, split })
      : imageFolder(path, options).split(0.9)[split === "train" ? 0 : 1];
    return samples === undefined ? data : data.take(samples);
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

/** The models for a command's help, a line each: their papers, or whatever is asked for. */
export function describeModels(more: (entry: ZooEntry) => string = ({ paper }) => paper): string[] {
  const width = Math.max(...zoo.map(({ name }) => name.length));
  return zoo.map((entry) => `  ${entry.name.padEnd(width)}  ${more(entry)}`);
}
