// Non-linear conjugate gradients: each direction keeps a share of the one before.
import { descend, firstLength, nothingLower } from "./descent.ts";
import type { Labelled, Loss } from "./loss.ts";
import type { Schedule } from "./schedule.ts";
import { type Next, type SecondOrder, secondOrder } from "./second-order.ts";
import { dot, plus, scaled } from "./vector.ts";

export interface ConjugateGradientOptions {
  /** Scales the α that a line search tries first. Default 1. */
  lr?: number | Schedule;
  /** How β is found. Default "polak-ribiere". */
  method?: "fletcher-reeves" | "polak-ribiere";
  /** Steps after which the direction is the gradient's again. Default: the number of parameters. */
  restart?: number;
  /** c₂ of the strong Wolfe conditions. Default 0.1. */
  c2?: number;
}

const betas = {
  "fletcher-reeves": (g: Float64Array, before: Float64Array) => dot(g, g) / dot(before, before),
  "polak-ribiere": (g: Float64Array, before: Float64Array) =>
    Math.max(0, dot(g, plus(g, -1, before)) / dot(before, before)),
};

/**
 * Non-linear conjugate gradients. x ← x + α·d, d = −g + β·d₋ with β = |g|² / |g₋|² (Fletcher & Reeves, 1964) or
 * β = max(0, gᵀ(g − g₋) / |g₋|²) (Polak & Ribière, 1969; Gilbert & Nocedal, 1992); α meets the strong Wolfe conditions. It begins anew
 * after `restart` steps, where d leads up, and where gᵀg₋ ≥ 0.2·|g|² under Fletcher & Reeves (Powell, 1977). For full or large
 * batches. Throws where the method is none of the two, or `restart` no whole number of at least 1.
 */
export function conjugateGradient<B = Labelled>(
  model: object,
  loss: Loss<B>,
  { lr = 1, method = "polak-ribiere", restart, c2 = 0.1 }: ConjugateGradientOptions = {},
): SecondOrder<B> {
  if (!Object.hasOwn(betas, method))
    throw new RangeError(`conjugateGradient: method is one of ${Object.keys(betas).join(", ")}, not ${method}`);
  if (restart !== undefined && !(Number.isInteger(restart) && restart >= 1))
    throw new RangeError(`conjugateGradient: restart must be a whole number of at least 1, got ${restart}`);
  return secondOrder(
    model,
    loss,
    {
      // α·gᵀd of the last step is what the next is likely to gain; age counts steps since the last restart
      slots: (n) => ({
        direction: new Float64Array(n),
        gradient: new Float64Array(n),
        gain: new Float64Array(1),
        age: new Float64Array(1),
      }),
      async step(at): Promise<Next> {
        const { gradient: g, slots, rate } = at;
        const [age] = slots.age;
        const apart = method === "polak-ribiere" || Math.abs(dot(g, slots.gradient)) < 0.2 * dot(g, g);
        const goesOn = age > 0 && age < (restart ?? g.length) && apart;
        const d = plus(scaled(-1, g), goesOn ? betas[method](g, slots.gradient) : 0, slots.direction);
        const expected = slots.gain[0] / dot(g, d);
        const first = rate * (expected > 0 && Number.isFinite(expected) ? expected : firstLength(g));
        const found = await descend(at, d, { first, c2 });
        if (found === undefined) return { stopped: nothingLower, slots: { age: Float64Array.of(0) } };
        const { direction, steepest, alpha, x } = found;
        const gain = Float64Array.of(alpha * dot(g, direction));
        const next = Float64Array.of(goesOn && !steepest ? age + 1 : 1);
        return { x, slots: { direction, gradient: g, gain, age: next } };
      },
    },
    lr,
  );
}
