// Adam, AdamW with its decoupled weight decay, and AdaMax.
import { type FirstOrderOptions, firstOrder, type Rule } from "./first-order.ts";
import type { GradientSource, Labelled, Loss } from "./loss.ts";
import type { Optimizer } from "./optimizer.ts";
import { over } from "./over.ts";
import { power } from "./schedule.ts";

export interface AdamOptions extends Partial<FirstOrderOptions> {
  beta1?: number;
  beta2?: number;
  eps?: number;
}

/**
 * Adam (Kingma & Ba, 2015): m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², θ ← θ − lr·m̂ / (√v̂ + ε), where m̂ = m / (1 − β₁ᵗ) and
 * v̂ = v / (1 − β₂ᵗ); where √v̂ and ε are 0, θ stays. `weightDecay` adds its multiple of θ to g.
 * Throws where a β is not in [0, 1), or ε or the decay is negative.
 */
export const adam = <B = Labelled>(
  model: object,
  loss: Loss<B> | GradientSource<B>,
  { lr = 1e-3, beta1, beta2, eps, ...options }: AdamOptions = {},
): Optimizer<B> => firstOrder(model, loss, rule("adam", { beta1, beta2, eps }), { lr, ...options });

/** AdamW (Loshchilov & Hutter, 2019): Adam whose weight decay, θ ← (1 − lr·weightDecay)·θ first, stays out of the gradient. */
export const adamw = <B = Labelled>(
  model: object,
  loss: Loss<B> | GradientSource<B>,
  { lr = 1e-3, weightDecay = 0.01, beta1, beta2, eps, ...options }: AdamOptions = {},
): Optimizer<B> => {
  const decoupled = { ...rule("adamw", { beta1, beta2, eps }), decoupled: true };
  return firstOrder(model, loss, decoupled, { lr, weightDecay, ...options });
};

/**
 * AdaMax (Kingma & Ba, 2015): m ← β₁m + (1 − β₁)g, u ← max(β₂u, |g| + ε), θ ← θ − lr / (1 − β₁ᵗ)·m / u.
 * Throws where a β is not in [0, 1), or ε is negative.
 */
export const adamax = <B = Labelled>(
  model: object,
  loss: Loss<B> | GradientSource<B>,
  { lr = 2e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, ...options }: AdamOptions = {},
): Optimizer<B> => {
  check("adamax", { beta1, beta2 }, eps);
  const rule: Rule<"m" | "u", "rate"> = {
    slots: { m: 0, u: 0 },
    scalars: { rate: (t, lr) => lr / (1 - power(beta1, t)) },
    update: (p, g, slots, { rate }) => {
      const m = slots.m.mul(beta1).add(g.mul(1 - beta1));
      const u = slots.u.mul(beta2).maximum(g.abs().add(eps));
      return { p: p.sub(over(m.mul(rate), u, 0)), slots: { m, u } };
    },
  };
  return firstOrder(model, loss, rule, { lr, ...options });
};

function check(name: string, betas: Readonly<Record<string, number>>, eps: number): void {
  for (const [key, beta] of Object.entries(betas)) {
    if (!(beta >= 0 && beta < 1)) throw new RangeError(`${name}: ${key} must lie in [0, 1), got ${beta}`);
  }
  if (!(eps >= 0)) throw new RangeError(`${name}: eps must be ≥ 0, got ${eps}`);
}

function rule(
  name: "adam" | "adamw",
  { beta1 = 0.9, beta2 = 0.999, eps = 1e-8 }: Pick<AdamOptions, "beta1" | "beta2" | "eps">,
): Rule<"m" | "v", "rate" | "correction"> {
  check(name, { beta1, beta2 }, eps);
  return {
    slots: { m: 0, v: 0 },
    scalars: {
      rate: (t, lr) => lr / (1 - power(beta1, t)),
      correction: (t) => 1 / Math.sqrt(1 - power(beta2, t)),
    },
    update: (p, g, slots, { rate, correction }) => {
      const m = slots.m.mul(beta1).add(g.mul(1 - beta1));
      const v = slots.v.mul(beta2).add(g.square().mul(1 - beta2));
      return { p: p.sub(over(m.mul(rate), v.sqrt().mul(correction), eps)), slots: { m, v } };
    },
  };
}
