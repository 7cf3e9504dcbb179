// What data sets draw on the host.
import type { RandomStream } from "../graph/internal.ts";

export { type RandomStream, randomStream } from "../graph/internal.ts";

/** A uniform number in [0, 1) with 32 random bits. */
export const uniform = (next: RandomStream): number => next() / 2 ** 32;

/** A uniform whole number from 0 to n − 1. */
export const below = (next: RandomStream, n: number): number => Math.floor(uniform(next) * n);

/** The values in a random order (Fisher and Yates), in place. */
export function shuffleInPlace<T extends Uint32Array | unknown[]>(values: T, next: RandomStream): T {
  for (let i = values.length - 1; i > 0; i--) {
    const j = below(next, i + 1);
    const held = values[i];
    values[i] = values[j];
    values[j] = held;
  }
  return values;
}
