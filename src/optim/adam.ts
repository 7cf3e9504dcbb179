// Adam, and AdamW with its decoupled weight decay.
import { type FirstOrderOptions, firstOrder, penalized, type Rule } from "./first-order.ts";
import type { Labelled, Loss, Optimizer } from "./optimizer.ts";
import { power } from "./schedule.ts";

export interface AdamOptions extends Partial<FirstOrderOptions> {
  beta1?: number;
  beta2?: number;
  eps?: number;
  weightDecay?: number;
}

/**
 * Adam (Kingma & Ba, 2015): m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², θ ← θ − lr·m̂ / (√v̂ + ε), where m̂ = m / (1 − β₁ᵗ) and
 * v̂ = v / (1 − β₂ᵗ). `weightDecay` adds its multiple of θ to g. Throws where a β is not in [0, 1), or ε or the decay is negative.
 */
export const adam = <B = Labelled>(
  model: object,
  loss: Loss<B>,
  { lr = 1e-3, guard, ...settings }: AdamOptions = {},
): Optimizer<B> => firstOrder(model, loss, rule("adam", settings), { lr, guard });

/** AdamW (Loshchilov & Hutter, 2019): Adam whose weight decay, θ ← (1 − lr·weightDecay)·θ first, stays out of the gradient. */
export const adamw = <B = Labelled>(
  model: object,
  loss: Loss<B>,
  { lr = 1e-3, weightDecay = 0.01, guard, ...settings }: AdamOptions = {},
): Optimizer<B> => firstOrder(model, loss, rule("adamw", { weightDecay, ...settings }), { lr, guard });

type Settings = Omit<AdamOptions, keyof FirstOrderOptions>;

function rule(
  name: "adam" | "adamw",
  { beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0 }: Settings,
): Rule<"m" | "v", "rate" | "correction" | "keep"> {
  for (const [key, beta] of Object.entries({ beta1, beta2 })) {
    if (!(beta >= 0 && beta < 1)) throw new RangeError(`${name}: ${key} must lie in [0, 1), got ${beta}`);
  }
  for (const [key, value] of Object.entries({ eps, weightDecay })) {
    if (!(value >= 0)) throw new RangeError(`${name}: ${key} must be ≥ 0, got ${value}`);
  }
  const decoupled = name === "adamw" && weightDecay > 0;
  return {
    slots: { m: 0, v: 0 },
    scalars: {
      rate: (t, lr) => lr / (1 - power(beta1, t)),
      correction: (t) => 1 / Math.sqrt(1 - power(beta2, t)),
      keep: (_, lr) => 1 - lr * weightDecay,
    },
    update: (p, gradient, slots, { rate, correction, keep }) => {
      const g = decoupled ? gradient : penalized(gradient, p, weightDecay);
      const m = slots.m.mul(beta1).add(g.mul(1 - beta1));
      const v = slots.v.mul(beta2).add(g.square().mul(1 - beta2));
      const step = m.mul(rate).div(v.sqrt().mul(correction).add(eps));
      return { p: (decoupled ? p.mul(keep) : p).sub(step), slots: { m, v } };
    },
  };
}
