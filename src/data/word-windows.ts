// Batches for word2vec: words in windows of random width, frequent ones thinned out, each beside what its vector is to tell from noise.
import { AliasTable } from "./alias-table.ts";
import type { CountedText } from "./counted-text.ts";
import { huffmanPaths } from "./huffman.ts";
import { type RandomStream, randomStream, uniform } from "./random.ts";

export interface WordWindowOptions {
  /** Whether a word predicts those around it, one at a time, or they, as one mean, predict the word. */
  architecture?: "skip-gram" | "cbow";
  /** How outputs are told apart: against drawn words, or along the path of a Huffman tree. */
  objective?: "negative" | "hierarchical";
  /** Words on either side; each window's own width is uniform in 1 … window. */
  window?: number;
  /** Words drawn against each output, with probability ∝ count^¾. */
  negatives?: number;
  /** t: a word of frequency f > t is passed over with probability 1 − √(t / f); 0 keeps all. */
  subsample?: number;
  /** Examples in a batch, which all see the vectors of before it: more are quicker, fewer learn more from a text. */
  batch?: number;
  seed?: number;
  epochs?: number;
}

/** P examples: from a mean of input rows, the output rows that go with it (sign 1) and those that do not (sign −1). */
export interface WordBatch {
  /** i32 [P], or [P, 2·window] where means are taken. */
  readonly inputs: Int32Array;
  /** Shares of the inputs in the mean, f32 [P, 2·window]. */
  readonly weights: Float32Array | undefined;
  /** i32 [P, T], T rows to an example. */
  readonly outputs: Int32Array;
  /** f32 [P, T]; 0 where there is none. */
  readonly signs: Float32Array;
  /** Examples that are some; in the last batch of all fewer than P. */
  readonly examples: number;
  /** The share of the words of all epochs that has been read. */
  readonly progress: number;
}

/** 1 − P(passed over) of each word: √(t / f) where f > t, else 1 (Mikolov et al., 2013b, eq. 5). */
export function keepShares(counts: ArrayLike<number>, t: number): Float64Array {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i];
  return Float64Array.from(counts, (count) => (t === 0 ? 1 : Math.min(1, Math.sqrt((t * total) / count))));
}

/**
 * The text as batches of `batch` examples, `epochs` times over; the same for the same seed. All batches have one shape. Throws a
 * RangeError for an option that is none.
 */
export function* wordWindows(text: CountedText, options: WordWindowOptions = {}): Generator<WordBatch> {
  check(options);
  yield* filled(text, options, targetsOf(text.counts, options));
}

/** How many batches wordWindows gives: the same windows, at nothing told apart. Throws as it does. */
export function countWindows(text: CountedText, options: WordWindowOptions = {}): number {
  check(options);
  let count = 0;
  for (const _ of filled(text, options, { size: 0, write: () => {} })) count++;
  return count;
}

function* filled(text: CountedText, options: WordWindowOptions, target: Target): Generator<WordBatch> {
  const { architecture = "skip-gram", window = 5, subsample = 1e-4, batch = 128, seed = 0, epochs = 1 } = options;
  const keep = keepShares(text.counts, subsample);
  const next = randomStream(seed, windowKey);
  const filling = new Filling(batch, architecture === "cbow" ? 2 * window : 0, target);
  let read = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const sentence of text.sentences) {
      const kept = new Int32Array(sentence.length);
      const places = new Int32Array(sentence.length); // in the sentence
      let length = 0;
      for (let i = 0; i < sentence.length; i++) {
        if (keep[sentence[i]] < 1 && uniform(next) >= keep[sentence[i]]) continue;
        places[length] = i + 1;
        kept[length++] = sentence[i];
      }
      for (let i = 0; i < length; i++) {
        const width = 1 + Math.floor(uniform(next) * window);
        const [from, to] = [Math.max(0, i - width), Math.min(length, i + width + 1)];
        const progress = (read + places[i]) / (epochs * text.words);
        if (architecture === "cbow") {
          if (to - from > 1 && filling.mean(kept, from, to, i)) yield filling.take(progress);
          continue;
        }
        for (let j = from; j < to; j++) if (j !== i && filling.pair(kept[i], kept[j])) yield filling.take(progress);
      }
      read += sentence.length;
    }
  }
  if (filling.examples > 0) yield filling.take(1);
}

/** Keep the streams of windows and of noise apart from others of one seed. */
const [windowKey, noiseKey] = [0x77326d, 0x77326e];

