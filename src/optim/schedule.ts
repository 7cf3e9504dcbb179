// Learning-rate schedules: pure functions of the number of steps done, so that a resumed run continues where it stopped.
import { hostMath } from "../graph/internal.ts";

/** The learning rate after `step` finished steps (0 before the first); where several batches make one move, after so many moves. */
export type Schedule = (step: number) => number;

/** The same rate at every step. */
export const constant =
  (lr: number): Schedule =>
  () =>
    lr;

/** lr·factor^⌊step / every⌋, e.g. a tenth every 30 epochs' steps (He et al., 2016). */
export function stepDecay(lr: number, { every, factor = 0.1 }: { every: number; factor?: number }): Schedule {
  checkSteps("stepDecay", "every", every);
  return (step) => lr * power(factor, Math.floor(step / every));
}

/** final + ½(lr − final)(1 + cos(π·step / steps)), then final (Loshchilov & Hutter, SGDR, 2017). */
export function cosine(lr: number, { steps, final = 0 }: { steps: number; final?: number }): Schedule {
  checkSteps("cosine", "steps", steps);
  return (step) => {
    if (step >= steps) return final;
    return final + 0.5 * (lr - final) * (1 + hostMath.cos((Math.PI * step) / steps));
  };
}

/** The schedule times min(1, (step + 1) / steps): a linear rise over the first steps (Goyal et al., 2017). */
export function warmup(schedule: Schedule, steps: number): Schedule {
  checkSteps("warmup", "steps", steps);
  return (step) => schedule(step) * Math.min(1, (step + 1) / steps);
}

/** The rate, refused in one line where it is none. */
export function checkRate(lr: number): number {
  if (!(lr >= 0 && lr < Number.POSITIVE_INFINITY))
    throw new RangeError(`optimizer: lr must be a finite number ≥ 0, got ${lr}`);
  return lr;
}

function checkSteps(schedule: string, name: string, value: number): void {
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
