// The sequence to sequence networks that are called by name, smaller than their papers', and how each is trained.
import type { Shape } from "../graph/index.ts";
import { init } from "../nn/index.ts";
import type { TranslatorEntry } from "./entry.ts";
import { seq2seq } from "./seq2seq.ts";

/** The vocabularies of Multi30k's training captions. */
const multi30kSizes = { sourceTokens: 7857, targetTokens: 5977 };

/** The paper's in small: two LSTMs of 256 instead of four of 1000, all parameters from U(±0.08), the source backwards. */
export const seq2seqEntry: TranslatorEntry = {
  name: "seq2seq",
  paper: "Sutskever, Vinyals & Le, Sequence to sequence learning with neural networks, 2014",
  task: "translate",
  reversed: true,
  recipe: {
    data: "multi30k",
    epochs: 12,
    batch: 64,
    optimizer: "adam",
    lr: 1e-3,
    decay: 1,
    schedule: "cosine",
    clip: 5,
    shift: 0,
  },
  build: (sizes = multi30kSizes) =>
    seq2seq({
      ...sizes,
      hidden: 256,
      layers: 2,
      dropout: 0.2,
      init: (shape: Shape) => init.uniform(shape, -0.08, 0.08),
    }),
};

/** The paper's in small: GRUs of 256 instead of 1000. */
export const encoderDecoderEntry: TranslatorEntry = {
  name: "encoder-decoder",
  paper:
    "Cho et al., Learning phrase representations using RNN encoder-decoder for statistical machine translation, 2014",
  task: "translate",
  recipe: {
    data: "addition",
    epochs: 30,
    batch: 64,
    optimizer: "adam",
    lr: 2e-3,
    decay: 1,
    schedule: "cosine",
    clip: 1,
    shift: 0,
  },
  build: (sizes = { sourceTokens: 14, targetTokens: 14 }) =>
    seq2seq({ ...sizes, cell: "gru", hidden: 256, features: 128, summary: "steps", readout: "maxout" }),
};

/** The paper's in small: GRUs of 256 instead of 1000, with dropout. */
export const attentionEntry: TranslatorEntry = {
  name: "attention",
  paper: "Bahdanau, Cho & Bengio, Neural machine translation by jointly learning to align and translate, 2015",
  task: "translate",
  recipe: {
    data: "multi30k",
    epochs: 12,
    batch: 64,
    optimizer: "adam",
    lr: 1e-3,
    decay: 1,
    schedule: "cosine",
    clip: 1,
    shift: 0,
  },
  build: (sizes = multi30kSizes) =>
    seq2seq({ ...sizes, cell: "gru", hidden: 256, attention: "bahdanau", readout: "maxout", dropout: 0.3 }),
};
