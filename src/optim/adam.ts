// Adam, and AdamW with its decoupled weight decay.
import { where } from "../graph/index.ts";
import { type FirstOrderOptions, firstOrder, type Rule } from "./first-order.ts";
import type { GradientSource, Labelled, Loss } from "./loss.ts";
import type { Optimizer } from "./optimizer.ts";
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

/** The smallest numbers that are not subnormal: 1 / ε is finite from there on. */
const smallest = { f32: 2 ** -126, f64: 2 ** -1022 };

function rule(
  name: "adam" | "adamw",
  { beta1 = 0.9, beta2 = 0.999, eps = 1e-8 }: Pick<AdamOptions, "beta1" | "beta2" | "eps">,
): Rule<"m" | "v", "rate" | "correction"> {
  for (const [key, beta] of Object.entries({ beta1, beta2 })) {
    if (!(beta >= 0 && beta < 1)) throw new RangeError(`${name}: ${key} must lie in [0, 1), got ${beta}`);
  }
  if (!(eps >= 0)) throw new RangeError(`${name}: eps must be ≥ 0, got ${eps}`);
  return {
    slots: { m: 0, v: 0 },
    scalars: {
      rate: (t, lr) => lr / (1 - power(beta1, t)),
      correction: (t) => 1 / Math.sqrt(1 - power(beta2, t)),
    },
    update: (p, g, slots, { rate, correction }) => {
      const m = slots.m.mul(beta1).add(g.mul(1 - beta1));
      const v = slots.v.mul(beta2).add(g.square().mul(1 - beta2));
      const root = v.sqrt().mul(correction);
      const step = m.mul(rate).div(root.add(eps));
      const vanishes = eps < smallest[p.dtype === "f64" ? "f64" : "f32"]; // then √v̂ is all that can be divided by
      return { p: p.sub(vanishes ? where(root.gt(0), step, 0) : step), slots: { m, v } };
    },
  };
}
