// ResNet (He, Zhang, Ren & Sun, Deep residual learning for image recognition, 2016): the networks for ImageNet and CIFAR-10, and their plain twins.
import { type Shape, type Tensor, within } from "../graph/index.ts";
import { BatchNorm2d, Conv2d, init, type Layer, Linear, MaxPool2d, type Part, relu, Sequential } from "../nn/index.ts";
import { imageNetRecipe, type Recipe, type ZooEntry } from "./entry.ts";

/**
 * What a block adds to its output: its input (A: zeros in new channels; B: a projection where the shape changes; C: a
 * projection everywhere), or nothing, in the plain network.
 */
export type Shortcut = "A" | "B" | "C" | "none";

export interface ResNetOptions {
  shortcut?: Shortcut;
  classes?: number;
  /** Channels of the images. */
  channels?: number;
}

export interface ImageNetResNetOptions extends ResNetOptions {
  /** Which convolution of a bottleneck halves the image: the 3×3, as in torchvision, or the first 1×1, as in the paper. */
  strideAt?: "3x3" | "1x1";
}

/** Blocks a stage for each depth, and whether they are bottlenecks (Table 1 of the paper). */
const stages: Readonly<Record<number, { blocks: readonly number[]; bottleneck: boolean }>> = {
  18: { blocks: [2, 2, 2, 2], bottleneck: false },
  34: { blocks: [3, 4, 6, 3], bottleneck: false },
  50: { blocks: [3, 4, 6, 3], bottleneck: true },
  101: { blocks: [3, 4, 23, 3], bottleneck: true },
  152: { blocks: [3, 8, 36, 3], bottleneck: true },
};

/**
 * ResNet-18, -34, -50, -101 or -152: x [B, channels, H, W] → logits [B, classes]; H and W are 224 in the paper, any size will
 * do. Parameters are named as in torchvision's files. Throws where the depth or the shortcut is none of the paper's.
 */
export function resnet(depth: number, options: ImageNetResNetOptions = {}): Layer {
  const { shortcut = "B", classes = 1000, channels = 3, strideAt = "3x3" } = options;
  checkShortcut("resnet", shortcut);
  if (!Object.hasOwn(stages, depth))
    throw new RangeError(`resnet: the depth is 18, 34, 50, 101 or 152, not ${depth} (resnetCifar takes 20, 32, 44, …)`);
  if (strideAt !== "3x3" && strideAt !== "1x1")
    throw new RangeError(`resnet: strideAt is "3x3" or "1x1", not ${JSON.stringify(strideAt)}`);
  return new ResNet(stages[depth].blocks, stages[depth].bottleneck, { shortcut, classes, channels, strideAt });
}

/**
 * The paper's networks for CIFAR-10, of depth 6n + 2: 20, 32, 44, 56, 110, 1202: x [B, channels, H, W] → logits [B, classes],
 * images of 32×32 in the paper. Throws where the depth is no such number or the shortcut none of the paper's.
 */
export function resnetCifar(depth: number, options: ResNetOptions = {}): Layer {
  const { shortcut = "A", classes = 10, channels = 3 } = options;
  checkShortcut("resnetCifar", shortcut);
  if (!Number.isInteger(depth) || depth < 8 || depth % 6 !== 2)
    throw new RangeError(`resnetCifar: the depth is 6n + 2, as 20, 32, 44, 56, 110, not ${depth}`);
  return new CifarResNet((depth - 2) / 6, { shortcut, classes, channels });
}

function checkShortcut(caller: string, shortcut: Shortcut): void {
  if (!["A", "B", "C", "none"].includes(shortcut))
    throw new RangeError(`${caller}: the shortcut is "A", "B", "C" or "none", not ${JSON.stringify(shortcut)}`);
}

/** N(0, 2 / fan out), which keeps the variance of gradients; as in torchvision. */
const heFanOut = (shape: Shape): Float32Array => init.heNormal(shape, { fan: init.fanOut(shape) });

/** A convolution without a bias, which the normalization after it has, and with padding that keeps the size. */
const conv = (inputs: number, outputs: number, kernel: number, stride = 1): Conv2d =>
  new Conv2d(inputs, outputs, kernel, { stride, padding: (kernel - 1) / 2, bias: false, init: heFanOut });

/** What comes to a block's output from its input; undefined where that is the input itself. */
function shortcutOf(kind: Shortcut, inputs: number, outputs: number, stride: number): Part | undefined {
  const changes = stride !== 1 || inputs !== outputs;
  if (kind === "C" || (kind === "B" && changes))
    return new Sequential(conv(inputs, outputs, 1, stride), new BatchNorm2d(outputs));
  return kind === "A" && changes ? (x) => subsampled(x, outputs, stride) : undefined;
}

