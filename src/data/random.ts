// Random integers for host data (shuffles, splits, glyphs): the same stream from the same key on every machine.

/** A stream of uniform unsigned 32-bit integers. */
export type RandomStream = () => number;

/**
 * The stream that belongs to a key of integers, e.g. (seed, epoch). Different keys give unrelated streams.
 * Throws a RangeError for a key that is none, which would be another's.
 * Generator: sfc32 (Doty-Humphrey, PractRand), keyed by mixing each word with the finalizer of MurmurHash3 (Appleby).
 */
export function randomStream(...key: number[]): RandomStream {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
  let c = 0xb7e15162;
  let counter = 1;
  for (const word of key) {
    if (!Number.isSafeInteger(word)) throw new RangeError(`seed: expected a whole number within ±2⁵³, not ${word}`);
    a = mix(a ^ word);
    b = mix((b + a) | 0);
    c = mix(c ^ b ^ Math.floor(word / 2 ** 32));
  }
  const next = (): number => {
    const t = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 8; i++) next();
  return next;
}

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

function mix(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
