// The training of a model that says one sequence for another.
import type { PairBatch, SequencePairs } from "../data/index.ts";
import type { TranslatorEntry } from "../zoo/index.ts";
import { findPairs } from "./data-sets.ts";
import { type Job, sha256 } from "./job.ts";
import type { PairSplit } from "./pair-sets.ts";
import type { TrainConfig } from "./setup.ts";
import {
  buildTranslator,
  lossOfPairs,
  measuredOfPairs,
  measureTranslator,
  tellQuality,
  type Vocabularies,
  vocabulariesFile,
} from "./translators.ts";

export async function translationJob(
  entry: TranslatorEntry,
  config: TrainConfig,
  { download }: { download: boolean | undefined },
): Promise<Job<PairBatch>> {
  const { data, batch, seed } = config;
  const open = (split: PairSplit, vocabularies?: Vocabularies): Promise<SequencePairs> =>
    findPairs(entry, data, split, { ...config, download, vocabularies }).load();
  const training = (await open("train")).batch(batch).shuffle({ seed });
  const vocabularies = await training.vocabularies();
  const [validation, test] = [await open("valid", vocabularies), await open("test", vocabularies)];
  const model = buildTranslator(entry, vocabularies, seed);
  return {
    entry,
    model,
    source: lossOfPairs(model),
    training,
    batches: training.batches,
    validation,
    measured: measuredOfPairs,
    unit: "tokens",
    extent: `${training.length} training, ${validation.length} validation and ${test.length} test pairs`,
    checksums: {
      train: await checksum(training),
      validation: await checksum(validation),
      test: await checksum(test),
    },
    words: { file: vocabulariesFile, content: vocabularies },
    test: async (_, signal) => {
      const quality = await measureTranslator(model, test, { signal });
      if (quality === undefined) return undefined;
      const { samples, loss } = quality;
      const told = tellQuality(quality, data);
      return { figures: { samples, loss, ...told.figures }, told };
    },
  };
}

/** The pairs' count and SHA-256. */
async function checksum(pairs: SequencePairs): Promise<{ samples: number; sha256: string }> {
  const { source, target } = await pairs.samples();
  const taken = [source, target].flatMap((side) => side.slice(0, pairs.length));
  return { samples: pairs.length, sha256: sha256(taken) };
}
