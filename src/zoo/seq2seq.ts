// Sequence to sequence networks: an encoder and a decoder (Sutskever, Vinyals & Le, 2014; Cho et al., 2014), with attention (Bahdanau, Cho & Bengio, 2015; Luong, Pham & Manning, 2015).
import { type Tensor, tensor, within } from "../graph/index.ts";
import {
  type AttentionKind,
  Dropout,
  Embedding,
  type init,
  Linear,
  Maxout,
  type Recurrent,
  type State,
} from "../nn/index.ts";
import type { SteppedModel } from "./language-model.ts";
import { type RecurrentKind, recurrentOf } from "./recurrent-kinds.ts";
import { type Decoded, type Decoder, decoderOf } from "./seq2seq-decoder.ts";

export interface Seq2SeqOptions {
  /** Sizes of the vocabularies. */
  sourceTokens: number;
  targetTokens: number;
  cell?: RecurrentKind;
  /** Size of the states of the decoder, and of the encoder's in each direction. */
  hidden?: number;
  /** Size of the tokens' vectors, by default that of the states. */
  features?: number;
  layers?: number;
  /** Whether the encoder goes both ways; by default for Bahdanau's attention. */
  bidirectional?: boolean;
  attention?: "bahdanau" | "luong";
  /** How attention scores; by default "additive" for Bahdanau's and "general" for Luong's. */
  score?: AttentionKind;
  /** D of Luong's local-p: attention goes to places within D of a predicted one. */
  window?: number;
  /** Whether a step of Luong's is told what the one before attended to. */
  inputFeeding?: boolean;
  /** Without attention, where the source goes: into the first state (Sutskever), or into every step as a summary (Cho). */
  summary?: "start" | "steps";
  /** What logits are read from: a linear layer, or one of maxout units before it, half as many as `hidden` (Cho, Bahdanau). */
  readout?: "linear" | "maxout";
  /** In training, the share dropped of the tokens' vectors, between layers, and of what is read out. */
  dropout?: number;
  /** What vectors, recurrent layers and weights of linear ones start from, where not each layer's own; U(±0.08) is Sutskever's. */
  init?: init.Init;
}

/** What the encoder reads: i32 [B, S], and how many places of each count, i32 [B]; without lengths all do. */
export interface SourceBatch {
  readonly source: Tensor;
  readonly sourceLengths?: Tensor;
}

/** With what the decoder is given at each step, i32 [B, T]: a sign to start with, then the target's tokens (teacher forcing). */
export interface TeacherBatch extends SourceBatch {
  readonly target: Tensor;
}

/**
 * An encoder reads the source, a decoder says the target: P(y_t | y_1 … y_{t−1}, source) = softmax(logits_t), for crossEntropy with the
 * target one place further, "<end>" after it. `forward({ source, sourceLengths, target })` gives logits [B, T, targetTokens]. What the
 * decoder is told of the source:
 *
 * - by default the encoder's last state, as its own first one (Sutskever, Vinyals & Le, Sequence to sequence learning with neural
 *   networks, 2014: four LSTMs of 1000, the source backwards);
 * - `summary: "steps"`: c = tanh(V·h_S) in each step and in the readout (Cho et al., Learning phrase representations using RNN
 *   encoder-decoder, 2014: a GRU, `readout: "maxout"`);
 * - `attention: "bahdanau"`: at each step the context of the state before (Bahdanau, Cho & Bengio, Neural machine translation by
 *   jointly learning to align and translate, 2015: a GRU of 1000, `readout: "maxout"`);
 * - `attention: "luong"`: h̃ = tanh(W·[c; h]) with the context of the state (Luong, Pham & Manning, Effective approaches to
 *   attention-based neural machine translation, 2015).
 *
 * The first state after an encoder of both directions is tanh(W·[→h_S; ←h_1]). Throws for options that do not fit each other, and
 * for batches of other shapes.
 */
export const seq2seq = (options: Seq2SeqOptions): Seq2Seq => new Seq2Seq(options);

export class Seq2Seq implements SteppedModel {
  /** Whether it has attention, so that `align` tells where that goes. */
  readonly attends: boolean;
  sourceEmbedding: Embedding; // [sourceTokens, features]
  targetEmbedding: Embedding; // [targetTokens, features]
  encoder: Recurrent;
  decoder: Decoder;
  drop: Dropout;
  maxout: Maxout | undefined;
  output: Linear; // [targetTokens, ·]

