// Where the stream of random numbers is: a seed, and how many keys have been handed out.
import { threefry } from "./threefry.ts";

/** All that random draws depend on; saved with a checkpoint and restored to continue a run bit for bit. */
export interface RandomState {
  seed: number;
  /** Keys handed out: one per eager draw, one per run of a step that draws. */
  counter: number;
}

const current: RandomState = { seed: 0, counter: 0 };

/** Starts the random stream anew from a whole number. */
export function seed(value: number): void {
  if (!Number.isSafeInteger(value)) throw new RangeError(`seed: needs a whole number within ±2⁵³, got ${value}`);
  restoreRandom({ seed: value, counter: 0 });
}

export const randomState = (): RandomState => ({ ...current });

export function restoreRandom({ seed, counter }: RandomState): void {
  if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(counter))
    throw new RangeError(`seed: needs whole numbers below 2⁵³, got ${seed} and ${counter}`);
  current.seed = seed;
  current.counter = counter;
}

/** The word of a key that the seed is: the seed itself where it is an i32, else mixed from both of its halves. */
function seedWord(): number {
  const { seed } = current;
  return seed === (seed | 0) ? seed : threefry(seed | 0, Math.floor(seed / 2 ** 32) | 0, 0, 0)[0];
}

/** Takes a key, and returns the beginning of a stream that follows from it, apart from all others. */
export function forkRandom(): RandomState {
  const [word, counter] = nextKey();
  const [high, low] = threefry(word, counter, -1, -1); // a position that no draw has
  return { seed: (high >> 11) * 2 ** 32 + (low >>> 0), counter: 0 };
}

/** Runs fn, whose draws come from the given stream; the stream of before goes on as if there had been none. */
export function withRandom<T>(stream: RandomState, fn: () => T): T {
  const before = randomState();
  restoreRandom(stream);
  try {
    return fn();
  } finally {
    restoreRandom(before);
  }
}

/** The two words of a key that no other draw has. */
export const nextKey = (): number[] => [seedWord(), current.counter++ | 0];
