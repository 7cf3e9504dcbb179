// A linear layer whose weights are dropped, example by example.
import { isTraining, normal, param, type Tensor, uniform as uniformOf, where, within } from "../graph/index.ts";
import { fail, show } from "../graph/internal.ts";
import { checkShare } from "./dropout.ts";
import { identity } from "./functional.ts";
import { fanInUniform, type Init, uniform } from "./init.ts";
import { checkSizes } from "./module.ts";

export interface DropConnectOptions {
  /** Probability with which a weight is dropped. */
  p?: number;
  /** Part of the layer, as evaluation averages over its values. */
  activation?: (u: Tensor) => Tensor;
  /** How many draws evaluation averages over; 0 takes the activation of the mean instead. */
  samples?: number;
  bias?: boolean;
  init?: Init;
}

/**
 * y = a(u) with u = (M ⊙ W)·x + m ⊙ b, where M and m are drawn anew for each example and keep an element with probability
 * q = 1 − p (Wan et al., 2013): x [..., inputs] → [..., outputs]. Outside of training u is taken as a Gaussian of the same
 * moments, N(q·(W·x + b), p·q·(W²·x² + b²)), squares by element: y is the mean of a(u) over `samples` draws of it, or with none a(q·(W·x + b)).
 * Training draws a mask of W's size for each example. Nothing is scaled by 1 / q. Starts as `Linear` does. Throws unless 0 ≤ p ≤ 1,
 * and where x has other features.
 */
export class DropConnect {
  weight: Tensor; // [outputs, inputs]
  bias: Tensor | undefined; // [outputs]
  readonly p: number;
  readonly activation: (u: Tensor) => Tensor;
  readonly samples: number;

  constructor(inputs: number, outputs: number, options: DropConnectOptions = {}) {
    const { p = 0.5, activation = identity, samples = 0, bias = true, init = fanInUniform } = options;
    checkSizes("DropConnect", { inputs, outputs });
    checkSizes("DropConnect", { samples }, 0);
    checkShare("DropConnect", p);
    this.weight = param(init([outputs, inputs]), [outputs, inputs]);
    const bound = 1 / Math.sqrt(inputs);
    this.bias = bias ? param((shape) => uniform(shape, -bound, bound), [outputs]) : undefined;
    [this.p, this.activation, this.samples] = [p, activation, samples];
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const [, inputs] = this.weight.shape;
      if (x.rank < 1 || x.shape[x.rank - 1] !== inputs)
        fail("dropConnect", `needs [..., ${inputs}], got ${show(x.shape)}`);
      if (isTraining() && this.p > 0) return this.activation(this.#masked(x));
      const keep = isTraining() ? 1 : 1 - this.p;
      const mean = linear(x, this.weight, this.bias).mul(keep);
      if (isTraining() || this.samples === 0) return this.activation(mean);
      const variance = linear(x.square(), this.weight.square(), this.bias?.square()).mul(keep * this.p);
      const noise = normal([this.samples, ...mean.shape]); // [samples, ..., outputs]
      return this.activation(mean.add(rootOf(variance).mul(noise))).mean(0);
    });
  }

  /** W·x + b with a mask of its own for each example. */
  #masked(x: Tensor): Tensor {
    const keep = 1 - this.p;
    const lead = x.shape.slice(0, -1);
    const weights = where(uniformOf([...lead, ...this.weight.shape]).lt(keep), this.weight, 0); // [..., outputs, inputs]
    const y = weights.mul(x.unsqueeze(-2)).sum(-1);
    if (this.bias === undefined) return y;
    return y.add(where(uniformOf([...lead, ...this.bias.shape]).lt(keep), this.bias, 0));
  }
}

function linear(x: Tensor, weight: Tensor, bias: Tensor | undefined): Tensor {
  const y = x.matmul(weight.transpose());
  return bias === undefined ? y : y.add(bias);
}

/** √v, with gradient 0 at 0. */
const rootOf = (v: Tensor): Tensor => where(v.gt(0), where(v.gt(0), v, 1).sqrt(), 0);
