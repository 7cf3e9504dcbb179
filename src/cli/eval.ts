// hebb eval: the loss, accuracy and confusion of a run's model over a test set, BLEU of what it says, or how good its words' vectors are.
import type { Dataset } from "../data/index.ts";
import { evaluator } from "../train/index.ts";
import { type Command, type Io, report, UsageError } from "./command.ts";
import { findData, findPairs } from "./data-sets.ts";
import { findEntry, findModel } from "./names.ts";
import { flagName, type Options } from "./options.ts";
import { commandLine } from "./program.ts";
import { chooseDevice, openRun, readRun, startLower, type TrainedModel } from "./setup.ts";
import { lossOf, measuredOf, taskOf, testBatch } from "./tasks.ts";
import { measureTranslator, openTranslator, tellQuality } from "./translators.ts";
import { judge, openWords, readQuestions } from "./words.ts";

const usualBatch = 250;

export const evaluate: Command = {
  summary: "measures a run's model on the test set",
  positionals: "RUN",
  flags: ["data", "samples", "batch", "device", "threads", "dataDir", "download", "beams", "best", "json"],
  defaults: {
    data: "the run's",
    samples: "the run's",
    batch: "250, or fewer where outputs are large",
    dataDir: "where the run found it, else HEBB_DATA, else hebb in the user's cache folder",
  },
  helps: {
    samples: "measure so many samples; of hopfield at most those that the run stored",
    beams: "translate by a search that follows so many, instead of the likeliest word at each step",
  },
  run: async (positionals, options, io) => {
    if (positionals.length !== 1)
      throw new UsageError(
        `eval needs one run folder, e.g. ${commandLine(io, "eval", "runs/lenet5-mnist-20260101-120000")}`,
      );
    const [run] = positionals;
    const device = chooseDevice(options);
    const trained = await readRun(run);
    const { task: kind } = findEntry(trained.model);
    if (kind === "translate") return evaluateTranslator({ run, device }, options, io);
    if (options.beams !== undefined)
      throw new UsageError(`--beams is of models that translate, ${trained.model} does not`);
    if (kind === "words") return evaluateWords({ run, device }, options, io);
    const entry = findModel(trained.model);
    const asked = { ...trained, ...options };
    const isStored = entry.capacity !== undefined && asked.data === trained.data;
    const settled = isStored
      ? { ...asked, samples: asked.samples && Math.min(asked.samples, trained.samples ?? asked.samples) }
      : asked;
    const part = isStored ? "stored" : "test";
    const task = taskOf(entry);
    const whole = findData(entry, settled.data, "test", settled);
    const test = whole.batch(options.batch ?? testBatch(task, whole.info));
    const { config, model, checkpoint } = await openRun(run, options, io);
    const { data } = settled;
    await checkFit(run, findData(entry, config.data, "test", config), test);
    const measured = await evaluator({ model, loss: lossOf(entry, model), ...measuredOf(entry, model, test.info) })(
      test,
    );
    const { samples, loss } = measured!;
    checkLoss(loss, `${samples} ${part} ${task.unit} of ${data}`, { run, config, checkpoint, io });
    const { figures, words, table } = task.tell(measured!, test.info);
    const summary = `${words.join(", ")} over ${samples} ${part} samples of ${data}, step ${checkpoint.step}`;
    report(io, options, `${table === undefined ? "" : `${table}\n\n`}${summary}`, {
      command: "eval",
      run,
      model: config.model,
      data,
      device,
      step: checkpoint.step,
      samples,
      loss,
      ...figures,
    });
    return 0;
  },
};

/** The same for a model that says one sequence for another. */
async function evaluateTranslator(
  { run, device }: { run: string; device: string },
  options: Options,
  io: Io,
): Promise<number> {
  const { config, entry, model, vocabularies, checkpoint } = await openTranslator(run, options, io);
  const { data = config.data, batch = usualBatch, beams, ...place } = { ...config, batch: undefined, ...options };
  if (data !== config.data)
    throw new UsageError(`${run} knows the words of ${config.data}, so it cannot be measured on ${data}`);
  const test = findPairs(entry, data, "test", { ...place, seed: config.seed, vocabularies }).batch(batch);
  const quality = await measureTranslator(model, test, { beams, signal: io.interruption() });
  if (quality === undefined) return 130;
  const { samples, loss } = quality;
  checkLoss(loss, `${samples} test words of ${data}`, { run, config, checkpoint, io });
  const { figures, words } = tellQuality(quality, data);
  report(io, options, `${words.join(", ")} over ${test.length} test pairs of ${data}, step ${checkpoint.step}`, {
    command: "eval",
    run,
    model: config.model,
    data,
    device,
    step: checkpoint.step,
    pairs: test.length,
    samples,
    loss,
    ...figures,
  });
  return 0;
}

/** The same for a model of words' vectors, which questions of analogy and pairs of words judge. */
async function evaluateWords(
  { run, device }: { run: string; device: string },
  options: Options,
  io: Io,
): Promise<number> {
  for (const flag of ["data", "samples", "batch"] as const)
    if (options[flag] !== undefined)
      throw new UsageError(`${run} has vectors of words, which no data set is for; leave ${flagName(flag)} out`);
  const { config, vectors, checkpoint } = await openWords(run, options, io);
  const { figures, words, table } = await judge(vectors, await readQuestions({ ...config, ...options }));
  const summary = `${[`${vectors.words.length} vectors`, ...words].join(", ")}, step ${checkpoint.step}`;
  report(io, options, `${table === undefined ? "" : `${table}\n\n`}${summary}`, {
    command: "eval",
    run,
    model: config.model,
    data: config.data,
    device,
    step: checkpoint.step,
    words: vectors.words.length,
    ...figures,
  });
  return 0;
}

/** Throws an Error where a loss is no number. */
function checkLoss(
  loss: number,
  over: string,
  { run, config, checkpoint, io }: Pick<TrainedModel, "config" | "checkpoint"> & { run: string; io: Io },
): void {
  if (Number.isFinite(loss)) return;
  throw new Error(
    `the loss of ${run} over ${over} is ${loss}, so its checkpoint of step ${checkpoint.step} is of no use; start again with: ${startLower(io, run, config)}`,
  );
}

/** Throws a UsageError where a run's model takes other samples, numbers words otherwise, or tells other classes apart, than a data set has. */
async function checkFit(run: string, trained: Dataset, asked: Dataset): Promise<void> {
  const describe = ({ info: { shape, tokens, classes } }: Dataset): string =>
    `samples [${shape.join(", ")}] ${classes === undefined ? `of ${tokens} tokens` : `in ${classes.length} classes`}`;
  if (describe(trained) !== describe(asked))
    throw new UsageError(
      `${run} does not fit ${asked.info.name}: its model takes ${describe(trained)}, ${asked.info.name} has ${describe(asked)}`,
    );
  if (trained.info.name === asked.info.name || trained.info.vocabulary === undefined) return;
  const words = async (set: Dataset): Promise<string> => JSON.stringify(await set.vocabulary());
  if ((await words(trained)) !== (await words(asked)))
    throw new UsageError(
      `${run} does not fit ${asked.info.name}: it numbers words as ${trained.info.name} does, not as ${asked.info.name}`,
    );
}
