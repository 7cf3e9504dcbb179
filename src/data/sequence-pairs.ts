// Pairs of sequences, as sentences and their translations, in batches of similar lengths: what an encoder and a decoder learn from.
import { type Tensor, tensor } from "../graph/index.ts";
import { ignoredLabel } from "../nn/cross-entropy.ts";
import { buckets } from "./bucketing.ts";
import type { Position } from "./dataset.ts";
import { randomStream } from "./random.ts";
import { pad, type Vocabulary } from "./text.ts";

/** What a step takes; all i32. S and T are multiples of the set's `multiple`. */
export interface PairBatch {
  /** [B, S], filled up with 0. */
  source: Tensor;
  /** [B], how many of S count. */
  sourceLengths: Tensor;
  /** [B, T], what the decoder is given: "<start>", then the target's words, filled up with 0. */
  target: Tensor;
  /** [B, T], what it should say: the words, then "<end>", filled up with −100, the label that losses and metrics leave out. */
  y: Tensor;
}

/** A pair as words. */
export interface Pair {
  readonly source: readonly string[];
  readonly target: readonly string[];
}

/** All pairs, as words and as their numbers, "<start>" and "<end>" left out. */
export interface EncodedPairs {
  readonly pairs: readonly Pair[];
  readonly source: readonly Int32Array[];
  readonly target: readonly Int32Array[];
  readonly vocabularies: { readonly source: Vocabulary; readonly target: Vocabulary };
}

interface View {
  batchSize: number;
  multiple: number;
  seed: number | undefined;
  first: number;
}

/**
 * Pairs of sequences, loaded at the first use, that iterate as batches of similar lengths; one `for await` is one epoch, which visits
 * every pair once. Methods return new sets over the same pairs. Every order follows from (seed, epoch) alone.
 */
export class SequencePairs implements AsyncIterable<PairBatch> {
  readonly name: string;
  /** The epoch that the next `for await` visits; each one adds 1. */
  epoch = 0;
  readonly #load: () => Promise<EncodedPairs>;
  #shared: { loading?: Promise<EncodedPairs>; length: number | undefined }; // by the sets derived from one
  #view: View = { batchSize: 64, multiple: 8, seed: undefined, first: Number.POSITIVE_INFINITY };

  /** From what loads the pairs, whose target vocabulary has "<start>" and "<end>"; `length` where it is known before. */
  constructor(load: () => Promise<EncodedPairs>, { name = "pairs", length }: { name?: string; length?: number } = {}) {
    this.name = name;
    this.#load = load;
    this.#shared = { length };
  }

  /** The number of pairs. Throws an Error when only loading can tell. */
  get length(): number {
    if (this.#shared.length === undefined)
      throw new Error(`${this.name}: its length is known once loaded; await load() first`);
    return Math.min(this.#view.first, this.#shared.length);
  }

  /** The number of batches in an epoch. Throws as length. */
  get batches(): number {
    return Math.ceil(this.length / this.#view.batchSize);
  }

  /** Whether each epoch has an order of its own. */
  get shuffled(): boolean {
    return this.#view.seed !== undefined;
  }

  /** Loads the pairs, once. Throws what the loader throws, and tries again when called again. */
  async load(): Promise<this> {
    await this.samples();
    return this;
  }

  /** The whole set as loaded: words, e.g. as references of BLEU, numbers and vocabularies; not to be written to. */
  samples(): Promise<EncodedPairs> {
    const shared = this.#shared;
    shared.loading ??= this.#load().then(
      (pairs) => {
        shared.length = pairs.source.length;
        return pairs;
      },
      (error) => {
        shared.loading = undefined;
        throw error;
      },
    );
    return shared.loading;
  }

  /** The words of the numbers on both sides, loaded at the first use. */
  async vocabularies(): Promise<EncodedPairs["vocabularies"]> {
    return (await this.samples()).vocabularies;
  }

  /** Other pairs of equal length meet in each epoch, and the batches come in a new order, decided by (seed, epoch). */
  shuffle({ seed = 0 }: { seed?: number } = {}): SequencePairs {
    return this.#with({ seed });
  }

  /** Pairs in a batch, 64 unless set, and what lengths are filled up to a multiple of, 8: a step is compiled for each shape. */
  batch(size: number, { multiple = this.#view.multiple }: { multiple?: number } = {}): SequencePairs {
    for (const [what, count] of Object.entries({ batch: size, "batch: multiple": multiple }))
      if (!(Number.isSafeInteger(count) && count >= 1))
        throw new RangeError(`${what}: expected an integer of at least 1, not ${count}`);
    return this.#with({ batchSize: size, multiple });
  }

  /** The first `count` pairs in stored order, or all when there are fewer. */
  take(count: number): SequencePairs {
    if (!(Number.isSafeInteger(count) && count >= 0))
      throw new RangeError(`take: expected an integer of at least 0, not ${count}`);
    return this.#with({ first: Math.min(count, this.#view.first) });
  }

  /** One epoch of batches, from batch `skip` on. Does not touch `this.epoch`. */
  async *iterate({ epoch = this.epoch, skip = 0 }: Position = {}): AsyncGenerator<PairBatch, void, void> {
    const pairs = await this.samples();
    const { batchSize, multiple, seed } = this.#view;
    const lengths = Array.from({ length: this.length }, (_, i) => [pairs.source[i].length, pairs.target[i].length + 1]);
    const random = seed === undefined ? undefined : randomStream(seed, bucketKey, epoch);
    for (const places of buckets(lengths, { batchSize, multiple, random }).slice(skip))
      yield assemble(pairs, Array.from(places), multiple);
  }

  /** The next epoch. */
  [Symbol.asyncIterator](): AsyncGenerator<PairBatch, void, void> {
    return this.iterate({ epoch: this.epoch++ });
  }

  #with(change: Partial<View>): SequencePairs {
    const changed = new SequencePairs(this.#load, { name: this.name });
    changed.#shared = this.#shared;
    changed.#view = { ...this.#view, ...change };
    return changed;
  }
}

/** The words of a batch's targets, each "<end>" among them: how many labels of y count. Throws for a batch of another's. */
export function targetTokens(batch: PairBatch): number {
  const count = counts.get(batch);
  if (count === undefined) throw new TypeError("targetTokens: takes a batch that SequencePairs gave");
  return count;
}

const counts = new WeakMap<PairBatch, number>(); // y may lie on a device, where nothing is counted without waiting

const bucketKey = 6; // keeps this stream apart from a Dataset's of the same seed

function assemble(
  { source, target, vocabularies }: EncodedPairs,
  places: readonly number[],
  multiple: number,
): PairBatch {
  const [start, end] = ["<start>", "<end>"].map((word) => vocabularies.target.number(word));
  const rows = (sequences: readonly ArrayLike<number>[], value = 0): Tensor => {
    const { data, length } = pad(sequences, { multiple, value });
    return tensor(data, [places.length, length]);
  };
  const batch: PairBatch = {
    source: rows(places.map((i) => source[i])),
    sourceLengths: tensor(
      Int32Array.from(places, (i) => source[i].length),
      [places.length],
    ),
    target: rows(places.map((i) => [start, ...target[i]])),
    y: rows(
      places.map((i) => [...target[i], end]),
      ignoredLabel,
    ),
  };
  counts.set(
    batch,
    places.reduce((sum, i) => sum + target[i].length + 1, 0),
  );
  return batch;
}
