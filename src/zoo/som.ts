// The self-organising map of images (Kohonen, 1982), as a model that gives of its input what its nearest unit looks for.

import { kohonen, SOM } from "../energy/index.ts";
import { rowsOf } from "../energy/rbm.ts";
import { isTraining, stack, state, type Tensor, within } from "../graph/index.ts";
import { sizeOf } from "../graph/internal.ts";
import { givesDigitsBack, type Reconstructing, type ZooEntry } from "./entry.ts";

/** σ at the end: hardly more than the nearest unit alone learns. */
const narrow = 0.5;

const widest = ({ rows, columns }: SOM): number => Math.max(rows, columns) / 2;

/** A SOM that takes samples of any shape, x [B, …], in the place of rows [B, features]. */
export class SampleSom extends SOM implements Reconstructing {
  /** σ of the neighbourhood, at first half of the longer side. */
  radius: Tensor = state([widest(this)], []);

  /** The numbers of the nearest units: x [B, …] → i32 [B]. */
  override forward(x: Tensor): Tensor {
    return within(this, x, () => super.forward(this.rowsOf(x)));
  }

  /** The row and column of the nearest unit: x [B, …] → [B, 2]. */
  encode(x: Tensor): Tensor {
    const nearest = this.forward(x);
    return stack([nearest.floorDiv(this.columns), nearest.mod(this.columns)], 1).float();
  }

  /** The weights of the nearest unit, of the shape of x. */
  reconstruct(x: Tensor): Tensor {
    return this.weight.take(this.forward(x)).reshape(x.shape);
  }

  rowsOf(x: Tensor): Tensor {
    return rowsOf("som", x, this.features);
  }
}

/**
 * 10 × 10 units; rate and neighbourhood fall over the whole training. σ shrinks by a share that follows from
 * the steps of that whole, so a finished run that is resumed with more epochs keeps the last σ.
 */
export const somEntry: ZooEntry = {
  name: "som",
  paper: "Kohonen, Self-organized formation of topologically correct feature maps, 1982",
  ...givesDigitsBack,
  recipe: {
    data: "mnist",
    epochs: 5,
    batch: 100,
    optimizer: "sgd",
    lr: 0.5,
    momentum: 0,
    decay: 1,
    schedule: "cosine",
    shift: 0,
  },
  source: (model, steps = 1) => {
    const map = model as SampleSom;
    const rule = kohonen(map, map.radius);
    const share = (narrow / widest(map)) ** (1 / steps);
    return {
      gradients: (batch) => {
        const { outputs, ...rest } = rule.gradients(batch);
        if (isTraining()) map.radius.assign(map.radius.mul(share).maximum(narrow));
        return { ...rest, outputs: outputs!.reshape(batch.x.shape) };
      },
    };
  },
  metrics: (model) => ({
    topographicError: ({ x }) => {
      const map = model as SampleSom;
      return { sum: map.topographicError(map.rowsOf(x)).mul(x.shape[0]), count: x.shape[0] };
    },
  }),
  build: ({ input = [1, 28, 28] } = {}) => new SampleSom(10, 10, sizeOf(input)),
};
