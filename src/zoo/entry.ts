// What the zoo says of each of its models, so that programs can find them by name and train them well without asking.
import type { Shape } from "../graph/index.ts";
import type { Layer } from "../nn/index.ts";
import type { Constraint } from "../optim/index.ts";

/** How a model is trained unless its user says otherwise. */
export interface Recipe {
  readonly epochs: number;
  readonly batch: number;
  readonly optimizer: "sgd" | "adam" | "adamw" | "adadelta";
  readonly lr: number;
  /** The learning rate is multiplied by this after each epoch. */
  readonly decay: number;
  /** Training images are moved at random by up to so many pixels. */
  readonly shift: number;
}

/** What a model is built for: the shape of one sample and the number of classes. */
export interface Fitting {
  readonly input?: Shape;
  /** Size of the vocabulary, where samples are sequences of its numbers. */
  readonly tokens?: number | undefined;
  readonly classes?: number;
}

export interface ZooEntry {
  readonly name: string;
  readonly paper: string;
  /** Shape of one sample and number of classes as in the paper. */
  readonly input: Shape;
  /** Size of the vocabulary of a model of text, whose samples are i32. */
  readonly tokens?: number;
  readonly classes: number;
  /** Whether it wants pixels as (x − mean) / deviation; otherwise they lie in [0, 1]. */
  readonly normalize: boolean;
  /** None where no data set of hebb is like what it was made for. */
  readonly recipe?: Recipe;
  /** What holds of its parameters after each move. */
  readonly constraints?: readonly Constraint[];
  /** A new model with parameters from the seeded stream. It gives logits [B, classes] for crossEntropy. */
  build(fitting?: Fitting): Layer;
}
