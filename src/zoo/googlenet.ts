// GoogLeNet (Szegedy et al., Going deeper with convolutions, 2015): the paper's network and torchvision's, with auxiliary classifiers.
import { concat, isTraining, type Shape, type Tensor, within } from "../graph/index.ts";
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  BatchNorm2d,
  Conv2d,
  crossEntropy,
  Dropout,
  init,
  type Layer,
  Linear,
  LocalResponseNorm,
  MaxPool2d,
  relu,
  Sequential,
} from "../nn/index.ts"; // prettier-ignore
import { imageNetRecipe, type ZooEntry } from "./entry.ts";

export interface GoogLeNetOptions {
  /**
   * "torchvision" (6 624 904 parameters): batch normalization, and 3×3 kernels where the paper has 5×5. "2015" (6 998 552):
   * the paper's, with biases and local response normalization.
   */
  form?: "torchvision" | "2015";
  classes?: number;
  /** Channels of the images. */
  channels?: number;
}

/** What GoogLeNet with auxiliary classifiers gives. */
export interface GoogLeNetOutput {
  /** [B, classes]. */
  readonly logits: Tensor;
  /** In training the logits [B, classes] of the classifiers after modules 4a and 4d; otherwise none, as they are not used. */
  readonly auxiliary: readonly Tensor[];
}

/** GoogLeNet without auxiliary classifiers: x [B, channels, H, W], 224 × 224 in the paper → logits [B, classes]. */
export function googlenet(options: GoogLeNetOptions = {}): Layer {
  return new GoogLeNet(checked("googlenet", options), false);
}

/**
 * GoogLeNet with its two auxiliary classifiers, which training needs `googlenetLoss` for. Parameters are named as in
 * torchvision's files. In training the paper's form takes images of 224 × 224.
 */
export function googlenetWithAuxiliary(options: GoogLeNetOptions = {}): Layer<[x: Tensor], GoogLeNetOutput> {
  return new GoogLeNetWithAuxiliary(checked("googlenetWithAuxiliary", options), true);
}

/** Cross-entropy of the logits, plus 0.3 times that of each auxiliary classifier's; labels [B] → scalar. */
export function googlenetLoss({ logits, auxiliary }: GoogLeNetOutput, labels: Tensor): Tensor {
  return auxiliary.reduce((sum, other) => sum.add(crossEntropy(other, labels).mul(0.3)), crossEntropy(logits, labels));
}

function checked(caller: string, options: GoogLeNetOptions): Required<GoogLeNetOptions> {
  const { form = "torchvision", classes = 1000, channels = 3 } = options;
  if (form !== "torchvision" && form !== "2015")
    throw new RangeError(`${caller}: the form is "torchvision" or "2015", not ${JSON.stringify(form)}`);
  return { form, classes, channels };
}

/** N(0, 0.01²), as torchvision starts its form; He's normal, as that would vanish without batch normalization. */
const starting =
  (normalized: boolean) =>
  (shape: Shape): Float32Array =>
    normalized ? init.normal(shape, 0, 0.01) : init.heNormal(shape);

/** A convolution with its normalization or bias, and relu. */
class BasicConv {
  conv: Conv2d;
  bn: BatchNorm2d | undefined;

  constructor(inputs: number, outputs: number, kernel: number, normalized: boolean, stride = 1) {
    const padding = (kernel - 1) / 2;
    this.conv = new Conv2d(inputs, outputs, kernel, { stride, padding, bias: !normalized, init: starting(normalized) });
    this.bn = normalized ? new BatchNorm2d(outputs, { eps: 1e-3 }) : undefined;
  }

  forward(x: Tensor): Tensor {
    return within(this, () => {
      const y = this.conv.forward(x);
      return relu(this.bn === undefined ? y : this.bn.forward(y));
    });
  }
}

/** Inputs; 1×1; 3×3 reduced and full; 5×5 reduced and full; projection of the pool: a row of the paper's Table 1. */
type Widths = readonly [number, number, number, number, number, number, number];

