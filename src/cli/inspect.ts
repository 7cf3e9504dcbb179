// hebb inspect: a page that shows a run from inside, its curves, filters, activations, gradients and mistakes.
import { join } from "node:path";
import { writeAtomic } from "../io/atomic.ts";
import { type MetricsEvent, readMetrics } from "../train/log.ts";
import { type Command, type Io, report, UsageError } from "./command.ts";
import { findData, findPairs } from "./data-sets.ts";
import { chartsOf } from "./inspect/curves.ts";
import { figuresOf, lookInto, sectionsOf } from "./inspect/look.ts";
import { pageOf, pageStart } from "./inspect/page.ts";
import { choose } from "./inspect/samples.ts";
import { curvesSection } from "./inspect/sections.ts";
import { alignmentsSection, saidFor, translationsSection } from "./inspect/translations.ts";
import { findEntry } from "./names.ts";
import type { Options } from "./options.ts";
import { commandLine } from "./program.ts";
import { refuseOthers } from "./replaceable.ts";
import { chooseDevice, openRun, readRun, type TrainedModel } from "./setup.ts";
import { taskOf } from "./tasks.ts";
import { measureTranslator, openTranslator, type Translator, tellQuality } from "./translators.ts";

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
    const { out = join(run, "inspect.html") } = options;
    const kept = { ...options, out };
    const content =
      findEntry((await readRun(run)).model).task === "translate"
        ? await lookIntoTranslator(run, kept, io)
        : await lookIntoModel(run, kept, io);
    const { opened, sections, measured, summary } = content;
    const { config, checkpoint } = opened;
    const figures = { run, model: config.model, data: config.data, device, step: checkpoint.step, ...measured };
    const page = await pageOf({
      title: `${config.model} on ${config.data}`,
      about: { run, ...describe(opened, options.best), result: summary },
      sections,
      figures: { ...figures, ...content.figures },
    });
    await writeAtomic(out, page);
    report(io, options, `${summary}\npage written to ${out}`, { command: "inspect", ...figures, page: out });
    return 0;
  },
};

/** What a page shows. */
interface Content {
  readonly opened: Pick<TrainedModel | Translator, "config" | "entry" | "checkpoint">;
  readonly sections: readonly string[];
  /** The outcome, for JSON and for people. */
  readonly measured: object;
  readonly summary: string;
  /** For the page's script and other programs, besides the outcome. */
  readonly figures: object;
}

/** The command's options, with the page that is written. */
type Asked = Options & { readonly out: string };

const checkPage = (out: string): Promise<void> =>
  refuseOthers(out, "hebb inspect", (content) => content.toString("latin1").startsWith(pageStart));

async function lookIntoModel(run: string, options: Asked, io: Io): Promise<Content> {
  const opened = await openRun(run, options, io);
  const { config, entry, model } = opened;
  const { out, samples: most = usualSamples, dataDir, download } = options;
  await checkPage(out);
  const events = await eventsOf(run);
  const place = { samples: config.samples, dataDir: dataDir ?? config.dataDir, download };
  const raw = await choose(findData(entry, config.data, "test", { ...place, raw: true }), most);
  const look = await lookInto(entry, model, { raw, data: entry.normalize ? raw.normalize() : raw, events });
  const { samples, loss } = look.evaluation;
  const { words, figures: told } = taskOf(entry).tell(look.evaluation, raw.info);
  const { confusion: _, ...plain } = told as { confusion?: unknown };
  return {
    opened,
    sections: sectionsOf(look),
    measured: { samples, loss, ...plain },
    summary: `${words.join(", ")} over ${samples} test samples of ${config.data}`,
    figures: figuresOf(look),
  };
}

async function lookIntoTranslator(run: string, options: Asked, io: Io): Promise<Content> {
  const opened = await openTranslator(run, options, io);
  const { config, entry, model, vocabularies } = opened;
  const { out, samples: most = usualSamples, dataDir = config.dataDir, download } = options;
  await checkPage(out);
  const charts = chartsOf(await eventsOf(run));
  const place = { samples: config.samples, dataDir, download, seed: config.seed, vocabularies };
  const test = await findPairs(entry, config.data, "test", place).take(most).load();
  const quality = (await measureTranslator(model, test))!;
  const said = await saidFor(model, test, { hasAttention: model.attends });
  const { words, figures: told } = tellQuality(quality, config.data);
  return {
    opened,
    sections: [curvesSection(charts), alignmentsSection(said), translationsSection(said, entry.reversed === true)],
    measured: { samples: quality.samples, loss: quality.loss, ...told },
    summary: `${words.join(", ")} over ${test.length} test pairs of ${config.data}`,
    figures: { charts, said },
  };
}

const describe = (
  { config, entry, checkpoint: { step } }: Content["opened"],
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
