// The noun of this room: a lazily loaded set of samples, held in memory, that iterates as batches of tensors.
import { type Tensor, tensor } from "../graph/index.ts";
import { randomStream, shuffleInPlace, uniform } from "./random.ts";
import {
  assemble,
  type BatchFunction,
  channelsOf,
  countSamples,
  type MapFunction,
  mapBatch,
  measureStatistics,
  type RawBatch,
  type SampleInfo,
  type Samples,
  type Statistics,
} from "./samples.ts";
import { Streams } from "./streams.ts";
import type { Vocabulary } from "./text.ts";

/** What a training step takes: x [B, ...shape], y [B, ...targetShape] (i32 [B] for class labels). */
export interface Batch {
  x: Tensor;
  y: Tensor;
}

/** Where an iteration begins: which epoch's order, and how many of its batches to pass over. */
export interface Position {
  epoch?: number;
  skip?: number;
}

/** What a Dataset does to its samples; each method returns a new Dataset with one of these changed. */
interface View {
  select: readonly ((indices: Uint32Array) => Uint32Array)[];
  shuffleSeed: number | undefined;
  statistics: Partial<Record<"mean" | "std", number | readonly number[]>> | undefined;
  maps: readonly MapFunction[];
  mapSeed: number;
  batchMaps: readonly { fn: BatchFunction; seed: number }[];
  ahead: number;
  batchSize: number;
  dropLast: boolean;
}

/** Samples that are loaded at most once, shared by every Dataset derived from one. */
class Source {
  readonly #loader: () => Samples | Promise<Samples>;
  readonly #info: SampleInfo;
  #loading: Promise<Samples> | undefined;
  #count: number | undefined;
  #statistics: Statistics | undefined;

  constructor(loader: () => Samples | Promise<Samples>, info: SampleInfo) {
    this.#loader = loader;
    this.#info = info;
    this.#count = info.length;
  }

