// AlexNet: the network of 2012 (Krizhevsky, Sutskever & Hinton, ImageNet classification with deep convolutional neural networks) and torchvision's (Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014).
import { param, type Shape, type Tensor, within } from "../graph/index.ts";
import {
  AdaptiveAvgPool2d,
  Conv2d,
  Dropout,
  init,
  type Layer,
  Linear,
  LocalResponseNorm,
  MaxPool2d,
  relu,
  Sequential,
} from "../nn/index.ts";
import { imageNetRecipe, type ZooEntry } from "./entry.ts";

export interface AlexNetOptions {
  classes?: number;
  /** Channels of the images. */
  channels?: number;
}

/**
 * AlexNet as torchvision has it, 61 100 840 parameters: x [B, channels, H, W] of 63 × 63 or more, 224 × 224 usually → logits
 * [B, classes]. Its files load with no mapping of names.
 */
export const alexnet = ({ classes = 1000, channels = 3 }: AlexNetOptions = {}): Layer => new AlexNet(classes, channels);

class AlexNet {
  features: Sequential;
  avgpool: AdaptiveAvgPool2d = new AdaptiveAvgPool2d(6);
  classifier: Sequential;

  constructor(classes: number, channels: number) {
    this.features = new Sequential(
      new Conv2d(channels, 64, 11, { stride: 4, padding: 2 }), // [B, 64, 55, 55] for 224 × 224
      relu,
      new MaxPool2d(3, { stride: 2 }), // [B, 64, 27, 27]
      new Conv2d(64, 192, 5, { padding: 2 }),
      relu,
      new MaxPool2d(3, { stride: 2 }), // [B, 192, 13, 13]
      new Conv2d(192, 384, 3, { padding: 1 }),
      relu,
      new Conv2d(384, 256, 3, { padding: 1 }),
      relu,
      new Conv2d(256, 256, 3, { padding: 1 }),
      relu,
      new MaxPool2d(3, { stride: 2 }), // [B, 256, 6, 6]
    );
    this.classifier = new Sequential(
      new Dropout(0.5),
      new Linear(256 * 6 * 6, 4096),
      relu,
      new Dropout(0.5),
      new Linear(4096, 4096),
      relu,
      new Linear(4096, classes),
    );
  }

  forward(x: Tensor): Tensor {
    return within(this, () => {
      const maps = this.avgpool.forward(this.features.forward(x)); // [B, 256, 6, 6]
      return this.classifier.forward(maps.reshape(-1, 256 * 6 * 6)); // [B, classes]
    });
  }
}

export interface AlexNet2012Options extends AlexNetOptions {
  /** 2 as in the paper (60 965 224 parameters), whose halves ran on two cards; 1 sees all channels (62 378 344). */
  groups?: number;
  /** Height and width of the images. */
  size?: number;
}

/**
 * AlexNet as in the paper: local response normalization after the first two layers, overlapping pooling, grouped
 * convolutions; x [B, channels, size, size] → logits [B, classes]. Images of 224 get a border of 2, so that the first layer
 * gives the paper's 55 × 55. Starts from N(0, 0.01²), with biases of 1 where the paper has them. Throws where the image is
 * too small.
 */
export function alexnet2012(options: AlexNet2012Options = {}): Layer {
  const { classes = 1000, channels = 3, groups = 2, size = 224 } = options;
  const first = Math.floor((size + 4 - 11) / 4) + 1; // 55
  const side = [1, 2, 3].reduce((n) => Math.floor((n - 3) / 2) + 1, first); // 27, 13, 6
  if (!(side >= 1)) throw new RangeError(`alexnet2012: images have 63 × 63 pixels at least, got ${size} × ${size}`);
  return new Sequential(
    convolution(0, channels, 96, 11, { stride: 4, padding: 2 }), // [B, 96, 55, 55]
    relu,
    new LocalResponseNorm(),
    new MaxPool2d(3, { stride: 2 }), // [B, 96, 27, 27]
    convolution(1, 96, 256, 5, { padding: 2, groups }),
    relu,
    new LocalResponseNorm(),
    new MaxPool2d(3, { stride: 2 }), // [B, 256, 13, 13]
    convolution(0, 256, 384, 3, { padding: 1 }),
    relu,
    convolution(1, 384, 384, 3, { padding: 1, groups }),
    relu,
    convolution(1, 384, 256, 3, { padding: 1, groups }),
    relu,
    new MaxPool2d(3, { stride: 2 }), // [B, 256, 6, 6]
    (x) => x.reshape(-1, 256 * side * side),
    dense(1, 256 * side * side, 4096),
    relu,
    new Dropout(0.5),
    dense(1, 4096, 4096),
    relu,
    new Dropout(0.5),
    dense(0, 4096, classes),
  );
}

/** The paper's starting weights. */
const narrow = (shape: Shape): Float32Array => init.normal(shape, 0, 0.01);

function convolution(
  bias: number,
  inputs: number,
  outputs: number,
  kernel: number,
  options: { stride?: number; padding: number; groups?: number },
): Conv2d {
  const layer = new Conv2d(inputs, outputs, kernel, { ...options, init: narrow });
  layer.bias = param(init.constant([outputs], bias));
  return layer;
}

function dense(bias: number, inputs: number, outputs: number): Linear {
  const layer = new Linear(inputs, outputs, { init: narrow });
  layer.bias = param(init.constant([outputs], bias));
  return layer;
}

export const alexnetEntry: ZooEntry = {
  name: "alexnet",
  paper: "Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014",
  input: [3, 224, 224],
  classes: 1000,
  normalize: true,
  recipe: imageNetRecipe({ epochs: 90, batch: 128, lr: 0.01, weightDecay: 5e-4, schedule: "plateau" }),
  build: ({ input = [3, 224, 224], classes } = {}) => alexnet({ classes, channels: input[0] }),
};

export const alexnet2012Entry: ZooEntry = {
  ...alexnetEntry,
  name: "alexnet2012",
  paper: "Krizhevsky, Sutskever & Hinton, ImageNet classification with deep convolutional neural networks, 2012",
  build: ({ input = [3, 224, 224], classes } = {}) => alexnet2012({ classes, channels: input[0], size: input[1] }),
};
