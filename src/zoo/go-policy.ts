// The policy network of AlphaGo (Silver et al., Mastering the game of Go with deep neural networks and tree search, 2016).
import { param, type Shape, type Tensor, within } from "../graph/index.ts";
import { Conv2d, init, type Layer, relu, Sequential } from "../nn/index.ts";
import type { ZooEntry } from "./entry.ts";

export interface GoPolicyOptions {
  /** Points a side. */
  size?: number;
  /** Planes of features, as of `goFeatures`. */
  planes?: number;
  /** Maps of each hidden layer, the paper's k: 192 in matches; 128, 256 and 384 were tried too. */
  filters?: number;
  /** Convolutions in all. */
  layers?: number;
}

/**
 * AlphaGo's policy: x [B, planes, size, size] → logits [B, size · size] of the moves, for crossEntropy with the move that was
 * played. A convolution 5×5, layers − 2 of 3×3, relu after each, all padded with zeros to keep the size, then one filter 1×1
 * with a bias for each point: 3 882 793 parameters as in the paper's matches. Throws where the layers are fewer than two.
 */
export const goPolicy = (options: GoPolicyOptions = {}): Layer => new GoPolicy(options);

const he = (shape: Shape): Float32Array => init.heNormal(shape);

class GoPolicy {
  hidden: Sequential;
  output: Conv2d;
  bias: Tensor; // [size · size]

  constructor({ size = 19, planes = 48, filters = 192, layers = 13 }: GoPolicyOptions) {
    if (!Number.isInteger(size) || size < 1)
      throw new RangeError(`goPolicy: size is 1 or more points a side, got ${size}`);
    if (!Number.isInteger(layers) || layers < 2)
      throw new RangeError(`goPolicy: layers are 2 or more, the first and the last, got ${layers}`);
    const deeper = Array.from({ length: layers - 2 }, () => new Conv2d(filters, filters, 3, { padding: 1, init: he }));
    const first = new Conv2d(planes, filters, 5, { padding: 2, init: he });
    this.hidden = new Sequential(first, relu, ...deeper.flatMap((convolution) => [convolution, relu]));
    this.output = new Conv2d(filters, 1, 1, { bias: false });
    this.bias = param(new Float32Array(size * size), [size * size]);
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const maps = this.hidden.forward(x); // [B, filters, size, size]
      const scores = this.output.forward(maps); // [B, 1, size, size]
      return scores.reshape(x.shape[0], -1).add(this.bias); // [B, size · size]
    });
  }
}

export const goPolicyEntry: ZooEntry = {
  name: "gopolicy",
  paper: "Silver et al., Mastering the game of Go with deep neural networks and tree search, 2016",
  input: [48, 19, 19],
  classes: 361,
  normalize: false,
  recipe: { epochs: 10, batch: 16, optimizer: "sgd", lr: 0.003, decay: 1, schedule: "steps", shift: 0 },
  build: ({ input = [48, 19, 19], classes } = {}) => {
    const [planes, size, width] = input;
    if (input.length !== 3 || size !== width)
      throw new RangeError(`gopolicy: takes planes of square boards [planes, size, size], got [${input.join(", ")}]`);
    if (classes !== undefined && classes !== size * size)
      throw new RangeError(`gopolicy: has a class for each of the ${size * size} points, got ${classes} classes`);
    return goPolicy({ size, planes });
  },
};
