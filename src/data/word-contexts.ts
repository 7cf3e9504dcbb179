// A text as batches of tensors for word2vec, epoch by epoch: what a trainer takes.
import { type Tensor, tensor } from "../graph/index.ts";
import type { CountedText } from "./counted-text.ts";
import type { Position } from "./dataset.ts";
import { randomStream } from "./random.ts";
import { countWindows, type WordBatch, type WordWindowOptions, wordWindows } from "./word-windows.ts";

/** A WordBatch as tensors: inputs i32 [P, W], their weights f32 [P, W] where means are taken, outputs i32 [P, T], signs f32 [P, T]. */
export interface WordTensors {
  inputs: Tensor;
  weights: Tensor | undefined;
  outputs: Tensor;
  signs: Tensor;
}

/** The tensors of a batch of P examples. */
export function wordTensors({ inputs, weights, outputs, signs }: WordBatch, batch: number): WordTensors {
  const rows = (values: Int32Array | Float32Array): Tensor => tensor(values, [batch, values.length / batch]);
  return { inputs: rows(inputs), weights: weights && rows(weights), outputs: rows(outputs), signs: rows(signs) };
}

/** The windows of a text, drawn anew in each epoch; all follows from (seed, epoch) alone. */
export class WordContexts {
  readonly shuffled = true;
  readonly #text: CountedText;
  readonly #options: WordWindowOptions;
  #batches: number | undefined;

  /** Throws as wordWindows, once it is used. */
  constructor(text: CountedText, options: WordWindowOptions = {}) {
    this.#text = text;
    this.#options = options;
  }

  /** Batches of the longest of `epochs` epochs; words are passed over at random, so that others have a few less. */
  get batches(): number {
    const { epochs = 1 } = this.#options;
    this.#batches ??= Math.max(
      ...Array.from({ length: epochs }, (_, epoch) => countWindows(this.#text, this.#of(epoch))),
    );
    return this.#batches;
  }

  /** One epoch of batches, from batch `skip` on. */
  async *iterate({ epoch = 0, skip = 0 }: Position = {}): AsyncGenerator<WordTensors, void, void> {
    const { batch = 128 } = this.#options;
    let [at, read] = [0, 0];
    for (const windows of wordWindows(this.#text, this.#of(epoch))) {
      const before = read;
      read = Math.round(windows.progress * this.#text.words);
      if (at++ < skip) continue;
      const tensors = wordTensors(windows, batch);
      counts.set(tensors, Math.max(1, read - before)); // a small batch may end in the word that it began in
      yield tensors;
    }
  }

  #of(epoch: number): WordWindowOptions {
    const { seed = 0 } = this.#options;
    return { ...this.#options, epochs: 1, seed: randomStream(seed, epochKey, epoch)() };
  }
}

/** How many words of the text a batch has gone on by. Throws for a batch of another's. */
export function wordsRead(batch: WordTensors): number {
  const count = counts.get(batch);
  if (count === undefined) throw new TypeError("wordsRead: takes a batch that WordContexts gave");
  return count;
}

const counts = new WeakMap<WordTensors, number>();

const epochKey = 0x776f72; // keeps what seeds epochs apart from other streams of one seed
