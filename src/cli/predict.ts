// hebb predict: what a run's model takes image files for.

import { fitImage } from "../data/fit-image.ts";
import { Dataset, decodeImage } from "../data/index.ts";
import { evaluating, type Shape } from "../graph/index.ts";
import { softmax } from "../nn/index.ts";
import { compile } from "../run/index.ts";
import { type Command, report, UsageError } from "./command.ts";
import { findData, isPath } from "./data-sets.ts";
import { fitDigit } from "./image.ts";
import { commandLine } from "./program.ts";
import { chooseDevice, openRun } from "./setup.ts";

interface Prediction {
  readonly file: string;
  readonly class: string;
  readonly probability: number;
  readonly probabilities: Readonly<Record<string, number>>;
  readonly inverted: boolean;
}

export const predict: Command = {
  summary: "tells the class of images",
  positionals: "RUN FILE…",
  flags: ["device", "threads", "best", "json"],
  run: async (positionals, options, io) => {
    const [run, ...files] = positionals;
    if (files.length === 0)
      throw new UsageError(
        `predict needs a run folder and images, e.g. ${commandLine(io, "predict", "runs/lenet5-mnist-20260101-120000", "seven.png")}`,
      );
    const device = chooseDevice(options);
    const { config, entry, model } = await openRun(run, options, io);
    if (entry.task === "reconstruct")
      throw new UsageError(
        `predict tells classes, and ${run} is a run of ${config.model}, which learns none; see what it gives back with: ${commandLine(io, "sample", run)}`,
      );
    if (entry.task === "regress")
      throw new UsageError(
        `predict tells classes of images, and ${run} is a run of ${config.model}, which tells numbers of sequences; measure it with: ${commandLine(io, "eval", run)}`,
      );
    const { info } = findData(entry, config.data, "test");
    if (info.tokens !== undefined)
      throw new UsageError(`predict reads images, and ${run} is a run on ${config.data}, which is text`);
    const probabilities = compile(({ x }: { x: Parameters<typeof model.forward>[0] }) =>
      evaluating(() => softmax(model.forward(x))),
    );
    const predictions: Prediction[] = [];
    const failures: { file: string; error: string }[] = [];
    for (const file of files) {
      const input = await inputOf(file, info.shape, isPath(config.data));
      if (typeof input === "string") {
        io.stderr.write(`hebb: ${input}\n`);
        failures.push({ file, error: input });
        continue;
      }
      const { pixels, inverted } = input;
      if (inverted) io.stderr.write(`${file}: bright background, so inverted\n`);
      const one = new Dataset({ x: pixels, y: new Uint8Array(1) }, { ...info, length: 1 });
      for await (const { x } of entry.normalize ? one.normalize() : one) {
        const values = await (await probabilities({ x })).data();
        predictions.push({ ...ranked(values, info.classes!), file, inverted });
      }
    }
    report(io, options, predictions.map(render).join("\n"), {
      command: "predict",
      run,
      model: config.model,
      device,
      predictions,
      ...(failures.length > 0 && { error: failures.map(({ error }) => error).join("; "), status: 1, failures }),
    });
    return failures.length > 0 ? 1 : 0;
  },
};

interface Input {
  /** Bytes, or numbers in [0, 1]. */
  readonly pixels: Uint8Array | Float32Array;
  readonly inverted: boolean;
}

/**
 * The image as the model takes it, or the line that says why there is none. A model of a folder's images takes their middle, as in
 * training, one of a data set's the whole of them.
 */
async function inputOf(file: string, shape: Shape, asInFolder: boolean): Promise<Input | string> {
  try {
    const image = await decodeImage(file);
    return asInFolder ? { pixels: fitImage(image, shape, "crop"), inverted: false } : fitDigit(image, shape);
  } catch (error) {
    const { message } = error as Error;
    return (message.includes(file) ? message : `${file}: ${message}`).replace(/\s*\n\s*/g, " ");
  }
}

function ranked(
  values: ArrayLike<number>,
  names: readonly string[],
): Pick<Prediction, "class" | "probability" | "probabilities"> {
  const all = names.map((name, i) => [name, values[i]] as const).sort(([, a], [, b]) => b - a);
  return {
    class: all[0][0],
    probability: all[0][1],
    probabilities: Object.fromEntries(all.map(([name, p]) => [name, p])),
  };
}

const percent = (p: number): string => `${(100 * p).toFixed(2)} %`;

function render({ file, class: name, probability, probabilities }: Prediction): string {
  const [second, third] = Object.entries(probabilities)
    .filter(([other]) => other !== name)
    .sort(([, a], [, b]) => b - a);
  const others = [second, third].filter((entry) => entry !== undefined).map(([other, p]) => `${other} ${percent(p)}`);
  return `${file}: ${name} ${percent(probability)}${others.length > 0 ? `  (then ${others.join(", ")})` : ""}`;
}
