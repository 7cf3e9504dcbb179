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

/**
 * The windows of a text, drawn anew in each epoch; all follows from (seed, epoch) alone. As words are passed over at random, one reading
 * gives a few windows more than another. Yet all epochs have as many batches, those of the longest of the first three readings, and all
 * are full: an epoch whose reading gives fewer goes on from the text's beginning, one whose reading gives more leaves the rest out.
 */
export class WordContexts {
  readonly shuffled = true;
  readonly #text: CountedText;
  readonly #options: Omit<WordWindowOptions, "epochs">;
  #batches: number | undefined;

  /** Throws as wordWindows, once it is used. */
  constructor(text: CountedText, options: Omit<WordWindowOptions, "epochs"> = {}) {
    this.#text = text;
    this.#options = options;
  }

  /** Batches of each epoch; 0 where no word has another beside it. */
  get batches(): number {
    this.#batches ??= Math.max(...[0, 1, 2].map((epoch) => countWindows(this.#text, this.#of(epoch))));
    return this.#batches;
  }

  /** One epoch of batches, from batch `skip` on. */
  async *iterate({ epoch = 0, skip = 0 }: Position = {}): AsyncGenerator<WordTensors, void, void> {
    const { batch = 128 } = this.#options;
    const { batches } = this;
    if (skip >= batches) return;
    let [at, read] = [0, 0];
    for (const windows of wordWindows(this.#text, { ...this.#of(epoch), epochs: readings })) {
      const before = read;
      read = Math.round(windows.progress * readings * this.#text.words);
      if (at++ < skip) continue;
      const tensors = wordTensors(windows, batch);
      counts.set(tensors, Math.max(1, read - before)); // a small batch may end in the word that it began in
      yield tensors;
      if (at === batches) return;
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

const readings = 2 ** 20; // more than an epoch takes, though of a few words it may take many

const epochKey = 0x776f72; // keeps what seeds epochs apart from other streams of one seed
