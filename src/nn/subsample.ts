// LeNet's pooling, which is trained.
import { param, type Tensor, within, zeros } from "../graph/index.ts";
import { fail, show } from "../graph/internal.ts";
import { uniform } from "./init.ts";
import { checkSizes, type Sizes, sizesOf } from "./module.ts";
import { windowSums } from "./pool.ts";

/**
 * Trainable sub-sampling, y = a·Σx + b over windows that tile the image, with one a and one b a map (LeCun et al., 1998; their φ
 * comes after): x [N, channels, H, W] → [N, channels, ⌊H/size⌋, ⌊W/size⌋]. a starts from U(±2.4 / elements of a window), b from 0.
 * Throws where x has other channels, or no window fits.
 */
export class Subsample2d {
  coefficient: Tensor; // [channels, 1, 1]
  bias: Tensor; // [channels, 1, 1]
  readonly size: readonly number[];

  constructor(channels: number, size: Sizes = 2) {
    checkSizes("Subsample2d", { channels });
    this.size = sizesOf("Subsample2d", "size", size, 2);
    const bound = 2.4 / (this.size[0] * this.size[1]);
    this.coefficient = param((shape) => uniform(shape, -bound, bound), [channels, 1, 1]);
    this.bias = param(zeros([channels, 1, 1]));
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const [channels] = this.bias.shape;
      if (x.rank !== 4 || x.shape[1] !== channels || this.size.some((s, i) => x.shape[i + 2] < s))
        fail("subsample", `needs images [N, ${channels}, H, W] of at least ${show(this.size)}, got ${show(x.shape)}`);
      const sums = windowSums(x, { size: this.size, stride: this.size, dilation: [1, 1] });
      return sums.mul(this.coefficient).add(this.bias);
    });
  }
}
