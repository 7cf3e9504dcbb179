// Stochastic gradient descent.
import { type FirstOrderOptions, firstOrder, type Rule } from "./first-order.ts";
import type { GradientSource, Labelled, Loss } from "./loss.ts";
import type { Optimizer } from "./optimizer.ts";
import { addRows, rowsOf } from "./rows.ts";
import type { Schedule } from "./schedule.ts";

export interface SgdOptions extends Partial<FirstOrderOptions> {
  /** A number, or a schedule of it over the moves, such as `risingMomentum()`. */
  momentum?: number | Schedule;
  /** Take the gradient's step from where momentum will carry the parameters (Nesterov, 1983, as in Sutskever et al., 2013). */
  nesterov?: boolean;
  /**
   * Without momentum: a table whose gradient is that of gather, as an embedding's, moves in the rows that a batch names alone, each time
   * it names one. A step's time does not grow with the table; but of a row that is named many times each move is rounded by itself, so
   * that very small ones are lost. What needs the whole gradient (decay, clipping, averages) still goes over the table.
   */
  sparse?: boolean;
}

/**
 * Gradient descent on batches (Robbins & Monro, 1951), θ ← θ − lr·d, with momentum μ (Polyak, 1964):
 * b ← μ·b + g and d = b, or d = g + μ·b with `nesterov`; d = g without momentum.
 * Throws where momentum is not in [0, 1), weightDecay is negative, nesterov has no momentum, or sparse has one.
 */
export function sgd<B = Labelled>(
  model: object,
  loss: Loss<B> | GradientSource<B>,
  { lr = 0.01, momentum = 0, nesterov = false, sparse = false, ...options }: SgdOptions = {},
): Optimizer<B> {
  if (typeof momentum === "number") checkMomentum(momentum);
  if (nesterov && momentum === 0) throw new RangeError("sgd: nesterov needs a momentum > 0");
  if (sparse && momentum !== 0) throw new RangeError("sgd: sparse moves have no momentum; leave one of the two out");
  const rule = momentum !== 0 ? withMomentum(momentum, nesterov) : sparse ? byRows : plain;
  return firstOrder(model, loss, rule, { lr, ...options });
}

const scalars = { lr: (_: number, lr: number): number => lr };

const plain: Rule<never, "lr"> = {
  slots: {},
  scalars,
  update: (p, g, slots, { lr }) => ({ p: p.sub(g.mul(lr)), slots }),
};

const byRows: Rule<never, "lr"> = {
  ...plain,
  update: (p, g, slots, at) => {
    const some = rowsOf(g);
    if (some === undefined) return plain.update(p, g, slots, at);
    return { p: addRows(p, { rows: some.rows, values: some.values.mul(at.lr.neg()) }), slots };
  },
};

const withMomentum = (momentum: number | Schedule, nesterov: boolean): Rule<"momentum", "lr" | "mu"> => ({
  slots: { momentum: 0 },
  scalars: { ...scalars, mu: (t) => (typeof momentum === "number" ? momentum : checkMomentum(momentum(t - 1))) },
  update: (p, g, slots, { lr, mu }) => {
    const b = slots.momentum.mul(mu).add(g);
    const d = nesterov ? g.add(b.mul(mu)) : b;
    return { p: p.sub(d.mul(lr)), slots: { momentum: b } };
  },
});

function checkMomentum(momentum: number): number {
  if (!(momentum >= 0 && momentum < 1)) throw new RangeError(`sgd: momentum must lie in [0, 1), got ${momentum}`);
  return momentum;
}
