// AdaGrad: each coordinate's step shrinks with the squared gradients that it has seen.
import { type FirstOrderOptions, firstOrder, type Rule } from "./first-order.ts";
import type { GradientSource, Labelled, Loss } from "./loss.ts";
import type { Optimizer } from "./optimizer.ts";
import { over } from "./over.ts";

export interface AdagradOptions extends Partial<FirstOrderOptions> {
  eps?: number;
}

/**
 * AdaGrad (Duchi, Hazan & Singer, 2011): G ← G + g², θ ← θ − lr·g / (√G + ε); where √G and ε are 0, θ stays.
 * Throws where ε is negative. (PyTorch's ε is 10⁻¹⁰.)
 */
export function adagrad<B = Labelled>(
  model: object,
  loss: Loss<B> | GradientSource<B>,
  { lr = 0.01, eps = 1e-8, ...options }: AdagradOptions = {},
): Optimizer<B> {
  if (!(eps >= 0)) throw new RangeError(`adagrad: eps must be ≥ 0, got ${eps}`);
  const rule: Rule<"sum", "lr"> = {
    slots: { sum: 0 },
    scalars: { lr: (_, lr) => lr },
    update: (p, g, slots, { lr }) => {
      const sum = slots.sum.add(g.square());
      return { p: p.sub(over(g.mul(lr), sum.sqrt(), eps)), slots: { sum } };
    },
  };
  return firstOrder(model, loss, rule, { lr, ...options });
}
