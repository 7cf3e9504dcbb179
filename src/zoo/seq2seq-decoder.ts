// Decoders of sequence to sequence networks: what each is told of the source, and where.
import { concat, stack, type Tensor, within } from "../graph/index.ts";
import {
  Attention,
  type AttentionKind,
  type AttentionMemory,
  Linear,
  type Recurrent,
  type RecurrentOptions,
  type State,
} from "../nn/index.ts";
import { type RecurrentKind, recurrentOf, statesOf } from "./recurrent-kinds.ts";

/** What an encoder gives. */
export interface Encoded {
  readonly outputs: Tensor; // [B, S, width], 0 in the padding
  readonly state: State; // each [layers·directions, B, hidden]
  readonly lengths: Tensor; // i32 [B]
}

export interface Decoded {
  /** What the readout is given, [B, T, readout]. */
  readonly outputs: Tensor;
  /** What the next step goes on from: tensors [·, B, …]. */
  readonly state: State;
  /** How much each step attends to each place of the source, [B, T, S]. */
  readonly weights?: Tensor;
}

/** Steps from vectors of the tokens before, [B, T, features]. */
export interface Decoder {
  /** Size of what the readout is given. */
  readonly readout: number;
  start(encoded: Encoded): State;
  run(vectors: Tensor, state: State): Decoded;
}

export interface DecoderOptions {
  readonly cell: RecurrentKind;
  readonly features: number;
  readonly hidden: number;
  readonly layers: number;
  readonly bidirectional: boolean;
  readonly attention: "bahdanau" | "luong" | undefined;
  readonly score: AttentionKind | undefined;
  readonly window: number | undefined;
  readonly inputFeeding: boolean;
  readonly summary: "start" | "steps";
  readonly recurrent: RecurrentOptions;
  readonly linear: ConstructorParameters<typeof Linear>[2];
}

export function decoderOf(options: DecoderOptions): Decoder {
  if (options.attention === "bahdanau") return new BahdanauDecoder(options);
  if (options.attention === "luong") return new LuongDecoder(options);
  return options.summary === "steps" ? new SummaryDecoder(options) : new StateDecoder(options);
}

const layerOf = ({ cell, hidden, recurrent }: DecoderOptions, inputs: number): Recurrent =>
  new (recurrentOf("seq2seq", cell))(inputs, hidden, recurrent);

/** The widths of the encoder's outputs. */
const widthOf = ({ hidden, bidirectional }: DecoderOptions): number => hidden * (bidirectional ? 2 : 1);

/** A step after the other over the vectors, each with what is carried on; outputs and weights are stacked over time. */
function overTime(vectors: Tensor, start: State, step: (y: Tensor, state: State) => Decoded): Decoded {
  const steps: Decoded[] = [];
  let state = start;
  for (let t = 0; t < vectors.shape[1]; t++) {
    steps.push(step(vectors.slice(1, t, t + 1), state));
    state = steps[t].state;
  }
  const joined = (parts: readonly Tensor[]): Tensor => (parts.length === 1 ? parts[0] : stack(parts.map((p) => p.squeeze(1)), 1)); // biome-ignore format: one line
  return { outputs: joined(steps.map((s) => s.outputs)), state, weights: joined(steps.map((s) => s.weights!)) };
}

/**
 * The first state of a decoder: the encoder's last one; or, from one that goes both ways, tanh(W·[→h_S; ←h_1]) of its last layer, as
 * Bahdanau's s₀ = tanh(W·←h_1), for each layer and tensor of the state.
 */
class FirstState {
  bridge: Linear | undefined; // [states · layers · hidden, 2 · hidden]
  readonly #shape: readonly [states: number, layers: number, hidden: number];

  constructor({ cell, hidden, layers, bidirectional, linear }: DecoderOptions) {
    this.#shape = [statesOf(cell), layers, hidden];
    if (bidirectional) this.bridge = new Linear(2 * hidden, statesOf(cell) * layers * hidden, linear);
  }

