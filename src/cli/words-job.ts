// The training of a model of words' vectors.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type CountedText, WordContexts, type WordTensors, wordsRead } from "../data/index.ts";
import type { WordsEntry } from "../zoo/index.ts";
import { UsageError } from "./command.ts";
import { findWords } from "./data-sets.ts";
import { type Job, sha256 } from "./job.ts";
import { readEnvironment, type TrainConfig, vocabularyFile } from "./setup.ts";
import { buildWords, judge, readQuestions, vectorsOf } from "./words.ts";

export async function wordsJob(
  entry: WordsEntry,
  config: TrainConfig,
  { download, resume }: { download: boolean | undefined; resume: string | undefined },
): Promise<Job<WordTensors>> {
  const { data, dataDir, batch, seed } = config;
  const text = await findWords(entry, data, { ...config, download })();
  if (resume !== undefined) await checkText(resume, data, text);
  const training = new WordContexts(text, { ...entry.windows, batch, seed });
  const { batches } = training;
  if (batches === 0)
    throw new UsageError(`${data}: none of its ${text.words} words has another beside it; take a longer text`);
  const questions = await readQuestions({ dataDir, download });
  const model = buildWords(entry, text.vocabulary, seed);
  return {
    entry,
    model,
    source: model,
    training,
    batches,
    measured: { size: wordsRead },
    checkpointEvery: 10_000,
    unit: "words",
    extent: `${text.words} words of ${text.vocabulary.size} kinds`,
    checksums: { train: { samples: text.words, sha256: sha256(text.sentences) } },
    words: { file: vocabularyFile, content: text.vocabulary },
    test: async () => {
      const told = await judge(await vectorsOf(model, text.vocabulary), questions);
      return { figures: told.figures, told };
    },
  };
}

/** Throws a UsageError where a run's text has changed since, so that a row would go on as another word's vector. */
async function checkText(run: string, data: string, { sentences, vocabulary }: CountedText): Promise<void> {
  const { data: { train } = {} } = await readEnvironment(run);
  const kept = await readFile(join(run, vocabularyFile), "utf8").catch(() => undefined);
  const same = train?.sha256 === undefined || train.sha256 === sha256(sentences);
  if (same && (kept === undefined || kept === JSON.stringify(vocabulary))) return;
  throw new UsageError(
    `${run} was trained on another text than ${data} now has; give the file its text again, or train a new run`,
  );
}
