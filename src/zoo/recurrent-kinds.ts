// The recurrent layers that models of sequences can be made of, by name.
import { GRU, LSTM, RNN } from "../nn/index.ts";

export type RecurrentKind = "lstm" | "gru" | "rnn";

const kinds = { lstm: LSTM, gru: GRU, rnn: RNN };

/** The class of a name. Throws a RangeError, in the model's name, for another one. */
export function recurrentOf(model: string, cell: RecurrentKind): typeof LSTM | typeof GRU | typeof RNN {
  if (!Object.hasOwn(kinds, cell))
    throw new RangeError(`${model}: cell is "lstm", "gru" or "rnn", not ${JSON.stringify(cell)}`);
  return kinds[cell];
}

/** How many tensors of state each layer has. */
export const statesOf = (cell: RecurrentKind): number => (cell === "lstm" ? 2 : 1);
