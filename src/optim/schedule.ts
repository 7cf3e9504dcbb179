// Learning-rate schedules: functions of the number of steps done, so that a resumed run continues where it stopped.
import { hostMath, kindOf } from "../graph/internal.ts";

/** The learning rate after `step` finished steps (0 before the first); where several batches make one move, after so many moves. */
export interface Schedule {
  (step: number): number;
  /** What a schedule has that answers to a figure. A schedule made of such a one must pass it on. */
  readonly feedback?: Feedback | undefined;
}

/** The part of a schedule that is told a figure, such as the validation loss: the Trainer does so at each epoch's end. */
export interface Feedback {
  report(loss: number): void;
  /** What the rate depends on besides the step, for JSON: the Trainer saves it in checkpoints and sets it when a run is resumed. */
  state: Readonly<Record<string, number>>;
}

/** The same rate at every step. */
export const constant =
  (lr: number): Schedule =>
  () =>
    lr;

/** lr·factor^⌊step / every⌋, e.g. a tenth every 30 epochs' steps (He et al., 2016). */
export function stepDecay(lr: number, { every, factor = 0.1 }: { every: number; factor?: number }): Schedule {
  checkPositive("stepDecay", { every });
  return (step) => lr * power(factor, Math.floor(step / every));
}

/** final + ½(lr − final)(1 + cos(π·step / steps)), then final (Loshchilov & Hutter, SGDR, 2017). */
export function cosine(lr: number, { steps, final = 0 }: { steps: number; final?: number }): Schedule {
  checkPositive("cosine", { steps });
  return (step) => {
    if (step >= steps) return final;
    return final + 0.5 * (lr - final) * (1 + hostMath.cos((Math.PI * step) / steps));
  };
}

/** lr·factor^(step / every): a smooth fall. */
export function exponential(lr: number, { factor, every = 1 }: { factor: number; every?: number }): Schedule {
  checkPositive("exponential", { factor, every });
  return (step) => {
    const times = step / every;
    const whole = Math.floor(times);
    return lr * power(factor, whole) * hostMath.exp((times - whole) * hostMath.log(factor));
  };
}

/** lr / (1 + rate·step), whose sum has no bound and the sum of whose squares has one (Robbins & Monro, 1951). */
export function inverseTime(lr: number, { rate }: { rate: number }): Schedule {
  checkPositive("inverseTime", { rate });
  return (step) => lr / (1 + rate * step);
}

/** final + (lr − final)(1 − step / steps)^degree, then final. */
export function polynomial(
  lr: number,
  { steps, degree = 1, final = 0 }: { steps: number; degree?: number; final?: number },
): Schedule {
  checkPositive("polynomial", { steps, degree });
  return (step) => {
    if (step >= steps) return final;
    const left = 1 - step / steps;
    const share = Number.isInteger(degree) ? power(left, degree) : hostMath.exp(degree * hostMath.log(left));
    return final + (lr - final) * share;
  };
}

/** lr·factor^(how many of `at` have been reached), e.g. a tenth from 32,000 and again from 48,000 steps on (He et al., 2016). */
export function milestones(lr: number, { at, factor = 0.1 }: { at: readonly number[]; factor?: number }): Schedule {
  const unordered = at.findIndex((step, i) => !(step > (at[i - 1] ?? 0)));
  if (unordered >= 0)
    throw new RangeError(`milestones: at must be steps > 0 that rise, got ${at[unordered]} at place ${unordered}`);
  return (step) => lr * power(factor, at.filter((milestone) => milestone <= step).length);
}

/**
 * Cosine falls one after the other, each from lr to final: the first takes `steps` steps, each further one `growth` times as
 * many (Loshchilov & Hutter, SGDR, 2017). Throws where steps or growth is no whole number ≥ 1.
 */
export function cosineRestarts(
  lr: number,
  { steps, growth = 1, final = 0 }: { steps: number; growth?: number; final?: number },
): Schedule {
  for (const [name, value] of Object.entries({ steps, growth }))
    if (!(Number.isSafeInteger(value) && value >= 1))
      throw new RangeError(`cosineRestarts: ${name} must be a whole number ≥ 1, got ${value}`);
  return (step) => {
    let [done, length] = growth === 1 ? [step - (step % steps), steps] : [0, steps];
    while (step - done >= length) [done, length] = [done + length, length * growth];
    return cosine(lr, { steps: length, final })(step - done);
  };
}

