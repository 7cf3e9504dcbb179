// The activation whose slope is learned.
import { param, type Tensor, where, within } from "../graph/index.ts";
import { fail, show } from "../graph/internal.ts";
import { constant } from "./init.ts";
import { checkSizes } from "./module.ts";

/**
 * x for x > 0, else w·x, with gradient w at 0 (He et al., 2015): one w for all, or one a channel of x [N, channels, …].
 * Starts from 0.25. Throws where x has other channels.
 */
export class PRelu {
  weight: Tensor; // [channels], named as in PyTorch's files

  constructor(channels = 1, { slope = 0.25 }: { slope?: number } = {}) {
    checkSizes("PRelu", { channels });
    this.weight = param(constant([channels], slope));
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const [channels] = this.weight.shape;
      if (channels > 1 && x.shape[1] !== channels)
        fail("prelu", `needs ${channels} channels, [N, ${channels}, …], got ${show(x.shape)}`);
      const slope = channels === 1 ? this.weight : this.weight.reshape(channels, ...x.shape.slice(2).map(() => 1));
      return where(x.gt(0), x.float(), x.mul(slope));
    });
  }
}
