// The training of a model of words' vectors.
import { WordContexts, type WordTensors, wordsRead } from "../data/index.ts";
import type { WordsEntry } from "../zoo/index.ts";
import { UsageError } from "./command.ts";
import { findWords } from "./data-sets.ts";
import { type Job, sha256 } from "./job.ts";
import { type TrainConfig, vocabularyFile } from "./setup.ts";
import { buildWords, judge, readQuestions, vectorsOf } from "./words.ts";

export async function wordsJob(
  entry: WordsEntry,
  config: TrainConfig,
  { download }: { download: boolean | undefined },
): Promise<Job<WordTensors>> {
  const { data, dataDir, batch, epochs, seed } = config;
  const text = await findWords(entry, data, { ...config, download })();
  const training = new WordContexts(text, { ...entry.windows, batch, epochs, seed });
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
