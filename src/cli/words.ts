// What the commands share of models of words' vectors: opened, and judged by analogies and by people's sense of likeness.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Analogy,
  type DataOptions,
  FormatError,
  type Similarity,
  Vocabulary,
  type VocabularyJson,
  wordAnalogies,
  wordSim353,
} from "../data/index.ts";
import { nameModules } from "../nn/index.ts";
import type { Checkpoint } from "../train/checkpoint.ts";
import { type Word2Vec, type WordsEntry, WordVectors } from "../zoo/index.ts";
import { type Io, UsageError } from "./command.ts";
import { findWords } from "./data-sets.ts";
import { findEntry } from "./names.ts";
import type { Options } from "./options.ts";
import { readRun, readVocabulary, restored, type TrainConfig, vocabularyFile } from "./setup.ts";
import type { Told } from "./tasks.ts";

/** What vectors are judged by, as far as its files are found; of the others, why not. */
export interface Questions {
  readonly analogies: readonly Analogy[] | undefined;
  readonly similarities: readonly Similarity[] | undefined;
  readonly skipped: readonly string[];
}

/** Reads the questions. Throws a FormatError for a file that is there and damaged. */
export async function readQuestions({ dataDir: dir, download }: Options): Promise<Questions> {
  const skipped: string[] = [];
  const found = async <T>(what: string, read: (options: DataOptions) => Promise<T>): Promise<T | undefined> => {
    try {
      return await read({ dir, download });
    } catch (error) {
      if (error instanceof FormatError) throw error;
      skipped.push(`no ${what}: ${(error as Error).message}`);
      return undefined;
    }
  };
  const analogies = await found("analogies", wordAnalogies);
  const similarities = await found("likeness", wordSim353);
  return { analogies, similarities, skipped };
}

const percent = (right: number, asked: number): string => `${((100 * right) / asked).toFixed(2)} %`;

/** The share of analogies that are answered right, and Spearman's ρ between cosines and people's scores. */
export async function judge(vectors: WordVectors, { analogies, similarities, skipped }: Questions): Promise<Told> {
  const answers = analogies && (await vectors.analogies(analogies));
  const likeness = similarities && vectors.similarity(similarities);
  const sections = (answers?.sections ?? []).filter(({ asked }) => asked > 0);
  const width = Math.max(...sections.map(({ section }) => section.length));
  const lines = sections.map(
    ({ section, correct, asked }) => `${section.padEnd(width)}  ${percent(correct, asked).padStart(8)} of ${asked}`,
  );
  const table = [...lines, ...skipped];
  return {
    figures: { analogies: answers, similarity: likeness },
    // nothing is told where none of the questions is of the vectors' words
    words: [
      ...(answers && answers.asked > 0
        ? [`analogies ${percent(answers.correct, answers.asked)} of ${answers.asked}`]
        : []),
      ...(likeness && likeness.pairs > 1
        ? [`WordSim-353 ρ ${likeness.rho.toFixed(3)} over ${likeness.pairs} pairs`]
        : []),
    ],
    ...(table.length > 0 && { table: table.join("\n") }),
  };
}

/** A model's vectors with their words. */
export async function vectorsOf({ input }: Word2Vec, { words }: Vocabulary): Promise<WordVectors> {
  return new WordVectors(words, Float32Array.from(await input.data()), input.shape[1]);
}

/** New vectors for the words. */
export function buildWords(entry: WordsEntry, { size: words }: Vocabulary, seed: number): Word2Vec {
  const model = entry.build({ words, seed });
  nameModules(model);
  return model;
}

export interface OpenedWords {
  readonly config: TrainConfig;
  readonly vectors: WordVectors;
  readonly checkpoint: Checkpoint;
}

/** The vectors of a run's last sound checkpoint, or of its best. Throws a UsageError for a run of another kind of model. */
export async function openWords(run: string, options: Options, io: Io): Promise<OpenedWords> {
  const config = await readRun(run);
  const entry = findEntry(config.model);
  if (entry.task !== "words") throw new UsageError(`${run} is a run of ${config.model}, which has no vectors of words`);
  let vocabulary: Vocabulary;
  const make = async (): Promise<Word2Vec> => {
    vocabulary = await vocabularyOf(run, entry, config);
    return buildWords(entry, vocabulary, config.seed);
  };
  const { model, checkpoint } = await restored(run, make, options, io);
  return { config, vectors: await vectorsOf(model, vocabulary!), checkpoint };
}

/** The words that a run keeps, else those of its data. */
async function vocabularyOf(run: string, entry: WordsEntry, config: TrainConfig): Promise<Vocabulary> {
  const file = join(run, vocabularyFile);
  const kept = await readFile(file, "utf8").catch(() => undefined);
  if (kept === undefined) return (await findWords(entry, config.data, config)()).vocabulary;
  return readVocabulary(file, kept, (json) => Vocabulary.from(json as VocabularyJson));
}
