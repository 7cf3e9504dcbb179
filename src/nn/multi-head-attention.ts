// Multi-head attention.
import { checkpoint, iota, param, type Tensor, where, within } from "../graph/index.ts";
import { fail, sameShape, show } from "../graph/internal.ts";
import { Dropout } from "./dropout.ts";
import { softmax } from "./functional.ts";
import { constant, glorotUniform, type Init } from "./init.ts";
import { Linear } from "./linear.ts";
import { checkSizes } from "./module.ts";
import { type Lengths, lengthsOf } from "./sequence.ts";

export interface MultiHeadAttentionOptions {
  /** Whether place t sees the places 0 … t alone. */
  causal?: boolean;
  /** In training, the share of attention weights that is dropped. */
  dropout?: number;
  /** Starting values of the weights, in place of Glorot's for queries, keys and values and U(±1/√features) for the output. */
  init?: Init;
}

export interface AttendOptions {
  /** How many keys of each sequence are its own; the padding after them is not seen. */
  lengths?: Lengths | undefined;
}

/** Attention weights that a layer keeps for its gradient: 64 MB. */
const mostKept = 2 ** 24;
/** Of more, places come in strips of so many, the last filled up with places that nobody looks at. */
const stripRows = 64;

/**
 * In each of the heads, softmax(Q·Kᵀ / √d)·V with Q, K, V = query·W_qᵀ + b_q, key·W_kᵀ + b_k, value·W_vᵀ + b_v, of d = features / heads
 * columns each; the heads side by side go through a linear layer (Vaswani et al., 2017). query [B, T, features], key and value
 * [B, S, features], by default the query and the key → [B, T, features]. Of long
 * sequences (batch · heads · T · S above 2²⁴) the weights are not kept: the gradient computes them again, a strip of rows at a time, so that
 * memory grows with T + S, not with T · S (as FlashAttention; Dao, Fu, Ermon, Rudra & Ré, 2022). Throws where the heads do not divide the features, where
 * the shapes do not fit, and for `lengths` as `sequenceMask` does.
 */
export class MultiHeadAttention {
  in_proj_weight: Tensor; // W_q, W_k, W_v: [3·features, features], named as in PyTorch's files
  in_proj_bias: Tensor; // [3·features]
  out_proj: Linear;
  readonly drop: Dropout;
  readonly features: number;
  readonly heads: number;
  readonly causal: boolean;

  constructor(features: number, heads: number, options: MultiHeadAttentionOptions = {}) {
    const { causal = false, dropout = 0, init } = options;
    checkSizes("MultiHeadAttention", { features, heads });
    if (features % heads !== 0)
      throw new RangeError(`MultiHeadAttention: ${heads} heads must divide the features, got ${features}`);
    this.in_proj_weight = param(init ?? glorotUniform, [3 * features, features]);
    this.in_proj_bias = param((shape) => constant(shape, 0), [3 * features]);
    this.out_proj = new Linear(features, features, init && { init });
    this.out_proj.bias = param((shape) => constant(shape, 0), [features]);
    this.drop = new Dropout(dropout);
    this.features = features;
    this.heads = heads;
    this.causal = causal;
  }

  forward(query: Tensor, key: Tensor = query, value: Tensor = key, { lengths }: AttendOptions = {}): Tensor {
    return within(this, query, () => {
      const [batch, steps, keys] = this.#sizes(query, key, value);
      const [q, k, v] = this.#projected(query, key, value).map((x) => this.#split(x)); // [B, heads, T or S, d]
      const kept = batch * this.heads * steps * keys <= mostKept;
      const rows = kept ? steps : Math.ceil(steps / stripRows) * stripRows;
      const seen = this.#seen(batch, rows, keys, lengths);
      const attend = (...[q, k, v]: [Tensor, Tensor, Tensor]): Tensor => {
        const scores = q.mul(1 / Math.sqrt(this.features / this.heads)).matmul(k.transpose()); // [B, heads, T, S]
        const weights = softmax(seen === undefined ? scores : where(seen, scores, Number.NEGATIVE_INFINITY));
        return this.drop.forward(weights).matmul(v); // [B, heads, T, d]
      };
      const none = [0, 0] as const;
      const padded = rows === steps ? q : q.pad([none, none, [0, rows - steps], none]); // [B, heads, rows, d]
      const heads = kept ? attend(q, k, v) : checkpoint(attend, padded, k, v).slice(2, 0, steps);
      return this.out_proj.forward(heads.transpose(1, 2).reshape(batch, steps, this.features));
    });
  }

  #sizes(query: Tensor, key: Tensor, value: Tensor): [batch: number, steps: number, keys: number] {
    const [batch, steps] = query.shape;
    const keys = key.shape[1];
    const fits = (t: Tensor, length: number): boolean => sameShape(t.shape, [batch, length, this.features]);
    if (!fits(query, steps) || !fits(key, keys) || !fits(value, keys)) {
      const wanted = `query [B, T, ${this.features}], key and value [B, S, ${this.features}]`;
      fail("attention", `needs ${wanted}, got ${[query, key, value].map((t) => show(t.shape)).join(", ")}`);
    }
    return [batch, steps, keys];
  }

  /** Queries, keys and values; those of one input by one product. */
  #projected(...inputs: readonly [query: Tensor, key: Tensor, value: Tensor]): Tensor[] {
    const n = this.features;
    const project = (x: Tensor, from: number, to: number): Tensor[] => {
      const weight = this.in_proj_weight.slice(0, from * n, to * n);
      const y = x.matmul(weight.transpose()).add(this.in_proj_bias.slice(0, from * n, to * n));
      return y.split(n, -1);
    };
    const starts = [0, 1, 2].filter((i) => inputs[i] !== inputs[i - 1]);
    return starts.flatMap((from, i) => project(inputs[from], from, starts[i + 1] ?? 3));
  }

  /** [B, T, features] → [B, heads, T, d]. */
  #split(x: Tensor): Tensor {
    const [batch, steps] = x.shape;
    return x.reshape(batch, steps, this.heads, -1).transpose(1, 2);
  }

  /** Which keys each place sees, as bool that broadcasts to [B, heads, T, S]; undefined where all of them. */
  #seen(batch: number, steps: number, keys: number, lengths: Lengths | undefined): Tensor | undefined {
    const place = iota([1, 1, steps, keys], 3);
    const past = this.causal ? place.le(iota([1, 1, steps, keys], 2)) : undefined;
    if (lengths === undefined) return past;
    const own = place.lt(lengthsOf("attention", lengths, keys, batch).reshape(batch, 1, 1, 1));
    return past === undefined ? own : past.and(own);
  }
}
