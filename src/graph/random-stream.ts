// Random integers for the host (starting values, shuffles, splits, glyphs): the same stream from the same key on every machine.

/** A stream of uniform unsigned 32-bit integers. */
export type RandomStream = () => number;

/** The stream that belongs to a key, see `randomWords`, e.g. (seed, epoch). */
export function randomStream(...key: number[]): RandomStream {
  const fill = randomWords(...key);
  const words = new Int32Array(32);
  let at = words.length;
  return () => {
    if (at === words.length) {
      fill(words);
      at = 0;
    }
    return words[at++] >>> 0;
  };
}

/**
 * A function that fills arrays with the next words of the stream that belongs to a key of integers. Different keys give unrelated
 * streams. Throws a RangeError for a key that is none, which would be another's.
 * Generator: sfc32 (Doty-Humphrey, PractRand), keyed by mixing each word with the finalizer of MurmurHash3 (Appleby).
 */
export function randomWords(...key: number[]): (words: Int32Array) => void {
  const state = Int32Array.of(0x9e3779b9, 0x243f6a88, 0xb7e15162, 1);
  for (const word of key) {
    if (!Number.isSafeInteger(word)) throw new RangeError(`seed: expected a whole number within ±2⁵³, not ${word}`);
    state[0] = mix(state[0] ^ word);
    state[1] = mix((state[1] + state[0]) | 0);
    state[2] = mix(state[2] ^ state[1] ^ Math.floor(word / 2 ** 32));
  }
  advance(state, new Int32Array(8)); // until every bit of the key has reached every word
  return (words) => advance(state, words);
}

/** The next words of the generator. */
function advance(state: Int32Array, words: Int32Array): void {
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let counter = state[3];
  for (let i = 0; i < words.length; i++) {
    const t = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    words[i] = t;
  }
  state[0] = a;
  state[1] = b;
  state[2] = c;
  state[3] = counter;
}

function mix(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
