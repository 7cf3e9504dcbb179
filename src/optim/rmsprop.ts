// RMSProp: steps of one size, whatever the size of the gradients.
import { type FirstOrderOptions, firstOrder, type Rule } from "./first-order.ts";
import type { GradientSource, Labelled, Loss } from "./loss.ts";
import type { Optimizer } from "./optimizer.ts";
import { over } from "./over.ts";

export interface RmspropOptions extends Partial<FirstOrderOptions> {
  /** Share of the past in the mean square. */
  rho?: number;
  eps?: number;
  momentum?: number;
  /** Divide by the deviation of the gradients, √(E − ḡ² + ε), where ḡ ← ρḡ + (1 − ρ)g, instead (Graves, 2013). */
  centered?: boolean;
}

/**
 * RMSProp (Hinton's lecture 6e, 2012): E ← ρE + (1 − ρ)g², d = g / √(E + ε), θ ← θ − lr·d, or with momentum b ← μb + d and
 * θ ← θ − lr·b. Throws where ρ or the momentum is not in [0, 1), or ε is negative. (PyTorch has ρ = 0.99, a rate of 0.01, and ε outside
 * of the root.)
 */
export function rmsprop<B = Labelled>(
  model: object,
  loss: Loss<B> | GradientSource<B>,
  { lr = 1e-3, rho = 0.9, eps = 1e-8, momentum = 0, centered = false, ...options }: RmspropOptions = {},
): Optimizer<B> {
  for (const [key, value] of Object.entries({ rho, momentum }))
    if (!(value >= 0 && value < 1)) throw new RangeError(`rmsprop: ${key} must lie in [0, 1), got ${value}`);
  if (!(eps >= 0)) throw new RangeError(`rmsprop: eps must be ≥ 0, got ${eps}`);
  const rule: Rule = {
    slots: { square: 0, ...(centered && { mean: 0 }), ...(momentum > 0 && { momentum: 0 }) },
    scalars: { lr: (_, lr) => lr },
    update: (p, g, slots, { lr }) => {
      const next: Record<string, typeof p> = {};
      if (centered) {
        // E − ḡ² without its cancellation: it is ρ times what it was plus ρ(1 − ρ)(g − ḡ)², with ḡ from before
        next.square = slots.square
          .add(
            g
              .sub(slots.mean)
              .square()
              .mul(1 - rho),
          )
          .mul(rho);
        next.mean = slots.mean.mul(rho).add(g.mul(1 - rho));
      } else next.square = slots.square.mul(rho).add(g.square().mul(1 - rho));
      const d = over(g, next.square.add(eps).sqrt(), 0);
      if (momentum > 0) next.momentum = slots.momentum.mul(momentum).add(d);
      return { p: p.sub((next.momentum ?? d).mul(lr)), slots: next };
    },
  };
  return firstOrder(model, loss, rule, { lr, ...options });
}