  forward({ state }: Encoded): State {
    const { bridge } = this;
    if (bridge === undefined) return state;
    return within(this, () => spread(bridge.forward(lastOf(state, 2)).tanh(), this.#shape));
  }
}

/** h of the last layer, [B, directions · hidden]. */
const lastOf = ([h]: State, directions: number): Tensor =>
  directions === 1 ? h.at(-1) : concat([h.at(-2), h.at(-1)], -1);

/** From [B, states · layers · hidden] to tensors [layers, B, hidden]. */
const spread = (x: Tensor, [states, layers, hidden]: readonly [number, number, number]): State =>
  x.chunk(states, -1).map((part) => part.reshape(-1, layers, hidden).transpose(0, 1));

/** Sutskever's: the source is in the first state alone. */
class StateDecoder implements Decoder {
  first: FirstState;
  recurrent: Recurrent;
  readonly readout: number;

  constructor(options: DecoderOptions) {
    this.first = new FirstState(options);
    this.recurrent = layerOf(options, options.features);
    this.readout = options.hidden;
  }

  start(encoded: Encoded): State {
    return this.first.forward(encoded);
  }

  run(vectors: Tensor, state: State): Decoded {
    return within(this, vectors, () => this.recurrent.run(vectors, { state }));
  }
}

/** Cho's: a summary c = tanh(V·h_S) gives the first state tanh(V′·c), and is told to every step and to the readout. */
class SummaryDecoder implements Decoder {
  summary: Linear; // V [hidden, width]
  first: Linear; // V′ [states · layers · hidden, hidden]
  recurrent: Recurrent;
  readonly readout: number;
  readonly #shape: readonly [states: number, layers: number, hidden: number];
  readonly #directions: number;

  constructor(options: DecoderOptions) {
    const { cell, features, hidden, layers, bidirectional, linear } = options;
    this.#shape = [statesOf(cell), layers, hidden];
    this.#directions = bidirectional ? 2 : 1;
    this.summary = new Linear(widthOf(options), hidden, linear);
    this.first = new Linear(hidden, statesOf(cell) * layers * hidden, linear);
    this.recurrent = layerOf(options, features + hidden);
    this.readout = 2 * hidden + features;
  }

  start({ state }: Encoded): State {
    return within(this, () => {
      const c = this.summary.forward(lastOf(state, this.#directions)).tanh(); // [B, hidden]
      return [...spread(this.first.forward(c).tanh(), this.#shape), c.unsqueeze(0)];
    });
  }

  run(vectors: Tensor, before: State): Decoded {
    return within(this, vectors, () => {
      const [c, state] = [before[before.length - 1], before.slice(0, -1)];
      const [batch, steps] = vectors.shape;
      const inputs = concat([vectors, c.transpose(0, 1).expand(batch, steps, c.shape[2])], -1); // [y; c]
      const run = this.recurrent.run(inputs, { state });
      return { outputs: concat([run.outputs, inputs], -1), state: [...run.state, c] };
    });
  }
}

/** The memory of an attention as tensors [1, B, …] of a state, and back. */
const carriedOf = ({ values, products, lengths }: AttentionMemory): State =>
  [values, products, lengths.unsqueeze(-1)].map((t) => t.unsqueeze(0));
const memoryOf = (carried: State): AttentionMemory => {
  const [values, products, lengths] = carried.map((t) => t.squeeze(0));
  return { values, products, lengths: lengths.squeeze(-1) };
};

/** Bahdanau's: the state before asks, and the context cᵢ comes to the step and to the readout, as the token before does. */
class BahdanauDecoder implements Decoder {
  first: FirstState;
  attention: Attention;
  recurrent: Recurrent;
  readonly readout: number;
  readonly #states: number;

  constructor(options: DecoderOptions) {
    const { cell, features, hidden, score = "additive", window } = options;
    const width = widthOf(options);
    this.first = new FirstState(options);
    this.attention = new Attention(score, hidden, width, { units: hidden, ...(window !== undefined && { window }) });
    this.recurrent = layerOf(options, features + width);
    this.readout = hidden + features + width;
    this.#states = statesOf(cell);
  }

  start(encoded: Encoded): State {
    return within(this, () => [
      ...this.first.forward(encoded),
      ...carriedOf(this.attention.memory(encoded.outputs, encoded.lengths)),
    ]);
  }

  run(vectors: Tensor, before: State): Decoded {
    return within(this, vectors, () => {
      const carried = before.slice(this.#states);
      const memory = memoryOf(carried);
      const run = overTime(vectors, before.slice(0, this.#states), (y, state) => {
        const { context, weights } = this.attention.forward(state[0].at(-1).unsqueeze(1), memory); // of s_{i−1}
        const inputs = concat([y, context], -1); // [B, 1, features + width]
        const { outputs, state: after } = this.recurrent.run(inputs, { state });
        return { outputs: concat([outputs, inputs], -1), state: after, weights };
      });
      return { ...run, state: [...run.state, ...carried] };
    });
  }
}

/** Luong's: the state h asks, and the attentional vector h̃ = tanh(W·[c; h]) is read out; with input feeding the next step is told it. */
class LuongDecoder implements Decoder {
  first: FirstState;
  attention: Attention;
  recurrent: Recurrent;
  combine: Linear; // W [hidden, width + hidden]
  readonly readout: number;
  readonly #states: number;
  readonly #feeding: boolean;

  constructor(options: DecoderOptions) {
    const { cell, features, hidden, score = "general", window, inputFeeding, linear } = options;
    const width = widthOf(options);
    this.first = new FirstState(options);
    this.attention = new Attention(score, hidden, width, { units: hidden, ...(window !== undefined && { window }) });
    this.recurrent = layerOf(options, inputFeeding ? features + hidden : features);
    this.combine = new Linear(width + hidden, hidden, { ...linear, bias: false });
    this.readout = hidden;
    this.#states = statesOf(cell);
    this.#feeding = inputFeeding;
  }

  start(encoded: Encoded): State {
    return within(this, () => {
      const first = this.first.forward(encoded);
      const fed = this.#feeding ? [first[0].slice(0, 0, 1).full(0)] : []; // h̃₀ = 0, [1, B, hidden]
      return [...first, ...fed, ...carriedOf(this.attention.memory(encoded.outputs, encoded.lengths))];
    });
  }

  run(vectors: Tensor, before: State): Decoded {
    return within(this, vectors, () => {
      const carried = before.slice(-3);
      const memory = memoryOf(carried);
      const start = before.slice(0, -3);
      const run = this.#feeding
        ? overTime(vectors, start, (y, state) => this.#fed(y, state, memory))
        : this.#attend(vectors, start, memory);
      return { ...run, state: [...run.state, ...carried] };
    });
  }

  /** All steps at once: no step waits for what another attends to. */
  #attend(inputs: Tensor, state: State, memory: AttentionMemory): Decoded {
    const { outputs: h, state: after } = this.recurrent.run(inputs, { state });
    const { context, weights } = this.attention.forward(h, memory);
    return { outputs: this.combine.forward(concat([context, h], -1)).tanh(), state: after, weights };
  }

  #fed(y: Tensor, before: State, memory: AttentionMemory): Decoded {
    const fed = before[this.#states]; // [1, B, hidden]
    const inputs = concat([y, fed.transpose(0, 1)], -1);
    const step = this.#attend(inputs, before.slice(0, this.#states), memory);
    return { ...step, state: [...step.state, step.outputs.transpose(0, 1)] };
  }
}
