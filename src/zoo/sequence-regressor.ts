// Recurrent networks that tell a number of a sequence of vectors, as in the adding problem (Hochreiter & Schmidhuber, Long short-term memory, 1997).
import { type Tensor, within } from "../graph/index.ts";
import { GRU, irnn, type Layer, Linear, LSTM, mse, type Recurrent, RNN } from "../nn/index.ts";
import type { Recipe, ZooEntry } from "./entry.ts";

export interface SequenceRegressorOptions {
  /** Numbers of each step. */
  inputs: number;
  /** Numbers that are told of a sequence. */
  outputs?: number;
  /** "irnn" is a relu network that starts as the identity (Le, Jaitly & Hinton, 2015). */
  cell?: RegressorCell;
  hidden?: number;
}

export type RegressorCell = "lstm" | "gru" | "rnn" | "irnn";

const cells: Readonly<Record<RegressorCell, (inputs: number, hidden: number) => Recurrent>> = {
  lstm: (inputs, hidden) => new LSTM(inputs, hidden, { forgetBias: 1 }),
  gru: (inputs, hidden) => new GRU(inputs, hidden),
  rnn: (inputs, hidden) => new RNN(inputs, hidden),
  irnn,
};

/**
 * x [B, T, inputs] → [B, outputs]: one linear layer of a recurrent layer's last state. The gates of the LSTM start open, with a forget
 * bias of 1. Throws a RangeError for a cell that is none.
 */
export const sequenceRegressor = (options: SequenceRegressorOptions): Layer => new SequenceRegressor(options);

class SequenceRegressor {
  recurrent: Recurrent;
  output: Linear; // [outputs, hidden]

  constructor({ inputs, outputs = 1, cell = "lstm", hidden = 64 }: SequenceRegressorOptions) {
    if (!Object.hasOwn(cells, cell))
      throw new RangeError(`sequenceRegressor: cell is "lstm", "gru", "rnn" or "irnn", not ${JSON.stringify(cell)}`);
    this.recurrent = cells[cell](inputs, hidden);
    this.output = new Linear(hidden, outputs);
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => this.output.forward(this.recurrent.run(x).state[0].at(-1)));
  }
}

const adder = (cell: RegressorCell, paper: string, recipe: Partial<Recipe> = {}): ZooEntry => ({
  name: `adding${cell}`,
  paper,
  input: [100, 2],
  classes: 1,
  task: "regress",
  normalize: false,
  recipe: {
    data: "adding",
    epochs: 5,
    batch: 50,
    optimizer: "adam",
    lr: 2e-3,
    decay: 0.6,
    clip: 1,
    shift: 0,
    ...recipe,
  },
  loss: (model, { x, y }) => {
    const outputs = model.forward(x);
    return { loss: mse(outputs, y), outputs };
  },
  build: ({ input = [100, 2] } = {}) => {
    if (input.length !== 2)
      throw new RangeError(`adding${cell}: takes sequences of vectors [T, inputs], got [${input.join(", ")}]`);
    return sequenceRegressor({ inputs: input[1], cell });
  },
});

export const sequenceRegressorEntries: readonly ZooEntry[] = [
  adder("lstm", "Hochreiter & Schmidhuber, Long short-term memory, 1997"),
  adder(
    "gru",
    "Cho et al., Learning phrase representations using RNN encoder-decoder for statistical machine translation, 2014",
  ),
  adder("rnn", "Elman, Finding structure in time, 1990"),
  adder(
    "irnn",
    "Le, Jaitly & Hinton, A simple way to initialize recurrent networks of rectified linear units, 2015",
    { epochs: 10, lr: 3e-4, decay: 1 }, // at higher rates it forgets what it began with
  ),
];
