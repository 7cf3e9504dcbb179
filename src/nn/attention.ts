// Attention of a decoder to the states of an encoder: additive (Bahdanau, Cho & Bengio, 2015), dot, general and concat, global or in a window (Luong, Pham & Manning, 2015).
import { iota, param, type Tensor, tensor, where, within } from "../graph/index.ts";
import { fail, type Shape, show } from "../graph/internal.ts";
import { softmax } from "./functional.ts";
import { fanInUniform } from "./init.ts";
import { checkSizes } from "./module.ts";
import { type Lengths, lengthsOf, sequenceMask } from "./sequence.ts";

export type AttentionKind = "additive" | "dot" | "general" | "concat";

export interface AttentionOptions {
  /** Size of the hidden layer that scores in "additive" and "concat", and that predicts positions; by default that of the keys. */
  units?: number;
  /** D of Luong's local-p: only states within D of a predicted position count, the nearer the more. Without it all do. */
  window?: number;
}

/** What is attended to, with the part of the scores that does not wait for a query. */
export interface AttentionMemory {
  readonly values: Tensor; // [B, S, keys], 0 in the padding
  readonly products: Tensor; // [B, S, …]
  readonly lengths: Tensor; // i32 [B]
}

export interface Attended {
  /** Σⱼ αⱼ·hⱼ, [..., keys]. */
  readonly context: Tensor;
  /** α, [..., S], exactly 0 in the padding: rows of the alignment matrix. */
  readonly weights: Tensor;
}

interface Sizes {
  readonly queries: number;
  readonly keys: number;
  readonly units: number;
}

type Weights = Readonly<Record<string, Tensor>>;

/** The score of a kind of attention, in a part for each key, computed once, and one for each query. */
interface ScoreRule {
  parameters(sizes: Sizes): Readonly<Record<string, Shape>>;
  products(values: Tensor, weights: Weights): Tensor;
  /** From queries [B, T, queries] to scores [B, T, S]. */
  scores(queries: Tensor, products: Tensor, weights: Weights): Tensor;
}

const linear = (x: Tensor, weight: Tensor): Tensor => x.matmul(weight.transpose());

/** vᵀtanh(a + b) of [B, T, units] with [B, S, units], [B, T, S]. */
const perceptron = (a: Tensor, b: Tensor, v: Tensor): Tensor =>
  a.unsqueeze(2).add(b.unsqueeze(1)).tanh().mul(v).sum(-1);

const rules: Readonly<Record<AttentionKind, ScoreRule>> = {
  additive: {
    parameters: ({ queries, keys, units }) => ({
      query_weight: [units, queries],
      key_weight: [units, keys],
      score_weight: [units],
    }),
    products: (h, w) => linear(h, w.key_weight),
    scores: (s, Uh, w) => perceptron(linear(s, w.query_weight), Uh, w.score_weight),
  },
  dot: {
    parameters: () => ({}),
    products: (h) => h,
    scores: (s, h) => s.matmul(h.transpose()),
  },
  general: {
    parameters: ({ queries, keys }) => ({ weight: [queries, keys] }),
    products: (h, w) => linear(h, w.weight),
    scores: (s, Wh) => s.matmul(Wh.transpose()),
  },
  concat: {
    parameters: ({ queries, keys, units }) => ({ weight: [units, queries + keys], score_weight: [units] }),
    products: (h, w) => linear(h, w.weight.slice(1, w.weight.shape[1] - h.shape[2])),
    scores: (s, Wh, w) => perceptron(linear(s, w.weight.slice(1, 0, s.shape[2])), Wh, w.score_weight),
  },
};

/**
 * α = softmaxⱼ(score(s, hⱼ)) over the states hⱼ of each sequence's own steps, and the context Σⱼ αⱼ·hⱼ. The score is
 *
 * - "additive": vᵀtanh(W·s + U·h), with `query_weight` W [units, queries], `key_weight` U [units, keys], `score_weight` v [units]
 *   (Bahdanau, Cho & Bengio, Neural machine translation by jointly learning to align and translate, 2015);
 * - "dot": sᵀh; "general": sᵀW·h, with `weight` W [queries, keys]; "concat": vᵀtanh(W·[s; h]), with `weight` W [units, queries + keys]
 *   and `score_weight` v [units] (Luong, Pham & Manning, Effective approaches to attention-based neural machine translation, 2015).
 *
 * With a window D it is Luong's local-p: the position p = S·σ(v_pᵀtanh(W_p·s)) is predicted (`window_weight` [units, queries],
 * `window_score_weight` [units]), the softmax goes over the states within p ± D, and α is multiplied by exp(−(j − p)² / (2σ²)),
 * σ = D / 2. S is the sequence's length.
 *
 * `memory(h, lengths)` is computed once for a batch of sequences, `forward(s, memory)` for each query. Throws for another kind,
 * where "dot" has queries and keys of different sizes, and for other shapes.
 */
