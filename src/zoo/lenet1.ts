// LeNet-1 (LeCun et al., Handwritten digit recognition with a back-propagation network, 1990).
import { type Tensor, within } from "../graph/index.ts";
import { Conv2d, type Layer, Linear, Subsample2d } from "../nn/index.ts";
import type { ZooEntry } from "./entry.ts";
import { LinkedConv, narrow, squash } from "./lenet5.ts";

/**
 * LeNet-1 for grey images of 28×28, pixels in [0, 1]: x [B, 1, 28, 28] → logits [B, classes]; the paper's 2 578 parameters
 * with 10 classes. The last layer is linear, so that its outputs are logits for crossEntropy; the paper's squashes them.
 */
export const lenet1 = ({ classes = 10 }: { classes?: number } = {}): Layer => new LeNet1(classes);

class LeNet1 {
  h1: Conv2d = new Conv2d(1, 4, 5, { init: narrow }); // 104 parameters
  h2: Subsample2d = new Subsample2d(4); // 8
  h3: LinkedConv = new LinkedConv(h3Links, 4, 5); // 512
  h4: Subsample2d = new Subsample2d(12); // 24
  output: Linear; // 1 930

  constructor(classes: number) {
    this.output = new Linear(192, classes, { init: narrow });
  }

  forward(x: Tensor): Tensor {
    return within(this, () => {
      const scaled = x.mul(2).sub(1); // the paper's −1 for paper and 1 for ink
      const h2 = squash(this.h2.forward(squash(this.h1.forward(scaled)))); // [B, 4, 24, 24] → [B, 4, 12, 12]
      const h4 = squash(this.h4.forward(squash(this.h3.forward(h2)))); // [B, 12, 8, 8] → [B, 12, 4, 4]
      return this.output.forward(h4.reshape(-1, 192)); // [B, classes]
    });
  }
}

/** The maps of H2 that each map of H3 is linked to, 20 links: six maps see the first two, six the others. */
const h3Links: readonly (readonly number[])[] = [
  [0], [0, 1], [0, 1], [1], [0, 1], [0, 1],
  [2], [2, 3], [2, 3], [3], [2, 3], [2, 3],
]; // biome-ignore format: a table

export const lenet1Entry: ZooEntry = {
  name: "lenet1",
  paper: "LeCun et al., Handwritten digit recognition with a back-propagation network, 1990",
  input: [1, 28, 28],
  classes: 10,
  normalize: false,
  recipe: { data: "mnist", epochs: 10, batch: 64, optimizer: "adam", lr: 5e-3, decay: 0.8, shift: 0 },
  build: ({ classes } = {}) => lenet1({ classes }),
};