/** Four branches side by side, their channels joined: [B, inputs, H, W] → [B, outputs, H, W]. */
class Inception {
  branch1: BasicConv;
  branch2: Sequential;
  branch3: Sequential;
  branch4: Sequential;

  constructor([inputs, ones, reduced3, threes, reduced5, fives, pooled]: Widths, normalized: boolean) {
    const unit = (from: number, to: number, kernel: number): BasicConv => new BasicConv(from, to, kernel, normalized);
    this.branch1 = unit(inputs, ones, 1);
    this.branch2 = new Sequential(unit(inputs, reduced3, 1), unit(reduced3, threes, 3));
    this.branch3 = new Sequential(unit(inputs, reduced5, 1), unit(reduced5, fives, normalized ? 3 : 5));
    this.branch4 = new Sequential(new MaxPool2d(3, { stride: 1, padding: 1 }), unit(inputs, pooled, 1));
  }

  forward(x: Tensor): Tensor {
    const branches = [this.branch1, this.branch2, this.branch3, this.branch4];
    return within(this, () =>
      concat(
        branches.map((branch) => branch.forward(x)),
        1,
      ),
    ); // prettier-ignore
  }
}

/** An auxiliary classifier: [B, inputs, 14, 14] → logits [B, classes]. */
class Auxiliary {
  conv: BasicConv;
  fc1: Linear = new Linear(2048, 1024);
  fc2: Linear;
  readonly dropout: Dropout = new Dropout(0.7);
  readonly pool: Layer;

  constructor(inputs: number, classes: number, normalized: boolean) {
    this.conv = new BasicConv(inputs, 128, 1, normalized);
    this.fc2 = new Linear(1024, classes);
    this.pool = normalized ? new AdaptiveAvgPool2d(4) : new AvgPool2d(5, { stride: 3 });
  }

  forward(x: Tensor): Tensor {
    return within(this, () => {
      const maps = this.conv.forward(this.pool.forward(x)); // [B, 128, 4, 4]
      const hidden = relu(this.fc1.forward(maps.reshape(maps.shape[0], -1))); // [B, 1024]
      return this.fc2.forward(this.dropout.forward(hidden)); // [B, classes]
    });
  }
}

class Network {
  conv1: BasicConv;
  conv2: BasicConv;
  conv3: BasicConv;
  inception3a: Inception;
  inception3b: Inception;
  inception4a: Inception;
  inception4b: Inception;
  inception4c: Inception;
  inception4d: Inception;
  inception4e: Inception;
  inception5a: Inception;
  inception5b: Inception;
  aux1: Auxiliary | undefined;
  aux2: Auxiliary | undefined;
  fc: Linear;
  readonly dropout: Dropout;
  readonly #normalized: boolean;
  readonly lrn: LocalResponseNorm = new LocalResponseNorm();

  constructor({ form, classes, channels }: Required<GoogLeNetOptions>, auxiliary: boolean) {
    const normalized = form === "torchvision";
    const inception = (...sizes: Widths): Inception => new Inception(sizes, normalized);
    this.#normalized = normalized;
    this.conv1 = new BasicConv(channels, 64, 7, normalized, 2);
    this.conv2 = new BasicConv(64, 64, 1, normalized);
    this.conv3 = new BasicConv(64, 192, 3, normalized);
    this.inception3a = inception(192, 64, 96, 128, 16, 32, 32);
    this.inception3b = inception(256, 128, 128, 192, 32, 96, 64);
    this.inception4a = inception(480, 192, 96, 208, 16, 48, 64);
    this.inception4b = inception(512, 160, 112, 224, 24, 64, 64);
    this.inception4c = inception(512, 128, 128, 256, 24, 64, 64);
    this.inception4d = inception(512, 112, 144, 288, 32, 64, 64);
    this.inception4e = inception(528, 256, 160, 320, 32, 128, 128);
    this.inception5a = inception(832, 256, 160, 320, 32, 128, 128);
    this.inception5b = inception(832, 384, 192, 384, 48, 128, 128);
    this.aux1 = auxiliary ? new Auxiliary(512, classes, normalized) : undefined;
    this.aux2 = auxiliary ? new Auxiliary(528, classes, normalized) : undefined;
    this.fc = new Linear(1024, classes);
    this.dropout = new Dropout(normalized ? 0.2 : 0.4);
  }