/**
 * One cycle (Smith & Topin, Super-convergence, 2018): in cosines from lr / start up to lr in the share `rise` of the steps, then
 * down to lr / (start·end), and there it stays. The form and the defaults are those of PyTorch.
 */
export function oneCycle(
  lr: number,
  { steps, rise = 0.3, start = 25, end = 1e4 }: { steps: number; rise?: number; start?: number; end?: number },
): Schedule {
  checkPositive("oneCycle", { start, end });
  if (!(rise >= 0 && rise <= 1)) throw new RangeError(`oneCycle: rise must lie in [0, 1], got ${rise}`);
  const top = rise * steps - 1; // the step of the highest rate
  if (!(steps > 1 && top > 0 && top < steps - 1))
    throw new RangeError(`oneCycle: of ${steps} steps a share of ${rise} to rise leaves none to rise or to fall`);
  const [low, last] = [lr / start, lr / start / end];
  const between = (a: number, b: number, share: number): number =>
    b + 0.5 * (a - b) * (1 + hostMath.cos(Math.PI * share));
  return (step) => {
    if (step <= top) return between(low, lr, step / top);
    return between(lr, last, Math.min(1, (step - top) / (steps - 1 - top)));
  };
}

/**
 * A rate that answers to a figure: lr, times `factor` whenever more than `patience` reports in a row brought none below
 * (1 − threshold)·best, and never below `least`. The Trainer reports the validation loss at each epoch's end (the training loss
 * where there is no validation) and keeps the state in checkpoints; elsewhere call `feedback.report(loss)`. Not for a group.
 */
export function plateau(
  lr: number,
  {
    factor = 0.1,
    patience = 10,
    threshold = 1e-4,
    least = 0,
  }: { factor?: number; patience?: number; threshold?: number; least?: number } = {},
): Schedule & { readonly feedback: Feedback } {
  if (!(factor > 0 && factor < 1)) throw new RangeError(`plateau: factor must lie between 0 and 1, got ${factor}`);
  for (const [name, value] of Object.entries({ patience, threshold, least }))
    if (!(value >= 0)) throw new RangeError(`plateau: ${name} must be ≥ 0, got ${value}`);
  const feedback = {
    state: { cuts: 0, stale: 0 } as Readonly<Record<string, number>>,
    report(loss: number): void {
      const { cuts, stale, best } = feedback.state;
      const better = best === undefined ? Number.isFinite(loss) : loss < best - threshold * Math.abs(best);
      const cut = !better && stale >= patience;
      feedback.state = {
        cuts: cut ? cuts + 1 : cuts,
        stale: better || cut ? 0 : stale + 1,
        ...(better ? { best: loss } : best !== undefined && { best }),
      };
    },
  };
  return Object.assign((_: number) => Math.max(least, lr * power(factor, feedback.state.cuts)), { feedback });
}

/** The schedule times min(1, (step + 1) / steps): a linear rise over the first steps (Goyal et al., 2017). */
export function warmup(schedule: Schedule, steps: number): Schedule {
  checkPositive("warmup", { steps });
  const rising = (step: number): number => schedule(step) * Math.min(1, (step + 1) / steps);
  return Object.assign(rising, { feedback: schedule.feedback });
}

/**
 * A rising momentum for `sgd`, min(1 − ½ / (⌊step / every⌋ + 1), most) (Sutskever, Martens, Dahl & Hinton, 2013): ½ for the first
 * `every` moves, ¾ for the next, ⅚ …
 */
export function risingMomentum({ every = 250, most = 0.99 }: { every?: number; most?: number } = {}): Schedule {
  checkPositive("risingMomentum", { every });
  return (step) => Math.min(1 - 0.5 / (Math.floor(step / every) + 1), most);
}

/** The rate, refused in one line where it is none. */
export function checkRate(lr: number): number {
  if (typeof lr !== "number") throw new TypeError(`optimizer: lr must be a number or a schedule, got ${kindOf(lr)}`);
  if (!(lr >= 0 && lr < Number.POSITIVE_INFINITY))
    throw new RangeError(`optimizer: lr must be a finite number ≥ 0, got ${lr}`);
  return lr;
}

function checkPositive(schedule: string, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values))
    if (!(value > 0)) throw new RangeError(`${schedule}: ${name} must be > 0, got ${value}`);
}

/** baseⁿ for a whole n ≥ 0 by repeated squaring: the same bits on every machine, unlike Math.pow. */
export function power(base: number, n: number): number {
  let result = 1;
  for (let square = base, rest = n; rest >= 1; square *= square, rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= square;
  }
  return result;
}
