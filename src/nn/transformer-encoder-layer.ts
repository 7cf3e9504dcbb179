// One layer of a transformer: attention, then a network at each place.
import { param, type Tensor, within } from "../graph/index.ts";
import { Dropout } from "./dropout.ts";
import { relu } from "./functional.ts";
import { constant, type Init } from "./init.ts";
import { Linear } from "./linear.ts";
import { type AttendOptions, MultiHeadAttention } from "./multi-head-attention.ts";
import { LayerNorm } from "./norm.ts";

export interface TransformerEncoderLayerOptions {
  /** Units of the network at each place, by default 4 · features. */
  hidden?: number;
  dropout?: number;
  activation?: (x: Tensor) => Tensor;
  /** Whether to normalize what goes into each part, instead of the sum with what comes out of it (Xiong et al., 2020). */
  normFirst?: boolean;
  /** Whether place t sees the places 0 … t alone, as a decoder's. */
  causal?: boolean;
  /** Starting values of all weights; biases are 0 then. */
  init?: Init;
}

/**
 * y = norm(x + attention(x)), then norm(y + W₂·f(W₁·y + b₁) + b₂); with `normFirst` y = x + attention(norm(x)), then y + W₂·f(W₁·norm(y) + b₁) + b₂.
 * x [B, T, features] → [B, T, features]; f is by default relu, and dropout 0.1 comes after attention's weights, both parts and f
 * (Vaswani et al., 2017). Throws as `MultiHeadAttention` does.
 */
export class TransformerEncoderLayer {
  self_attn: MultiHeadAttention; // named as in PyTorch's files
  linear1: Linear; // [hidden, features]
  linear2: Linear; // [features, hidden]
  norm1: LayerNorm;
  norm2: LayerNorm;
  readonly drop: Dropout;
  readonly activation: (x: Tensor) => Tensor;
  readonly normFirst: boolean;

  constructor(features: number, heads: number, options: TransformerEncoderLayerOptions = {}) {
    const { hidden = 4 * features, dropout = 0.1, causal = false, init } = options;
    this.self_attn = new MultiHeadAttention(features, heads, { causal, dropout, ...(init && { init }) });
    this.linear1 = linear(features, hidden, init);
    this.linear2 = linear(hidden, features, init);
    this.norm1 = new LayerNorm(features);
    this.norm2 = new LayerNorm(features);
    this.drop = new Dropout(dropout);
    this.activation = options.activation ?? relu;
    this.normFirst = options.normFirst ?? false;
  }

  forward(x: Tensor, options: AttendOptions = {}): Tensor {
    const attend = (y: Tensor): Tensor => this.drop.forward(this.self_attn.forward(y, y, y, options));
    const network = (y: Tensor): Tensor =>
      this.drop.forward(this.linear2.forward(this.drop.forward(this.activation(this.linear1.forward(y)))));
    return within(this, x, () => {
      if (this.normFirst) {
        const y = x.add(attend(this.norm1.forward(x)));
        return y.add(network(this.norm2.forward(y)));
      }
      const y = this.norm1.forward(x.add(attend(x)));
      return this.norm2.forward(y.add(network(y)));
    });
  }
}

function linear(inputs: number, outputs: number, init: Init | undefined): Linear {
  const layer = new Linear(inputs, outputs, init && { init });
  if (init !== undefined) layer.bias = param((shape) => constant(shape, 0), [outputs]);
  return layer;
}