/** Writes what an output word is to be told by: rows and signs, `size` of them from `at` on. */
interface Target {
  readonly size: number;
  write(word: number, outputs: Int32Array, signs: Float32Array, at: number): void;
}

const targetsOf = (
  counts: Int32Array,
  { objective = "negative", negatives = 5, seed = 0 }: WordWindowOptions,
): Target =>
  objective === "negative" ? againstNoise(counts, negatives, randomStream(seed, noiseKey)) : alongPath(counts);

/** The word, and words drawn in proportion to count^¾; a draw that is the word itself is none. */
function againstNoise(counts: Int32Array, negatives: number, next: RandomStream): Target {
  const noise = new AliasTable(Float64Array.from(counts, (count) => count ** 0.75));
  return {
    size: 1 + negatives,
    write(word, outputs, signs, at) {
      outputs[at] = word;
      signs[at] = 1;
      for (let k = 1; k <= negatives; k++) {
        const drawn = noise.draw(next);
        outputs[at + k] = drawn;
        signs[at + k] = drawn === word ? 0 : -1;
      }
    },
  };
}

/** The inner nodes on the word's path through the Huffman tree; left is 1, right −1. */
function alongPath(counts: Int32Array): Target {
  const paths = huffmanPaths(counts);
  const size = paths.reduce((most, { nodes }) => Math.max(most, nodes.length), 1);
  return {
    size,
    write(word, outputs, signs, at) {
      const { nodes, code } = paths[word];
      for (let k = 0; k < nodes.length; k++) {
        outputs[at + k] = nodes[k];
        signs[at + k] = 1 - 2 * code[k];
      }
    },
  };
}

/** The batch that is being filled. */
class Filling {
  examples = 0;
  readonly #batch: number;
  readonly #width: number;
  readonly #target: Target;
  #inputs!: Int32Array;
  #weights: Float32Array | undefined;
  #outputs!: Int32Array;
  #signs!: Float32Array;

  /** width: inputs of an example where they are a mean, else 0. */
  constructor(batch: number, width: number, target: Target) {
    this.#batch = batch;
    this.#width = width;
    this.#target = target;
    this.#renew();
  }

  #renew(): void {
    const [batch, width] = [this.#batch, this.#width];
    this.examples = 0;
    this.#inputs = new Int32Array(batch * Math.max(1, width));
    this.#weights = width > 0 ? new Float32Array(batch * width) : undefined;
    this.#outputs = new Int32Array(batch * this.#target.size);
    this.#signs = new Float32Array(batch * this.#target.size);
  }

  /** Adds an example; whether the batch is full. */
  pair(input: number, output: number): boolean {
    this.#inputs[this.examples] = input;
    return this.#finish(output);
  }

  /** Adds words from … to − 1 but the one at i, which they predict. */
  mean(words: Int32Array, from: number, to: number, i: number): boolean {
    let at = this.examples * this.#width;
    for (let j = from; j < to; j++) {
      if (j === i) continue;
      this.#inputs[at] = words[j];
      this.#weights![at++] = 1 / (to - from - 1);
    }
    return this.#finish(words[i]);
  }

  #finish(output: number): boolean {
    this.#target.write(output, this.#outputs, this.#signs, this.examples * this.#target.size);
    return ++this.examples === this.#batch;
  }

  take(progress: number): WordBatch {
    const batch = {
      inputs: this.#inputs,
      weights: this.#weights,
      outputs: this.#outputs,
      signs: this.#signs,
      examples: this.examples,
      progress,
    };
    this.#renew();
    return batch;
  }
}

function check({
  architecture = "skip-gram",
  objective = "negative",
  subsample = 0,
  ...counts
}: WordWindowOptions): void {
  if (architecture !== "skip-gram" && architecture !== "cbow")
    throw new RangeError(`wordWindows: architecture is "skip-gram" or "cbow", not ${JSON.stringify(architecture)}`);
  if (objective !== "negative" && objective !== "hierarchical")
    throw new RangeError(`wordWindows: objective is "negative" or "hierarchical", not ${JSON.stringify(objective)}`);
  if (!(subsample >= 0 && subsample < Number.POSITIVE_INFINITY))
    throw new RangeError(`wordWindows: subsample is a frequency of at least 0, got ${subsample}`);
  for (const name of ["window", "negatives", "batch", "epochs"] as const) {
    const value = counts[name];
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1))
      throw new RangeError(`wordWindows: ${name} is a whole number of at least 1, got ${value}`);
  }
}
