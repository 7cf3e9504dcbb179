// The classifier that begins as a deep belief net (Hinton, Osindero & Teh, A fast learning algorithm for deep belief nets, 2006).
import { DBN, pretrain } from "../energy/index.ts";
import type { Tensor } from "../graph/index.ts";
import { sizeOf } from "../graph/internal.ts";
import { type Layer, Linear, type Sequential, sigmoid } from "../nn/index.ts";
import { realize } from "../run/index.ts";
import type { BatchSource } from "../train/index.ts";
import type { ZooEntry } from "./entry.ts";
import { mlp } from "./mlp.ts";

const epochs = 10;

/** Trains a deep belief net on the data and gives its weights to all layers of the classifier but the last. */
async function prepare(model: Layer, data: BatchSource<{ x: Tensor }>, say: (line: string) => void): Promise<void> {
  const layers = Array.from(model as Sequential)
    .filter((part) => part instanceof Linear)
    .slice(0, -1);
  const sizes = [layers[0].weight.shape[1], ...layers.map(({ weight }) => weight.shape[0])];
  const dbn = new DBN(sizes);
  await pretrain(dbn, data, {
    epochs,
    onEpoch: ({ layer, epoch, loss }) =>
      say(
        `machine ${sizes[layer]}-${sizes[layer + 1]}, epoch ${epoch + 1} of ${epochs}: squared error ${loss.toFixed(4)} a unit`,
      ),
  });
  for (const [i, { weight, hiddenBias }] of dbn.layers.entries()) {
    layers[i].weight.assign(weight);
    layers[i].bias!.assign(hiddenBias);
    await realize(layers[i].weight, layers[i].bias!);
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
  build: ({ input = [1, 28, 28], classes = 10 } = {}) =>
    mlp(sizeOf(input), 500, 500, 2000, classes, { activation: sigmoid }),
};
