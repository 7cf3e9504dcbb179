// The auto-encoder: a network that learns to give its input back through a code (Rumelhart, Hinton & Williams, 1986; Bourlard & Kamp, 1988).
import { type Tensor, within } from "../graph/index.ts";
import {
  binaryCrossEntropy,
  type Corrupt,
  identity,
  type init,
  mse,
  type Part,
  Sequential,
  sigmoid,
} from "../nn/index.ts";
import { DenseStage } from "./dense-stage.ts";

/** How a reconstruction is held against x: by squares, or as probabilities of what lies in [0, 1]. */
export type ReconstructionError = "squared" | "cross-entropy";

export interface AutoencoderForm {
  loss?: ReconstructionError;
  /** After the decoder's last stage; the sigmoid for the cross-entropy, else by default nothing. */
  output?: (u: Tensor) => Tensor;
  /** What happens to the input in training, which the target is spared: a denoising auto-encoder (Vincent et al., 2008). */
  corruption?: Corrupt;
}

/**
 * Stages of an encoder and of a decoder, x̂ = g(f(x)), where the decoder's last stage undoes the encoder's first, and so on inwards.
 * Its encoder is a layer by itself: `new Sequential(model.encoder, new Linear(code, classes))` is a classifier of codes.
 * Throws a RangeError unless both have as many stages, and where another output than the sigmoid is to go with the cross-entropy.
 */
export class Autoencoder {
  encoder: Sequential;
  decoder: Sequential;
  readonly loss: ReconstructionError;
  readonly output: (u: Tensor) => Tensor;
  readonly corruption: Corrupt | undefined;

  constructor(encoder: readonly Part[], decoder: readonly Part[], form: AutoencoderForm = {}) {
    const { loss = "squared", output = loss === "squared" ? identity : sigmoid, corruption } = form;
    if (loss !== "squared" && loss !== "cross-entropy")
      throw new RangeError(`autoencoder: loss must be "squared" or "cross-entropy", got "${loss}"`);
    if (loss === "cross-entropy" && output !== sigmoid)
      throw new RangeError(
        "autoencoder: the cross-entropy's output is the sigmoid; leave output out, or take the squared error",
      );
    if (encoder.length === 0 || encoder.length !== decoder.length)
      throw new RangeError(
        `autoencoder: encoder and decoder need as many stages, at least 1, got ${encoder.length} and ${decoder.length}`,
      );
    this.encoder = new Sequential(...encoder);
    this.decoder = new Sequential(...decoder);
    [this.loss, this.output, this.corruption] = [loss, output, corruption];
  }

  /** The code of x, f(x). */
  encode(x: Tensor): Tensor {
    return this.encoder.forward(x);
  }

  /** What a code stands for, g(h). */
  decode(code: Tensor): Tensor {
    return this.output(this.decoder.forward(code));
  }

  /** x̂ = g(f(x)), of the shape of x. */
  reconstruct(x: Tensor): Tensor {
    return this.decode(this.encode(x)).reshape(x.shape);
  }

  /** g(f(x)), in training of the corrupted x. */
  forward(x: Tensor): Tensor {
    return within(this, x, () => this.reconstruct(this.corrupt(x)));
  }

  /** x as training shows it to the encoder. */
  corrupt(x: Tensor): Tensor {
    return this.corruption?.forward(x) ?? x;
  }

  /** The error of the reconstruction that a code gives of x, summed over the elements of a sample, averaged over the samples [B, …]. */
  error(code: Tensor, x: Tensor): Tensor {
    return this.errorOf(this.decoder.forward(code).reshape(x.shape), x);
  }

  /** The same of what the decoder gave, before the output's function: u of the shape of x. */
  errorOf(u: Tensor, x: Tensor): Tensor {
    const total = this.loss === "squared" ? mse(this.output(u), x, sum) : binaryCrossEntropy(u, x, sum);
    return total.div(x.shape[0]);
  }
}

const sum = { reduction: "sum" } as const;

export interface AutoencoderOptions extends AutoencoderForm {
  /** After each layer but the last. Default: sigmoid. */
  activation?: (u: Tensor) => Tensor;
  /** After the code's layer, where it is to be another one. */
  code?: (u: Tensor) => Tensor;
  /** Starting values of the weights. Default: those of `Linear`. */
  init?: init.Init;
  /** Whether the decoder uses the encoder's weights, transposed. */
  tied?: boolean;
}

/**
 * `autoencoder(784, 256, 30)`: layers of these widths down to the code and back, sigmoids between them unless `{ activation }`
 * comes last: x [B, …] is flattened to [B, inputs], its code is [B, last width].
 * Throws a RangeError for less than two widths.
 */
export function autoencoder(...widths: readonly number[] | readonly [...number[], AutoencoderOptions]): Autoencoder {
  const last = widths[widths.length - 1];
  const { activation = sigmoid, code = activation, init, tied = false, ...form } = typeof last === "object" ? last : {};
  const sizes = (widths as readonly unknown[]).filter((width) => typeof width === "number");
  if (sizes.length < 2)
    throw new RangeError(`autoencoder: needs the widths of its input and its code at least, got ${sizes.length}`);
  const depth = sizes.length - 1;
  const encoder = sizes
    .slice(1)
    .map((size, k) => new DenseStage([sizes[k], size], { activation: k === depth - 1 ? code : activation, init }));
  const decoder = encoder.map((stage, k) => {
    const back = tied ? stage : ([sizes[k + 1], sizes[k]] as const);
    return new DenseStage(back, { activation: k === 0 ? identity : activation, init });
  });
  return new Autoencoder(encoder, decoder.reverse(), form);
}
