// Corruption of inputs, the noise that a denoising auto-encoder learns to undo.
import { isTraining, normal, type Tensor, uniform, where, within } from "../graph/index.ts";
import { fail } from "../graph/internal.ts";

/** How elements are corrupted: set to 0, moved by normal noise, or set to 0 or 1. */
export type Corruption = "masking" | "gaussian" | "salt-and-pepper";

const kinds: readonly string[] = ["masking", "gaussian", "salt-and-pepper"] satisfies Corruption[];

/**
 * In training x̃ ~ q(x̃ | x), else x itself; x of any shape (Vincent et al., 2008 and 2010). "masking": each element is 0 with
 * probability `amount`; "gaussian": x + N(0, amount²); "salt-and-pepper": each is, with probability `amount`, 0 or 1, each as
 * likely. Drawn from the seeded stream. Throws for another kind, a probability outside of [0, 1] and a deviation below 0.
 */
export class Corrupt {
  readonly kind: Corruption;
  readonly amount: number;

  constructor(kind: Corruption, amount: number) {
    if (!kinds.includes(kind)) fail("Corrupt", `kind must be one of "${kinds.join('", "')}", got "${kind}"`);
    const most = kind === "gaussian" ? Number.MAX_VALUE : 1;
    if (!(amount >= 0 && amount <= most))
      fail("Corrupt", `amount must ${kind === "gaussian" ? "be ≥ 0" : "lie in [0, 1]"}, got ${amount}`);
    [this.kind, this.amount] = [kind, amount];
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      if (!isTraining() || this.amount === 0) return x;
      if (this.kind === "gaussian") return x.add(normal(x.shape).mul(this.amount));
      const draw = uniform(x.shape); // below amount / 2, up to amount, and above it
      if (this.kind === "masking") return where(draw.lt(this.amount), 0, x);
      return where(draw.lt(this.amount / 2), 0, where(draw.lt(this.amount), 1, x));
    });
  }
}
