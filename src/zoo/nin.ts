// Network in Network (Lin, Chen & Yan, 2014): convolutions followed by 1×1 convolutions, and averages of maps as logits.
import { type Shape, type Tensor, within } from "../graph/index.ts";
import { AvgPool2d, Conv2d, Dropout, init, type Layer, MaxPool2d, relu, Sequential } from "../nn/index.ts";
import { imageNetRecipe, type ZooEntry } from "./entry.ts";

export interface NinOptions {
  /** "cifar" (966 986 parameters with 10 classes) for images of 32×32, "imagenet" (7 595 176 with 1000) for 224×224. */
  form?: "cifar" | "imagenet";
  classes?: number;
  /** Channels of the images. */
  channels?: number;
}

/**
 * Network in Network: x [B, channels, H, W] → logits [B, classes], the mean of each class's map. The form for CIFAR-10 is
 * that of the authors' cifar-10 configuration, that for ImageNet of their model for Caffe. Throws where the form is neither.
 */
export function nin({ form = "cifar", classes, channels = 3 }: NinOptions = {}): Layer {
  if (form === "cifar") return new Nin(forCifar(channels, classes ?? 10));
  if (form === "imagenet") return new Nin(forImageNet(channels, classes ?? 1000));
  throw new RangeError(`nin: the form is "cifar" or "imagenet", not ${JSON.stringify(form)}`);
}

class Nin {
  layers: Sequential;

  constructor(layers: Sequential) {
    this.layers = layers;
  }

  forward(x: Tensor): Tensor {
    return within(this, () => this.layers.forward(x).mean([2, 3])); // [B, classes, h, w] → [B, classes]
  }
}

const he = (shape: Shape): Float32Array => init.heNormal(shape);

/** A convolution and two fully connected layers over its channels at each place, relu after each. */
function mlpconv(
  [inputs, first, second, third]: readonly [number, number, number, number],
  kernel: number,
  { stride = 1, padding = 0 }: { stride?: number; padding?: number } = {},
): Sequential {
  return new Sequential(
    new Conv2d(inputs, first, kernel, { stride, padding, init: he }),
    relu,
    new Conv2d(first, second, 1, { init: he }),
    relu,
    new Conv2d(second, third, 1, { init: he }),
    relu,
  );
}

const forCifar = (channels: number, classes: number): Sequential =>
  new Sequential(
    mlpconv([channels, 192, 160, 96], 5, { padding: 2 }), // [B, 96, 32, 32]
    new MaxPool2d(3, { stride: 2, ceilMode: true }), // [B, 96, 16, 16]
    new Dropout(0.5),
    mlpconv([96, 192, 192, 192], 5, { padding: 2 }),
    new AvgPool2d(3, { stride: 2, ceilMode: true }), // [B, 192, 8, 8]
    new Dropout(0.5),
    mlpconv([192, 192, 192, classes], 3, { padding: 1 }), // [B, classes, 8, 8]
  );

const forImageNet = (channels: number, classes: number): Sequential =>
  new Sequential(
    mlpconv([channels, 96, 96, 96], 11, { stride: 4 }), // [B, 96, 54, 54]
    new MaxPool2d(3, { stride: 2, ceilMode: true }), // [B, 96, 27, 27]
    mlpconv([96, 256, 256, 256], 5, { padding: 2 }),
    new MaxPool2d(3, { stride: 2, ceilMode: true }), // [B, 256, 13, 13]
    mlpconv([256, 384, 384, 384], 3, { padding: 1 }),
    new MaxPool2d(3, { stride: 2, ceilMode: true }), // [B, 384, 6, 6]
    new Dropout(0.5),
    mlpconv([384, 1024, 1024, classes], 3, { padding: 1 }), // [B, classes, 6, 6]
  );

const paper = "Lin, Chen & Yan, Network in network, 2014";

export const ninEntry: ZooEntry = {
  name: "nin",
  paper,
  input: [3, 32, 32],
  classes: 10,
  normalize: true,
  recipe: {
    data: "cifar10",
    epochs: 200,
    batch: 128,
    optimizer: "sgd",
    lr: 0.1,
    decay: 1,
    schedule: "plateau",
    weightDecay: 1e-4,
    shift: 0,
    crop: 4,
    flip: 0.5,
  },
  build: ({ input = [3, 32, 32], classes } = {}) => nin({ classes, channels: input[0] }),
};

export const ninImageNetEntry: ZooEntry = {
  name: "nin-imagenet",
  paper,
  input: [3, 224, 224],
  classes: 1000,
  normalize: true,
  recipe: imageNetRecipe({ epochs: 90, batch: 128, lr: 0.01, weightDecay: 5e-4, schedule: "plateau" }),
  build: ({ input = [3, 224, 224], classes } = {}) => nin({ form: "imagenet", classes, channels: input[0] }),
};
