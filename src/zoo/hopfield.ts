// The Hopfield net of images (Hopfield, 1982): a memory that recalls the samples it was trained on from spoilt copies.

import { rowsOf } from "../energy/rbm.ts";
import { eye, oneHot, param, state, type Tensor, where, within } from "../graph/index.ts";
import { sizeOf } from "../graph/internal.ts";
import * as init from "../nn/init.ts";
import { checkSizes } from "../nn/module.ts";
import type { GradientSource } from "../optim/index.ts";
import { meanOf } from "../train/index.ts";
import { givesDigitsBack, type Reconstructing, type ZooEntry } from "./entry.ts";

/** The share of units that are wrong in a cue. */
const spoilt = 0.2;

/**
 * Hopfield net of N units for samples of any shape, x [B, …], whose values above ½ are 1, the others −1. One unit changes at a time,
 * each time the one whose field opposes it most, so that E = −½sᵀWs never rises; at most ⌈N / 2⌉ do. Throws where the size is none.
 */
export class SampleHopfield implements Reconstructing {
  weight: Tensor; // W [units, units], symmetric, 0 on its diagonal
  flips: Tensor; // [units], −1 for the units that are wrong in a cue, else 1

  constructor(units: number) {
    checkSizes("SampleHopfield", { units });
    this.weight = param((shape) => new Float32Array(sizeOf(shape)), [units, units]);
    this.flips = state(init.uniform([units]).map((u) => (u < spoilt ? -1 : 1)));
  }

  get units(): number {
    return this.flips.shape[0];
  }

  /** The state into which x falls: x [B, …] → [B, units] of −1 and 1. */
  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      let s = this.spins(x);
      let field = s.matmul(this.weight);
      for (let i = 0; i < this.units / 2; i++) {
        const support = field.mul(s); // below 0 where a unit wants to change
        const unit = support.argmin(-1, { keepDims: true }); // [B, 1]
        const change = where(support.takeAlong(unit).lt(0), s.takeAlong(unit).mul(-2), 0); // [B, 1]
        s = s.add(oneHot(unit.squeeze(-1), this.units).mul(change));
        field = field.add(this.weight.take(unit.squeeze(-1)).mul(change));
      }
      return s;
    });
  }

  /** x with a fifth of its pixels turned into their opposite, always the same ones; 0 and 1, of the shape of x. */
  cue(x: Tensor): Tensor {
    return this.spins(x).mul(this.flips).gt(0).float().reshape(x.shape);
  }

  /** The state into which the cue falls: x [B, …] → [B, units] of −1 and 1. */
  encode(x: Tensor): Tensor {
    return this.forward(this.cue(x));
  }

  /** The same as 0 and 1, of the shape of x. */
  reconstruct(x: Tensor): Tensor {
    return this.encode(x).gt(0).float().reshape(x.shape);
  }

  spins(x: Tensor): Tensor {
    return where(rowsOf("hopfield", x, this.units).gt(0.5), 1, -1).float();
  }
}

/**
 * Hebb's rule for what the net does not know yet, W ← W + α·⟨(ξ − Wξ)ξᵀ⟩ / N made symmetric, with Wᵢᵢ = 0. From W = 0 one step with all
 * patterns ξ is Hopfield's storage, but for a factor that recall does not see; it holds patterns that are hardly alike. Further steps
 * go down ½⟨|ξ − Wξ|²⟩ / N, the figure that is watched, and so unlearn what patterns that are alike take for each other (Diederich &
 * Opper, Learning of correlated patterns in spin-glass networks by local learning rules, 1987).
 */
const storing = (net: SampleHopfield): GradientSource<{ x: Tensor }, Tensor> => ({
  gradients: ({ x }) => {
    const patterns = net.spins(x); // ξ [B, units]
    const missed = patterns.sub(patterns.matmul(net.weight));
    const pull = missed.transpose().matmul(patterns).div(patterns.size); // [units, units]
    const symmetric = pull.add(pull.transpose()).div(2);
    const others = eye(net.units).neg().add(1); // no unit acts on itself
    return {
      loss: missed.square().mean().div(2),
      outputs: net.reconstruct(x),
      gradients: new Map([[net.weight, symmetric.mul(others).neg()]]),
    };
  },
});

/**
 * Eight samples, of which it is asked those very ones back; one epoch is Hopfield's storage, fifty tell digits apart. Its capacity is the
 * load at which random patterns are lost to one step (Amit, Gutfreund & Sompolinsky, 1985).
 */
export const hopfieldEntry: ZooEntry = {
  name: "hopfield",
  paper: "Hopfield, Neural networks and physical systems with emergent collective computational abilities, 1982",
  ...givesDigitsBack,
  capacity: (input) => Math.floor(0.138 * sizeOf(input)),
  recipe: {
    data: "mnist",
    samples: 8,
    epochs: 50,
    batch: 128,
    optimizer: "sgd",
    lr: 1,
    momentum: 0.9,
    decay: 1,
    shift: 0,
  },
  source: (model) => storing(model as SampleHopfield),
  metrics: () => ({ pixelsRight: ({ x }, outputs) => meanOf(outputs.gt(0.5).eq(x.gt(0.5))) }),
  build: ({ input = [1, 28, 28] } = {}) => new SampleHopfield(sizeOf(input)),
};
