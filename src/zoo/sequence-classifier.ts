// Recurrent networks that tell the class of a sequence, or of each of its places (Graves, Supervised sequence labelling with recurrent neural networks, 2012).
import { concat, iota, type Tensor, where, within } from "../graph/index.ts";
import {
  AttentionPool,
  Dropout,
  Embedding,
  type Layer,
  type Lengths,
  Linear,
  type Recurrent,
  type RunResult,
  sequenceMask,
} from "../nn/index.ts";
import type { ZooEntry } from "./entry.ts";
import { type RecurrentKind, recurrentOf } from "./recurrent-kinds.ts";

export interface SequenceTaggerOptions {
  /** Size of the vocabulary. */
  tokens: number;
  classes: number;
  cell?: RecurrentKind;
  hidden?: number;
  /** Size of the tokens' vectors, by default that of the states. */
  features?: number;
  layers?: number;
  bidirectional?: boolean;
  /** In training, the share dropped of the tokens' vectors, between layers, and of what the output layer is given. */
  dropout?: number;
  /** The token that sequences are filled up with at their ends, by default 0; `null` where every token counts. */
  padding?: number | null;
}

export interface SequenceClassifierOptions extends SequenceTaggerOptions {
  /**
   * What of the states is told: the last (of both directions), their mean, the largest of each unit, or a mean whose weights are learnt
   * (Yang et al., Hierarchical attention networks for document classification, 2016).
   */
  pooling?: Pooling;
}

type Pooling = "last" | "mean" | "max" | "attention";

/** A model that takes the number of steps that count too, or counts them up to the padding itself. */
export type SequenceModel = Layer<[x: Tensor, lengths?: Lengths]>;

/**
 * x i32 [B, T] → logits [B, classes]: vectors of the tokens, a recurrent layer, its states pooled over the steps of each sequence, one
 * linear layer. Padding after a sequence has no influence. Throws for an option that is none.
 */
export const sequenceClassifier = (options: SequenceClassifierOptions): SequenceModel =>
  new SequenceClassifier(options);

/**
 * x i32 [B, T] → logits [B, T, classes] of each place, from the states of a recurrent layer, which by default goes both ways
 * (Schuster & Paliwal, Bidirectional recurrent neural networks, 1997); for crossEntropy with labels [B, T], −100 in the padding.
 */
export const sequenceTagger = (options: SequenceTaggerOptions): SequenceModel => new SequenceTagger(options);

class SequenceTagger {
  states: States;
  output: Linear; // [classes, width]

  constructor(options: SequenceTaggerOptions) {
    this.states = new States("sequenceTagger", { bidirectional: true, ...options });
    this.output = new Linear(this.states.width, options.classes);
  }

  forward(x: Tensor, lengths?: Lengths): Tensor {
    return within(this, x, () => {
      const { drop } = this.states;
      return this.output.forward(drop.forward(this.states.forward(x, lengths).outputs));
    });
  }
}

class SequenceClassifier {
  states: States;
  pool: AttentionPool | undefined;
  output: Linear; // [classes, width]
  readonly pooling: Pooling;

  constructor(options: SequenceClassifierOptions) {
    const { pooling = "last" } = options;
    if (!Object.hasOwn(pools, pooling))
      throw new RangeError(
        `sequenceClassifier: pooling is "last", "mean", "max" or "attention", not ${JSON.stringify(pooling)}`,
      );
    this.states = new States("sequenceClassifier", options);
    this.pool = pooling === "attention" ? new AttentionPool(this.states.width) : undefined;
    this.output = new Linear(this.states.width, options.classes);
    this.pooling = pooling;
  }

  forward(x: Tensor, lengths?: Lengths): Tensor {
    return within(this, x, () => {
      const pooled = pools[this.pooling](this.states.forward(x, lengths), this); // [B, width]
      return this.output.forward(this.states.drop.forward(pooled));
    });
  }
}

type Run = RunResult & { readonly lengths: Lengths };

const pools: Readonly<Record<Pooling, (run: Run, model: SequenceClassifier) => Tensor>> = {
  last: ({ state: [h] }, { states }) => (states.recurrent.bidirectional ? concat([h.at(-2), h.at(-1)], -1) : h.at(-1)),
  mean: ({ outputs, lengths }) => {
    const own = sequenceMask(lengths, outputs.shape[1]).unsqueeze(-1); // outputs are 0 elsewhere
    return outputs.sum(1).div(own.float().sum(1));
  },
  max: ({ outputs, lengths }) =>
    where(sequenceMask(lengths, outputs.shape[1]).unsqueeze(-1), outputs, Number.NEGATIVE_INFINITY).max(1),
  attention: ({ outputs, lengths }, { pool }) => pool!.forward(outputs, lengths).context,
};

/** The states of a recurrent layer over vectors of tokens: x i32 [B, T] → outputs [B, T, width], the last state, and the lengths. */
class States {
  embedding: Embedding; // [tokens, features]
  recurrent: Recurrent;
  drop: Dropout;
  readonly width: number;
  readonly padding: number | null;
  readonly #model: string;

  constructor(model: string, options: SequenceTaggerOptions) {
    const { tokens, cell = "lstm", hidden = 128, features = hidden, layers = 1, padding = 0 } = options;
    const { bidirectional = false, dropout = 0 } = options;
    this.embedding = new Embedding(tokens, features);
    this.recurrent = new (recurrentOf(model, cell))(features, hidden, { layers, bidirectional, dropout });
    this.drop = new Dropout(dropout);
    this.width = bidirectional ? 2 * hidden : hidden;
    this.padding = padding;
    this.#model = model;
  }

  forward(x: Tensor, given?: Lengths): Run {
    return within(this, x, () => {
      if (x.rank !== 2) throw new RangeError(`${this.#model}: takes x [B, T], got [${x.shape.join(", ")}]`);
      const lengths = given ?? this.#lengths(x);
      const vectors = this.drop.forward(this.embedding.forward(x)); // [B, T, features]
      return { ...this.recurrent.run(vectors, { lengths }), lengths };
    });
  }

  /** Up to the last token that is no padding; of nothing but padding one step counts. */
  #lengths(x: Tensor): Tensor {
    const places = iota(x.shape, 1).add(1);
    const last = this.padding === null ? places : where(x.ne(this.padding), places, 1);
    return last.max(1);
  }
}

export const textLstmEntry: ZooEntry = {
  name: "textlstm",
  paper: "Graves, Supervised sequence labelling with recurrent neural networks, 2012",
  input: [40],
  tokens: 10_000,
  classes: 6,
  normalize: false,
  recipe: { data: "trec", epochs: 8, batch: 50, optimizer: "adam", lr: 2e-3, decay: 0.8, clip: 5, shift: 0 },
  build: ({ input = [40], tokens = 10_000, classes = 6 } = {}) => {
    if (input.length !== 1) throw new RangeError(`textlstm: takes sentences [T], got [${input.join(", ")}]`);
    return sequenceClassifier({ tokens, classes, features: 100, pooling: "max", bidirectional: true, dropout: 0.5 });
  },
};
