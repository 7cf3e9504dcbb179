// What the commands share of models that say one sequence for another: made for their vocabularies, opened, measured.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type EncodedPairs,
  type PairBatch,
  pad,
  type SequencePairs,
  targetTokens,
  Vocabulary,
  type VocabularyJson,
} from "../data/index.ts";
import { seed, type Tensor, tensor } from "../graph/index.ts";
import { crossEntropy, nameModules } from "../nn/index.ts";
import type { Checkpoint } from "../train/checkpoint.ts";
import { breather } from "../train/evaluate.ts";
import { bleu, type Evaluation, evaluator, type Measured, perplexity } from "../train/index.ts";
import { decode, type Seq2Seq, type TranslatorEntry, translate } from "../zoo/index.ts";
import type { Io } from "./command.ts";
import { findPairs } from "./data-sets.ts";
import { findEntry } from "./names.ts";
import type { Loss } from "./optimizers.ts";
import type { Options } from "./options.ts";
import { pairSets } from "./pair-sets.ts";
import { readRun, readVocabulary, restored, type TrainConfig } from "./setup.ts";
import type { Told } from "./tasks.ts";

export type Vocabularies = EncodedPairs["vocabularies"];

/** Where a run keeps the words of both sides. */
export const vocabulariesFile = "vocabularies.json";

/** The model, with parameters drawn from the seed, for those words. */
export function buildTranslator({ build }: TranslatorEntry, { source, target }: Vocabularies, seedOf: number): Seq2Seq {
  seed(seedOf);
  const model = build({ sourceTokens: source.size, targetTokens: target.size });
  nameModules(model);
  return model;
}

/** What training makes small: the mean cross-entropy of the target's words. */
export const lossOfPairs =
  (model: Seq2Seq): Loss<PairBatch> =>
  (batch) => {
    const outputs = model.forward(batch);
    return { loss: crossEntropy(outputs, batch.y), outputs };
  };

/** Each word of a target counts. */
export const measuredOfPairs: Measured<PairBatch, Tensor> = {
  metrics: { perplexity: perplexity() },
  size: targetTokens,
};

export interface Translator {
  readonly config: TrainConfig;
  readonly entry: TranslatorEntry;
  readonly vocabularies: Vocabularies;
  readonly model: Seq2Seq;
  readonly checkpoint: Checkpoint;
}

/** The model of a run with the parameters of its last sound checkpoint, or of its best, and the words that it knows. */
export async function openTranslator(run: string, options: Options, io: Io): Promise<Translator> {
  const config = await readRun(run);
  const entry = findEntry(config.model) as TranslatorEntry;
  let vocabularies: Vocabularies;
  const make = async (): Promise<Seq2Seq> => {
    vocabularies = await vocabulariesOf(run, { config, entry });
    return buildTranslator(entry, vocabularies, config.seed);
  };
  const opened = await restored(run, make, options, io);
  return { config, entry, vocabularies: vocabularies!, ...opened };
}

/** The words that a run keeps, else those of its data. */
async function vocabulariesOf(
  run: string,
  { config, entry }: Pick<Translator, "config" | "entry">,
): Promise<Vocabularies> {
  const file = join(run, vocabulariesFile);
  const kept = await readFile(file, "utf8").catch(() => undefined);
  if (kept === undefined) return findPairs(entry, config.data, "train", config).vocabularies();
  return readVocabulary(file, kept, (json) => {
    const { source, target } = json as Record<"source" | "target", VocabularyJson>;
    return { source: Vocabulary.from(source), target: Vocabulary.from(target) };
  });
}

/** How translations are looked for. */
interface Search {
  /** Translations followed at a time; without, the likeliest word is taken at each step. */
  readonly beams?: number | undefined;
  readonly signal?: AbortSignal;
}

/** Sources that are translated side by side. */
const batchSize = 64;

/** The words said for each source; undefined where the signal is aborted on the way. */
export async function translated(
  model: Seq2Seq,
  sources: readonly Int32Array[],
  { target }: Vocabularies,
  { beams, signal }: Search = {},
): Promise<string[][] | undefined> {
  const said = new Array<string[]>(sources.length);
  const places = Array.from(sources.keys()).sort((a, b) => sources[a].length - sources[b].length);
  const breathe = breather();
  for (let from = 0; from < places.length; from += batchSize) {
    const batch = places.slice(from, from + batchSize);
    const chosen = batch.map((place) => sources[place]);
    const options = {
      length: 10 + 2 * chosen.at(-1)!.length,
      start: target.number("<start>"),
      end: target.number("<end>"),
    };
    const found =
      beams === undefined
        ? await decode(model, batchOf(chosen), options)
        : (await translate(model, chosen, { ...options, beams })).map(([best]) => best.tokens);
    for (const [i, place] of batch.entries()) said[place] = target.sentence(found[i]);
    await breathe();
    if (signal?.aborted) return undefined;
  }
  return said;
}

function batchOf(sources: readonly Int32Array[]): { source: Tensor; sourceLengths: Tensor } {
  const { data, length } = pad(sources, { multiple: 8 }); // so that few lengths are compiled
  const lengths = Int32Array.from(sources, (source) => source.length);
  return { source: tensor(data, [sources.length, length]), sourceLengths: tensor(lengths) };
}

/** What is measured of a translator. */
export interface Quality extends Evaluation {
  /** 0 … 100. */
  readonly bleu: number;
  /** The share of translations that are the reference, word for word. */
  readonly exact: number;
}

/** Loss and perplexity a word, and how good translations are; undefined where the signal is aborted on the way. */
export async function measureTranslator(
  model: Seq2Seq,
  test: SequencePairs,
  search: Search = {},
): Promise<Quality | undefined> {
  const measure = evaluator({ model, loss: lossOfPairs(model), ...measuredOfPairs });
  const evaluation = await measure(test, { signal: search.signal });
  if (evaluation === undefined) return undefined;
  const { pairs, source, vocabularies } = await test.samples();
  const candidates = await translated(model, source.slice(0, test.length), vocabularies, search);
  if (candidates === undefined) return undefined;
  const references = pairs.slice(0, test.length).map((pair) => pair.target);
  const right = candidates.filter((words, i) => words.join(" ") === references[i].join(" ")).length;
  const { score } = bleu(
    candidates,
    references.map((words) => [words]),
  );
  return { ...evaluation, bleu: score, exact: right / candidates.length };
}

/** The outcome: the exact share where each source has one right answer, else BLEU. */
export function tellQuality({ loss, metrics, bleu: score, exact }: Quality, data: string): Told {
  const first = pairSets[data].isMadeUp ? `exact ${(100 * exact).toFixed(2)} %` : `BLEU ${score.toFixed(2)}`;
  return {
    figures: { perplexity: metrics.perplexity, bleu: score, exact },
    words: [first, `perplexity ${metrics.perplexity.toFixed(2)}`, `loss ${loss.toFixed(4)} nats a token`],
  };
}