export class Attention {
  [weight: `${string}weight`]: Tensor;
  readonly kind: AttentionKind;
  readonly queries: number;
  readonly keys: number;
  readonly window: number | undefined;

  constructor(kind: AttentionKind, queries: number, keys: number, { units = keys, window }: AttentionOptions = {}) {
    if (!Object.hasOwn(rules, kind))
      throw new RangeError(
        `Attention: the kind is "additive", "dot", "general" or "concat", not ${JSON.stringify(kind)}`,
      );
    checkSizes("Attention", { queries, keys, units, ...(window !== undefined && { window }) });
    if (kind === "dot" && queries !== keys)
      fail("Attention", `"dot" needs queries and keys of one size, got ${queries} and ${keys}; take "general"`);
    this.kind = kind;
    this.queries = queries;
    this.keys = keys;
    this.window = window;
    const shapes = {
      ...rules[kind].parameters({ queries, keys, units }),
      ...(window !== undefined && { window_weight: [units, queries], window_score_weight: [units] }),
    };
    for (const [name, shape] of Object.entries(shapes))
      Object.assign(this, { [name]: param(shape.length === 1 ? () => rowOf(shape[0]) : fanInUniform, shape) });
  }

  /** What queries go to: h [B, S, keys], of which each sequence's own steps count; without lengths all do. */
  memory(h: Tensor, lengths?: Lengths): AttentionMemory {
    return within(this, h, () => {
      if (h.rank !== 3 || h.shape[2] !== this.keys)
        fail("attention", `needs states [B, S, ${this.keys}], got ${show(h.shape)}`);
      const [batch, steps] = h.shape;
      const all = tensor(new Int32Array(batch).fill(steps));
      const own = lengths === undefined ? all : lengthsOf("attention", lengths, steps, batch);
      const values = lengths === undefined ? h : where(sequenceMask(own, steps).unsqueeze(-1), h, 0);
      return { values, products: rules[this.kind].products(values, this.#weights), lengths: own };
    });
  }

  /** The contexts and weights for queries s [B, queries], or [B, T, queries] for many at a time. */
  forward(s: Tensor, memory: AttentionMemory): Attended {
    return within(this, s, () => {
      const { values, products, lengths } = memory;
      const fits = (s.rank === 2 || s.rank === 3) && s.shape[0] === values.shape[0] && s.shape.at(-1) === this.queries;
      if (!fits)
        fail(
          "attention",
          `needs queries [${values.shape[0]}, ${this.queries}] or [${values.shape[0]}, T, ${this.queries}], got ${show(s.shape)}`,
        );
      const queries = s.rank === 2 ? s.unsqueeze(1) : s; // [B, T, queries]
      const scores = rules[this.kind].scores(queries, products, this.#weights); // [B, T, S]
      const own = sequenceMask(lengths, values.shape[1]).unsqueeze(1); // [B, 1, S]
      const weights = this.window === undefined ? over(scores, own) : this.#local(queries, scores, own, lengths);
      const context = weights.matmul(values); // [B, T, keys]
      return s.rank === 2 ? { context: context.squeeze(1), weights: weights.squeeze(1) } : { context, weights };
    });
  }

  /** Luong's local-p. */
  #local(s: Tensor, scores: Tensor, own: Tensor, lengths: Tensor): Tensor {
    const D = this.window!;
    const predicted = linear(s, this.window_weight).tanh().mul(this.window_score_weight).sum(-1).sigmoid();
    const p = predicted.mul(lengths.float().unsqueeze(1)).unsqueeze(-1); // [B, T, 1]
    const distance = iota([scores.shape[2]], 0).float().sub(p); // [B, T, S]
    const near = own.and(distance.abs().le(D));
    return over(scores, near).mul(
      distance
        .square()
        .mul(-2 / D ** 2)
        .exp(),
    );
  }

  get #weights(): Weights {
    return this as unknown as Weights;
  }
}

/** The softmax over what counts. */
const over = (scores: Tensor, counts: Tensor): Tensor => softmax(where(counts, scores, Number.NEGATIVE_INFINITY));

/** Starting values of a vector that is multiplied with another. */
const rowOf = (size: number): Float32Array => fanInUniform([1, size]);
