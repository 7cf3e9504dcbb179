// How far to go along a direction: the strong Wolfe conditions, and back-tracking.

/** φ(α) and φ′(α) of the loss along a direction. */
export interface Trial {
  readonly alpha: number;
  readonly value: number;
  readonly slope: number;
}

export interface WolfeOptions {
  /** The first α. */
  first?: number;
  /** Sufficient decrease: φ(α) ≤ φ(0) + c₁·α·φ′(0). */
  c1?: number;
  /** Curvature: |φ′(α)| ≤ c₂·|φ′(0)|. */
  c2?: number;
  /** The most evaluations of φ. */
  evaluations?: number;
  /** An interval of α as short as this is not searched any further. */
  shortest?: number;
}

export interface WolfeResult<T extends Trial> {
  /** The trial chosen, the lowest of those tried where none meets the conditions; undefined where none is lower than φ(0). */
  readonly trial: T | undefined;
  /** Whether it meets both conditions. */
  readonly satisfied: boolean;
  readonly evaluations: number;
}

/**
 * An α that meets the strong Wolfe conditions, by bracketing and zooming with cubic interpolation (Nocedal & Wright, 2006,
 * algorithms 3.5 and 3.6). A φ(α) that is not finite counts as +∞. Throws where φ′(0) is not negative, or not 0 < c₁ < c₂ < 1.
 */
export async function strongWolfe<T extends Trial>(
  phi: (alpha: number) => Promise<T>,
  start: { readonly value: number; readonly slope: number },
  { first = 1, c1 = 1e-4, c2 = 0.9, evaluations = 25, shortest = 0 }: WolfeOptions = {},
): Promise<WolfeResult<T>> {
  checkSearch("strongWolfe", start.slope, first);
  if (!(c1 > 0 && c1 < c2 && c2 < 1))
    throw new RangeError(`strongWolfe: 0 < c1 < c2 < 1 must hold, got c1 = ${c1} and c2 = ${c2}`);
  let count = 0;
  const evaluate = async (alpha: number): Promise<Trial> => {
    count++;
    const trial = await phi(alpha);
    return Number.isFinite(trial.value + trial.slope) ? trial : { alpha, value: Number.POSITIVE_INFINITY, slope: 0 };
  };
  const decreases = ({ alpha, value }: Trial): boolean => value <= start.value + c1 * alpha * start.slope;
  const flat = ({ slope }: Trial): boolean => Math.abs(slope) <= -c2 * start.slope;
  const outcome = (trial: Trial, satisfied: boolean): WolfeResult<T> => ({
    trial: trial.alpha > 0 && trial.value < start.value ? (trial as T) : undefined,
    satisfied,
    evaluations: count,
  });

  let before: Trial = { alpha: 0, ...start };
  let now = await evaluate(first);
  while (decreases(now) && !(count > 1 && now.value >= before.value)) {
    if (flat(now)) return outcome(now, true);
    if (now.slope >= 0) break;
    if (count >= evaluations) return outcome(now, false);
    const { alpha } = now;
    const next = cubicMinimum(before, now, alpha + 0.01 * (alpha - before.alpha), 10 * alpha);
    [before, now] = [now, await evaluate(next)];
  }

  // low has sufficient decrease and the lowest value of those that do; between the two lies an α that meets both conditions
  let [low, high] = decreases(now) && now.value < before.value ? [now, before] : [before, now];
  let stalled = false;
  while (count < evaluations && Math.abs(high.alpha - low.alpha) > shortest) {
    const { alpha, near } = insideBracket(low, high, stalled);
    stalled = near;
    if (alpha === low.alpha || alpha === high.alpha) break; // the numbers lie no closer
    const trial = await evaluate(alpha);
    if (!decreases(trial) || trial.value >= low.value) {
      high = trial;
    } else {
      if (flat(trial)) return outcome(trial, true);
      if (trial.slope * (high.alpha - low.alpha) >= 0) high = low;
      low = trial;
    }
  }
  return outcome(low, false);
}

export interface BacktrackOptions {
  /** The first α. */
  first?: number;
  /** Sufficient decrease: φ(α) ≤ φ(0) + c₁·α·φ′(0). */
  c1?: number;
  /** What α is multiplied by after each failure. */
  shrink?: number;
  /** The most evaluations of φ. */
  evaluations?: number;
}

/**
 * The first of α, ρα, ρ²α, … with sufficient decrease (Armijo, 1966); undefined where `evaluations` were too few. Throws where
 * φ′(0) is not negative.
 */
export async function backtrack(
  phi: (alpha: number) => Promise<number>,
  start: { readonly value: number; readonly slope: number },
  { first = 1, c1 = 1e-4, shrink = 0.5, evaluations = 40 }: BacktrackOptions = {},
): Promise<{ alpha: number; value: number } | undefined> {
  checkSearch("backtrack", start.slope, first);
  if (!(shrink > 0 && shrink < 1)) throw new RangeError(`backtrack: shrink must lie between 0 and 1, got ${shrink}`);
  for (let alpha = first, i = 0; i < evaluations; alpha *= shrink, i++) {
    const value = await phi(alpha);
    if (value < start.value && value <= start.value + c1 * alpha * start.slope) return { alpha, value };
  }
  return undefined;
}

function checkSearch(owner: string, slope: number, first: number): void {
  if (!(slope < 0))
    throw new RangeError(`${owner}: the slope at 0 must be negative, got ${slope} (take a direction of descent)`);
  if (!(first > 0)) throw new RangeError(`${owner}: first must be above 0, got ${first}`);
}

/** The minimum of the cubic through two trials within bounds; their middle where there is none. */
function cubicMinimum(one: Trial, other: Trial, from: number, to: number): number {
  const [a, b] = one.alpha <= other.alpha ? [one, other] : [other, one];
  const d1 = a.slope + b.slope - (3 * (a.value - b.value)) / (a.alpha - b.alpha);
  const d2 = Math.sqrt(d1 * d1 - a.slope * b.slope);
  const minimum = b.alpha - (b.alpha - a.alpha) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2));
  return Number.isNaN(minimum) ? (from + to) / 2 : Math.min(Math.max(minimum, from), to);
}

/**
 * The cubic's minimum in a bracket. Where it lies in the outer tenth, for the second time in a row or on the very edge, a tenth
 * away from that edge instead, so that the bracket shrinks.
 */
function insideBracket(low: Trial, high: Trial, stalled: boolean): { alpha: number; near: boolean } {
  const [from, to] = low.alpha <= high.alpha ? [low.alpha, high.alpha] : [high.alpha, low.alpha];
  const alpha = cubicMinimum(low, high, from, to);
  const tenth = 0.1 * (to - from);
  if (Math.min(to - alpha, alpha - from) >= tenth) return { alpha, near: false };
  if (!stalled && alpha < to && alpha > from) return { alpha, near: true };
  return { alpha: to - alpha < alpha - from ? to - tenth : from + tenth, near: false };
}
