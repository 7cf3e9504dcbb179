// What the zoo says of each of its models, so that programs can find them by name and train them well without asking.
import type { WordWindowOptions } from "../data/index.ts";
import type { Shape, Tensor } from "../graph/index.ts";
import type { Layer } from "../nn/index.ts";
import type { Constraint, GradientSource, ParameterGroup } from "../optim/index.ts";
import type { BatchSource, MeanMetric } from "../train/index.ts";
import type { Seq2Seq } from "./seq2seq.ts";
import type { Word2Vec } from "./word2vec.ts";

/** How a model is trained unless its user says otherwise. */
export interface Recipe {
  /** The data set that it is trained on; none where it wants a folder of images of the user's. */
  readonly data?: string;
  /** How many samples of it; all, unless said otherwise. */
  readonly samples?: number;
  readonly epochs: number;
  readonly batch: number;
  readonly optimizer: "sgd" | "adam" | "adamw" | "adadelta";
  readonly lr: number;
  /** The learning rate is multiplied by this after each epoch. */
  readonly decay: number;
  /** How the learning rate goes over all epochs, instead of `decay`. */
  readonly schedule?: "steps" | "linear" | "cosine" | "onecycle" | "plateau";
  /** The first so many epochs keep the rate: `decay` begins after them. By default 0: it begins after the first. */
  readonly decayFrom?: number;
  /** Of sgd, by default 0.9. */
  readonly momentum?: number;
  readonly weightDecay?: number;
  /** Gradients longer than this are shortened to it (Pascanu, Mikolov & Bengio, 2013). */
  readonly clip?: number;
  /** Training images are moved at random by up to so many pixels. */
  readonly shift: number;
  /** Training images get a border of so many zeros (of the mean, where pixels are normalized), and a random part of their size is taken. */
  readonly crop?: number;
  /** The share of training images that are mirrored. */
  readonly flip?: number;
}

/**
 * How networks for ImageNet are trained: moved by up to 16 pixels, as crops of 224 from 256 are, and mirrored. The papers' batches of
 * 128 or 256 are 32 here, which fits into memory, and their rates lower in proportion (Goyal et al., 2017).
 */
export const imageNetRecipe = (
  paper: Pick<Recipe, "epochs" | "batch" | "lr" | "weightDecay"> & Partial<Pick<Recipe, "decay" | "schedule">>,
): Recipe => ({
  optimizer: "sgd",
  decay: 1,
  shift: 0,
  crop: 16,
  flip: 0.5,
  ...paper,
  batch: 32,
  lr: (paper.lr * 32) / paper.batch,
});

/** What a model is built for: the shape of one sample and the number of classes. */
export interface Fitting {
  readonly input?: Shape;
  /** Size of the vocabulary, where samples are sequences of its numbers. */
  readonly tokens?: number | undefined;
  readonly classes?: number;
  /** Samples in a batch of training, where the model keeps something of each from batch to batch. */
  readonly batch?: number;
}

/** A model that learns to give its input back. */
export interface Reconstructing extends Layer {
  /** What it makes of x [B, …] on the way, [B, …]. */
  encode(x: Tensor): Tensor;
  /** What it gives for x, of the same shape. */
  reconstruct(x: Tensor): Tensor;
  /** What it gives x back from, of the same shape, where that is not x itself. */
  cue?(x: Tensor): Tensor;
}

/** What is said of every model. */
interface Described {
  readonly name: string;
  readonly paper: string;
  readonly recipe: Recipe;
  /** What holds of its parameters after each move. */
  readonly constraints?: readonly Constraint[];
  /** What differs for some of its parameters. */
  readonly groups?: readonly ParameterGroup[];
}

/** What is said of models that give pixels back, made for digits as in MNIST. */
export const givesDigitsBack: Pick<ZooEntry, "input" | "classes" | "task" | "normalize"> = {
  input: [1, 28, 28],
  classes: 0,
  task: "reconstruct",
  normalize: false,
};

/** A network that learns which sequence to say for another, such as a sentence's translation. */
export interface TranslatorEntry extends Described {
  readonly task: "translate";
  /** Whether it reads the source backwards. */
  readonly reversed?: boolean;
  /** A new model for vocabularies of those sizes, with parameters from the seeded stream. */
  build(sizes?: { readonly sourceTokens: number; readonly targetTokens: number }): Seq2Seq;
}

/** Vectors of words, which are learned from the words around them. */
export interface WordsEntry extends Described {
  readonly task: "words";
  /** Size of the vectors. */
  readonly features: number;
  /** What is learned from. */
  readonly windows: Omit<WordWindowOptions, "batch" | "seed" | "epochs">;
  /** New vectors for a vocabulary of that size. */
  build(options?: { readonly words: number; readonly seed: number }): Word2Vec;
}

export interface ZooEntry extends Described {
  /** Shape of one sample and number of classes as in the paper. */
  readonly input: Shape;
  /** Size of the vocabulary of a model of text, whose samples are i32. */
  readonly tokens?: number;
  readonly classes: number;
  /** What it learns: the class of a sample, unless said otherwise; the token that follows each place of a sequence; as a `Reconstructing`, to give a sample back; or numbers of it, with a `loss`. */
  readonly task?: "classify" | "language" | "reconstruct" | "regress";
  /** How many samples of a shape it can hold, of a memory, which is tested on those that it was trained on. */
  capacity?(input: Shape): number;
  /** Whether training reads a text as streams side by side, each batch going on where the one before ended. */
  readonly streams?: boolean;
  /** Whether it wants pixels as (x − mean) / deviation; otherwise they lie in [0, 1]. */
  readonly normalize: boolean;
  /** What training makes small, with the outputs that metrics read, where that is not the cross-entropy of the model's outputs. */
  loss?(model: Layer, batch: { x: Tensor; y: Tensor }): Tensor | { readonly loss: Tensor; readonly outputs: Tensor };
  /** What training follows where no loss is its gradient's, in the place of `loss`; of so many steps, where it trains. */
  source?(model: Layer, steps?: number): GradientSource<{ x: Tensor }, Tensor>;
  /** Shares that are told besides the figures of its task. */
  metrics?(model: Layer): Readonly<Record<string, MeanMetric<{ x: Tensor }>>>;
  /** What comes once before the training, such as training layer by layer; `say` is told how far it is. */
  prepare?(model: Layer, data: BatchSource<{ x: Tensor }>, say: (line: string) => void): Promise<void>;
  /** A new model with parameters from the seeded stream. Unless its task is another, it gives logits [B, classes] for crossEntropy. */
  build(fitting?: Fitting): Layer;
}
