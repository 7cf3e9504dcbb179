// The training of a model on samples: images or texts with their classes, texts that go on, or samples to give back.
import { type Batch, type Dataset, randomCrop, randomFlip } from "../data/index.ts";
import { randomShift } from "../data/random-shift.ts";
import type { ZooEntry } from "../zoo/index.ts";
import { UsageError } from "./command.ts";
import { findData, isPath } from "./data-sets.ts";
import { type Job, sha256 } from "./job.ts";
import { prepare } from "./prepare.ts";
import { buildModel, type TrainConfig, vocabularyFile } from "./setup.ts";
import { measuredOf, sourceOf, taskOf, testBatch } from "./tasks.ts";

export async function labelledJob(
  entry: ZooEntry,
  config: TrainConfig,
  { download }: { download: boolean | undefined },
): Promise<Job<Batch>> {
  const task = taskOf(entry);
  const training = trainingSet(entry, config, download);
  const whole = findData(entry, config.data, "test", { ...config, download });
  const test = whole.batch(testBatch(task, whole.info));
  const model = buildModel(entry, training, config);
  await training.load();
  await test.load();
  const visited = entry.streams ? training.streams(config.batch) : training;
  checkExtent(config, training, test);
  checkCapacity(entry, training);
  if (visited.batches === 0)
    throw new UsageError(
      `${training.length} samples make no batch of ${config.batch}; raise --samples or lower --batch`,
    );
  return {
    entry,
    model,
    source: sourceOf(entry, model, config.epochs * visited.batches),
    training: visited,
    batches: visited.batches,
    validation: test,
    measured: measuredOf(entry, model, test.info),
    unit: task.unit,
    extent: `${training.length} training and ${test.length} test samples`,
    classes: isPath(config.data) ? training.info.classes : undefined,
    checksums: { train: await checksum(config.data, training), test: await checksum(config.data, test) },
    ...(training.info.vocabulary && { words: { file: vocabularyFile, content: await training.vocabulary() } }),
    ...(entry.prepare && { prepare: (signal, io) => prepare(entry, model, { data: training, signal, io }) }),
    test: async (evaluation) => {
      const { samples, loss, metrics } = evaluation!;
      return { figures: { samples, loss, ...metrics }, told: task.tell(evaluation!, test.info) };
    },
  };
}

/** Throws a UsageError for a folder of images with too few classes or images. */
function checkExtent({ data }: TrainConfig, training: Dataset, test: Dataset): void {
  const { length: classes } = training.info.classes ?? [];
  if (isPath(data) && (test.length === 0 || classes < 2))
    throw new UsageError(
      `${data} has ${classes} classes and ${training.length + test.length} images, too few to train and to test on; make two folders of ten images or more`,
    );
}

/** Throws a UsageError for more samples than a memory holds. */
function checkCapacity({ name, capacity }: ZooEntry, { info: { shape }, length }: Dataset): void {
  const most = capacity?.(shape) ?? length;
  if (length > most)
    throw new UsageError(
      `${name} holds at most ${most} samples of [${shape.join(", ")}], and these are ${length}; lower --samples`,
    );
}

function trainingSet(entry: ZooEntry, config: TrainConfig, download: boolean | undefined): Dataset {
  const { batch, shift, crop = 0, flip = 0, seed } = config;
  const whole = findData(entry, config.data, "train", { ...config, download }).batch(batch);
  const set = entry.streams ? whole : whole.shuffle({ seed });
  const moves = [
    ...(shift > 0 ? [randomShift(shift)] : []),
    ...(crop > 0 ? [randomCrop({ padding: crop })] : []),
    ...(flip > 0 ? [randomFlip({ probability: flip })] : []),
  ];
  return moves.reduce((moved, move) => moved.map(move, { seed }), set);
}

/** The samples' count and SHA-256. */
async function checksum(name: string, data: Dataset): Promise<{ samples: number; sha256?: string }> {
  if (isPath(name)) return { samples: data.length }; // images are decoded as they are needed
  const { x, y } = await data.samples();
  return { samples: data.length, sha256: sha256([x, y]) };
}
