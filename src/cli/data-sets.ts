// The data sets that the command line calls by name, of samples, of pairs of sequences or of words, and folders of images and texts of the user's.
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  addingProblem,
  type CountedText,
  cifar10,
  type DataOptions,
  type Dataset,
  fashionMnist,
  glyphs,
  imageFolder,
  mnist,
  mr,
  ptb,
  type SequencePairs,
  type Split,
  sst,
  text8,
  textFile,
  tinyShakespeare,
  trec,
} from "../data/index.ts";
import type { Shape } from "../graph/index.ts";
import { type TranslatorEntry, translators, type WordsEntry, wordModels, type ZooEntry } from "../zoo/index.ts";
import { UsageError } from "./command.ts";
import { find } from "./find.ts";
import { type PairOptions, type PairSplit, pairSets } from "./pair-sets.ts";

/** Where a data set lies and how much of it is taken. */
export interface DataPlace {
  readonly dataDir?: string;
  /** Only the first so many of the split. */
  readonly samples?: number;
  /** Tokens of a sample of a text that is cut into such. */
  readonly length?: number;
  /** Fetch what is missing, also into a folder that the user named. */
  readonly download?: boolean;
}

const taken =
  <S extends string, O extends DataOptions>(set: (split: S, options?: O) => Dataset, more?: O) =>
  (split: S, { dataDir: dir, samples, download }: DataPlace): Dataset => {
    const data = set(split, { ...more, dir, download } as O);
    return samples === undefined ? data : data.take(samples);
  };

/** Of a set that is stored class by class so many samples are drawn, always the same ones. */
const drawn =
  <S extends string, O extends DataOptions>(set: (split: S, options?: O) => Dataset, more?: O) =>
  (split: S, { samples, ...place }: DataPlace): Dataset => {
    return someOf(taken(set, more)(split, place), samples);
  };

const someOf = (data: Dataset, samples: number | undefined): Dataset =>
  samples === undefined ? data : data.split(samples)[0];

const dataSets: Readonly<Record<string, (split: Split, place: DataPlace) => Dataset>> = {
  mnist: taken(mnist),
  "fashion-mnist": taken(fashionMnist),
  cifar10: taken(cifar10),
  mr: drawn(mr),
  sst: taken(sst),
  "mr-characters": drawn(mr, { level: "characters" }),
  trec: taken(trec),
  "trec-characters": taken(trec, { level: "characters" }),
  "tiny-shakespeare": (split, { length, ...place }) =>
    taken(tinyShakespeare, { length })(split === "test" ? "valid" : "train", place),
  ptb: (split, { length, ...place }) => taken(ptb, { length })(split, place),
  adding: (split, { samples }) =>
    addingProblem(split === "train" ? { count: samples ?? 50_000 } : { count: samples ?? 2000, seed: 2 }),
  glyphs: (split, { samples }) => glyphs(split, { count: samples }),
};

/** Texts to learn words' vectors from. */
const wordTexts: Readonly<Record<string, typeof text8>> = { text8 };

/** Those of samples, then those of pairs, then those of words. */
export const dataNames: readonly string[] = [dataSets, pairSets, wordTexts].flatMap((sets) => Object.keys(sets));

/** Whether a data set needs no files. */
export const isMadeUp = (data: string): boolean =>
  data === "glyphs" || data === "adding" || (Object.hasOwn(pairSets, data) && pairSets[data].isMadeUp === true);

/** Whether `--data` names a folder of images instead of a data set. */
export const isPath = (data: string): boolean => /[\\/]|^\.\.?$/.test(data);

/**
 * A split of a data set, or of a folder with a folder of images for each class, which are taken at the size that the model is made for;
 * normalised where the model wants it so, unless `raw`. A folder without a part for tests keeps a tenth of its images for them; a
 * memory is tested on what it was trained on. Nothing is read yet. Throws a UsageError for a name that is none, and for a model that takes no images.
 */
export function findData(
  { name: model, input, tokens, task, streams, capacity, normalize }: ZooEntry,
  name: string,
  asked: Split,
  { raw = false, ...place }: DataPlace & { raw?: boolean } = {},
): Dataset {
  if (isPath(name) && (input.length !== 3 || tokens !== undefined))
    throw new UsageError(`${model} takes data sets by name, and no files or folders such as ${name}`);
  if (Object.hasOwn(pairSets, name))
    throw new UsageError(
      `${model} does not fit ${name}, which has pairs of sequences; models that fit: ${translators.map((entry) => entry.name).join(", ")}`,
    );
  const split = capacity === undefined ? asked : "train"; // what a memory holds is what it is asked for
  if (Object.hasOwn(wordTexts, name))
    throw new UsageError(
      `${model} does not fit ${name}, which is for vectors of words; models that fit: ${wordModels.map((entry) => entry.name).join(", ")}`,
    );
  const length = task === "language" ? input[0] * (streams && split === "test" ? 10 : 1) : undefined; // no state is carried in tests
  const data = isPath(name)
    ? folderOf(name, split, input, place)
    : findSet(name, dataSets)(split, { ...place, length });
  return normalize && !raw ? data.normalize() : data;
}

/**
 * A split of a data set of pairs, the source backwards where the model wants it so. Nothing is read yet. Throws a UsageError for a name
 * that is none of such.
 */
export function findPairs(
  { name: model, reversed }: TranslatorEntry,
  name: string,
  split: PairSplit,
  {
    dataDir: dir,
    samples,
    ...options
  }: Pick<DataPlace, "dataDir" | "samples"> & Omit<PairOptions, "dir" | "reversed"> = {},
): SequencePairs {
  if (isPath(name) || Object.hasOwn(dataSets, name) || Object.hasOwn(wordTexts, name))
    throw new UsageError(
      `${model} does not fit ${name}, which has no pairs of sequences; data sets that fit: ${Object.keys(pairSets).join(", ")}`,
    );
  const { seed, download, vocabularies } = options;
  const pairs = find("data set", name, pairSets, dataNames).open(split, {
    dir,
    seed,
    download,
    vocabularies,
    reversed,
  });
  return samples === undefined ? pairs : pairs.take(samples);
}

/**
 * A text's words that come five times, where `samples` says so of its first so many words, once the function given is called. Throws a
 * UsageError for a name that is none of such.
 */
export function findWords(
  { name: model }: WordsEntry,
  name: string,
  { dataDir: dir, samples: take, download }: DataPlace = {},
): () => Promise<CountedText> {
  if (Object.hasOwn(dataSets, name) || Object.hasOwn(pairSets, name))
    throw new UsageError(
      `${model} does not fit ${name}, which is no text to learn words from; data that fits: ${Object.keys(wordTexts).join(", ")}, or a text of yours, ./FILE`,
    );
  const open = isPath(name) ? undefined : findSet(name, wordTexts);
  const load = () => open?.({ dir, take, download }) ?? textFile(name, { take });
  return () =>
    load().catch((error) => {
      if (!(error instanceof RangeError)) throw error;
      throw new UsageError(
        `no word comes five times in what is read of ${name}; take a longer text, or more --samples`,
      );
    });
}

/** A data set of a table. Throws a UsageError with the names that there are, or with the path of what lies here under that name. */
function findSet<T>(name: string, table: Readonly<Record<string, T>>): T {
  if (!Object.hasOwn(table, name) && existsSync(name))
    throw new UsageError(`there is no data set "${name}"; for what lies here under that name: --data ./${name}`);
  return find("data set", name, table, dataNames);
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
    return someOf(data, samples);
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}
