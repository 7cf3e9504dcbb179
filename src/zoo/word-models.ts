// The two architectures of word2vec that are called by name, and how each is trained.
import type { WordsEntry } from "./entry.ts";
import { Word2Vec } from "./word2vec.ts";

const features = 100;

/** Words that come five times in the beginning of text8. */
const text8Words = 14_900;

/** Settings of the authors' program, but for the epochs: papers pass once over a thousand times as many words. */
const ofProgram = {
  task: "words",
  features,
  recipe: {
    data: "text8",
    epochs: 15,
    batch: 128,
    optimizer: "sgd",
    momentum: 0,
    lr: 0.025,
    decay: 1,
    schedule: "linear",
    shift: 0,
  },
  build: ({ words, seed } = { words: text8Words, seed: 1 }) => new Word2Vec(words, { features, seed }),
} as const satisfies Partial<WordsEntry>;

const paper = "Mikolov, Chen, Corrado & Dean, Efficient estimation of word representations in vector space, 2013";

/** A word tells those around it from five others each. */
export const skipgramEntry: WordsEntry = {
  ...ofProgram,
  name: "skipgram",
  paper,
  windows: { architecture: "skip-gram", window: 5, negatives: 5, subsample: 1e-4 },
};

/** The mean of the words around a word tells it from five others. */
export const cbowEntry: WordsEntry = {
  ...ofProgram,
  name: "cbow",
  paper,
  windows: { architecture: "cbow", window: 5, negatives: 5, subsample: 1e-4 },
  recipe: { ...ofProgram.recipe, lr: 0.05 },
};
