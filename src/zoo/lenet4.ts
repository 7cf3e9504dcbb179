// LeNet-4 (LeCun et al., Comparison of learning algorithms for handwritten digit recognition, 1995).
import { stack, type Tensor, within } from "../graph/index.ts";
import { Conv2d, type Layer, Linear, Subsample2d } from "../nn/index.ts";
import type { ZooEntry } from "./entry.ts";
import { narrow, squash } from "./lenet5.ts";

/**
 * LeNet-4 for grey images of 28×28, pixels in [0, 1]: x [B, 1, 28, 28] → logits [B, classes]. As its authors describe it: 4
 * maps, 8 subsampled ones, two of each map, 16 maps, 16 subsampled ones, 120 units, outputs. They do not say which of the 8
 * maps the 16 see; here all, which makes 52 698 parameters with 10 classes, where they count "about 17 000": 120 units that
 * see 16 maps of 5×5 have 48 120 alone.
 */
export const lenet4 = ({ classes = 10 }: { classes?: number } = {}): Layer => new LeNet4(classes);

class LeNet4 {
  c1: Conv2d = new Conv2d(1, 4, 5, { padding: 2, init: narrow }); // 104 parameters
  s2: Subsample2d = new Subsample2d(8); // 16
  c3: Conv2d = new Conv2d(8, 16, 5, { init: narrow }); // 3 216
  s4: Subsample2d = new Subsample2d(16); // 32
  f5: Linear = new Linear(400, 120, { init: narrow }); // 48 120
  output: Linear; // 1 210

  constructor(classes: number) {
    this.output = new Linear(120, classes, { init: narrow });
  }

  forward(x: Tensor): Tensor {
    return within(this, () => {
      const c1 = squash(this.c1.forward(x.mul(1.275).sub(0.1))); // [B, 4, 28, 28]
      const s2 = squash(this.s2.forward(twice(c1))); // [B, 8, 14, 14]
      const s4 = squash(this.s4.forward(squash(this.c3.forward(s2)))); // [B, 16, 10, 10] → [B, 16, 5, 5]
      const f5 = squash(this.f5.forward(s4.reshape(-1, 400))); // [B, 120]
      return this.output.forward(f5); // [B, classes]
    });
  }
}

/** Each map two times, one after the other: [B, C, H, W] → [B, 2C, H, W]. */
function twice(x: Tensor): Tensor {
  const [batch, maps, height, width] = x.shape;
  return stack([x, x], 2).reshape(batch, 2 * maps, height, width); // [B, C, 2, H, W]
}

export const lenet4Entry: ZooEntry = {
  name: "lenet4",
  paper: "LeCun et al., Comparison of learning algorithms for handwritten digit recognition, 1995",
  input: [1, 28, 28],
  classes: 10,
  normalize: false,
  recipe: { data: "mnist", epochs: 10, batch: 64, optimizer: "adam", lr: 2e-3, decay: 0.8, shift: 1 },
  build: ({ classes } = {}) => lenet4({ classes }),
};