  /** The maps after 4a and 4d, which auxiliary classifiers see, and the logits. */
  protected run(x: Tensor): { logits: Tensor; after4a: Tensor; after4d: Tensor } {
    const normalize = (t: Tensor): Tensor => (this.#normalized ? t : this.lrn.forward(t));
    const c1 = normalize(pool(this.conv1.forward(x))); // [B, 64, 56, 56] for 224 × 224
    const c2 = normalize(this.conv3.forward(this.conv2.forward(c1))); // [B, 192, 56, 56]
    const c3 = this.inception3b.forward(this.inception3a.forward(pool(c2))); // [B, 480, 28, 28]
    const after4a = this.inception4a.forward(pool(c3)); // [B, 512, 14, 14]
    const after4d = this.inception4d.forward(this.inception4c.forward(this.inception4b.forward(after4a))); // [B, 528, 14, 14]
    const c4 = this.inception4e.forward(after4d); // [B, 832, 14, 14]
    const last = this.#normalized ? pool(c4, 2) : pool(c4); // [B, 832, 7, 7]
    const c5 = this.inception5b.forward(this.inception5a.forward(last)); // [B, 1024, 7, 7]
    const logits = this.fc.forward(this.dropout.forward(c5.mean([2, 3]))); // [B, 1024] → [B, classes]
    return { logits, after4a, after4d };
  }

  /** The logits, and in training those of the auxiliary classifiers. */
  heads(x: Tensor): GoogLeNetOutput {
    const { logits, after4a, after4d } = this.run(x);
    const { aux1, aux2 } = this;
    if (!isTraining() || aux1 === undefined || aux2 === undefined) return { logits, auxiliary: [] };
    return { logits, auxiliary: [aux1.forward(after4a), aux2.forward(after4d)] };
  }
}

const pool = (x: Tensor, size = 3): Tensor => new MaxPool2d(size, { stride: 2, ceilMode: true }).forward(x);

class GoogLeNet extends Network {
  forward(x: Tensor): Tensor {
    return within(this, () => this.run(x).logits);
  }
}

class GoogLeNetWithAuxiliary extends Network {
  forward(x: Tensor): GoogLeNetOutput {
    return within(this, () => this.heads(x));
  }
}

/** The loss with the auxiliary classifiers, and the logits, which are all that is asked of the network outside of training. */
function lossOf(model: Layer, { x, y }: { x: Tensor; y: Tensor }): { loss: Tensor; outputs: Tensor } {
  const found = within(model, () => (model as GoogLeNet).heads(x));
  return { loss: googlenetLoss(found, y), outputs: found.logits };
}

export const googlenetEntry: ZooEntry = {
  name: "googlenet",
  paper: "Szegedy et al., Going deeper with convolutions, 2015",
  input: [3, 224, 224],
  classes: 1000,
  normalize: true,
  recipe: imageNetRecipe({ epochs: 250, batch: 256, lr: 0.01, weightDecay: 2e-4, decay: 0.995 }), // 4 % every 8 epochs
  loss: lossOf,
  build: ({ input = [3, 224, 224], classes = 1000 } = {}) =>
    new GoogLeNet({ form: "torchvision", classes, channels: input[0] }, true),
};

export const googlenetOf2015Entry: ZooEntry = {
  ...googlenetEntry,
  name: "googlenet-2015",
  build: ({ input = [3, 224, 224], classes = 1000 } = {}) =>
    new GoogLeNet({ form: "2015", classes, channels: input[0] }, true),
};
