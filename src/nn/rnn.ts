// The simple recurrent network.
import type { Tensor } from "../graph/index.ts";
import { Cell, type CellOptions, type CellRule, linear } from "./cell.ts";
import { constant, type Init, identity, normal } from "./init.ts";
import { Recurrent, type RecurrentOptions } from "./recurrent.ts";

const nonlinearities = {
  tanh: (x: Tensor): Tensor => x.tanh(),
  relu: (x: Tensor): Tensor => x.relu(),
  sigmoid: (x: Tensor): Tensor => x.sigmoid(),
};

export interface RNNKind {
  /** σ, by default tanh. */
  nonlinearity?: keyof typeof nonlinearities;
}

function rnn({ nonlinearity = "tanh" }: RNNKind): CellRule {
  if (!Object.hasOwn(nonlinearities, nonlinearity))
    throw new RangeError(
      `RNN: nonlinearity must be one of ${Object.keys(nonlinearities).join(", ")}, got ${String(nonlinearity)}`,
    );
  const σ = nonlinearities[nonlinearity];
  return {
    gates: [0],
    states: ["h"],
    inputs: (x, w) => linear(x, w.weight_ih, w.bias_ih, w.bias_hh),
    next: (x, [h], w) => [σ(x.add(linear(h, w.weight_hh)))],
  };
}

/** hₜ = σ(W·xₜ + b + R·hₜ₋₁ + b′) (Elman, Finding structure in time, 1990); see `Recurrent`. Throws a RangeError for another nonlinearity. */
export class RNN extends Recurrent {
  constructor(inputs: number, hidden: number, options: RNNKind & RecurrentOptions = {}) {
    super("RNN", rnn(options), inputs, hidden, options);
  }
}

/** One step of `RNN`: x [B, inputs], [h] → [h]. */
export class RNNCell extends Cell {
  constructor(inputs: number, hidden: number, options: RNNKind & CellOptions = {}) {
    super("RNNCell", rnn(options), inputs, hidden, options);
  }
}

/**
 * A relu `RNN` that starts by adding up its inputs: R = I, biases 0, W from N(0, 0.001²) (Le, Jaitly & Hinton, A simple way to
 * initialize recurrent networks of rectified linear units, 2015). Its gradients want clipping.
 */
export function irnn(inputs: number, hidden: number, options: Omit<RecurrentOptions, "init"> = {}): RNN {
  const input: Init = (shape) => normal(shape, 0, 0.001);
  const bias: Init = (shape) => constant(shape, 0);
  return new RNN(inputs, hidden, { ...options, nonlinearity: "relu", init: { input, recurrent: identity, bias } });
}