/** Every stride-th pixel, and zeros in the channels that are new: [B, C, H, W] → [B, outputs, ⌈H/stride⌉, ⌈W/stride⌉]. */
function subsampled(x: Tensor, outputs: number, stride: number): Tensor {
  const [, channels, height, width] = x.shape;
  const pixels = x.slice(2, 0, height, stride).slice(3, 0, width, stride);
  return pixels.pad([
    [0, 0],
    [0, outputs - channels],
    [0, 0],
    [0, 0],
  ]); // prettier-ignore
}

interface BlockSizes {
  readonly shortcut: Shortcut;
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: number;
}

/** relu(F(x) + shortcut(x)); what F is the blocks below say. */
abstract class Block {
  downsample: Part | undefined;
  readonly #residual: boolean;

  protected constructor({ shortcut, inputs, outputs, stride }: BlockSizes) {
    this.downsample = shortcutOf(shortcut, inputs, outputs, stride);
    this.#residual = shortcut !== "none";
  }

  protected abstract mapping(x: Tensor): Tensor;

  forward(x: Tensor): Tensor {
    return within(this, () => {
      const y = this.mapping(x);
      return relu(this.#residual ? y.add(this.#shortcut(x)) : y);
    });
  }

  #shortcut(x: Tensor): Tensor {
    if (this.downsample === undefined) return x;
    return typeof this.downsample === "function" ? this.downsample(x) : this.downsample.forward(x);
  }
}

/** Two 3×3 convolutions: [B, inputs, H, W] → [B, outputs, H/stride, W/stride]. */
class BasicBlock extends Block {
  conv1: Conv2d;
  bn1: BatchNorm2d;
  conv2: Conv2d;
  bn2: BatchNorm2d;

  constructor(sizes: BlockSizes) {
    super(sizes);
    const { inputs, outputs, stride } = sizes;
    this.conv1 = conv(inputs, outputs, 3, stride);
    this.bn1 = new BatchNorm2d(outputs);
    this.conv2 = conv(outputs, outputs, 3);
    this.bn2 = new BatchNorm2d(outputs);
  }

  protected mapping(x: Tensor): Tensor {
    const y = relu(this.bn1.forward(this.conv1.forward(x)));
    return this.bn2.forward(this.conv2.forward(y));
  }
}

/** 1×1 to a quarter of the outputs, 3×3, 1×1: [B, inputs, H, W] → [B, outputs, H/stride, W/stride]. */
class Bottleneck extends Block {
  conv1: Conv2d;
  bn1: BatchNorm2d;
  conv2: Conv2d;
  bn2: BatchNorm2d;
  conv3: Conv2d;
  bn3: BatchNorm2d;

  constructor(sizes: BlockSizes, strideAt: "3x3" | "1x1") {
    super(sizes);
    const { inputs, outputs, stride } = sizes;
    const width = outputs / 4;
    this.conv1 = conv(inputs, width, 1, strideAt === "1x1" ? stride : 1);
    this.bn1 = new BatchNorm2d(width);
    this.conv2 = conv(width, width, 3, strideAt === "3x3" ? stride : 1);
    this.bn2 = new BatchNorm2d(width);
    this.conv3 = conv(width, outputs, 1);
    this.bn3 = new BatchNorm2d(outputs);
  }

  protected mapping(x: Tensor): Tensor {
    const narrow = relu(this.bn1.forward(this.conv1.forward(x)));
    const seen = relu(this.bn2.forward(this.conv2.forward(narrow)));
    return this.bn3.forward(this.conv3.forward(seen));
  }
}

/** So many blocks of one width, the first of which has the stride. */
function stage(blocks: number, sizes: BlockSizes, block: (sizes: BlockSizes) => Layer): Sequential {
  const after = { ...sizes, inputs: sizes.outputs, stride: 1 };
  return new Sequential(...Array.from({ length: blocks }, (_, i) => block(i === 0 ? sizes : after)));
}

class ResNet {
  conv1: Conv2d;
  bn1: BatchNorm2d = new BatchNorm2d(64);
  readonly maxpool: MaxPool2d = new MaxPool2d(3, { stride: 2, padding: 1 });
  layer1: Sequential;
  layer2: Sequential;
  layer3: Sequential;
  layer4: Sequential;
  fc: Linear;

