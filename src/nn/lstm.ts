// Long short-term memory and its variants.
import type { Tensor } from "../graph/index.ts";
import { kindOf } from "../graph/internal.ts";
import { Cell, type CellOptions, type CellRule, linear } from "./cell.ts";
import { Recurrent, type RecurrentOptions } from "./recurrent.ts";

const removable = ["inputGate", "forgetGate", "outputGate", "inputActivation", "outputActivation"] as const;

/** A part of an LSTM that can be left out. */
export type LSTMPart = (typeof removable)[number];

export interface LSTMKind {
  /** Added to the bias that the forget gate starts from, e.g. 1 (Jozefowicz et al., 2015). */
  forgetBias?: number;
  /** Whether gates see the cell: i and f add p ⊙ cₜ₋₁, o adds p ⊙ cₜ, p being "peephole_i_l0" and so on (Gers & Schmidhuber, 2000). */
  peepholes?: boolean;
  /** Whether i = 1 − f, without weights of its own (Greff et al., 2015). */
  coupled?: boolean;
  /** What is left out: gates, which are 1 then and have no weights, and the tanh of g and of c (Greff et al., 2015). */
  without?: readonly LSTMPart[];
}

/** The equations with these options; the weights' rows are those of i, f, g, o, as far as there are such gates. */
function lstm(options: LSTMKind & CellOptions): CellRule {
  const { forgetBias = 0, peepholes = false, coupled = false, without = [], bias = true } = options;
  if (forgetBias !== 0 && !bias)
    throw new RangeError(`LSTM: forgetBias ${forgetBias} needs biases (leave bias: false out)`);
  check(forgetBias, coupled, without);
  const has = (part: LSTMPart): boolean => !without.includes(part);
  const gates = ["g"];
  if (has("forgetGate")) gates.unshift("f");
  if (has("inputGate") && !coupled) gates.unshift("i");
  if (has("outputGate")) gates.push("o");
  return {
    gates: gates.map((name) => (name === "f" ? forgetBias : 0)),
    states: ["h", "c"],
    vectors: peepholes ? gates.filter((name) => name !== "g").map((name) => `peephole_${name}`) : [],
    inputs: (x, w) => linear(x, w.weight_ih, w.bias_ih, w.bias_hh),
    next(x, [h, before], w) {
      const ofState = linear(h, w.weight_hh).chunk(gates.length, -1);
      const parts = x.chunk(gates.length, -1).map((part, k) => part.add(ofState[k]));
      const sum = (name: string): Tensor | undefined => parts[gates.indexOf(name)];
      const gate = (name: string, cell: Tensor): Tensor | undefined => {
        const peephole = w[`peephole_${name}`];
        return (peephole === undefined ? sum(name) : sum(name)?.add(peephole.mul(cell)))?.sigmoid();
      };

      const f = gate("f", before);
      const i = coupled ? f?.neg().add(1) : gate("i", before);
      const g = has("inputActivation") ? sum("g")!.tanh() : sum("g")!;
      const c = gated(f, before).add(gated(i, g));
      const o = gate("o", c);
      return [gated(o, has("outputActivation") ? c.tanh() : c), c];
    },
  };
}

/** A value times its gate, which is 1 where there is none. */
const gated = (gate: Tensor | undefined, value: Tensor): Tensor => gate?.mul(value) ?? value;

function check(forgetBias: number, coupled: boolean, without: readonly LSTMPart[]): void {
  if (!Array.isArray(without))
    throw new TypeError(`LSTM: without is a list, e.g. ["inputGate"], got ${kindOf(without)}`);
  for (const part of without)
    if (!removable.includes(part))
      throw new RangeError(`LSTM: without can list ${removable.join(", ")}, got ${String(part)}`);
  if (coupled && (without.includes("inputGate") || without.includes("forgetGate")))
    throw new RangeError("LSTM: coupled gates are i = 1 − f, so without can list neither inputGate nor forgetGate");
  if (!Number.isFinite(forgetBias)) throw new RangeError(`LSTM: forgetBias must be a finite number, got ${forgetBias}`);
}

/**
 * i = σ(Wᵢ·x + Rᵢ·h + bᵢ), f = σ(W_f·x + R_f·h + b_f), g = tanh(W_g·x + R_g·h + b_g), o = σ(Wₒ·x + Rₒ·h + bₒ), c ← f ⊙ c + i ⊙ g,
 * h ← o ⊙ tanh(c) (Hochreiter & Schmidhuber, 1997; forget gate: Gers et al., 2000), each b the sum of two as in PyTorch.
 * The state is [h, c]. See `Recurrent`. Throws a RangeError for options that contradict each other.
 */
export class LSTM extends Recurrent {
  constructor(inputs: number, hidden: number, options: LSTMKind & RecurrentOptions = {}) {
    super("LSTM", lstm(options), inputs, hidden, options);
  }
}

/** One step of `LSTM`: x [B, inputs], [h, c] → [h, c]. */
export class LSTMCell extends Cell {
  constructor(inputs: number, hidden: number, options: LSTMKind & CellOptions = {}) {
    super("LSTMCell", lstm(options), inputs, hidden, options);
  }
}
