// Trains a network on 16 samples, which it must learn by heart, by the optimizer that is usual for it.
import { expect } from "vitest";
import { evaluating, seed, type Tensor, tensor } from "../../src/index.ts";
import { crossEntropy, Dropout, type Layer } from "../../src/nn/index.ts";
import { walk } from "../../src/nn/module.ts";
import { adadelta, adam, type Labelled, type Loss, type Optimizer, sgd } from "../../src/optim/index.ts";
import {
  alexnet,
  charCnn,
  type GoogLeNetOutput,
  gatedConv,
  googlenetLoss,
  googlenetWithAuxiliary,
  lenet1,
  lenet4,
  lenet5,
  mlp,
  nin,
  resnet,
  resnetCifar,
  textCnn,
  vgg,
} from "../../src/zoo/index.ts"; // prettier-ignore
import { stream } from "../harness.ts";

type Net = Layer<[x: Tensor], Tensor | GoogLeNetOutput>;
type Method = (model: object, loss: Loss<Labelled>) => Optimizer<Labelled>;

export interface Memorized {
  build: () => Net;
  /** Shape of one sample; the batch has 16 of them, but one where every place has a label. */
  input: readonly number[];
  tokens?: number;
  method: Method;
  steps: number;
  classes?: number;
  /** Labels of every place of the input. */
  everywhere?: boolean;
}

const momentum =
  (lr: number): Method =>
  (model, loss) =>
    sgd(model, loss, { lr, momentum: 0.9 });
const byAdam =
  (lr: number): Method =>
  (model, loss) =>
    adam(model, loss, { lr });
const byAdadelta: Method = (model, loss) => adadelta(model, loss);

const classes = 4;
const digit = [1, 28, 28];

export const quickNetworks: Readonly<Record<string, Memorized>> = {
  mlp: { build: () => mlp(784, 64, classes), input: digit, method: byAdam(1e-3), steps: 60 },
  "LeNet-1": { build: () => lenet1({ classes }), input: digit, method: byAdam(5e-3), steps: 150 },
  "LeNet-4": { build: () => lenet4({ classes }), input: digit, method: byAdam(2e-3), steps: 120 },
  "LeNet-5": { build: () => lenet5({ classes }), input: digit, method: byAdam(3e-3), steps: 80 },
  "LeNet-5 of 1998": {
    build: () => lenet5({ form: "1998" }),
    input: digit,
    method: byAdam(2e-3),
    steps: 150,
    classes: 10,
  },
  "ResNet-20": { build: () => resnetCifar(20, { classes }), input: [3, 16, 16], method: momentum(0.05), steps: 60 },
  "plain-20": {
    build: () => resnetCifar(20, { classes, shortcut: "none" }),
    input: [3, 16, 16],
    method: momentum(0.05),
    steps: 100,
  },
  "text CNN": {
    build: () => textCnn({ tokens: 60, classes, features: 20, maps: 10 }),
    input: [12],
    tokens: 60,
    method: byAdadelta,
    steps: 200,
  },
  "character CNN": {
    build: () => charCnn({ classes, length: 123, maps: 32, units: 64 }),
    input: [123],
    tokens: 71,
    method: byAdam(1e-3), // so narrow a one hardly moves by the paper's momentum
    steps: 300,
  },
  "gated convolutions": {
    build: () => gatedConv({ tokens: 10, features: 32, blocks: 3 }),
    input: [16],
    tokens: 10,
    method: byAdam(1e-2),
    steps: 100,
    classes: 10,
    everywhere: true,
  },
};

/** For test/learn. */
export const slowNetworks: Readonly<Record<string, Memorized>> = {
  // the relu before its averages can die for a sample or for all: with 1e-4 one of the 16 is lost, with 3e-4 all
  NIN: { build: () => nin(), input: [3, 12, 12], method: byAdam(3e-5), steps: 250, classes: 10 },
  AlexNet: { build: () => alexnet({ classes }), input: [3, 64, 64], method: byAdam(1e-4), steps: 40 },
  "VGG A with batch normalization": {
    build: () => vgg("A", { classes, batchNorm: true }),
    input: [3, 32, 32],
    method: momentum(0.01),
    steps: 25,
  },
  // the running averages of its batch norms take some steps to follow
  GoogLeNet: {
    build: () => googlenetWithAuxiliary({ classes }),
    input: [3, 64, 64],
    method: momentum(0.02),
    steps: 100,
  },
  "ResNet-18": { build: () => resnet(18, { classes }), input: [3, 48, 48], method: momentum(0.05), steps: 40 },
};

/** 16 random samples and labels. */
function samples({ input, tokens, classes: count = classes, everywhere = false }: Memorized): Labelled {
  const random = stream(3);
  const pixel = (u: number): number => (input[0] === 3 ? Math.sqrt(12) * (u - 0.5) : u); // colours come normalized
  const shape = everywhere ? [1, ...input] : [16, ...input];
  const size = shape.reduce((n, d) => n * d, 1);
  const x = tokens === undefined ? new Float32Array(size) : new Int32Array(size);
  for (let i = 0; i < size; i++)
    x[i] = tokens === undefined ? pixel(random()) : 1 + Math.floor(random() * (tokens - 1));
  const labels = Int32Array.from({ length: 16 }, () => Math.floor(random() * count));
  return { x: tensor(x, shape), y: tensor(labels, everywhere ? shape : [16]) };
}

/** Fails unless training ends below a tenth of the loss that it starts with, and all 16 answers are right. */
export async function overfit(example: Memorized): Promise<void> {
  seed(1);
  const model = example.build();
  for (const [, module] of walk(model)) if (module instanceof Dropout) (module as { p: number }).p = 0;
  const optimizer = example.method(model, ({ x, y }) => {
    const output = model.forward(x);
    return "logits" in output ? googlenetLoss(output, y) : crossEntropy(output, y);
  });
  const batch = samples(example);
  const losses: number[] = [];
  for (let i = 0; i < example.steps; i++) losses.push(await optimizer.step(batch));
  expect(losses[losses.length - 1], `losses ${losses.map((v) => v.toPrecision(3)).join(" ")}`).toBeLessThan(
    0.1 * losses[0],
  );
  const right = evaluating(() => {
    const output = model.forward(batch.x);
    return ("logits" in output ? output.logits : output).argmax(-1).eq(batch.y);
  });
  expect(await right.all().item()).toBeTruthy();
}
