// The classifier that begins as a stack of denoising auto-encoders (Vincent, Larochelle, Lajoie, Bengio & Manzagol, 2010).
import { type Tensor, within } from "../graph/index.ts";
import { sizeOf } from "../graph/internal.ts";
import { Corrupt, type Layer, Linear, type Part, Sequential, sigmoid } from "../nn/index.ts";
import { adam } from "../optim/index.ts";
import type { BatchSource } from "../train/index.ts";
import { Autoencoder } from "./autoencoder.ts";
import { DenseStage } from "./dense-stage.ts";
import type { ZooEntry } from "./entry.ts";
import { pretrain } from "./pretrain.ts";

const epochs = 5;

/** Stages of an encoder, widths from the input's to the code's, and a linear layer of `classes` logits: x [B, …] → [B, classes]. */
export class CodeClassifier {
  encoder: Sequential;
  output: Linear;
  readonly widths: readonly number[];

  constructor(widths: readonly number[], classes: number) {
    const stages = widths.slice(1).map((size, k) => new DenseStage([widths[k], size], { activation: sigmoid }));
    this.encoder = new Sequential(...stages);
    this.output = new Linear(widths[widths.length - 1], classes);
    this.widths = widths;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => this.output.forward(this.encoder.forward(x)));
  }
}

/** Trains the encoder's stages one after the other, each to undo the noise in what those below it give. */
async function prepare(model: Layer, data: BatchSource<{ x: Tensor }>, say: (line: string) => void): Promise<void> {
  const { encoder, widths } = model as CodeClassifier;
  const stages: Part[] = Array.from(encoder);
  const decoder = stages.map((stage) => new DenseStage(stage as DenseStage)).reverse();
  const whole = new Autoencoder(stages, decoder, { loss: "cross-entropy", corruption: new Corrupt("masking", 0.25) });
  let epoch = 0;
  const told = {
    async *[Symbol.asyncIterator]() {
      const [stage, pass] = [Math.floor(epoch / epochs), (epoch % epochs) + 1];
      say(`stage ${widths[stage]}-${widths[stage + 1]}, epoch ${pass} of ${epochs}`);
      yield* data.iterate({ epoch: epoch++ });
    },
  };
  await pretrain<{ x: Tensor }>(whole, { optimizer: (pair, loss) => adam(pair, loss), data: told, epochs });
}

/** 784-500-500-500-10, sigmoids: denoising auto-encoders trained one on top of the other, then all layers with labels. */
export const stackedAutoencoderEntry: ZooEntry = {
  name: "stacked-autoencoder",
  paper: "Vincent, Larochelle, Lajoie, Bengio & Manzagol, Stacked denoising autoencoders, 2010",
  input: [1, 28, 28],
  classes: 10,
  normalize: false,
  recipe: {
    data: "mnist",
    epochs: 10,
    batch: 128,
    optimizer: "adam",
    lr: 1e-3,
    decay: 1,
    schedule: "cosine",
    shift: 0,
  },
  prepare,
  build: ({ input = [1, 28, 28], classes = 10 } = {}) => new CodeClassifier([sizeOf(input), 500, 500, 500], classes),
};
