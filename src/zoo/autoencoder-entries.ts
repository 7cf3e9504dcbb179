// Auto-encoders that can be called by name, with the recipes that train them on digits.
import type { Shape } from "../graph/index.ts";
import { sizeOf } from "../graph/internal.ts";
import { Corrupt } from "../nn/index.ts";
import { type Autoencoder, autoencoder } from "./autoencoder.ts";
import { type AutoencoderLossOptions, reconstructionLoss } from "./autoencoder-loss.ts";
import { convAutoencoder } from "./conv-autoencoder.ts";
import { deepAutoencoder } from "./deep-autoencoder.ts";
import { givesDigitsBack, type ZooEntry } from "./entry.ts";

/** Pixels in [0, 1]; the widths of the first layers are the image's. */
const entry = (
  name: string,
  paper: string,
  build: (input: Shape) => Autoencoder,
  penalties: AutoencoderLossOptions = {},
): ZooEntry => ({
  name,
  paper,
  ...givesDigitsBack,
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
  loss: (model, batch) => reconstructionLoss(model as Autoencoder, penalties)(batch),
  build: ({ input = [1, 28, 28] } = {}) => build(input),
});

export const autoencoderEntries: readonly ZooEntry[] = [
  entry(
    "autoencoder",
    "Bourlard & Kamp, Auto-association by multilayer perceptrons and singular value decomposition, 1988",
    (input) => autoencoder(sizeOf(input), 256, 30),
  ),
  entry(
    "denoising",
    "Vincent, Larochelle, Bengio & Manzagol, Extracting and composing robust features with denoising autoencoders, 2008",
    (input) =>
      autoencoder(sizeOf(input), 500, { tied: true, loss: "cross-entropy", corruption: new Corrupt("masking", 0.25) }),
  ),
  entry("sparse", "Ng, Sparse autoencoder, CS294A lecture notes, 2011", (input) => autoencoder(sizeOf(input), 196), {
    sparse: {},
  }),
  entry(
    "contractive",
    "Rifai, Vincent, Muller, Glorot & Bengio, Contractive auto-encoders, 2011",
    (input) => autoencoder(sizeOf(input), 500, { tied: true, loss: "cross-entropy" }),
    { contractive: {} },
  ),
  entry(
    "deep-autoencoder",
    "Hinton & Salakhutdinov, Reducing the dimensionality of data with neural networks, 2006",
    (input) => deepAutoencoder({ inputs: sizeOf(input) }),
  ),
  entry(
    "conv-autoencoder",
    "Masci, Meier, Cireşan & Schmidhuber, Stacked convolutional auto-encoders, 2011",
    ([channels]) => convAutoencoder(channels),
  ),
];
