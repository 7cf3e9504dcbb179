// The Hopfield net: a memory of patterns whose recall runs down an energy.
import { permutation } from "../graph/index.ts";
import { kindOf } from "../graph/internal.ts";
import { checkSizes } from "../nn/module.ts";

/** A state or pattern: −1 or 1 for each unit. */
export type Spins = ArrayLike<number>;

export interface RecallOptions {
  /** The most sweeps over all units. */
  sweeps?: number;
  /** Is told the energy after each update that changed a unit. */
  onFlip?: (energy: number) => void;
}

/** Where recall ended. */
export interface Recalled {
  readonly state: Int8Array;
  /** Whether no unit wants to change. */
  readonly stable: boolean;
  readonly sweeps: number;
}

/**
 * Hopfield net (Hopfield, 1982) of N units of −1 and 1, on the host, since its units change one after the other:
 *
 *   storing   W ← W + ξξᵀ / N, Wᵢᵢ = 0 (Hebb, 1949),
 *   recall    sᵢ ← sgn(Σⱼ Wᵢⱼsⱼ − θᵢ), unchanged where that is 0, in a new random order each sweep,
 *   energy    E = −½sᵀWs + θᵀs, which no update raises.
 *
 * Holds about 0.138·N random patterns (Amit, Gutfreund & Sompolinsky, 1985). Throws where the size is none or the thresholds θ
 * are not as many as the units.
 */
export class Hopfield {
  readonly weight: Float64Array; // [units, units], symmetric
  readonly threshold: Float64Array; // [units]

  constructor(units: number, { threshold }: { threshold?: ArrayLike<number> } = {}) {
    checkSizes("Hopfield", { units });
    if (threshold !== undefined && threshold.length !== units)
      throw new RangeError(`Hopfield: ${units} units need as many thresholds, got ${threshold.length}`);
    this.weight = new Float64Array(units * units);
    this.threshold = threshold === undefined ? new Float64Array(units) : Float64Array.from(threshold);
  }

  get units(): number {
    return this.threshold.length;
  }

  /** Adds patterns to those that are stored. Throws, before any is, where one has other elements than −1 and 1, or is of another size. */
  store(patterns: readonly Spins[]): void {
    const n = this.units;
    const checked = patterns.map((pattern, i) => spinsOf(`store: pattern ${i}`, pattern, n));
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < i; j++) {
        let sum = 0;
        for (const pattern of checked) sum += pattern[i] * pattern[j];
        this.weight[i * n + j] += sum / n;
        this.weight[j * n + i] = this.weight[i * n + j];
      }
    }
  }

  /** E of a state. Throws as `store` does. */
  energy(state: Spins): number {
    const s = spinsOf("energy: the state", state, this.units);
    const fields = this.#fields(s);
    return s.reduce((sum, spin, i) => sum - (spin * (fields[i] - this.threshold[i])) / 2, 0);
  }

  /** What a state falls into, updating one unit at a time until none wants to change. Orders follow from the seed. Throws as `store` does. */
  recall(start: Spins, { sweeps = 100, onFlip }: RecallOptions = {}): Recalled {
    checkSizes("recall", { sweeps });
    const [n, state] = [this.units, spinsOf("recall: the state", start, this.units)];
    const fields = this.#fields(state); // Ws − θ, kept current
    let energy = onFlip === undefined ? 0 : this.energy(state);
    for (let sweep = 1; sweep <= sweeps; sweep++) {
      let flips = 0;
      for (const i of permutation(n)) {
        if (fields[i] * state[i] >= 0) continue;
        energy += 2 * state[i] * fields[i];
        state[i] = -state[i];
        for (let j = 0, at = i * n; j < n; j++) fields[j] += 2 * this.weight[at + j] * state[i];
        flips++;
        onFlip?.(energy);
      }
      if (flips === 0) return { state, stable: true, sweeps: sweep };
    }
    return { state, stable: false, sweeps };
  }

  /** Ws − θ. */
  #fields(state: Int8Array): Float64Array {
    const n = this.units;
    return this.threshold.map((threshold, i) => {
      let sum = -threshold;
      for (let j = 0, at = i * n; j < n; j++) sum += this.weight[at + j] * state[j];
      return sum;
    });
  }
}

/** A copy of a state, checked. */
function spinsOf(owner: string, state: Spins, units: number): Int8Array {
  if (typeof state?.length !== "number")
    throw new TypeError(`${owner} must be a list of −1 and 1, got ${kindOf(state)}`);
  if (state.length !== units) throw new RangeError(`${owner} must have ${units} units, got ${state.length}`);
  for (let i = 0; i < units; i++)
    if (state[i] !== 1 && state[i] !== -1) throw new RangeError(`${owner} holds ${state[i]} at ${i} (take −1 and 1)`);
  return Int8Array.from(state);
}
