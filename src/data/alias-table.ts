// Draws from a discrete distribution in constant time: Walker's alias method.
import { type RandomStream, uniform } from "./random.ts";

/** Draws i with probability weight[i] / Σ weight (Walker, 1977; tables made as by Vose, 1991): one of n columns, then one of its two halves. */
export class AliasTable {
  readonly #keep: Float64Array;
  readonly #other: Int32Array;

  /** Throws a RangeError where a weight is negative or not finite, or none is above 0. */
  constructor(weights: ArrayLike<number>) {
    const n = weights.length;
    let total = 0;
    for (let i = 0; i < n; i++) {
      if (!(weights[i] >= 0 && weights[i] < Number.POSITIVE_INFINITY))
        throw new RangeError(`AliasTable: weight ${i} must be a finite number of at least 0, got ${weights[i]}`);
      total += weights[i];
    }
    if (total === 0) throw new RangeError("AliasTable: no weight is above 0; give at least one");
    this.#keep = Float64Array.from(weights, (weight) => (weight * n) / total);
    this.#other = Int32Array.from(weights, (_, i) => i);
    const low: number[] = [];
    const high: number[] = [];
    for (const [i, share] of this.#keep.entries()) (share < 1 ? low : high).push(i);
    while (low.length > 0 && high.length > 0) {
      const [small, large] = [low.pop()!, high[high.length - 1]];
      this.#other[small] = large;
      this.#keep[large] -= 1 - this.#keep[small];
      if (this.#keep[large] < 1) low.push(high.pop()!);
    }
    for (const i of [...low, ...high]) this.#keep[i] = 1; // what rounding left over
  }

  draw(next: RandomStream): number {
    const i = Math.floor(uniform(next) * this.#keep.length);
    return uniform(next) < this.#keep[i] ? i : this.#other[i];
  }
}
