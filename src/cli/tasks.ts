// The kinds of things that models learn: for each what is measured of it, and how the outcome is told.
import type { Batch, SampleInfo } from "../data/index.ts";
import type { Shape, Tensor } from "../graph/index.ts";
import { sizeOf } from "../graph/internal.ts";
import { crossEntropy, type Layer } from "../nn/index.ts";
import type { GradientSource } from "../optim/index.ts";
import { resultOf } from "../optim/loss.ts";
import { accuracy, confusion, type Evaluation, type Measured, perplexity, renderConfusion } from "../train/index.ts";
import type { Reconstructing, ZooEntry } from "../zoo/index.ts";
import type { Loss } from "./optimizers.ts";

type Measurable = Exclude<ReturnType<Loss>, Tensor>;

export interface Task {
  /** What a model makes of samples; by default its forward. */
  answer?(model: Layer, x: Tensor): Tensor;
  /** The shape of that for one sample. */
  outputs(info: SampleInfo): Shape;
  /** Why a data set is not for this task; undefined where it is. */
  unfit(info: SampleInfo): string | undefined;
  /** What the pace counts. */
  readonly unit: string;
  measured(info: SampleInfo): Measured<Batch, Tensor>;
  tell(evaluation: Evaluation, info: SampleInfo): Told;
}

/** The outcome of an evaluation. */
export interface Told {
  /** For JSON, besides the loss. */
  readonly figures: object;
  /** For people, a figure each. */
  readonly words: readonly string[];
  /** Lines above them, or none. */
  readonly table?: string;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** topographicError → topographic error. */
const spaced = (name: string): string => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** Which of some classes a sample is of. */
const classify: Task = {
  outputs: ({ classes = [] }) => [classes.length],
  unfit: ({ classes }) => (classes === undefined ? "it tells classes apart, and there are none" : undefined),
  unit: "samples",
  measured: ({ classes = [] }) => ({ metrics: { accuracy }, collect: { confusion: confusion(classes.length) } }),
  tell: ({ loss, metrics, collected }, { classes = [] }) => {
    const table = (collected as { confusion: number[][] } | undefined)?.confusion;
    return {
      figures: { accuracy: metrics.accuracy, confusion: table },
      words: [`accuracy ${percent(metrics.accuracy)}`, `loss ${loss.toFixed(4)}`],
      ...(table !== undefined && classes.length <= 20 && { table: renderConfusion(table, classes) }),
    };
  },
};

/** The token that follows each place of a sequence. */
const language: Task = {
  outputs: ({ shape, tokens = 0 }) => [...shape, tokens],
  unfit: ({ shape, targetShape }) =>
    `${shape}` === `${targetShape}` ? undefined : "it learns which token comes next, and there is no text that goes on",
  unit: "tokens",
  measured: () => ({ metrics: { perplexity: perplexity() }, size: ({ x }) => x.size }),
  tell: ({ loss, metrics }) => ({
    figures: { perplexity: metrics.perplexity },
    words: [`perplexity ${metrics.perplexity.toFixed(2)}`, `loss ${loss.toFixed(4)} nats a token`],
  }),
};

/** A sample from what was kept of it. */
const reconstruct: Task = {
  answer: (model, x) => (model as Reconstructing).reconstruct(x),
  outputs: ({ shape }) => shape,
  unfit: () => undefined,
  unit: "samples",
  measured: () => ({
    metrics: { squaredError: ({ x }, outputs) => ({ sum: outputs.sub(x).square().sum(), count: x.shape[0] }) },
  }),
  tell: ({ loss, metrics: { squaredError, ...shares } }) => ({
    figures: { squaredError, ...shares },
    words: [
      `squared error ${Number(squaredError.toPrecision(4))} a sample`,
      ...Object.entries(shares).map(([name, share]) => `${spaced(name)} ${percent(share)}`),
      `loss ${loss.toFixed(4)}`,
    ],
  }),
};

/** Numbers of a sample. */
const regress: Task = {
  outputs: ({ targetShape = [] }) => targetShape,
  unfit: ({ classes, tokens, targetShape }) =>
    classes === undefined && tokens === undefined && targetShape !== undefined
      ? undefined
      : "it learns numbers of each sample, and there are none",
  unit: "samples",
  measured: () => ({
    metrics: { squaredError: ({ y }, outputs) => ({ sum: outputs.sub(y).square().sum(), count: y.size }) },
  }),
  tell: ({ loss, metrics: { squaredError } }) => ({
    figures: { squaredError },
    words: [`mean squared error ${Number(squaredError.toPrecision(4))}`, `loss ${Number(loss.toPrecision(4))}`],
  }),
};

const tasks: Readonly<Record<NonNullable<ZooEntry["task"]>, Task>> = { classify, language, reconstruct, regress };

/** Samples of a test batch: 250, or fewer where their outputs would be more than 2²⁵ numbers. */
export const testBatch = (task: Task, info: SampleInfo): number =>
  Math.max(1, Math.min(250, Math.floor(2 ** 25 / sizeOf(task.outputs(info)))));

export const taskOf = ({ task = "classify" }: ZooEntry): Task => tasks[task];

/** What is measured of a model of this entry: what its task says, and the entry's own shares. */
export function measuredOf(entry: ZooEntry, model: Layer, info: SampleInfo): Measured<Batch, Tensor> {
  const { metrics, ...rest } = taskOf(entry).measured(info);
  return { ...rest, metrics: { ...metrics, ...entry.metrics?.(model) } };
}

/** What an optimizer follows to train a model of this entry: the entry's source of gradients, its loss, or the cross-entropy of its outputs. */
export function sourceOf(
  { source, loss }: ZooEntry,
  model: Layer,
  steps?: number,
): Loss | GradientSource<Batch, Tensor> {
  if (source !== undefined) return source(model, steps);
  if (loss !== undefined) return (batch) => loss(model, batch);
  return ({ x, y }) => {
    const outputs = model.forward(x);
    return { loss: crossEntropy(outputs, y), outputs };
  };
}

/** The same as a loss to measure; of a source of gradients, the figure that is watched. */
export function lossOf(entry: ZooEntry, model: Layer): Loss {
  const source = sourceOf(entry, model);
  return typeof source === "function" ? source : (batch) => resultOf(source, batch) as Measurable;
}
