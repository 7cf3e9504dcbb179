// A linear layer whose units are dropped by how active they are.
import { isTraining, type Tensor, uniform, where, within } from "../graph/index.ts";
import { relu } from "./functional.ts";
import { fanInUniform, type Init } from "./init.ts";
import { Linear } from "./linear.ts";

export interface StandoutOptions {
  alpha?: number;
  beta?: number;
  activation?: (u: Tensor) => Tensor;
  bias?: boolean;
  init?: Init;
}

/**
 * Adaptive dropout (Ba & Frey, 2013): y = m ⊙ a(W·x + b), where unit j is kept with probability P(mⱼ = 1) = σ(Σᵢ πⱼᵢ·xᵢ) and
 * the weights of the mask are tied to the layer's, π = α·W + β, its bias being the weight of an input of 1:
 * x [..., inputs] → [..., outputs]. Outside of training y = P ⊙ a(W·x + b). Nothing is scaled by 1 / P, and as the mask is drawn,
 * no gradient passes through P in training. Starts as `Linear` does. Throws a RangeError where α or β is not finite.
 */
export class Standout {
  linear: Linear;
  readonly alpha: number;
  readonly beta: number;
  readonly activation: (u: Tensor) => Tensor;

  constructor(inputs: number, outputs: number, options: StandoutOptions = {}) {
    const { alpha = 1, beta = 0, activation = relu, bias = true, init = fanInUniform } = options;
    if (!Number.isFinite(alpha) || !Number.isFinite(beta))
      throw new RangeError(`Standout: alpha and beta must be finite numbers, got ${alpha} and ${beta}`);
    this.linear = new Linear(inputs, outputs, { bias, init });
    [this.alpha, this.beta, this.activation] = [alpha, beta, activation];
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const u = this.linear.forward(x); // [..., outputs]
      const inputs = x.sum(-1, { keepDims: true }).add(this.linear.bias === undefined ? 0 : 1);
      const kept = u.mul(this.alpha).add(inputs.mul(this.beta)).sigmoid(); // P
      const y = this.activation(u);
      return isTraining() ? where(uniform(kept.shape).lt(kept), y, 0) : y.mul(kept);
    });
  }
}
