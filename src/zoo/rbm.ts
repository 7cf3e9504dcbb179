// The restricted Boltzmann machine of images (Smolensky, 1986; Hinton, 2002), as a model that gives its input back.

import { contrastiveDivergence, RBM } from "../energy/index.ts";
import { rowsOf } from "../energy/rbm.ts";
import type { Tensor } from "../graph/index.ts";
import { sizeOf } from "../graph/internal.ts";
import { givesDigitsBack, type Reconstructing, type ZooEntry } from "./entry.ts";

/** An RBM that takes samples of any shape, x [B, …], in the place of rows [B, visible]. */
export class SampleRbm extends RBM implements Reconstructing {
  /** p(h = 1 | x): x [B, …] → [B, hidden]. */
  override forward(x: Tensor): Tensor {
    return super.forward(rowsOf("rbm", x, this.visible));
  }

  encode(x: Tensor): Tensor {
    return this.forward(x);
  }

  /** x through the means of the hidden units and back, without a draw, of the shape of x. */
  override reconstruct(x: Tensor): Tensor {
    return super.reconstruct(x).reshape(x.shape);
  }
}

/** 784-500 by CD-1, with the rate, first momentum, weight cost and first biases of Hinton's guide. */
export const rbmEntry: ZooEntry = {
  name: "rbm",
  paper: "Hinton, A practical guide to training restricted Boltzmann machines, 2010",
  ...givesDigitsBack,
  recipe: {
    data: "mnist",
    epochs: 10,
    batch: 100,
    optimizer: "sgd",
    lr: 0.1,
    momentum: 0.5,
    weightDecay: 2e-4,
    decay: 1,
    shift: 0,
  },
  groups: [{ match: /Bias$/, weightDecay: 0 }],
  prepare: (model, data) => (model as SampleRbm).startFromMeans(data),
  source: (model) => {
    const rbm = model as SampleRbm;
    const divergence = contrastiveDivergence(rbm);
    return { gradients: (batch) => ({ ...divergence.gradients(batch), outputs: rbm.reconstruct(batch.x) }) };
  },
  build: ({ input = [1, 28, 28] } = {}) => new SampleRbm(sizeOf(input), 500),
};
