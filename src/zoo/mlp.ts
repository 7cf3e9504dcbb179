// The multilayer perceptron: fully connected layers with a nonlinearity between them (Rumelhart, Hinton & Williams, 1986).

import type { Tensor } from "../graph/index.ts";
import { sizeOf } from "../graph/internal.ts";
import { Dropout, Flatten, type Layer, Linear, relu, Sequential } from "../nn/index.ts";
import { maxNorm } from "../optim/index.ts";
import type { ZooEntry } from "./entry.ts";

export interface MlpOptions {
  /** Between the layers; none follows the last. */
  activation?: (x: Tensor) => Tensor;
  /** The shares of the inputs and of each hidden layer's units that are dropped in training; none by default. */
  dropout?: { readonly inputs?: number; readonly hidden?: number };
}

/**
 * `mlp(784, 512, 512, 10)`: layers of these widths, relu between them unless `{ activation }` comes last.
 * x [B, …] is flattened to [B, inputs] and gives [B, outputs].
 */
export function mlp(...widths: readonly number[] | readonly [...number[], MlpOptions]): Layer {
  const last = widths[widths.length - 1];
  const { activation = relu, dropout = {} } = typeof last === "object" ? last : {};
  const { inputs = 0, hidden = 0 } = dropout;
  const sizes = (widths as readonly unknown[]).filter((width) => typeof width === "number");
  if (sizes.length < 2)
    throw new RangeError(`mlp: needs the widths of its input and output at least, got ${sizes.length}`);
  const dropped = (p: number): Dropout[] => (p === 0 ? [] : [new Dropout(p)]);
  const layers = sizes.slice(1).map((size, i) => new Linear(sizes[i], size));
  return new Sequential(
    new Flatten(),
    ...dropped(inputs),
    ...layers.flatMap((layer, i) => (i === 0 ? [layer] : [activation, ...dropped(hidden), layer])),
  );
}

export const mlpEntry: ZooEntry = {
  name: "mlp",
  paper: "Rumelhart, Hinton & Williams, Learning representations by back-propagating errors, 1986",
  input: [1, 28, 28],
  classes: 10,
  normalize: true,
  recipe: { data: "mnist", epochs: 5, batch: 64, optimizer: "adam", lr: 1e-3, decay: 0.7, shift: 0 },
  build: ({ input = [1, 28, 28], classes = 10 } = {}) => mlp(sizeOf(input), 512, 512, classes),
};

const wide = { input: [1, 28, 28], classes: 10, normalize: false } as const;
const wideRecipe = {
  data: "mnist",
  epochs: 40,
  batch: 128,
  optimizer: "adam",
  lr: 1e-3,
  decay: 0.93,
  shift: 0,
} as const;

/** 784-1024-1024-10, pixels in [0, 1]: what the dropout paper measures dropout against. */
export const mlpWideEntry: ZooEntry = {
  ...wide,
  name: "mlp-wide",
  paper: mlpEntry.paper,
  recipe: wideRecipe,
  build: ({ input = wide.input, classes = wide.classes } = {}) => mlp(sizeOf(input), 1024, 1024, classes),
};

/** The same with a fifth of the inputs and half of the hidden units dropped, and rows of the weights of at most norm 2. */
export const mlpDropoutEntry: ZooEntry = {
  ...wide,
  name: "mlp-dropout",
  paper: "Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov, Dropout, 2014",
  recipe: wideRecipe,
  constraints: [maxNorm(2)],
  build: ({ input = wide.input, classes = wide.classes } = {}) =>
    mlp(sizeOf(input), 1024, 1024, classes, { dropout: { inputs: 0.2, hidden: 0.5 } }),
};
