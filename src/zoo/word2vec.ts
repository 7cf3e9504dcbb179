// word2vec: vectors of words from the words around them (Mikolov, Chen, Corrado & Dean, 2013a; Mikolov, Sutskever, Chen, Corrado & Dean, 2013b).

import { type CountedText, randomStream, type WordBatch, type WordWindowOptions, wordWindows } from "../data/index.ts";
import { grad, live, param, type Tensor, tensor, zeros } from "../graph/index.ts";
import { logSigmoid } from "../nn/index.ts";
import { compile } from "../run/index.ts";
import { WordVectors } from "./word-vectors.ts";

export interface Word2VecOptions extends WordWindowOptions {
  /** Size of the vectors. */
  features?: number;
  /** The learning rate of the first step; falls in a line, with the words read, to a ten-thousandth of it. */
  lr?: number;
  /** Called every so often, with the share of the work done and the mean loss of an example. */
  onProgress?: (progress: number, loss: number) => void;
}

/**
 * −Σ_j ln σ(s_j · h·u_j) of each example, h [P, D], u [P, T, D], signs s [P, T], summed over the examples; where s is 0 there is no term.
 * With the signs 1, −1, … of a word and words drawn against it, negative sampling (2013b, eq. 4); with those of a path through a binary
 * tree, the negative logarithm of the word's probability by hierarchical softmax (2013b, eq. 3).
 */
export function signedLoss(h: Tensor, u: Tensor, signs: Tensor): Tensor {
  const scores = u.mul(h.unsqueeze(1)).sum(-1); // [P, T]
  return logSigmoid(scores.mul(signs)).mul(signs.abs()).sum().neg();
}

/** The two tables of vectors, and a step that moves only the rows that a batch names. */
export class Word2Vec {
  readonly input: Tensor; // [words, features]
  readonly output: Tensor; // [words, features]; of words, or inner nodes of a tree
  lr: number;
  readonly #step: (batch: Tensors) => Promise<Tensor>;

  /** Inputs start uniform in ±1 / (2·features), outputs at 0, as in the authors' program. */
  constructor(words: number, options: Pick<Word2VecOptions, "features" | "lr" | "seed"> = {}) {
    const { features = 100, lr = 0.025, seed = 0 } = options;
    for (const [name, value] of Object.entries({ words, features }))
      if (!(Number.isSafeInteger(value) && value >= 1))
        throw new RangeError(`word2vec: ${name} is a whole number of at least 1, got ${value}`);
    if (!(lr > 0 && lr < Number.POSITIVE_INFINITY)) throw new RangeError(`word2vec: lr is a number above 0, got ${lr}`);
    this.lr = lr;
    const next = randomStream(seed, tableKey);
    const start = Float32Array.from({ length: words * features }, () => (next() / 2 ** 32 - 0.5) / features);
    this.input = param(start, [words, features]);
    this.output = param(zeros([words, features]));
    const rate = live(() => -this.lr);
    this.#step = compile((batch: Tensors) => this.#trace(batch, rate));
  }

  /** Moves the rows along the gradient of the loss, summed over the batch; gives the sum. */
  step({ inputs, weights, outputs, signs }: WordBatch, batch: number): Promise<Tensor> {
    return this.#step({
      inputs: tensor(inputs, [batch, inputs.length / batch]),
      weights: weights && tensor(weights, [batch, weights.length / batch]),
      outputs: tensor(outputs, [batch, outputs.length / batch]),
      signs: tensor(signs, [batch, signs.length / batch]),
    });
  }

  #trace({ inputs, weights, outputs, signs }: Tensors, rate: Tensor): Tensor {
    const rows = this.input.gather(inputs); // [P, W, D]
    const h = weights === undefined ? rows.squeeze(1) : rows.mul(weights.unsqueeze(-1)).sum(1); // [P, D]
    const u = this.output.gather(outputs); // [P, T, D]
    const loss = signedLoss(h, u, signs);
    const [ofRows, ofU] = grad(loss, [rows, u]);
    move(this.output, outputs, ofU.mul(rate));
    move(this.input, inputs, ofRows.mul(rate));
    return loss;
  }
}

/** Keeps what tables start from apart from other streams of one seed. */
const tableKey = 0x7732;

interface Tensors {
  inputs: Tensor;
  weights: Tensor | undefined;
  outputs: Tensor;
  signs: Tensor;
}

/** Adds to the rows of a table that indices [...] name values [..., D], where the table lies. */
const move = (table: Tensor, indices: Tensor, values: Tensor): void =>
  table.assign(table.indexAdd(indices.reshape(-1), values.reshape(-1, table.shape[1])));

/** Steps from one call of onProgress to the next. */
const reportEvery = 200;

/**
 * Trains vectors of a text's words by stochastic gradient descent, one pass unless `epochs` says more; the same for the same
 * seed. By default skip-gram with 5 negative samples, window 5, 100 features. Throws as wordWindows does.
 */
export async function word2vec(text: CountedText, options: Word2VecOptions = {}): Promise<WordVectors> {
  const { features = 100, lr = 0.025, batch = 128, onProgress } = options;
  const model = new Word2Vec(text.vocabulary.size, options);
  let steps = 0;
  for (const windows of wordWindows(text, { ...options, batch })) {
    model.lr = lr * Math.max(1e-4, 1 - windows.progress);
    const loss = await model.step(windows, batch);
    if (onProgress && steps++ % reportEvery === 0) onProgress(windows.progress, (await loss.item()) / windows.examples);
  }
  return new WordVectors(text.vocabulary.words, Float32Array.from(await model.input.data()), features);
}
