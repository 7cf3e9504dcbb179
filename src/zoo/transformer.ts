// Transformer language models (Radford et al., Improving language understanding by generative pre-training, 2018; GPT-2, 2019).
import { iota, type Shape, type Tensor, within } from "../graph/index.ts";
import { Dropout, Embedding, gelu, init, LayerNorm, Linear, TransformerEncoderLayer } from "../nn/index.ts";
import { characterEntry } from "./character-entry.ts";
import type { ZooEntry } from "./entry.ts";

export interface GptOptions {
  /** Size of the vocabulary. */
  tokens: number;
  /** The most places a text may have. */
  context: number;
  features?: number;
  heads?: number;
  layers?: number;
  dropout?: number;
  /** Whether the output's weights are the tokens' vectors (Press & Wolf, 2017). */
  tied?: boolean;
}

/**
 * x i32 [B, T], T ≤ context → logits [B, T, tokens] of the token that follows each place, which sees that place and those before it.
 * GPT-2: the vectors of token and place, added; layers of causal attention and a network with GELU, each normalized before it; weights
 * from N(0, 0.02²), biases from 0. `stepped(model, context)` is asked step by step. Throws for a longer text.
 */
export const gpt = (options: GptOptions): Gpt => new Gpt(options);

const narrow = (shape: Shape): Float32Array => init.normal(shape, 0, 0.02);

export class Gpt {
  embedding: Embedding; // [tokens, features]
  positions: Embedding; // [context, features]
  drop: Dropout;
  layers: TransformerEncoderLayer[];
  norm: LayerNorm;
  output: Linear | undefined; // [tokens, features]
  readonly context: number;

  constructor({ tokens, context, features = 128, heads = 4, layers = 4, dropout = 0.1, tied = false }: GptOptions) {
    if (!Number.isInteger(layers) || layers < 1)
      throw new RangeError(`gpt: layers must be a whole number ≥ 1, got ${layers}`);
    const layer = { dropout, activation: gelu, normFirst: true, causal: true, init: narrow };
    this.embedding = new Embedding(tokens, features, { init: narrow });
    this.positions = new Embedding(context, features, { init: narrow });
    this.drop = new Dropout(dropout);
    this.layers = Array.from({ length: layers }, () => new TransformerEncoderLayer(features, heads, layer));
    this.norm = new LayerNorm(features);
    this.output = tied ? undefined : new Linear(features, tokens, { bias: false, init: narrow });
    this.context = context;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const [, steps] = x.shape;
      if (x.rank !== 2 || steps > this.context)
        throw new RangeError(`gpt: takes texts [B, T] of at most ${this.context} places, got [${x.shape.join(", ")}]`);
      const places = this.positions.forward(iota([steps], 0)); // [T, features]
      const start = this.drop.forward(this.embedding.forward(x).add(places)); // [B, T, features]
      const last = this.norm.forward(this.layers.reduce((y, layer) => layer.forward(y), start));
      return this.output?.forward(last) ?? last.matmul(this.embedding.weight.transpose()); // [B, T, tokens]
    });
  }
}

export const gptEntry: ZooEntry = characterEntry(
  {
    name: "chargpt",
    paper: "Radford, Wu, Child, Luan, Amodei & Sutskever, Language models are unsupervised multitask learners, 2019",
    epochs: 5,
    lr: 1e-3,
    clip: 1,
  },
  (tokens, context) => gpt({ tokens, context }),
);
