// Pooling of a sequence by how much each step tells (Yang et al., Hierarchical attention networks for document classification, 2016).
import { param, type Tensor, tensor, where, within } from "../graph/index.ts";
import { fail, show } from "../graph/internal.ts";
import type { Attended } from "./attention.ts";
import { softmax } from "./functional.ts";
import { fanInUniform } from "./init.ts";
import { Linear } from "./linear.ts";
import { type Lengths, lengthsOf, sequenceMask } from "./sequence.ts";

/**
 * u_t = tanh(W·h_t + b), α = softmax_t(u_tᵀ·u_w) over each sequence's own steps, and Σ α_t·h_t: h [B, T, inputs] → context [B, inputs]
 * and weights [B, T]. Throws where h has another rank or size.
 */
export class AttentionPool {
  hidden: Linear; // W [units, inputs], b
  query: Tensor; // u_w [units]
  readonly inputs: number;

  constructor(inputs: number, { units = inputs }: { units?: number } = {}) {
    this.hidden = new Linear(inputs, units);
    this.query = param(() => fanInUniform([1, units]), [units]);
    this.inputs = inputs;
  }

  forward(h: Tensor, lengths?: Lengths): Attended {
    return within(this, h, () => {
      if (h.rank !== 3 || h.shape[2] !== this.inputs)
        fail("attention", `needs states [B, T, ${this.inputs}], got ${show(h.shape)}`);
      const [batch, steps] = h.shape;
      const all = tensor(new Int32Array(batch).fill(steps));
      const own = sequenceMask(lengths === undefined ? all : lengthsOf("attention", lengths, steps, batch), steps);
      const values = where(own.unsqueeze(-1), h, 0);
      const scores = this.hidden.forward(values).tanh().mul(this.query).sum(-1); // [B, T]
      const weights = softmax(where(own, scores, Number.NEGATIVE_INFINITY));
      return { context: weights.unsqueeze(1).matmul(values).squeeze(1), weights };
    });
  }
}
