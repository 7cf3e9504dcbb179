// The convolutional network for sentences (Kim, Convolutional Neural Networks for Sentence Classification, 2014).
import { concat, state, type Tensor, within } from "../graph/index.ts";
import { Conv1d, Dropout, Embedding, init, type Layer, Linear, relu } from "../nn/index.ts";
import { maxNorm } from "../optim/index.ts";
import type { ZooEntry } from "./entry.ts";

export interface TextCnnOptions {
  /** Size of the vocabulary; 0 is padding. */
  tokens: number;
  classes: number;
  /** Word vectors' size. */
  features?: number;
  /** Maps of each width of the filters. */
  maps?: number;
  widths?: readonly number[];
  dropout?: number;
  /** Given word vectors, [tokens · features], row after row, e.g. word2vec's; random ones where there are none. */
  vectors?: Float32Array;
  /** What is done with given vectors: keep them, train them ("non-static"), or both in two channels. */
  form?: "static" | "non-static" | "multichannel";
}

/**
 * x i32 [B, T] → logits [B, classes]: word vectors, convolutions cᵢ = relu(w·x_{i…i+h−1} + b) of the widths h over the sentence in a
 * border of h − 1 zeros, the largest of each map over time, dropout, one linear layer. The paper trains it with AdaDelta, batches of 50
 * and `constraints: [maxNorm(3, { mask: (name) => name === "output.weight" })]`. Throws where the vectors are not of
 * tokens · features numbers, or a form is asked for without vectors.
 */
export const textCnn = (options: TextCnnOptions): Layer => new TextCnn(options);

class TextCnn {
  words: WordVectors;
  filters: Conv1d[];
  drop: Dropout;
  output: Linear; // [classes, widths · maps]

  constructor({
    tokens,
    classes,
    features = 300,
    maps = 100,
    widths = [3, 4, 5],
    dropout = 0.5,
    vectors,
    form,
  }: TextCnnOptions) {
    if (form !== undefined && !["static", "non-static", "multichannel"].includes(form))
      throw new RangeError(`textCnn: form is "static", "non-static" or "multichannel", not ${JSON.stringify(form)}`);
    if (form !== undefined && vectors === undefined)
      throw new Error(`textCnn: the form "${form}" needs vectors, [${tokens}, ${features}]`);
    this.words = new WordVectors(tokens, features, vectors, vectors && (form ?? "non-static"));
    this.filters = widths.map((width) => new Conv1d(this.words.features, maps, width, { padding: width - 1 }));
    this.drop = new Dropout(dropout);
    this.output = new Linear(widths.length * maps, classes);
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const sentence = this.words.forward(x).transpose(1, 2); // [B, features, T]
      const found = this.filters.map((filter) => relu(filter.forward(sentence)).max(-1)); // [B, maps] each
      return this.output.forward(this.drop.forward(concat(found, 1)));
    });
  }
}

/** One or two tables of word vectors, the fixed one first: i32 [B, T] → [B, T, features]. */
class WordVectors {
  fixed: Tensor | undefined; // [tokens, features]
  trained: Embedding | undefined;
  readonly features: number;

  constructor(
    tokens: number,
    features: number,
    vectors: Float32Array | undefined,
    form: TextCnnOptions["form"] | undefined,
  ) {
    if (vectors !== undefined && vectors.length !== tokens * features)
      throw new RangeError(
        `textCnn: vectors are ${tokens} · ${features} = ${tokens * features} numbers, got ${vectors.length}`,
      );
    if (form === "static" || form === "multichannel") this.fixed = state(vectors!, [tokens, features]);
    if (form !== "static")
      this.trained = new Embedding(tokens, features, {
        paddingIndex: 0,
        init: (shape) => vectors ?? init.uniform(shape, -0.25, 0.25), // the paper's, whose variance is that of word2vec's
      });
    this.features = form === "multichannel" ? 2 * features : features;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const parts = [
        ...(this.fixed === undefined ? [] : [this.fixed.gather(x)]),
        ...(this.trained === undefined ? [] : [this.trained.forward(x)]),
      ];
      return parts.length === 1 ? parts[0] : concat(parts, -1);
    });
  }
}

export const textCnnEntry: ZooEntry = {
  name: "textcnn",
  paper: "Kim, Convolutional Neural Networks for Sentence Classification, 2014",
  input: [40],
  tokens: 10_000,
  classes: 6,
  normalize: false,
  recipe: { data: "trec", epochs: 8, batch: 50, optimizer: "adam", lr: 1e-3, decay: 0.9, shift: 0 },
  constraints: [maxNorm(3, { mask: (name) => name === "output.weight" })],
  build: ({ input = [40], tokens = 10_000, classes = 6 } = {}) => {
    if (input.length !== 1) throw new RangeError(`textcnn: takes sentences [T], got [${input.join(", ")}]`);
    return textCnn({ tokens, classes });
  },
};
