// Greedy training of an auto-encoder, stage after stage (Bengio, Lamblin, Popovici & Larochelle, 2007; Vincent et al., 2010).
import { evaluating, type Tensor } from "../graph/index.ts";
import type { Part } from "../nn/index.ts";
import type { Optimizer } from "../optim/index.ts";
import { Autoencoder, type AutoencoderForm } from "./autoencoder.ts";
import { autoencoderLoss } from "./autoencoder-loss.ts";

/** A batch of which x alone is used. */
interface Inputs {
  x: Tensor;
}

export interface PretrainOptions<B extends Inputs> {
  /** An optimizer of a pair of stages, e.g. `(pair, loss) => adam(pair, loss)`. */
  optimizer: (pair: Autoencoder, loss: (batch: B) => Tensor) => Optimizer<B>;
  /** Each iteration of it is an epoch. */
  data: AsyncIterable<B> | Iterable<B>;
  /** How often each stage sees the data. */
  epochs?: number;
  /** What happens to the inputs of each stage in training, for a stack of denoising auto-encoders. */
  corruption?: AutoencoderForm["corruption"];
  /** The loss of a pair in place of the error of its reconstructions, e.g. `(pair) => autoencoderLoss(pair, { sparse: {} })`. */
  loss?: (pair: Autoencoder) => (batch: Inputs) => Tensor;
}

/**
 * Trains stage k of the encoder with the decoder's that undoes it as an auto-encoder of its own, on the codes of the trained
 * stages below, which stay as they are; one after the other, outermost first. The pairs share their parameters with the model,
 * so that training it afterwards is the fine-tuning. The innermost pairs take the squared error, the outermost the model's.
 * Returns the mean loss of each stage's last epoch. Throws a RangeError for a number of epochs that is none, and an Error where
 * there are no batches.
 */
export async function pretrain<B extends Inputs>(model: Autoencoder, options: PretrainOptions<B>): Promise<number[]> {
  const { optimizer, data, epochs = 1, corruption = model.corruption, loss = autoencoderLoss } = options;
  if (!Number.isInteger(epochs) || epochs < 1)
    throw new RangeError(`pretrain: epochs must be a whole number ≥ 1, got ${epochs}`);
  const losses: number[] = [];
  for (let k = 0; k < model.encoder.length; k++) {
    const pair = pairOf(model, k, corruption);
    const ofInputs = loss(pair);
    const step = optimizer(pair, ({ x }) => ofInputs({ x: evaluating(() => below(model, k, x)).detach() }));
    let [total, batches] = [0, 0];
    for (let epoch = 0; epoch < epochs; epoch++) {
      [total, batches] = [0, 0];
      for await (const batch of data) {
        total += await step.step(batch);
        batches++;
      }
    }
    if (batches === 0)
      throw new Error("pretrain: the data holds no batches in its last epoch; give an iterable that starts anew");
    losses.push(total / batches);
  }
  return losses;
}

/** Stage k and the one that undoes it, with the model's own parameters. */
function pairOf(model: Autoencoder, k: number, corruption: AutoencoderForm["corruption"]): Autoencoder {
  const { loss, output } = model;
  const decoder = model.decoder[model.decoder.length - 1 - k];
  return new Autoencoder([model.encoder[k]], [decoder], {
    ...(k === 0 ? { loss, output } : {}),
    ...(corruption === undefined ? {} : { corruption }),
  });
}

/** What the first k stages of the encoder make of x. */
function below(model: Autoencoder, k: number, x: Tensor): Tensor {
  let h = x;
  for (let i = 0; i < k; i++) h = applied(model.encoder[i], h);
  return h;
}

const applied = (part: Part, x: Tensor): Tensor => (typeof part === "function" ? part(x) : part.forward(x));
