// The classifier that begins as a deep belief net (Hinton, Osindero & Teh, A fast learning algorithm for deep belief nets, 2006).
import { DBN, pretrain } from "../energy/index.ts";
import { shapesOnly, state, type Tensor } from "../graph/index.ts";
import { sizeOf } from "../graph/internal.ts";
import { type Layer, Linear, namedParameters, Sequential, sigmoid } from "../nn/index.ts";
import { realize } from "../run/index.ts";
import type { BatchSource } from "../train/index.ts";
import type { ZooEntry } from "./entry.ts";
import { mlp } from "./mlp.ts";

const epochs = 10;

/** Sigmoid layers of those sizes and a linear one of `classes` logits, beside the net that they began as: x [B, …] → [B, classes]. */
export class BeliefClassifier extends Sequential {
  /** The deep belief net as it was before the labels, which can draw samples; training leaves it as it is. */
  readonly belief: DBN;

  constructor(sizes: readonly number[], classes: number) {
    super(...Array.from(mlp(...sizes, classes, { activation: sigmoid }) as Sequential));
    this.belief = shapesOnly(() => new DBN(sizes));
    for (const machine of this.belief.layers)
      for (const [name, { size, shape }] of namedParameters(machine))
        Object.assign(machine, { [name]: state(new Float32Array(size), shape) });
  }

  /** Whether the deep belief net was trained; before, it is all zeros. */
  async isPrepared(): Promise<boolean> {
    return (await this.belief.top.weight.data()).some((weight) => weight !== 0);
  }
}

/** Trains a deep belief net on the data, keeps it, and gives its weights to all layers of the classifier but the last. */
async function prepare(model: Layer, data: BatchSource<{ x: Tensor }>, say: (line: string) => void): Promise<void> {
  const { belief } = model as BeliefClassifier;
  const layers = Array.from(model as Sequential).filter((part) => part instanceof Linear);
  const sizes = [belief.layers[0].visible, ...belief.layers.map(({ hidden }) => hidden)];
  const dbn = new DBN(sizes);
  await dbn.layers[0].startFromMeans(data);
  await pretrain(dbn, data, {
    epochs,
    onEpoch: ({ layer, epoch, loss }) =>
      say(
        `machine ${sizes[layer]}-${sizes[layer + 1]}, epoch ${epoch + 1} of ${epochs}: squared error ${loss.toFixed(4)} a unit`,
      ),
  });
  for (const [i, { weight, visibleBias, hiddenBias }] of dbn.layers.entries()) {
    const [{ weight: w, bias }, kept] = [layers[i], belief.layers[i]];
    w.assign(weight);
    bias!.assign(hiddenBias);
    kept.weight.assign(weight);
    kept.visibleBias.assign(visibleBias);
    kept.hiddenBias.assign(hiddenBias);
    await realize(w, bias!, kept.weight, kept.visibleBias, kept.hiddenBias);
  }
}

/** 784-500-500-2000-10, sigmoids: Boltzmann machines trained one on top of the other, which are kept, then all layers with labels. */
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
