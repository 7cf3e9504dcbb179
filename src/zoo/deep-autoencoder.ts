// The deep auto-encoder for digits (Hinton & Salakhutdinov, Reducing the dimensionality of data with neural networks, 2006).
import { identity, init } from "../nn/index.ts";
import { type Autoencoder, type AutoencoderForm, autoencoder } from "./autoencoder.ts";

export interface DeepAutoencoderOptions extends AutoencoderForm {
  /** Elements of a sample, where they are not the paper's 28×28. */
  inputs?: number;
}

/**
 * 784-1000-500-250-30-250-500-1000-784, sigmoids and a linear code, x [B, 784] or [B, 1, 28, 28] in [0, 1]; trained by the
 * cross-entropy unless told otherwise; 2 837 314 parameters. The paper starts it from restricted Boltzmann machines,
 * `pretrain` does so from auto-encoders; without, its weights start from Glorot's N with gain 4, that of sigmoids of slope ¼, at
 * which signals come through all eight layers.
 */
export const deepAutoencoder = ({ inputs = 784, ...form }: DeepAutoencoderOptions = {}): Autoencoder =>
  autoencoder(inputs, 1000, 500, 250, 30, { code: identity, init: signals, loss: "cross-entropy", ...form });

const signals: init.Init = (shape) => init.glorotNormal(shape, { gain: 4 });
