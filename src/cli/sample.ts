// hebb sample: a picture of test samples above what a run's model makes of them, and what a Boltzmann machine draws from there.
import { join } from "node:path";
import { decode } from "fast-png";
import type { Dataset } from "../data/index.ts";
import { RBM } from "../energy/index.ts";
import { evaluating, seed as seedStream, state, type Tensor } from "../graph/index.ts";
import { sizeOf } from "../graph/internal.ts";
import { writeAtomic } from "../io/atomic.ts";
import { compile } from "../run/index.ts";
import type { Reconstructing } from "../zoo/index.ts";
import { type Command, report, UsageError } from "./command.ts";
import { findData } from "./data-sets.ts";
import { besideEachOther, pngOf } from "./inspect/picture.ts";
import { choose, firstBatch } from "./inspect/samples.ts";
import { commandLine } from "./program.ts";
import { refuseOthers } from "./replaceable.ts";
import { chooseDevice, openRun, type TrainedModel } from "./setup.ts";

const maker = "hebb sample";
const columns = 16;
const usualSamples = 2 * columns;
const usualSteps = 1000;
const mostSamples = 10_000;

export const sample: Command = {
  summary: "draws what a run's auto-encoder or Boltzmann machine makes of test samples",
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
  run: async (positionals, options, io) => {
    if (positionals.length !== 1)
      throw new UsageError(
        `sample needs one run folder, e.g. ${commandLine(io, "sample", "runs/autoencoder-mnist-20260101-120000")}`,
      );
    const [run] = positionals;
    const device = chooseDevice(options);
    const opened = await openRun(run, options, io);
    const { config, model, checkpoint } = opened;
    checkKind(run, opened, options.steps);
    const { out = join(run, "sample.png"), samples = usualSamples, steps = usualSteps, seed = 1 } = options;
    if (samples > mostSamples)
      throw new UsageError(`--samples: a picture takes at most ${mostSamples}, not ${samples}`);
    await refuseOthers(out, maker, isSuch);
    const data = await choose(testSet(opened, options), samples, seed);
    const { x } = await firstBatch(data, samples);
    seedStream(seed);
    const rows = [x, await compile(() => evaluating(() => (model as Reconstructing).reconstruct(x)))()];
    if (model instanceof RBM) {
      const drawn = await draw(model, x, { steps, signal: io.interruption() });
      if (drawn === undefined) {
        io.stderr.write("stopped, and no picture written\n");
        return 130;
      }
      rows.push(drawn);
    }
    const values: Float32Array[] = [];
    for (const row of rows) values.push(Float32Array.from(await row.data(), Number));
    const picture = besideEachOther(values, data.info.shape, columns);
    await writeAtomic(out, pngOf(picture, { Software: maker }));
    const [count, size] = [x.shape[0], sizeOf(data.info.shape)];
    const squaredError = values[0].reduce((sum, v, i) => sum + (v - values[1][i]) ** 2, 0) / count;
    const below = model instanceof RBM ? `, and below them draws after ${steps} rounds of Gibbs sampling` : "";
    const text = `${count} test samples of ${config.data} above their reconstructions (squared error ${Number(squaredError.toPrecision(4))} a sample)${below}\npicture written to ${out}`;
    const figures = { run, model: config.model, data: config.data, device, step: checkpoint.step, samples: count };
    const rounds = model instanceof RBM ? { steps } : {};
    report(io, options, text, { command: "sample", ...figures, elements: size, squaredError, ...rounds, picture: out });
    return 0;
  },
};

/** Throws a UsageError for a model that gives no samples back, and for steps of one that takes none. */
function checkKind(run: string, { config, entry, model }: TrainedModel, steps: number | undefined): void {
  if (entry.task !== "reconstruct")
    throw new UsageError(
      `${run} is a run of ${config.model}, which gives no samples back; sample takes runs of auto-encoders and of rbm`,
    );
  if (steps !== undefined && !(model instanceof RBM))
    throw new UsageError(`--steps is of Boltzmann machines, ${config.model} draws nothing`);
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

/** The means of the visible units after rounds of Gibbs sampling from x; undefined where the signal is aborted on the way. */
async function draw(
  rbm: RBM,
  x: Tensor,
  { steps, signal }: { steps: number; signal: AbortSignal },
): Promise<Tensor | undefined> {
  const chains = state(Float32Array.from(await x.data()), [x.shape[0], rbm.visible]);
  const round = compile(() => chains.assign(rbm.gibbs(chains)));
  for (let i = 1; i < steps; i++) {
    await round();
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve)); // so that Ctrl-C is served
    if (signal.aborted) return undefined;
  }
  return compile(() => rbm.visibleMeans(rbm.sampleHidden(chains)))();
}
