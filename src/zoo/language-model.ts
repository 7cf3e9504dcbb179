// Recurrent language models: of characters (Karpathy, The unreasonable effectiveness of recurrent neural networks, 2015) and of words (Zaremba, Sutskever & Vinyals, Recurrent neural network regularization, 2014).
import { isTraining, type Shape, state, type Tensor, within, zeros } from "../graph/index.ts";
import { Dropout, Embedding, init, Linear, type Recurrent, type State } from "../nn/index.ts";
import { characterEntry, textLength } from "./character-entry.ts";
import type { ZooEntry } from "./entry.ts";
import { type RecurrentKind, recurrentOf, statesOf } from "./recurrent-kinds.ts";

export interface LanguageModelOptions {
  /** Size of the vocabulary. */
  tokens: number;
  cell?: RecurrentKind;
  hidden?: number;
  /** Size of the tokens' vectors, by default that of the state. */
  features?: number;
  layers?: number;
  /** In training, the share dropped of the vectors, between layers, and of what the last layer gives; never from step to step. */
  dropout?: number;
  /**
   * Rows of a batch whose states are carried over from one step of training to the next, where row b of each batch goes on in the
   * text where row b of the one before ended: back-propagation through time, truncated to a batch.
   */
  streams?: number;
  /** What all parameters start from, where not each layer's own. */
  init?: init.Init;
}

/** A model that can be asked step by step: logits of the token that follows, and the state to go on from. */
export interface SteppedModel {
  run(x: Tensor, state?: State): { logits: Tensor; state: State };
}

export const isStepped = (model: object): model is SteppedModel => "run" in model && typeof model.run === "function";

/**
 * x i32 [B, T] → logits [B, T, tokens] of the token that follows each place: P(x_{t+1} | x_1 … x_t) = softmax(V h_t + b) over the
 * states h of a recurrent layer; for crossEntropy with the sequence one place further. `run(x, state)` also takes the state to start
 * from, and gives the last one: each tensor [layers, B, hidden]. Throws where `streams` is given and a batch of training has other rows.
 */
export const languageModel = (options: LanguageModelOptions): LanguageModel => new LanguageModel(options);

export class LanguageModel implements SteppedModel {
  embedding: Embedding; // [tokens, features]
  recurrent: Recurrent;
  drop: Dropout;
  output: Linear; // [tokens, hidden]
  /** The states that streams of training have reached, each [layers, streams, hidden]. */
  carried: Tensor[] | undefined;

  constructor(options: LanguageModelOptions) {
    const { tokens, cell = "lstm", hidden = 256, features = hidden, layers = 1, dropout = 0, streams } = options;
    const Kind = recurrentOf("languageModel", cell);
    const own = options.init;
    const recurrent = { layers, dropout, ...(own && { init: { input: own, recurrent: own, bias: own } }) };
    this.embedding = new Embedding(tokens, features, own && { init: own });
    this.recurrent = new Kind(features, hidden, recurrent);
    this.drop = new Dropout(dropout);
    this.output = new Linear(hidden, tokens, own && { init: own });
    const shape = [layers, streams ?? 0, hidden];
    this.carried =
      streams === undefined ? undefined : Array.from({ length: statesOf(cell) }, () => state(zeros(shape)));
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => this.#run(x, isTraining() ? this.carried : undefined).logits);
  }

  run(x: Tensor, before?: State): { logits: Tensor; state: State } {
    return within(this, x, () => this.#run(x, before));
  }

  #run(x: Tensor, before: State | undefined): { logits: Tensor; state: State } {
    const vectors = this.drop.forward(this.embedding.forward(x)); // [B, T, features]
    const { outputs, state: after } = this.recurrent.run(vectors, { state: before }); // [B, T, hidden]
    if (before !== undefined && before === this.carried)
      this.carried.forEach((leaf, i) => {
        leaf.assign(after[i]);
      });
    return { logits: this.output.forward(this.drop.forward(outputs)), state: after }; // [B, T, tokens]
  }
}

const around = (bound: number) => (shape: Shape) => init.uniform(shape, -bound, bound);

const ofCharacters = (cell: RecurrentKind): ZooEntry =>
  characterEntry(
    {
      name: `char${cell}`,
      paper: "Karpathy, The unreasonable effectiveness of recurrent neural networks, 2015",
      epochs: 10,
      lr: 4e-3,
      clip: 5,
    },
    (tokens) => languageModel({ tokens, cell, hidden: 256 }),
  );

/** The paper's small form: two layers of 200, no dropout, 20 streams of 20 words, the rate halved after each epoch from the fifth on. */
const ofWords: ZooEntry = {
  name: "wordlstm",
  paper: "Zaremba, Sutskever & Vinyals, Recurrent neural network regularization, 2014",
  input: [20],
  tokens: 10_000,
  classes: 0,
  task: "language",
  streams: true,
  normalize: false,
  recipe: {
    data: "ptb",
    epochs: 13,
    batch: 20,
    optimizer: "sgd",
    momentum: 0,
    lr: 20, // 1 for the paper's loss, the sum over 20 words, whose clipping at 5 is 0.25 of the mean
    decay: 0.5,
    decayFrom: 3,
    clip: 0.25,
    shift: 0,
  },
  build: ({ input = [20], tokens = 10_000, batch } = {}) => {
    textLength("wordlstm", input);
    return languageModel({ tokens, hidden: 200, layers: 2, streams: batch, init: around(0.1) });
  },
};

export const languageEntries: readonly ZooEntry[] = [
  ofCharacters("lstm"),
  ofCharacters("gru"),
  ofCharacters("rnn"),
  ofWords,
];
