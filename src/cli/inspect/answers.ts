// What a model answers to samples: loss, accuracy, confusion, and where it is most wrong.
import type { Batch, Dataset } from "../../data/index.ts";
import type { Tensor } from "../../graph/index.ts";
import { crossEntropy, type Layer, softmax } from "../../nn/index.ts";
import { accuracy, type Collector, confusion, evaluator } from "../../train/index.ts";

export interface Answer {
  /** The sample's place among those that were asked. */
  readonly sample: number;
  readonly label: number;
  readonly answer: number;
  /** What the model gives its answer, from 0 to 1. */
  readonly probability: number;
}

export interface Answers {
  readonly samples: number;
  readonly loss: number;
  readonly accuracy: number;
  /** Counts by [label][answer]; absent, as is the list of answers, where the loss is not finite. */
  readonly confusion?: readonly (readonly number[])[];
  /** The wrong answers, the surest first. */
  readonly wrong?: readonly Answer[];
}

/** The answer to each sample and its probability, in order. */
const answers: Collector<Batch, Tensor, Answer[]> = {
  collect: ({ y }, logits) => {
    const probabilities = softmax(logits);
    return { label: y, answer: probabilities.argmax(-1), probability: probabilities.max(-1) };
  },
  finish: (rows) => {
    const of = (name: string): number[] => rows.flatMap((row) => Array.from(row[name].data, Number));
    const [answer, probability] = [of("answer"), of("probability")];
    return of("label").map((label, sample) => ({
      sample,
      label,
      answer: answer[sample],
      probability: probability[sample],
    }));
  },
};

export async function answersOf(model: Layer, data: Dataset): Promise<Answers> {
  const classes = data.info.classes!.length;
  const measure = evaluator({
    model,
    loss: ({ x, y }: Batch) => crossEntropy(model.forward(x), y),
    metrics: { accuracy },
    collect: { confusion: confusion(classes), answers },
  });
  const { samples, loss, metrics, collected } = (await measure(data))!;
  const wrong = collected?.answers
    .filter(({ label, answer }) => label !== answer)
    .sort((a, b) => b.probability - a.probability);
  return { samples, loss, accuracy: metrics.accuracy, confusion: collected?.confusion, wrong };
}
