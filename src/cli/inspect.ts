// hebb inspect: a page that shows a run from inside, its curves, filters, activations, gradients and mistakes.
import { join } from "node:path";
import { writeAtomic } from "../io/atomic.ts";
import { type MetricsEvent, readMetrics } from "../train/log.ts";
import { type Command, report, UsageError } from "./command.ts";
import { findData } from "./data-sets.ts";
import { figuresOf, lookInto, sectionsOf } from "./inspect/look.ts";
import { pageOf, pageStart } from "./inspect/page.ts";
import { choose } from "./inspect/samples.ts";
import { commandLine } from "./program.ts";
import { refuseOthers } from "./replaceable.ts";
import { chooseDevice, openRun, type TrainedModel } from "./setup.ts";
import { taskOf } from "./tasks.ts";

const usualSamples = 500;

export const inspect: Command = {
  summary: "writes a page that shows a run from inside",
  positionals: "RUN",
  flags: ["out", "samples", "device", "threads", "dataDir", "download", "best", "json"],
  defaults: {
    out: "inspect.html in the run's folder",
    samples: `${usualSamples}`,
    dataDir: "where the run found it, else HEBB_DATA, else hebb in the user's cache folder",
  },
  helps: {
    out: "page to write; a file that is there is replaced only if it is such a page",
    samples: "show the model so many test samples, drawn at random, always the same ones",
  },
  run: async (positionals, options, io) => {
    if (positionals.length !== 1)
      throw new UsageError(
        `inspect needs one run folder, e.g. ${commandLine(io, "inspect", "runs/lenet5-mnist-20260101-120000")}`,
      );
    const [run] = positionals;
    const device = chooseDevice(options);
    const opened = await openRun(run, options, io);
    const { config, entry, model, checkpoint } = opened;
    const { out = join(run, "inspect.html"), samples: most = usualSamples, dataDir, download } = options;
    await refuseOthers(out, "hebb inspect", (content) => content.toString("latin1").startsWith(pageStart));
    const events = await eventsOf(run);
    const place = { samples: config.samples, dataDir: dataDir ?? config.dataDir, download };
    const raw = await choose(findData(entry, config.data, "test", { ...place, raw: true }), most);
    const look = await lookInto(entry, model, { raw, data: entry.normalize ? raw.normalize() : raw, events });
    const { samples, loss } = look.evaluation;
    const { words, figures: told } = taskOf(entry).tell(look.evaluation, raw.info);
    const figures = { run, model: config.model, data: config.data, device, step: checkpoint.step };
    const { confusion: _, ...plain } = told as { confusion?: unknown };
    const measured = { ...figures, samples, loss, ...plain };
    const summary = `${words.join(", ")} over ${samples} test samples of ${config.data}`;
    const page = await pageOf({
      title: `${config.model} on ${config.data}`,
      about: { run, ...describe(opened, options.best), result: summary },
      sections: sectionsOf(look),
      figures: { ...measured, ...figuresOf(look) },
    });
    await writeAtomic(out, page);
    report(io, options, `${summary}\npage written to ${out}`, { command: "inspect", ...measured, page: out });
    return 0;
  },
};

const describe = (
  { config, entry, checkpoint: { step } }: TrainedModel,
  best: boolean | undefined,
): Record<string, string> => ({
  model: `${config.model} (${entry.paper})`,
  data: config.data,
  checkpoint: `step ${step}, the ${best ? "best" : "newest"}`,
  training: `${config.optimizer}, learning rate ${config.lr}, batch ${config.batch}, seed ${config.seed}`,
});

/** The run's log; nothing where it has none. */
const eventsOf = (run: string): Promise<MetricsEvent[]> =>
  readMetrics(join(run, "metrics.jsonl")).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
