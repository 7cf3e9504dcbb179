// hebb sample: a picture of test samples above what a run's model makes of them, and what Boltzmann machines draw from there.
import { join } from "node:path";
import { decode } from "fast-png";
import type { Dataset } from "../data/index.ts";
import { seed as seedStream } from "../graph/index.ts";
import { sizeOf } from "../graph/internal.ts";
import { writeAtomic } from "../io/atomic.ts";
import { BeliefClassifier } from "../zoo/deep-belief-net.ts";
import { type Command, report, UsageError } from "./command.ts";
import { findData } from "./data-sets.ts";
import { besideEachOther, pngOf } from "./inspect/picture.ts";
import { choose, firstBatch } from "./inspect/samples.ts";
import { commandLine } from "./program.ts";
import { refuseOthers } from "./replaceable.ts";
import { drawingOf, rowsFor, usualSteps } from "./sample-rows.ts";
import { chooseDevice, openRun, type TrainedModel } from "./setup.ts";

const others = "rbm, dbn, som and hopfield";
const maker = "hebb sample";
const columns = 16;
const usualSamples = 2 * columns;
const mostSamples = 10_000;

export const sample: Command = {
  summary: "draws what a run's auto-encoder, map, memory or Boltzmann machine makes of test samples",
  positionals: "RUN",
  flags: ["out", "samples", "steps", "seed", "device", "threads", "dataDir", "download", "best", "json"],
  defaults: {
    out: "sample.png in the run's folder",
    samples: `${usualSamples}`,
    steps: `${usualSteps}`,
    dataDir: "where the run found it, else HEBB_DATA, else hebb in the user's cache folder",
  },
  helps: {
    out: "PNG to write; a file that is there is replaced only if it is such a picture, which says so in its text",
    samples: "take so many test samples",
    seed: "seed of which samples, and of what is drawn",
  },
  notes: () =>
    [
      "Samples, and below each what the model gives back for it; of som the unit that is nearest, of hopfield, which is shown samples",
      "that it stores, first the spoilt copy and then what it recalls from that. rbm and dbn draw from what they hold probable, by",
      "rounds of Gibbs sampling that begin at the samples: dbn in its top machine and from there downwards, all with the weights that",
      "it had before the labels, as the classifier that they made of it draws nothing.",
    ].join("\n"),
  run: async (positionals, options, io) => {
    if (positionals.length !== 1)
      throw new UsageError(
        `sample needs one run folder, e.g. ${commandLine(io, "sample", "runs/autoencoder-mnist-20260101-120000")}`,
      );
    const [run] = positionals;
    const device = chooseDevice(options);
    const opened = await openRun(run, options, io);
    const { config, checkpoint } = opened;
    checkKind(run, opened, options.steps);
    await checkPrepared(run, opened);
    const { out = join(run, "sample.png"), samples = usualSamples, steps, seed = 1 } = options;
    if (samples > mostSamples)
      throw new UsageError(`--samples: a picture takes at most ${mostSamples}, not ${samples}`);
    await refuseOthers(out, maker, isSuch);
    const data = await choose(testSet(opened, options), samples, seed);
    const { x } = await firstBatch(data, samples);
    seedStream(seed);
    const rows = await rowsFor(opened, x, { steps, signal: io.interruption() });
    if (rows === undefined) {
      io.stderr.write("stopped, and no picture written\n");
      return 130;
    }
    const picture = besideEachOther(
      rows.map(({ values }) => values),
      data.info.shape,
      columns,
    );
    await writeAtomic(out, pngOf(picture, { Software: maker }));
    const below = rows.slice(1).map(({ name }) => name);
    const kind = opened.entry.capacity === undefined ? "test" : "stored";
    const text = `${x.shape[0]} ${kind} samples of ${config.data} above ${below.join(", and below them ")}\npicture written to ${out}`;
    const about = { run, model: config.model, data: config.data, device, step: checkpoint.step, samples: x.shape[0] };
    const figures = Object.assign({ elements: sizeOf(data.info.shape) }, ...rows.map((row) => row.figures));
    report(io, options, text, { command: "sample", ...about, ...figures, picture: out });
    return 0;
  },
};

/** Throws a UsageError for a model that neither gives samples back nor draws any, and for steps of one that takes none. */
function checkKind(run: string, { config, entry, model }: TrainedModel, steps: number | undefined): void {
  if (entry.task !== "reconstruct" && drawingOf(model) === undefined)
    throw new UsageError(
      `${run} is a run of ${config.model}, which gives no samples back; sample takes runs of auto-encoders and of ${others}`,
    );
  if (steps !== undefined && drawingOf(model) === undefined)
    throw new UsageError(`--steps is of Boltzmann machines, ${config.model} draws nothing`);
}

/** Throws a UsageError for a deep belief net that was never trained, as its classifier began with the weights of another. */
async function checkPrepared(run: string, { config, model }: TrainedModel): Promise<void> {
  if (!(model instanceof BeliefClassifier) || (await model.isPrepared())) return;
  throw new UsageError(
    `${run} began with --init ${config.init}, which has no deep belief net, so there is none to draw from; train a run without --init`,
  );
}

const testSet = ({ config, entry }: TrainedModel, options: Parameters<Command["run"]>[1]): Dataset =>
  findData(entry, config.data, "test", {
    samples: config.samples,
    dataDir: options.dataDir ?? config.dataDir,
    download: options.download,
  });

function isSuch(content: Buffer): boolean {
  try {
    return decode(content).text.Software === maker;
  } catch {
    return false; // it is no PNG
  }
}