  load(): Promise<Samples> {
    this.#loading ??= Promise.resolve()
      .then(this.#loader)
      .then((samples) => this.keep(samples))
      .catch((error) => {
        this.#loading = undefined;
        throw error;
      });
    return this.#loading;
  }

  keep(samples: Samples): Samples {
    this.#count = countSamples(samples, this.#info);
    return samples;
  }

  /** Of all samples, for a set that does not state its own. */
  statistics(samples: Samples): Statistics {
    return (this.#statistics ??= measureStatistics(samples, this.#info));
  }

  count(): number {
    if (this.#count === undefined)
      throw new Error(`${nameOf(this.#info)}: its length is known once loaded; await load() first`);
    return this.#count;
  }
}

const nameOf = (info: SampleInfo): string => info.name ?? "dataset";

function requireCount(what: string, count: number, least: number): void {
  if (!Number.isInteger(count) || count < least)
    throw new RangeError(`${what}: expected an integer of at least ${least}, not ${count}`);
}

const asStored: View = {
  select: [],
  shuffleSeed: undefined,
  statistics: undefined,
  maps: [],
  mapSeed: 0,
  batchMaps: [],
  ahead: 2,
  batchSize: 64,
  dropLast: false,
};

/**
 * Samples in memory that iterate as batches; one `for await` is one epoch.
 *
 * Methods return new Datasets over the same samples. `take`, `skip` and `split` choose samples by their stored place,
 * `shuffle` only orders the visits, so a validation part never leaks into a training part whatever the order of calls.
 * `normalize` comes before `map`.
 *
 * Batches are made on demand on the calling thread: 64 MNIST images take 0.2 ms, most of it fresh memory, and handing
 * them over from a worker would take 0.14 ms alone. Only what may wait is run ahead: `map` functions, and decoding pictures.
 *
 * Every order follows from (seed, epoch) alone: `iterate({ epoch, skip })` continues where a run stopped.
 */
export class Dataset implements AsyncIterable<Batch> {
  /** Name, shapes, classes and statistics, known before anything is loaded. */
  readonly info: SampleInfo;
  /** The epoch that the next `for await` visits; each one adds 1. */
  epoch = 0;
  #source: Source;
  #view: View = asStored;
  #chosen: { of: number; indices: Uint32Array } | undefined; // the chosen samples, of so many

  /** From samples, or from a function that loads them at the first use. */
  constructor(samples: Samples | (() => Samples | Promise<Samples>), info: SampleInfo) {
    if (info === undefined)
      throw new TypeError("Dataset: takes (samples, info), e.g. info = { shape: [28, 28] }, got no info");
    this.info = info;
    this.#source = new Source(typeof samples === "function" ? samples : () => samples, info);
    if (typeof samples !== "function") this.#source.keep(samples);
  }

  /** The number of samples. Throws an Error when only loading can tell. */
  get length(): number {
    return this.#indices().length;
  }

  /** Samples in a batch. */
  get batchSize(): number {
    return this.#view.batchSize;
  }

  /** The number of batches in an epoch. Throws as length. */
  get batches(): number {
    const { batchSize, dropLast } = this.#view;
    const whole = Math.floor(this.length / batchSize);
    return dropLast || whole * batchSize === this.length ? whole : whole + 1;
  }

  /** Whether each epoch has an order of its own. */
  get shuffled(): boolean {
    return this.#view.shuffleSeed !== undefined;
  }

  /** Loads the samples, once; afterwards length is known. Throws what the loader throws, and tries again when called again. */
  async load(): Promise<this> {
    await this.#source.load();
    return this;
  }

  /** The whole set's arrays as loaded, shared and not to be written to. */
  async samples(): Promise<Samples> {
    const samples = await this.#source.load();
    await samples.ready?.(Uint32Array.from({ length: this.#source.count() }, (_, index) => index));
    return samples;
  }

  /** The words of the numbers in x, loaded at the first use. Throws an Error where the set has none. */
  async vocabulary(): Promise<Vocabulary> {
    if (this.info.vocabulary === undefined)
      throw new Error(`${nameOf(this.info)}: has no vocabulary; it belongs to sets of text`);
    return this.info.vocabulary();
  }

  /** Visits the samples in a new order each epoch, decided by (seed, epoch). */
  shuffle({ seed = 0 }: { seed?: number } = {}): Dataset {
    return this.#with({ shuffleSeed: seed });
  }

  /** Bytes become x / 255 in any case; this adds (x − mean) / std a channel, by default with the set's own statistics. */
  normalize(statistics: { mean?: number | readonly number[]; std?: number | readonly number[] } = {}): Dataset {
    const channels = channelsOf(this.info.shape);
    for (const [name, value] of Object.entries(statistics)) {
      if (name !== "mean" && name !== "std") throw new RangeError(`normalize: there is no option "${name}"`);
      if (value === undefined) continue;
      const values = [value].flat();
      if (
        ![1, channels].includes(values.length) ||
        !values.every((each) => Number.isFinite(each) && (name !== "std" || each > 0))
      )
        throw new RangeError(
          `normalize: ${name} must be ${channels} finite ${name === "std" ? "positive " : ""}number(s), not [${values}]`,
        );
    }
    return this.#with({ statistics });
  }

  /** The first `count` samples in stored order, or all when there are fewer. */
  take(count: number): Dataset {
    requireCount("take", count, 0);
    return this.#select((indices) => indices.subarray(0, count));
  }

  /** All samples but the first `count` in stored order. */
  skip(count: number): Dataset {
    requireCount("skip", count, 0);
    return this.#select((indices) => indices.subarray(count));
  }

  /**
   * Two disjoint random parts that together are the set: the first has `part` samples, or that fraction when it is
   * below 1. The same seed always splits alike.
   */
  split(part: number, { seed = 0 }: { seed?: number } = {}): [Dataset, Dataset] {
    if (!(part > 0) || (part >= 1 && !Number.isInteger(part)))
      throw new RangeError(`split: expected a fraction between 0 and 1 or a count of samples, not ${part}`);
    const parts = (indices: Uint32Array): [Uint32Array, Uint32Array] => {
      const count = part < 1 ? Math.round(part * indices.length) : part;
      const mixed = shuffleInPlace(indices.slice(), randomStream(seed, splitKey));
      return [mixed.subarray(0, count).sort(), mixed.subarray(count).sort()];
    };
    return [this.#select((indices) => parts(indices)[0]), this.#select((indices) => parts(indices)[1])];
  }

  /**
   * Cuts the samples, in stored order, into `count` streams of equal length that run side by side: row b of each batch goes on
   * where row b of the batch before ended, so that a recurrent network may keep its state (truncated backpropagation; Zaremba,
   * Sutskever & Vinyals, arXiv:1409.2329). What is left over is left out.
   */
  streams(count: number): Streams {
    requireCount("streams", count, 1);
    const sideBySide = (indices: Uint32Array): Uint32Array => {
      const steps = Math.floor(indices.length / count);
      return Uint32Array.from(
        { length: steps * count },
        (_, at) => indices[(at % count) * steps + Math.floor(at / count)],
      );
    };
    return new Streams(this.#with({ shuffleSeed: undefined }).#select(sideBySide).batch(count));
  }

  /**
   * Changes samples one by one, e.g. to augment them. The function may be asynchronous: the samples of a batch run at
   * once, and `ahead` further batches are begun while one is in use. Its random numbers follow from (seed, epoch, index).
   */
  map(fn: MapFunction, { seed = 0, ahead = 2 }: { seed?: number; ahead?: number } = {}): Dataset {
    requireCount("map: ahead", ahead, 0);
    return this.#with({ maps: [...this.#view.maps, fn], mapSeed: seed, ahead });
  }

  /**
   * Changes whole batches, after all `map` functions, e.g. to mix samples. Random numbers follow from (seed, epoch, the
   * batch's number).
   */
  mapBatch(fn: BatchFunction, { seed = 0 }: { seed?: number } = {}): Dataset {
    return this.#with({ batchMaps: [...this.#view.batchMaps, { fn, seed }] });
  }

  /**
   * Sets the samples in a batch (64 unless set). The last batch of an epoch is smaller when they do not divide the
   * set: it is kept, at the cost of a second compiled step, unless `dropLast`.
   */
  batch(size: number, { dropLast = false }: { dropLast?: boolean } = {}): Dataset {
    requireCount("batch", size, 1);
    return this.#with({ batchSize: size, dropLast });
  }

  /** The order in which an epoch visits the samples: their places in the stored order. Throws as length. */
  order(epoch: number): Uint32Array {
    requireCount("epoch", epoch, 0);
    const indices = this.#indices().slice();
    const seed = this.#view.shuffleSeed;
    return seed === undefined ? indices : shuffleInPlace(indices, randomStream(seed, orderKey, epoch));
  }

  /** One epoch of batches as plain arrays, from batch `skip` on; does not touch `this.epoch`. */
  async *raw({ epoch = this.epoch, skip = 0 }: Position = {}): AsyncGenerator<RawBatch, void, void> {
    requireCount("skip", skip, 0);
    const samples = await this.#source.load();
    const { maps, ahead, batchSize } = this.#view;
    const order = this.order(epoch);
    const statistics = await this.#statistics(samples);
    const waits = maps.length > 0 || samples.ready !== undefined;
    const make = (batch: number): RawBatch | Promise<RawBatch> => {
      const indices = order.slice(batch * batchSize, (batch + 1) * batchSize);
      if (!waits) return this.#mixed(assemble(samples, this.info, indices, statistics), epoch, batch);
      const made = this.#mapped(samples, indices, { epoch, batch, statistics });
      made.catch(() => {}); // it may fail while an earlier batch is in use; whoever awaits it is told
      return made;
    };
    const begun: (RawBatch | Promise<RawBatch>)[] = [];
    const { batches } = this;
    const limit = 1 + (waits ? ahead : 0);
    for (let next = skip; ; ) {
      while (begun.length < limit && next < batches) begun.push(make(next++));
      const batch = begun.shift();
      if (batch === undefined) return;
      yield await batch;
    }
  }

  /** One epoch of batches as tensors, from batch `skip` on: what a resumed run uses. Does not touch `this.epoch`. */
  async *iterate(position: Position = {}): AsyncGenerator<Batch, void, void> {
    for await (const { x, y, shape, targetShape } of this.raw(position))
      yield { x: tensor(x, shape), y: tensor(y, targetShape) };
  }

  /** The next epoch. */
  [Symbol.asyncIterator](): AsyncGenerator<Batch, void, void> {
    return this.iterate({ epoch: this.epoch++ });
  }

  async #mapped(
    samples: Samples,
    indices: Uint32Array,
    { epoch, batch, statistics }: { epoch: number; batch: number; statistics?: Statistics },
  ): Promise<RawBatch> {
    const { maps, mapSeed } = this.#view;
    await samples.ready?.(indices);
    const raw = assemble(samples, this.info, indices, statistics);
    const mapped = maps.length === 0 ? raw : await mapBatch(raw, maps, [mapSeed, mapKey, epoch], statistics);
    return this.#mixed(mapped, epoch, batch);
  }

  /** The batch after the functions of whole batches. */
  #mixed(batch: RawBatch, epoch: number, number: number): RawBatch {
    for (const { fn, seed } of this.#view.batchMaps) {
      const next = randomStream(seed, batchKey, epoch, number);
      batch = { ...batch, ...fn(batch, () => uniform(next), this.info) };
    }
    return batch;
  }

  #with(change: Partial<View>): Dataset {
    const changed = new Dataset(() => this.#source.load(), this.info);
    changed.#source = this.#source;
    changed.#view = { ...this.#view, ...change };
    return changed;
  }

  #select(step: View["select"][number]): Dataset {
    return this.#with({ select: [...this.#view.select, step] });
  }

  #indices(): Uint32Array {
    const count = this.#source.count();
    if (this.#chosen?.of !== count) {
      const stored = Uint32Array.from({ length: count }, (_, index) => index);
      this.#chosen = {
        of: count,
        indices: this.#view.select.reduce<Uint32Array>((indices, step) => step(indices), stored),
      };
    }
    return this.#chosen.indices;
  }

  async #statistics(samples: Samples): Promise<Statistics | undefined> {
    const asked = this.#view.statistics;
    if (!asked) return undefined;
    if (samples.x instanceof Int32Array)
      throw new Error(`${nameOf(this.info)}: integers cannot be normalized; leave normalize() out`);
    const [mean, std] = [asked.mean ?? this.info.mean, asked.std ?? this.info.std];
    if (mean !== undefined && std !== undefined) return { mean: [mean].flat(), std: [std].flat() };
    const own = this.#source.statistics(await this.samples());
    return { mean: [mean ?? own.mean].flat(), std: [std ?? own.std].flat() };
  }
}

// Words that keep the random streams of one seed apart.
const orderKey = 1;
const splitKey = 2;
const mapKey = 3;
const batchKey = 4;
