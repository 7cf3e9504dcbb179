// LeNet-5 (LeCun, Bottou, Bengio & Haffner, Gradient-based learning applied to document recognition, 1998): today's form and the paper's.
import { concat, param, type Shape, type Tensor, tensor, within, zeros } from "../graph/index.ts";
import { AvgPool2d, Conv2d, Flatten, init, type Layer, Linear, Sequential, Subsample2d, tanh } from "../nn/index.ts";
import { digitBitmaps } from "./digit-bitmaps.ts";
import type { ZooEntry } from "./entry.ts";

export interface LeNet5Options {
  /** "modern" (61 706 parameters): full connections, average pooling, logits. "1998" (60 000): the paper's own, for ten digits. */
  form?: "modern" | "1998";
  classes?: number;
}

/** LeNet-5 for grey images of 28×28: x [B, 1, 28, 28] → logits [B, classes], for crossEntropy. */
export function lenet5({ form = "modern", classes = 10 }: LeNet5Options = {}): Layer {
  if (form === "modern") return modern(classes);
  if (form !== "1998") throw new RangeError(`lenet5: the form is "modern" or "1998", not ${JSON.stringify(form)}`);
  if (classes !== 10)
    throw new RangeError(`lenet5: the form of 1998 has codes for 10 digits, not for ${classes} classes`);
  return new LeNet5Of1998();
}

const modern = (classes: number): Layer =>
  new Sequential(
    new Conv2d(1, 6, 5, { padding: 2 }), // [B, 6, 28, 28]
    tanh,
    new AvgPool2d(2), // [B, 6, 14, 14]
    new Conv2d(6, 16, 5), // [B, 16, 10, 10]
    tanh,
    new AvgPool2d(2), // [B, 16, 5, 5]
    new Flatten(), // [B, 400]
    new Linear(400, 120),
    tanh,
    new Linear(120, 84),
    tanh,
    new Linear(84, classes),
  );

/** The paper's squashing function, φ(a) = 1.7159·tanh(⅔a). */
export const squash = (a: Tensor): Tensor =>
  a
    .mul(2 / 3)
    .tanh()
    .mul(1.7159);

/** The paper's starting weights, U(±2.4 / fan in). */
export const narrow = (shape: Shape): Float32Array =>
  init.uniform(shape, -2.4 / init.fanIn(shape), 2.4 / init.fanIn(shape));

/**
 * The network of the paper, for pixels in [0, 1] with strokes bright. It gives the log-likelihoods of its RBF units, which
 * the paper reads their distances as, so the largest is the answer and crossEntropy is the paper's criterion (its equation
 * 9, with the constant j at infinity) up to their variance.
 */
class LeNet5Of1998 {
  c1: Conv2d = new Conv2d(1, 6, 5, { init: narrow }); // 156 parameters
  s2: Subsample2d = new Subsample2d(6); // 12
  c3: LinkedConv = new LinkedConv(c3Links, 6, 5); // 1 516
  s4: Subsample2d = new Subsample2d(16); // 32
  c5: Conv2d = new Conv2d(16, 120, 5, { init: narrow }); // 48 120
  f6: Linear = new Linear(120, 84, { init: narrow }); // 10 164
  output: RadialBasis = new RadialBasis(digitBitmaps);

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const scaled = x.mul(1.275).sub(0.1); // background −0.1, foreground 1.175: mean about 0, variance about 1
      const framed = scaled.pad(
        [
          [0, 0],
          [0, 0],
          [2, 2],
          [2, 2],
        ],
        -0.1,
      ); // [B, 1, 32, 32]
      const s2 = squash(this.s2.forward(squash(this.c1.forward(framed)))); // [B, 6, 28, 28] → [B, 6, 14, 14]
      const s4 = squash(this.s4.forward(squash(this.c3.forward(s2)))); // [B, 16, 10, 10] → [B, 16, 5, 5]
      const c5 = squash(this.c5.forward(s4)).reshape(-1, 120); // [B, 120, 1, 1] → [B, 120]
      return this.output.forward(squash(this.f6.forward(c5))); // [B, 84] → [B, 10]
    });
  }
}

