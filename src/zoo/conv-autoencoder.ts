// The convolutional auto-encoder (Masci, Meier, Cireşan & Schmidhuber, Stacked convolutional auto-encoders, 2011).
import { Conv2d, ConvTranspose2d, relu, Sequential } from "../nn/index.ts";
import { Autoencoder, type AutoencoderForm } from "./autoencoder.ts";

export interface ConvAutoencoderOptions extends AutoencoderForm {
  /** Maps after each stage; the last are the code. */
  maps?: readonly number[];
}

/**
 * Each stage halves an image's sides by a 3×3 convolution of stride 2 with relu, and the decoder doubles them again by transposed
 * ones: x [B, channels, H, W] → code [B, maps, H / 2ⁿ, W / 2ⁿ] for n stages. H and W must be multiples of 2ⁿ. Strides stand in
 * the place of the paper's max-pooling, as what was pooled away has no way back. Throws a RangeError where there are no maps.
 */
export function convAutoencoder(channels = 1, { maps = [16, 8], ...form }: ConvAutoencoderOptions = {}): Autoencoder {
  if (maps.length === 0)
    throw new RangeError("convAutoencoder: maps must name the maps of at least one stage, got none");
  const widths = [channels, ...maps];
  const encoder = maps.map(
    (outputs, k) => new Sequential(new Conv2d(widths[k], outputs, 3, { stride: 2, padding: 1 }), relu),
  );
  const decoder = maps.map((inputs, k) => {
    const up = new ConvTranspose2d(inputs, widths[k], 3, { stride: 2, padding: 1, outputPadding: 1 });
    return k === 0 ? new Sequential(up) : new Sequential(up, relu);
  });
  return new Autoencoder(encoder, decoder.reverse(), form);
}
