// The language model of gated convolutions (Dauphin, Fan, Auli & Grangier, Language Modeling with Gated Convolutional Networks, 2017).
import { type Tensor, within } from "../graph/index.ts";
import { Conv1d, Dropout, Embedding, glu, type Layer, Linear } from "../nn/index.ts";
import { characterEntry } from "./character-entry.ts";
import type { ZooEntry } from "./entry.ts";

export interface GatedConvOptions {
  /** Size of the vocabulary. */
  tokens: number;
  features?: number;
  /** Blocks, each a gated convolution with a connection past it. */
  blocks?: number;
  kernel?: number;
  dropout?: number;
}

/**
 * x i32 [B, T] → logits [B, T, tokens] of the token that follows each place, which depend on that place and the
 * blocks · (kernel − 1) before it alone: h ← h + (h∗W + b) ⊗ σ(h∗V + c), each convolution with kernel − 1 zeros before the
 * sequence and none after. The paper's small form, without its weight normalization and adaptive softmax. For crossEntropy with
 * the sequence one place further, y i32 [B, T].
 */
export const gatedConv = (options: GatedConvOptions): Layer => new GatedConv(options);

class GatedConv {
  embedding: Embedding;
  blocks: Conv1d[]; // features → 2 · features: what passes, and its gates
  drop: Dropout;
  output: Linear; // [tokens, features]

  constructor({ tokens, features = 128, blocks = 4, kernel = 4, dropout = 0 }: GatedConvOptions) {
    if (!(Number.isInteger(blocks) && blocks >= 1))
      throw new RangeError(`gatedConv: blocks must be a whole number ≥ 1, got ${blocks}`);
    this.embedding = new Embedding(tokens, features);
    const padding: [number, number][] = [[kernel - 1, 0]];
    this.blocks = Array.from({ length: blocks }, () => new Conv1d(features, 2 * features, kernel, { padding }));
    this.drop = new Dropout(dropout);
    this.output = new Linear(features, tokens);
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const start = this.embedding.forward(x).transpose(1, 2); // [B, features, T]
      const h = this.blocks.reduce((h, block) => h.add(glu(block.forward(this.drop.forward(h)), 1)), start);
      return this.output.forward(this.drop.forward(h.transpose(1, 2))); // [B, T, tokens]
    });
  }
}

export const gatedConvEntry: ZooEntry = characterEntry(
  {
    name: "chargatedconv",
    paper: "Dauphin, Fan, Auli & Grangier, Language Modeling with Gated Convolutional Networks, 2017",
    epochs: 10,
    lr: 2e-3,
    clip: 1,
  },
  (tokens) => gatedConv({ tokens, features: 128, blocks: 6, kernel: 5 }),
);
