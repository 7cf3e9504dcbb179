// The multilayer perceptron: fully connected layers with a nonlinearity between them (Rumelhart, Hinton & Williams, 1986).

import type { Tensor } from "../graph/index.ts";
import { sizeOf } from "../graph/internal.ts";
import { Flatten, type Layer, Linear, relu, Sequential } from "../nn/index.ts";
import type { ZooEntry } from "./entry.ts";

export interface MlpOptions {
  /** Between the layers; none follows the last. */
  activation?: (x: Tensor) => Tensor;
}

/**
 * `mlp(784, 512, 512, 10)`: layers of these widths, relu between them unless `{ activation }` comes last.
 * x [B, …] is flattened to [B, inputs] and gives [B, outputs].
 */
export function mlp(...widths: readonly number[] | readonly [...number[], MlpOptions]): Layer {
  const last = widths[widths.length - 1];
  const { activation = relu } = typeof last === "object" ? last : {};
  const sizes = (widths as readonly unknown[]).filter((width) => typeof width === "number");
  if (sizes.length < 2)
    throw new RangeError(`mlp: needs the widths of its input and output at least, got ${sizes.length}`);
  const layers = sizes.slice(1).map((size, i) => new Linear(sizes[i], size));
  return new Sequential(new Flatten(), ...layers.flatMap((layer, i) => (i === 0 ? [layer] : [activation, layer])));
}

export const mlpEntry: ZooEntry = {
  name: "mlp",
  paper: "Rumelhart, Hinton & Williams, Learning representations by back-propagating errors, 1986",
  input: [1, 28, 28],
  classes: 10,
  normalize: true,
  recipe: { epochs: 5, batch: 64, optimizer: "adam", lr: 1e-3, decay: 0.7, shift: 0 },
  build: ({ input = [1, 28, 28], classes = 10 } = {}) => mlp(sizeOf(input), 512, 512, classes),
};