  constructor(
    blocks: readonly number[],
    bottleneck: boolean,
    { shortcut, classes, channels, strideAt }: Required<ImageNetResNetOptions>,
  ) {
    const factor = bottleneck ? 4 : 1;
    const block = (sizes: BlockSizes): Layer => (bottleneck ? new Bottleneck(sizes, strideAt) : new BasicBlock(sizes));
    const part = (i: number): Sequential => {
      const inputs = i === 0 ? 64 : 64 * 2 ** (i - 1) * factor;
      const sizes = { shortcut, inputs, outputs: 64 * 2 ** i * factor, stride: i === 0 ? 1 : 2 };
      return stage(blocks[i], sizes, block);
    };
    this.conv1 = conv(channels, 64, 7, 2);
    this.layer1 = part(0);
    this.layer2 = part(1);
    this.layer3 = part(2);
    this.layer4 = part(3);
    this.fc = new Linear(512 * factor, classes);
  }

  forward(x: Tensor): Tensor {
    return within(this, () => {
      const c1 = relu(this.bn1.forward(this.conv1.forward(x))); // [B, 64, H/2, W/2]
      const c2 = this.layer1.forward(this.maxpool.forward(c1)); // [B, 64·factor, H/4, W/4]
      const c3 = this.layer2.forward(c2); // [B, 128·factor, H/8, W/8]
      const c4 = this.layer3.forward(c3); // [B, 256·factor, H/16, W/16]
      const c5 = this.layer4.forward(c4); // [B, 512·factor, H/32, W/32]
      return this.fc.forward(c5.mean([2, 3])); // [B, 512·factor] → [B, classes]
    });
  }
}

class CifarResNet {
  conv1: Conv2d;
  bn1: BatchNorm2d = new BatchNorm2d(16);
  layer1: Sequential;
  layer2: Sequential;
  layer3: Sequential;
  fc: Linear;

  constructor(blocks: number, { shortcut, classes, channels }: Required<ResNetOptions>) {
    const part = (inputs: number, outputs: number, stride: number): Sequential =>
      stage(blocks, { shortcut, inputs, outputs, stride }, (sizes) => new BasicBlock(sizes));
    this.conv1 = conv(channels, 16, 3);
    this.layer1 = part(16, 16, 1);
    this.layer2 = part(16, 32, 2);
    this.layer3 = part(32, 64, 2);
    this.fc = new Linear(64, classes);
  }

  forward(x: Tensor): Tensor {
    return within(this, () => {
      const c1 = relu(this.bn1.forward(this.conv1.forward(x))); // [B, 16, H, W]
      const c2 = this.layer1.forward(c1); // [B, 16, H, W]
      const c3 = this.layer2.forward(c2); // [B, 32, H/2, W/2]
      const c4 = this.layer3.forward(c3); // [B, 64, H/4, W/4]
      return this.fc.forward(c4.mean([2, 3])); // [B, 64] → [B, classes]
    });
  }
}

const paper = "He, Zhang, Ren & Sun, Deep residual learning for image recognition, 2016";

const imageNetEntry = (name: string, depth: number, shortcut: Shortcut): ZooEntry => ({
  name,
  paper,
  input: [3, 224, 224],
  classes: 1000,
  normalize: true,
  recipe: imageNetRecipe({ epochs: 90, batch: 256, lr: 0.1, weightDecay: 1e-4, schedule: "steps" }),
  build: ({ input = [3, 224, 224], classes } = {}) => resnet(depth, { shortcut, classes, channels: input[0] }),
});

/** The paper's: 64,000 steps are 164 epochs of CIFAR-10; a tenth of the rate from the half on, a hundredth from three quarters on. */
const cifarRecipe: Recipe = {
  data: "cifar10",
  epochs: 164,
  batch: 128,
  optimizer: "sgd",
  lr: 0.1,
  decay: 1,
  schedule: "steps",
  weightDecay: 1e-4,
  shift: 0,
  crop: 4,
  flip: 0.5,
};

const cifarEntry = (name: string, depth: number, shortcut: Shortcut): ZooEntry => ({
  name,
  paper,
  input: [3, 32, 32],
  classes: 10,
  normalize: true,
  recipe: cifarRecipe,
  build: ({ input = [3, 32, 32], classes } = {}) => resnetCifar(depth, { shortcut, classes, channels: input[0] }),
});

export const resnetEntries: readonly ZooEntry[] = [
  ...[18, 34, 50, 101, 152].map((depth) => imageNetEntry(`resnet${depth}`, depth, "B")),
  ...[20, 32, 44, 56, 110, 1202].map((depth) => cifarEntry(`resnet${depth}`, depth, "A")),
  ...[18, 34].map((depth) => imageNetEntry(`plain${depth}`, depth, "none")),
  ...[20, 32, 44, 56].map((depth) => cifarEntry(`plain${depth}`, depth, "none")),
];