/** A convolution in which each output map sees the input maps of its row of `links` only; other kernels do not exist. */
export class LinkedConv {
  weight: Tensor; // [links, kernel, kernel]
  bias: Tensor; // [outputs, 1, 1]
  /** For each (output, input) the number of its kernel, or one past the last where there is none. */
  readonly #places: Tensor; // i32 [outputs · inputs]
  readonly #shape: Shape; // [outputs, inputs, kernel, kernel]

  constructor(links: readonly (readonly number[])[], inputs: number, kernel: number) {
    const count = links.flat().length;
    let next = 0;
    const places = links.flatMap((row) => Array.from({ length: inputs }, (_, i) => (row.includes(i) ? next++ : count)));
    const bounds = links.flatMap((row) => row.map(() => 2.4 / (row.length * kernel * kernel)));
    const unit = init.uniform([count, kernel, kernel], -1, 1);
    this.weight = param(
      unit.map((u, i) => u * bounds[Math.floor(i / kernel ** 2)]),
      [count, kernel, kernel],
    );
    this.bias = param(zeros([links.length, 1, 1]));
    this.#places = tensor(Int32Array.from(places));
    this.#shape = [links.length, inputs, kernel, kernel];
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const kernels = concat([this.weight, zeros([1, ...this.#shape.slice(2)])]); // [links + 1, kernel, kernel]
      return x.conv(kernels.gather(this.#places).reshape(this.#shape)).add(this.bias);
    });
  }
}

/**
 * Fixed radial basis units as the log-likelihoods of Gaussians round their centres, −yᵢ / 2σ² with yᵢ = Σⱼ(xⱼ − wᵢⱼ)²:
 * x [B, features] → [B, units]. σ² = 5: the distances between codes are dozens, and with σ² = ½, the paper's plain −yᵢ,
 * softmax is all or nothing from the start, which costs first-order training 1.5 % of MNIST.
 */
class RadialBasis {
  readonly centres: Tensor; // [units, features], not trained
  readonly variance: number;

  constructor(centres: readonly (readonly number[])[], { variance = 5 }: { variance?: number } = {}) {
    this.centres = tensor(centres);
    this.variance = variance;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const distances = x.unsqueeze(1).sub(this.centres).square().sum(-1); // [B, 1, features] − [units, features] → [B, units]
      return distances.mul(-0.5 / this.variance);
    });
  }
}

/** Table I of the paper: the maps of S2 that each map of C3 is linked to, 60 links in all. */
const c3Links: readonly (readonly number[])[] = [
  [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [0, 4, 5], [0, 1, 5],
  [0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [0, 3, 4, 5], [0, 1, 4, 5], [0, 1, 2, 5],
  [0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5],
  [0, 1, 2, 3, 4, 5],
]; // biome-ignore format: a table

const paper = "LeCun, Bottou, Bengio & Haffner, Gradient-based learning applied to document recognition, 1998";

export const lenet5Entry: ZooEntry = {
  name: "lenet5",
  paper,
  input: [1, 28, 28],
  classes: 10,
  normalize: true,
  recipe: { data: "mnist", epochs: 10, batch: 64, optimizer: "adam", lr: 3e-3, decay: 0.7, shift: 1 },
  build: ({ classes } = {}) => lenet5({ classes }),
};

export const lenet5Of1998Entry: ZooEntry = {
  ...lenet5Entry,
  name: "lenet5-1998",
  normalize: false,
  recipe: { data: "mnist", epochs: 10, batch: 64, optimizer: "adam", lr: 2e-3, decay: 0.8, shift: 1 },
  build: ({ classes } = {}) => lenet5({ form: "1998", classes }),
};
