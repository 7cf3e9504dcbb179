// word2vec: vectors of words from the words around them (Mikolov, Chen, Corrado & Dean, 2013a; Mikolov, Sutskever, Chen, Corrado & Dean, 2013b).

import {
  type CountedText,
  randomStream,
  type WordTensors,
  type WordWindowOptions,
  wordTensors,
  wordWindows,
} from "../data/index.ts";
import { grad, param, type Tensor, zeros } from "../graph/index.ts";
import { logSigmoid } from "../nn/index.ts";
import { type GradientSource, sgd } from "../optim/index.ts";
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

/**
 * The two tables of vectors, and the gradients of the loss summed over a batch, which `sgd(model, model, { sparse: true })`
 * follows; the figure that it watches is the mean.
 */
export class Word2Vec implements GradientSource<WordTensors, Tensor> {
  readonly input: Tensor; // [words, features]
  readonly output: Tensor; // [words, features]; of words, or inner nodes of a tree

  /** Inputs start uniform in ±1 / (2·features), outputs at 0, as in the authors' program. Throws a RangeError for a size that is none. */
  constructor(words: number, { features = 100, seed = 0 }: Pick<Word2VecOptions, "features" | "seed"> = {}) {
    for (const [name, value] of Object.entries({ words, features }))
      if (!(Number.isSafeInteger(value) && value >= 1))
        throw new RangeError(`word2vec: ${name} is a whole number of at least 1, got ${value}`);
    const next = randomStream(seed, tableKey);
    const start = Float32Array.from({ length: words * features }, () => (next() / 2 ** 32 - 0.5) / features);
    this.input = param(start, [words, features]);
    this.output = param(zeros([words, features]));
  }

  gradients({ inputs, weights, outputs, signs }: WordTensors): {
    loss: Tensor;
    gradients: ReadonlyMap<Tensor, Tensor>;
  } {
    const rows = this.input.gather(inputs); // [P, W, D]
    const h = weights === undefined ? rows.squeeze(1) : rows.mul(weights.unsqueeze(-1)).sum(1); // [P, D]
    const loss = signedLoss(h, this.output.gather(outputs), signs);
    const examples = signs.slice(1, 0, 1).abs().sum().maximum(1); // the first of each is some
    const [ofInput, ofOutput] = grad(loss, [this.input, this.output]);
    return {
      loss: loss.div(examples),
      gradients: new Map([
        [this.input, ofInput],
        [this.output, ofOutput],
      ]),
    };
  }
}

/** Keeps what tables start from apart from other streams of one seed. */
const tableKey = 0x7732;

/** Steps from one call of onProgress to the next. */
const reportEvery = 200;

/**
 * Trains vectors of a text's words by stochastic gradient descent, one pass unless `epochs` says more; the same for the same
 * seed. By default skip-gram with 5 negative samples, window 5, 100 features. Throws as wordWindows does.
 */
export async function word2vec(text: CountedText, options: Word2VecOptions = {}): Promise<WordVectors> {
  const { features = 100, lr = 0.025, batch = 128, onProgress } = options;
  const model = new Word2Vec(text.vocabulary.size, options);
  const optimizer = sgd(model, model, { lr, sparse: true });
  let steps = 0;
  for (const windows of wordWindows(text, { ...options, batch })) {
    optimizer.lr = lr * Math.max(1e-4, 1 - windows.progress);
    const loss = await optimizer.step(wordTensors(windows, batch));
    if (onProgress && steps++ % reportEvery === 0) onProgress(windows.progress, loss);
  }
  return new WordVectors(text.vocabulary.words, Float32Array.from(await model.input.data()), features);
}
