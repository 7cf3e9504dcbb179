// AdaDelta: steps in the units of the parameters, with no rate to choose.
import { type FirstOrderOptions, firstOrder, type Rule } from "./first-order.ts";
import type { GradientSource, Labelled, Loss } from "./loss.ts";
import type { Optimizer } from "./optimizer.ts";
import { over } from "./over.ts";

export interface AdadeltaOptions extends Partial<FirstOrderOptions> {
  /** Share of the past in the mean squares. */
  rho?: number;
  eps?: number;
}

/**
 * AdaDelta (Zeiler, 2012): E ← ρE + (1 − ρ)g², Δ = √(D + ε) / √(E + ε)·g, D ← ρD + (1 − ρ)Δ², θ ← θ − lr·Δ, with a rate of 1.
 * Throws where ρ is not in [0, 1), or ε is negative.
 */
export function adadelta<B = Labelled>(
  model: object,
  loss: Loss<B> | GradientSource<B>,
  { lr = 1, rho = 0.95, eps = 1e-6, ...options }: AdadeltaOptions = {},
): Optimizer<B> {
  if (!(rho >= 0 && rho < 1)) throw new RangeError(`adadelta: rho must lie in [0, 1), got ${rho}`);
  if (!(eps >= 0)) throw new RangeError(`adadelta: eps must be ≥ 0, got ${eps}`);
  const rule: Rule<"square" | "delta", "lr"> = {
    slots: { square: 0, delta: 0 },
    scalars: { lr: (_, lr) => lr },
    update: (p, g, slots, { lr }) => {
      const square = slots.square.mul(rho).add(g.square().mul(1 - rho));
      const step = over(g.mul(slots.delta.add(eps).sqrt()), square.add(eps).sqrt(), 0);
      const delta = slots.delta.mul(rho).add(step.square().mul(1 - rho));
      return { p: p.sub(step.mul(lr)), slots: { square, delta } };
    },
  };
  return firstOrder(model, loss, rule, { lr, ...options });
}
