// VGG (Simonyan & Zisserman, Very deep convolutional networks for large-scale image recognition, 2015): configurations A to E.
import { param, type Shape, type Tensor, within, zeros } from "../graph/index.ts";
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Dropout,
  init,
  type Layer,
  Linear,
  LocalResponseNorm,
  MaxPool2d,
  type Part,
  relu,
  Sequential,
} from "../nn/index.ts"; // prettier-ignore
import { imageNetRecipe, type ZooEntry } from "./entry.ts";

/** The columns of the paper's Table 1. */
export type VggConfiguration = "A" | "A-LRN" | "B" | "C" | "D" | "E";

export interface VggOptions {
  /** Batch normalization after each convolution, as in torchvision's vgg11_bn and its like. */
  batchNorm?: boolean;
  classes?: number;
  /** Channels of the images. */
  channels?: number;
}

/** Kernel sizes of the convolutions of the five stages. */
const configurations: Readonly<Record<VggConfiguration, readonly (readonly number[])[]>> = {
  A: [[3], [3], [3, 3], [3, 3], [3, 3]],
  "A-LRN": [[3], [3], [3, 3], [3, 3], [3, 3]],
  B: [[3, 3], [3, 3], [3, 3], [3, 3], [3, 3]],
  C: [[3, 3], [3, 3], [3, 3, 1], [3, 3, 1], [3, 3, 1]],
  D: [[3, 3], [3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]],
  E: [[3, 3], [3, 3], [3, 3, 3, 3], [3, 3, 3, 3], [3, 3, 3, 3]],
}; // biome-ignore format: a table

const widths = [64, 128, 256, 512, 512];

/**
 * A VGG network of 11 (A), 13 (B), 16 (C, D) or 19 (E) weight layers: x [B, channels, H, W] of 32 × 32 or more, 224 × 224
 * in the paper → logits [B, classes]. A, B, D and E are torchvision's vgg11, vgg13, vgg16 and vgg19, whose files load with
 * no mapping of names. Throws where the configuration is none of the paper's.
 */
export function vgg(configuration: VggConfiguration, options: VggOptions = {}): Layer {
  if (!Object.hasOwn(configurations, configuration))
    throw new RangeError(`vgg: the configuration is A, A-LRN, B, C, D or E, not ${JSON.stringify(configuration)}`);
  return new Vgg(configuration, options);
}

class Vgg {
  features: Sequential;
  avgpool: AdaptiveAvgPool2d = new AdaptiveAvgPool2d(7);
  classifier: Sequential;

  constructor(configuration: VggConfiguration, { batchNorm = false, classes = 1000, channels = 3 }: VggOptions) {
    this.features = new Sequential(...convolutions(configuration, batchNorm, channels));
    this.classifier = new Sequential(
      dense(512 * 7 * 7, 4096),
      relu,
      new Dropout(0.5),
      dense(4096, 4096),
      relu,
      new Dropout(0.5),
      dense(4096, classes),
    );
  }

  forward(x: Tensor): Tensor {
    return within(this, () => {
      const maps = this.avgpool.forward(this.features.forward(x)); // [B, 512, H/32, W/32] → [B, 512, 7, 7]
      return this.classifier.forward(maps.reshape(-1, 512 * 7 * 7)); // [B, classes]
    });
  }
}

/** The five stages, each of which halves the image: [B, channels, H, W] → [B, 512, H/32, W/32]. */
function convolutions(configuration: VggConfiguration, batchNorm: boolean, channels: number): Part[] {
  const parts: Part[] = [];
  let inputs = channels;
  configurations[configuration].forEach((kernels, stage) => {
    for (const kernel of kernels) {
      parts.push(convolution(inputs, widths[stage], kernel));
      if (batchNorm) parts.push(new BatchNorm2d(widths[stage]));
      parts.push(relu);
      if (configuration === "A-LRN" && stage === 0) parts.push(new LocalResponseNorm());
      inputs = widths[stage];
    }
    parts.push(new MaxPool2d(2));
  });
  return parts;
}

/** N(0, 2 / fan out) and biases of 0, as torchvision starts; the paper started from configuration A, trained before. */
function convolution(inputs: number, outputs: number, kernel: number): Conv2d {
  const he = (shape: Shape): Float32Array => init.heNormal(shape, { fan: init.fanOut(shape) });
  const layer = new Conv2d(inputs, outputs, kernel, { padding: (kernel - 1) / 2, init: he });
  layer.bias = param(zeros([outputs]));
  return layer;
}

/** N(0, 0.01²) and biases of 0, as in the paper. */
function dense(inputs: number, outputs: number): Linear {
  const layer = new Linear(inputs, outputs, { init: (shape) => init.normal(shape, 0, 0.01) });
  layer.bias = param(zeros([outputs]));
  return layer;
}

const entry = (name: string, configuration: VggConfiguration, batchNorm = false): ZooEntry => ({
  name,
  paper: "Simonyan & Zisserman, Very deep convolutional networks for large-scale image recognition, 2015",
  input: [3, 224, 224],
  classes: 1000,
  normalize: true,
  recipe: imageNetRecipe({ epochs: 74, batch: 256, lr: 0.01, weightDecay: 5e-4, schedule: "plateau" }),
  build: ({ input = [3, 224, 224], classes } = {}) => vgg(configuration, { batchNorm, classes, channels: input[0] }),
});

export const vggEntries: readonly ZooEntry[] = [
  entry("vgg11", "A"),
  entry("vgg11-lrn", "A-LRN"),
  entry("vgg13", "B"),
  entry("vgg16c", "C"),
  entry("vgg16", "D"),
  entry("vgg19", "E"),
  entry("vgg11_bn", "A", true),
  entry("vgg13_bn", "B", true),
  entry("vgg16_bn", "D", true),
  entry("vgg19_bn", "E", true),
];
