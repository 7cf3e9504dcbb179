// What a classifier answers to samples, and where it is most wrong.
import type { Batch } from "../../data/index.ts";
import type { Tensor } from "../../graph/index.ts";
import { softmax } from "../../nn/index.ts";
import type { Collector } from "../../train/index.ts";

export interface Answer {
  /** The sample's place among those that were asked. */
  readonly sample: number;
  readonly label: number;
  readonly answer: number;
  /** What the model gives its answer, from 0 to 1. */
  readonly probability: number;
}

/** What a classifier says; its parts are absent where the loss is not finite. */
export interface Answers {
  /** Counts by [label][answer]. */
  readonly confusion?: readonly (readonly number[])[] | undefined;
  /** The wrong answers, the surest first. */
  readonly wrong?: readonly Answer[] | undefined;
}

/** The answer to each sample and its probability, in order. */
export const answers: Collector<Batch, Tensor, Answer[]> = {
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

/** The wrong ones of some answers, the surest first. */
export const wrongOf = (all: readonly Answer[]): Answer[] =>
  all.filter(({ label, answer }) => label !== answer).sort((a, b) => b.probability - a.probability);