  constructor(options: Seq2SeqOptions) {
    checkOptions(options);
    const { sourceTokens, targetTokens, cell = "lstm", hidden = 256, features = hidden, layers = 1 } = options;
    const { attention, bidirectional = attention === "bahdanau", dropout = 0, init: own } = options;
    this.attends = attention !== undefined;
    const given = own && { init: own };
    const recurrent = { layers, dropout, ...(own && { init: { input: own, recurrent: own, bias: own } }) };
    this.sourceEmbedding = new Embedding(sourceTokens, features, given);
    this.targetEmbedding = new Embedding(targetTokens, features, given);
    this.encoder = new (recurrentOf("seq2seq", cell))(features, hidden, { ...recurrent, bidirectional });
    const { score, window, inputFeeding = false, summary = "start" } = options;
    const kind = { attention, score, window, inputFeeding, summary };
    this.decoder = decoderOf({ ...kind, cell, features, hidden, layers, bidirectional, recurrent, linear: given });
    this.drop = new Dropout(dropout);
    const units = Math.ceil(hidden / 2);
    const isMaxout = options.readout === "maxout";
    this.maxout = isMaxout ? new Maxout(this.decoder.readout, units, { ...given }) : undefined;
    this.output = new Linear(isMaxout ? units : this.decoder.readout, targetTokens, given);
  }

  /** Logits [B, T, targetTokens] of the token after each of the target's. */
  forward(batch: TeacherBatch): Tensor {
    return within(this, () => this.#read(this.#teach(batch).outputs));
  }

  /** The alignment matrix of each pair, [B, T, S]: how much each step, told the target, attends to each place of the source. */
  align(batch: TeacherBatch): Tensor {
    return within(this, () => {
      const { weights } = this.#teach(batch);
      if (weights === undefined)
        throw new Error('seq2seq: a model without attention aligns nothing; build it with attention: "luong"');
      return weights;
    });
  }

  /** The decoder's first state for some sources: tensors [·, B, …]. */
  encode({ source, sourceLengths }: SourceBatch): State {
    return within(this, () => {
      if (source.rank !== 2) throw new RangeError(`seq2seq: source is [B, S], got [${source.shape.join(", ")}]`);
      const [batch, steps] = source.shape;
      const lengths = sourceLengths ?? tensor(new Int32Array(batch).fill(steps));
      const vectors = this.drop.forward(this.sourceEmbedding.forward(source)); // [B, S, features]
      const { outputs, state } = this.encoder.run(vectors, { lengths: sourceLengths });
      return this.decoder.start({ outputs, state, lengths });
    });
  }

  /** Logits after each of the tokens x i32 [B, T], from the state that `encode` or the run before has given. */
  run(x: Tensor, state?: State): { logits: Tensor; state: State } {
    if (state === undefined) throw new TypeError("seq2seq: run needs the state that encode(batch) or a run gives");
    return within(this, x, () => {
      const { outputs, state: after } = this.#decode(x, state);
      return { logits: this.#read(outputs), state: after };
    });
  }

  #teach(batch: TeacherBatch): Decoded {
    const { source, target } = batch;
    if (target.rank !== 2 || target.shape[0] !== source.shape[0])
      throw new RangeError(
        `seq2seq: target is [${source.shape[0]}, T], a row for each source, got [${target.shape.join(", ")}]`,
      );
    return this.#decode(target, this.encode(batch));
  }

  #decode(x: Tensor, state: State): Decoded {
    return this.decoder.run(this.drop.forward(this.targetEmbedding.forward(x)), state);
  }

  #read(outputs: Tensor): Tensor {
    const read = this.drop.forward(outputs);
    return this.output.forward(this.maxout === undefined ? read : this.maxout.forward(read));
  }
}

const choices = {
  attention: ["bahdanau", "luong"],
  summary: ["start", "steps"],
  readout: ["linear", "maxout"],
} as const;

function checkOptions(options: Seq2SeqOptions): void {
  for (const [name, values] of Object.entries(choices)) {
    const value = options[name as keyof typeof choices];
    if (value !== undefined && !(values as readonly string[]).includes(value))
      throw new RangeError(`seq2seq: ${name} is "${values[0]}" or "${values[1]}", not ${JSON.stringify(value)}`);
  }
  const { attention, score, window, inputFeeding, summary } = options;
  if (attention === undefined && (score !== undefined || window !== undefined))
    throw new RangeError(
      `seq2seq: ${score === undefined ? "window" : "score"} is attention's; give attention, "bahdanau" or "luong"`,
    );
  if (attention !== "luong" && inputFeeding)
    throw new RangeError('seq2seq: inputFeeding is of attention "luong"; leave it away, or take that');
  if (attention !== undefined && summary === "steps")
    throw new RangeError('seq2seq: summary "steps" is for models without attention; leave one of them away');
}
