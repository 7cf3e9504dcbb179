// BFGS: the inverse Hessian as a whole, from changes of point and gradient.
import { descend, nothingLower, pairOf } from "./descent.ts";
import type { Labelled, Loss } from "./loss.ts";
import type { Schedule } from "./schedule.ts";
import { type Next, type SecondOrder, secondOrder } from "./second-order.ts";
import { dot, scaled } from "./vector.ts";

export interface BfgsOptions {
  /** The α that a line search tries first. Default 1. */
  lr?: number | Schedule;
  /** c₂ of the strong Wolfe conditions. Default 0.9. */
  c2?: number;
}

/** H takes n² numbers of 8 bytes: 128 MB. */
const most = 4000;

/**
 * BFGS (Broyden, Fletcher, Goldfarb, Shanno, 1970). x ← x − α·H·g, then H ← (I − ρsyᵀ)·H·(I − ρysᵀ) + ρssᵀ with s = Δx, y = Δg,
 * ρ = 1 / yᵀs, from H = (sᵀy / yᵀy)·I; α meets the strong Wolfe conditions. The update is skipped where sᵀy ≤ 10⁻¹⁰·|s||y|. Keeps n²
 * numbers: throws for more than 4000 parameters.
 */
export const bfgs = <B = Labelled>(
  model: object,
  loss: Loss<B>,
  { lr = 1, c2 = 0.9 }: BfgsOptions = {},
): SecondOrder<B> =>
  secondOrder(
    model,
    loss,
    {
      slots(n) {
        if (n > most)
          throw new RangeError(`bfgs: keeps a matrix of n², so takes at most ${most} parameters, got ${n} (use lbfgs)`);
        return { updates: new Float64Array(1), inverse: new Float64Array(n * n) };
      },
      async step(at): Promise<Next> {
        const { gradient, rate } = at;
        const { updates, inverse } = at.slots;
        const d = updates[0] === 0 ? undefined : scaled(-1, times(inverse, gradient));
        const found = await descend(at, d, { first: rate, c2 });
        if (found === undefined) return { stopped: nothingLower, slots: { updates: Float64Array.of(0) } };
        const known = found.steepest ? 0 : updates[0]; // what led nowhere is forgotten
        const pair = pairOf(gradient, found);
        if (pair === undefined) return { x: found.x, slots: { updates: Float64Array.of(known) } };
        const { s, y } = pair;
        if (known === 0) setMultiple(inverse, s.length, dot(s, y) / dot(y, y));
        update(inverse, s, y);
        return { x: found.x, slots: { updates: Float64Array.of(known + 1), inverse } };
      },
    },
    lr,
  );

/** H·v of a symmetric H. */
const times = (h: Float64Array, v: Float64Array): Float64Array =>
  v.map((_, i) => dot(h.subarray(i * v.length, (i + 1) * v.length), v));

/** H ← γ·I. */
function setMultiple(h: Float64Array, n: number, gamma: number): void {
  h.fill(0);
  for (let i = 0; i < n; i++) h[i * n + i] = gamma;
}

/** The update multiplied out: H ← H − ρ(s·(Hy)ᵀ + Hy·sᵀ) + ρ(1 + ρ·yᵀHy)·ssᵀ. */
function update(h: Float64Array, s: Float64Array, y: Float64Array): void {
  const n = s.length;
  const hy = times(h, y);
  const rho = 1 / dot(s, y);
  const ss = rho * (1 + rho * dot(y, hy));
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) h[i * n + j] += ss * s[i] * s[j] - rho * (s[i] * hy[j] + hy[i] * s[j]);
}
