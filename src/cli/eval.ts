// hebb eval: the loss, accuracy and confusion of a run's model over a test set.
import type { Dataset } from "../data/index.ts";
import { accuracy, confusion, evaluator, renderConfusion } from "../train/index.ts";
import { type Command, report, UsageError } from "./command.ts";
import { findData, findModel } from "./names.ts";
import { commandLine } from "./program.ts";
import { chooseDevice, classLoss, openRun, readRun, startLower } from "./setup.ts";

const usualBatch = 250;

export const evaluate: Command = {
  summary: "measures a run's model on the test set",
  positionals: "RUN",
  flags: ["data", "samples", "batch", "device", "threads", "dataDir", "download", "best", "json"],
  defaults: {
    data: "the run's",
    samples: "the run's",
    batch: `${usualBatch}`,
    dataDir: "where the run found it, else HEBB_DATA, else hebb in the user's cache folder",
  },
  run: async (positionals, options, io) => {
    if (positionals.length !== 1)
      throw new UsageError(
        `eval needs one run folder, e.g. ${commandLine(io, "eval", "runs/lenet5-mnist-20260101-120000")}`,
      );
    const [run] = positionals;
    const device = chooseDevice(options);
    const settled = { ...(await readRun(run)), batch: usualBatch, ...options };
    const { normalize } = findModel(settled.model);
    const test = findData(settled.data, "test", { ...settled, normalize }).batch(settled.batch);
    const { config, model, checkpoint } = await openRun(run, options, io);
    const { data } = settled;
    checkFit(run, findData(config.data, "test"), test);
    const names = test.info.classes!;
    const collect = { confusion: confusion(names.length) };
    const measured = await evaluator({ model, loss: classLoss(model), metrics: { accuracy }, collect })(test);
    const { samples, loss, metrics, collected } = measured!;
    if (!Number.isFinite(loss))
      throw new Error(
        `the loss of ${run} over ${samples} test samples of ${data} is ${loss}, so its checkpoint of step ${checkpoint.step} is of no use; start again with: ${startLower(io, run, config)}`,
      );
    const summary = `accuracy ${(100 * metrics.accuracy).toFixed(2)} %, loss ${loss.toFixed(4)} over ${samples} test samples of ${data}, step ${checkpoint.step}`;
    report(io, options, `${renderConfusion(collected!.confusion, names)}\n\n${summary}`, {
      command: "eval",
      run,
      model: config.model,
      data,
      device,
      step: checkpoint.step,
      samples,
      loss,
      accuracy: metrics.accuracy,
      confusion: collected!.confusion,
    });
    return 0;
  },
};

/** Throws a UsageError where a run's model takes other samples, or tells other classes apart, than a data set has. */
function checkFit(run: string, trained: Dataset, asked: Dataset): void {
  const describe = ({ info }: Dataset): string =>
    `samples [${info.shape.join(", ")}] in ${info.classes!.length} classes`;
  if (describe(trained) !== describe(asked))
    throw new UsageError(
      `${run} does not fit ${asked.info.name}: its model takes ${describe(trained)}, ${asked.info.name} has ${describe(asked)}`,
    );
}
