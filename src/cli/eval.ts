// hebb eval: the loss, accuracy and confusion of a run's model over a test set.
import { accuracy, confusionMatrix, evaluator, renderConfusion } from "../train/index.ts";
import { type Command, report, UsageError } from "./command.ts";
import { chooseDevice, findData, lossOf, openRun } from "./setup.ts";

export const evaluate: Command = {
  summary: "measures a run's model on the test set",
  positionals: "RUN",
  flags: ["data", "samples", "batch", "device", "threads", "dataDir", "best", "json"],
  run: async (positionals, options, io) => {
    if (positionals.length !== 1)
      throw new UsageError("eval needs one run folder, e.g. hebb eval runs/lenet5-mnist-20260101-120000");
    const [run] = positionals;
    const device = chooseDevice(options);
    const { config, entry, model, checkpoint } = await openRun(run, options, io);
    const { data = config.data, batch = 250, samples: count = config.samples, dataDir = config.dataDir } = options;
    const test = findData(data, "test", { dataDir, samples: count, normalize: entry.normalize }).batch(batch);
    const measured = await evaluator({ model, loss: lossOf(model), metrics: { accuracy } })(test);
    const { samples, loss, metrics, classes } = measured!;
    const names = test.info.classes!;
    const confusion = confusionMatrix(classes!.predicted, classes!.actual, names.length);
    const summary = `accuracy ${(100 * metrics.accuracy).toFixed(2)} %, loss ${loss.toFixed(4)} over ${samples} test samples of ${data}, step ${checkpoint.step}`;
    report(io, options, `${renderConfusion(confusion, names)}\n\n${summary}`, {
      command: "eval",
      run,
      model: config.model,
      data,
      device,
      step: checkpoint.step,
      samples,
      loss,
      accuracy: metrics.accuracy,
      confusion,
    });
    return 0;
  },
};
