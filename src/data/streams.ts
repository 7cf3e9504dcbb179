// Streams of text that run side by side through the batches of an epoch.
import type { Batch, Dataset, Position } from "./dataset.ts";
import type { SampleInfo } from "./samples.ts";
import type { Vocabulary } from "./text.ts";

/**
 * What Dataset.streams gives: batches in which row b goes on where row b of the batch before ended. They have one order and cannot
 * be shuffled. An epoch begins at the text's start again, where a network that keeps its state from batch to batch comes with that of its end.
 */
export class Streams implements AsyncIterable<Batch> {
  readonly info: SampleInfo;
  /** The epoch that the next `for await` visits; each one adds 1. */
  epoch = 0;
  readonly #data: Dataset;

  /** From samples that are already in that order; called by Dataset.streams. */
  constructor(data: Dataset) {
    this.info = data.info;
    this.#data = data;
  }

  /** The number of streams: the rows of every batch. */
  get batchSize(): number {
    return this.#data.batchSize;
  }

  /** Batches in an epoch: the samples of one stream. Throws as Dataset.length. */
  get batches(): number {
    return this.#data.batches;
  }

  /** Loads the samples, once. Throws what the loader throws. */
  async load(): Promise<this> {
    await this.#data.load();
    return this;
  }

  /** The words of the numbers in x. */
  vocabulary(): Promise<Vocabulary> {
    return this.#data.vocabulary();
  }

  /** One epoch of batches, from batch `skip` on. */
  iterate(position: Position = {}): AsyncGenerator<Batch, void, void> {
    return this.#data.iterate(position);
  }

  /** The next epoch, which has the same batches. */
  [Symbol.asyncIterator](): AsyncGenerator<Batch, void, void> {
    return this.iterate({ epoch: this.epoch++ });
  }
}
