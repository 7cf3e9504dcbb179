// Stochastic gradient descent.
import { type FirstOrderOptions, firstOrder, penalized, type Rule } from "./first-order.ts";
import type { Labelled, Loss, Optimizer } from "./optimizer.ts";

export interface SgdOptions extends Partial<FirstOrderOptions> {
  momentum?: number;
  /** Take the gradient's step from where momentum will carry the parameters (Nesterov, 1983, as in Sutskever et al., 2013). */
  nesterov?: boolean;
  /** λ of the L2 penalty ½λ|θ|², whose gradient λθ is added to the loss's. */
  weightDecay?: number;
}

/**
 * Gradient descent on batches (Robbins & Monro, 1951), θ ← θ − lr·d, with momentum μ (Polyak, 1964):
 * b ← μ·b + g and d = b, or d = g + μ·b with `nesterov`; d = g without momentum.
 * Throws where momentum is not in [0, 1), weightDecay is negative, or nesterov has no momentum.
 */
export function sgd<B = Labelled>(
  model: object,
  loss: Loss<B>,
  { lr = 0.01, momentum = 0, nesterov = false, weightDecay = 0, guard }: SgdOptions = {},
): Optimizer<B> {
  if (!(momentum >= 0 && momentum < 1)) throw new RangeError(`sgd: momentum must lie in [0, 1), got ${momentum}`);
  if (!(weightDecay >= 0)) throw new RangeError(`sgd: weightDecay must be ≥ 0, got ${weightDecay}`);
  if (nesterov && momentum === 0) throw new RangeError("sgd: nesterov needs a momentum > 0");
  const rule = momentum === 0 ? plain(weightDecay) : withMomentum(momentum, nesterov, weightDecay);
  return firstOrder(model, loss, rule, { lr, guard });
}

const scalars = { lr: (_: number, lr: number): number => lr };

const plain = (weightDecay: number): Rule<never, "lr"> => ({
  slots: {},
  scalars,
  update: (p, g, slots, { lr }) => ({ p: p.sub(penalized(g, p, weightDecay).mul(lr)), slots }),
});

const withMomentum = (momentum: number, nesterov: boolean, weightDecay: number): Rule<"momentum", "lr"> => ({
  slots: { momentum: 0 },
  scalars,
  update: (p, gradient, slots, { lr }) => {
    const g = penalized(gradient, p, weightDecay);
    const b = slots.momentum.mul(momentum).add(g);
    const d = nesterov ? g.add(b.mul(momentum)) : b;
    return { p: p.sub(d.mul(lr)), slots: { momentum: b } };
  },
});
