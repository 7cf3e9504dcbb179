// L-BFGS: the inverse Hessian from the last m changes of point and gradient.
import { descend, nothingLower, pairOf } from "./descent.ts";
import type { Labelled, Loss } from "./loss.ts";
import type { Schedule } from "./schedule.ts";
import { type Next, type SecondOrder, secondOrder } from "./second-order.ts";
import { dot, plus, scaled } from "./vector.ts";

export interface LbfgsOptions {
  /** The α that a line search tries first. Default 1. */
  lr?: number | Schedule;
  /** m, the pairs (s, y) kept. Default 10. */
  memory?: number;
  /** c₂ of the strong Wolfe conditions. Default 0.9. */
  c2?: number;
}

/**
 * L-BFGS (Nocedal, 1980; Liu & Nocedal, 1989). x ← x − α·H·g, with H·g by the two-loop recursion over the last m pairs
 * s = Δx, y = Δg from H₀ = (sᵀy / yᵀy)·I, and α meeting the strong Wolfe conditions. A pair is skipped where sᵀy ≤ 10⁻¹⁰·|s||y|.
 * For full or large batches; both gradients of a pair are of one batch. Throws where m is no whole number of at least 1.
 */
export function lbfgs<B = Labelled>(
  model: object,
  loss: Loss<B>,
  { lr = 1, memory = 10, c2 = 0.9 }: LbfgsOptions = {},
): SecondOrder<B> {
  if (!(Number.isInteger(memory) && memory >= 1))
    throw new RangeError(`lbfgs: memory must be a whole number of at least 1, got ${memory}`);
  const places = Array.from({ length: memory }, (_, i) => i);
  return secondOrder(
    model,
    loss,
    {
      slots: (n) => ({
        pairs: new Float64Array(1), // how many there have been; pair k lies at k mod m
        ...Object.fromEntries(
          places.flatMap((i) => ["s", "y"].map((name) => [`${name}.${i}`, new Float64Array(n)] as const)),
        ),
      }),
      async step(at): Promise<Next> {
        const { gradient, slots, rate } = at;
        const [count] = slots.pairs;
        const newest = places.slice(0, count).map((i) => (count - 1 - i) % memory);
        const pairs = newest.map((i) => ({ s: slots[`s.${i}`], y: slots[`y.${i}`] }));
        const d = count === 0 ? undefined : scaled(-1, twoLoops(gradient, pairs));
        const found = await descend(at, d, { first: rate, c2 });
        if (found === undefined) return { stopped: nothingLower, slots: { pairs: Float64Array.of(0) } };
        const kept = found.steepest ? 0 : count; // what led nowhere is forgotten
        const pair = pairOf(gradient, found);
        if (pair === undefined) return { x: found.x, slots: { pairs: Float64Array.of(kept) } };
        const i = kept % memory;
        return { x: found.x, slots: { pairs: Float64Array.of(kept + 1), [`s.${i}`]: pair.s, [`y.${i}`]: pair.y } };
      },
    },
    lr,
  );
}

/** H·g (Nocedal & Wright, 2006, algorithm 7.4); the newest pair comes first. */
function twoLoops(g: Float64Array, pairs: readonly { s: Float64Array; y: Float64Array }[]): Float64Array {
  let q = g;
  const alphas = pairs.map(({ s, y }) => {
    const alpha = dot(s, q) / dot(s, y);
    q = plus(q, -alpha, y);
    return alpha;
  });
  const [{ s, y }] = pairs;
  let r = scaled(dot(s, y) / dot(y, y), q);
  for (const [i, { s, y }] of [...pairs.entries()].reverse()) r = plus(r, alphas[i] - dot(y, r) / dot(s, y), s);
  return r;
}
