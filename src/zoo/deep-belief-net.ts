// The classifier that begins as a deep belief net (Hinton, Osindero & Teh, A fast learning algorithm for deep belief nets, 2006).
import { DBN, pretrain } from "../energy/index.ts";
import { shapesOnly, state, type Tensor } from "../graph/index.ts";
import { sizeOf } from "../graph/internal.ts";
import { type Layer, Linear, type Part, Sequential, sigmoid } from "../nn/index.ts";
import { realize } from "../run/index.ts";
import type { BatchSource } from "../train/index.ts";
import type { ZooEntry } from "./entry.ts";
import { mlp } from "./mlp.ts";

const epochs = 10;

/** Sigmoid layers of those sizes and a linear one of `classes` logits, which a deep belief net can be: x [B, …] → [B, classes]. */
export class BeliefClassifier extends Sequential {
  /** The biases downwards: of the visible units of each machine, which logits do not need. */
  readonly visibleBiases: readonly Tensor[];

  constructor(sizes: readonly number[], classes: number) {
    super(...Array.from(mlp(...sizes, classes, { activation: sigmoid }) as Sequential));
    this.visibleBiases = sizes.slice(0, -1).map((size) => state(new Float32Array(size)));
  }

  /** The deep belief net of all layers but the last, with their very tensors: W upwards, Wᵀ downwards. */
  belief(): DBN {
    const layers = Array.from<Part>(this)
      .filter((part) => part instanceof Linear)
      .slice(0, -1);
    const sizes = [layers[0].weight.shape[1], ...layers.map(({ weight }) => weight.shape[0])];
    const dbn = shapesOnly(() => new DBN(sizes));
    for (const [i, { weight, bias }] of layers.entries())
      Object.assign(dbn.layers[i], { weight, hiddenBias: bias, visibleBias: this.visibleBiases[i] });
    return dbn;
  }
}

/** Trains a deep belief net on the data and gives its weights to all layers of the classifier but the last. */
async function prepare(model: Layer, data: BatchSource<{ x: Tensor }>, say: (line: string) => void): Promise<void> {
  const given = (model as BeliefClassifier).belief();
  const sizes = [given.layers[0].visible, ...given.layers.map(({ hidden }) => hidden)];
  const dbn = new DBN(sizes);
  await pretrain(dbn, data, {
    epochs,
    onEpoch: ({ layer, epoch, loss }) =>
      say(
        `machine ${sizes[layer]}-${sizes[layer + 1]}, epoch ${epoch + 1} of ${epochs}: squared error ${loss.toFixed(4)} a unit`,
      ),
  });
  for (const [i, { weight, visibleBias, hiddenBias }] of dbn.layers.entries()) {
    const to = given.layers[i];
    to.weight.assign(weight);
    to.visibleBias.assign(visibleBias);
    to.hiddenBias.assign(hiddenBias);
    await realize(to.weight, to.visibleBias, to.hiddenBias);
  }
}

/** 784-500-500-2000-10, sigmoids: Boltzmann machines trained one on top of the other, then all layers with labels. */
export const deepBeliefNetEntry: ZooEntry = {
  name: "dbn",
  paper: "Hinton, Osindero & Teh, A fast learning algorithm for deep belief nets, 2006",
  input: [1, 28, 28],
  classes: 10,
  normalize: false,
  recipe: {
    data: "mnist",
    epochs: 10,
    batch: 100,
    optimizer: "adam",
    lr: 1e-3,
    decay: 1,
    schedule: "cosine",
    shift: 0,
  },
  prepare,
  build: ({ input = [1, 28, 28], classes = 10 } = {}) => new BeliefClassifier([sizeOf(input), 500, 500, 2000], classes),
};
