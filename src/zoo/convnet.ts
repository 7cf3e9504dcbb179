// A convolutional network as today's hands would build one for small images: batch normalization, relu, dropout.
import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  Flatten,
  type Layer,
  Linear,
  MaxPool2d,
  type Part,
  relu,
  Sequential,
} from "../nn/index.ts";
import type { ZooEntry } from "./entry.ts";

export interface ConvNetOptions {
  classes?: number;
  /** Channels of the images. */
  channels?: number;
  /** Side of the images, a multiple of 4. */
  size?: number;
  /** Maps of the first two convolutions; the other two have twice as many. */
  maps?: number;
}

/**
 * x [B, channels, size, size] → logits [B, classes]: two convolutions 3×3 of `maps` maps, pooling, two of twice as many, pooling, a
 * layer of 256 units with dropout ½; each convolution has batch normalization (Ioffe & Szegedy, 2015) before relu.
 * Throws for a size that is no multiple of 4.
 */
export function convNet({ classes = 10, channels = 1, size = 28, maps = 32 }: ConvNetOptions = {}): Layer {
  if (size % 4 !== 0) throw new RangeError(`convNet: size must be a multiple of 4, got ${size}`);
  const conv = (inputs: number, outputs: number): Part[] => [
    new Conv2d(inputs, outputs, 3, { padding: 1, bias: false }),
    new BatchNorm2d(outputs),
    relu,
  ];
  return new Sequential(
    ...conv(channels, maps),
    ...conv(maps, maps),
    new MaxPool2d(2), // [B, maps, size/2, size/2]
    new Dropout(0.25),
    ...conv(maps, 2 * maps),
    ...conv(2 * maps, 2 * maps),
    new MaxPool2d(2), // [B, 2·maps, size/4, size/4]
    new Dropout(0.25),
    new Flatten(),
    new Linear(2 * maps * (size / 4) ** 2, 256),
    relu,
    new Dropout(0.5),
    new Linear(256, classes),
  );
}

export const convNetEntry: ZooEntry = {
  name: "convnet",
  paper: "after Ioffe & Szegedy, Batch normalization, 2015, and Srivastava et al., Dropout, 2014",
  input: [1, 28, 28],
  classes: 10,
  normalize: true,
  recipe: { data: "mnist", epochs: 12, batch: 64, optimizer: "adam", lr: 1e-3, decay: 1, schedule: "cosine", shift: 2 },
  build: ({ input = [1, 28, 28], classes } = {}) => convNet({ channels: input[0], size: input[1], classes }),
};
