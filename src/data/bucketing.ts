// Batches of sequences of similar lengths, so that little of them is padding.
import { type RandomStream, shuffleInPlace } from "./random.ts";

export interface BucketOptions {
  batchSize: number;
  /** Lengths count as the next multiple of it, so that batches have few shapes, and a program is compiled for each. */
  multiple: number;
  /** Decides which sequences of equal length meet, and the order of the batches; without it both are that of the lengths. */
  random?: RandomStream;
}

/**
 * The places 0 … N − 1 of sequences in batches, each place in one of them: sorted by their lengths (several, where a sample is
 * several sequences; the first counts most), cut into batches, and these shuffled. One batch may be smaller.
 */
export function buckets(
  lengths: readonly (readonly number[])[],
  { batchSize, multiple, random }: BucketOptions,
): Uint32Array[] {
  const rounded = lengths.map((each) => each.map((length) => Math.ceil(length / multiple)));
  const places = Uint32Array.from(lengths, (_, place) => place);
  if (random !== undefined) shuffleInPlace(places, random);
  const sorted = places.sort((a, b) => {
    const unequal = rounded[a].findIndex((length, i) => length !== rounded[b][i]);
    return unequal < 0 ? 0 : rounded[a][unequal] - rounded[b][unequal]; // the sort is stable
  });
  const batches = Array.from({ length: Math.ceil(sorted.length / batchSize) }, (_, i) =>
    sorted.subarray(i * batchSize, (i + 1) * batchSize),
  );
  return random === undefined ? batches : shuffleInPlace(batches, random);
}
