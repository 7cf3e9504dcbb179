// The kinds of things that models learn: for each what is measured of it, and how the outcome is told.
import type { Batch, SampleInfo } from "../data/index.ts";
import type { Shape, Tensor } from "../graph/index.ts";
import { crossEntropy, type Layer } from "../nn/index.ts";
import { accuracy, confusion, type Evaluation, type Measured, perplexity, renderConfusion } from "../train/index.ts";
import type { ZooEntry } from "../zoo/index.ts";
import type { Loss } from "./optimizers.ts";

export interface Task {
  /** The shape of a model's outputs for one sample. */
  outputs(info: SampleInfo): Shape;
  /** Why a data set is not for this task; undefined where it is. */
  unfit(info: SampleInfo): string | undefined;
  /** What the pace counts. */
  readonly unit: string;
  measured(info: SampleInfo): Measured<Batch, Tensor>;
  tell(evaluation: Evaluation, info: SampleInfo): Told;
}

/** The outcome of an evaluation. */
interface Told {
  /** For JSON, besides the loss. */
  readonly figures: object;
  /** For people, a figure each. */
  readonly words: readonly string[];
  /** Lines above them, or none. */
  readonly table?: string;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

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

const tasks: Readonly<Record<NonNullable<ZooEntry["task"]>, Task>> = { classify, language };

export const taskOf = ({ task = "classify" }: ZooEntry): Task => tasks[task];

/** The loss of a model of this entry: the entry's own, or the cross-entropy of its outputs. */
export const lossOf = ({ loss }: ZooEntry, model: Layer): Loss =>
  loss === undefined ? ({ x, y }) => crossEntropy(model.forward(x), y) : (batch) => loss(model, batch);
