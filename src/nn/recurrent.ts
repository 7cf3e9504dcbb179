// A recurrent layer of any kind of cell: the loop over time, stacked and in both directions.
import { concat, stack, type Tensor, where, within } from "../graph/index.ts";
import { fail, show } from "../graph/internal.ts";
import {
  type CellOptions,
  type CellRule,
  type CellWeights,
  parametersOf,
  type State,
  startOf,
  weightsOf,
} from "./cell.ts";
import { Dropout } from "./dropout.ts";
import { checkSizes } from "./module.ts";
import { type Lengths, lengthsOf, sequenceMask } from "./sequence.ts";

export interface RecurrentOptions extends CellOptions {
  /** How many are stacked, each over the outputs of the one before (Graves, 2013). */
  layers?: number;
  /** Whether a second cell of each layer goes from the end to the start; its outputs follow the first's (Schuster & Paliwal, 1997). */
  bidirectional?: boolean;
  /** In training, the share of the outputs dropped between layers, never from step to step (Zaremba et al., 2014). */
  dropout?: number;
}

export interface RunOptions {
  /** The state before the first step, by default zeros: [h] or [h, c], each [layers·directions, B, hidden]. */
  state?: State | undefined;
  /** Steps of each sequence that count: the state stops changing after them, and outputs there are 0. */
  lengths?: Lengths | undefined;
}

export interface RunResult {
  readonly outputs: Tensor; // [B, T, hidden·directions]
  readonly state: State; // each [layers·directions, B, hidden], the order of PyTorch: forwards and backwards of layer 0, of layer 1, …
}

/**
 * A recurrent layer, x [B, T, inputs] → [B, T, hidden·directions]. `forward` gives the outputs of the last layer at each step;
 * `run` gives the state after the last step too, and takes the one to start from. Parameters have PyTorch's names
 * ("weight_ih_l0", "weight_hh_l0_reverse") and shapes, and start from U(±1/√hidden).
 *
 * Back-propagation through time is that of the unrolled network (Werbos, 1990). To truncate it (Williams & Peng, 1990), run
 * over k steps at a time and detach what is carried on: `state = result.state.map((t) => t.detach())`; in a compiled step,
 * states assigned with it (`carried.assign(t)`) end the gradient by themselves.
 *
 * Throws where x has another rank or size, the state another shape, or a length of an array is not within 1 … T.
 */
export abstract class Recurrent {
  [weight: `weight_${string}`]: Tensor;
  [vector: `${"bias" | "peephole"}_${string}`]: Tensor | undefined;
  readonly inputs: number;
  readonly hidden: number;
  readonly layers: number;
  readonly bidirectional: boolean;
  readonly #rule: CellRule;
  readonly #dropout: Dropout;

  protected constructor(name: string, rule: CellRule, inputs: number, hidden: number, options: RecurrentOptions) {
    const { layers = 1, bidirectional = false, dropout = 0 } = options;
    checkSizes(name, { inputs, hidden, layers });
    if (!(dropout >= 0 && dropout <= 1)) fail(name, `dropout must lie in [0, 1], got ${dropout}`);
    this.inputs = inputs;
    this.hidden = hidden;
    this.layers = layers;
    this.bidirectional = bidirectional;
    this.#rule = rule;
    this.#dropout = new Dropout(dropout);
    for (let layer = 0; layer < layers; layer++) {
      const width = layer === 0 ? inputs : hidden * this.#directions.length;
      for (const direction of this.#directions)
        Object.assign(this, parametersOf(rule, width, hidden, options, `_l${layer}${direction}`));
    }
  }

  /** The suffixes of the parameters' names. */
  get #directions(): readonly string[] {
    return this.bidirectional ? ["", "_reverse"] : [""];
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => this.#run(x, {}).outputs);
  }

  run(x: Tensor, options: RunOptions = {}): RunResult {
    return within(this, x, () => this.#run(x, options));
  }

  #run(x: Tensor, { state, lengths }: RunOptions): RunResult {
    if (x.rank !== 3 || x.shape[2] !== this.inputs || x.shape[1] === 0)
      fail("recurrent", `needs x [B, T, ${this.inputs}] with T ≥ 1, got ${show(x.shape)}`);
    const [batch, steps] = x.shape;
    const own = lengths === undefined ? undefined : mask(lengths, steps, batch);
    const [rule, cells] = [this.#rule, this.layers * this.#directions.length];
    const start = startOf("recurrent", rule.states, state, [cells, batch, this.hidden], x.dtype);
    const last: State[] = [];
    let sequence = x.transpose(0, 1); // [T, B, inputs], so that each step lies in one piece
    if (own !== undefined) sequence = where(own, sequence, 0); // whatever is in the padding
    for (let layer = 0; layer < this.layers; layer++) {
      const given = layer === 0 ? sequence : this.#dropout.forward(sequence);
      const sides = this.#directions.map((direction) => {
        const before = start.map((t) => t.at(last.length)); // [B, hidden] each
        const weights = weightsOf(this, rule, `_l${layer}${direction}`);
        const { outputs, state } = unroll(rule, given, before, weights, direction !== "", own);
        last.push(state);
        return outputs;
      });
      sequence = sides.length === 1 ? sides[0] : concat(sides, -1); // [T, B, hidden·directions]
    }
    return { outputs: sequence.transpose(0, 1), state: rule.states.map((_, i) => stack(last.map((s) => s[i]))) };
  }
}

/** Which steps are a sequence's own, bool [T, B, 1]. */
function mask(lengths: Lengths, steps: number, batch: number): Tensor {
  return sequenceMask(lengthsOf("recurrent", lengths, steps, batch), steps)
    .transpose()
    .unsqueeze(-1);
}

/**
 * A cell's outputs [T, B, hidden] over x [T, B, …], and its state after the last step. Where a step is none of its sequence's
 * own, the state stays: backwards too, where it starts to change at the sequence's end.
 */
function unroll(
  rule: CellRule,
  x: Tensor,
  start: State,
  weights: CellWeights,
  backwards: boolean,
  own: Tensor | undefined,
): { outputs: Tensor; state: State } {
  const gates = rule.inputs(x, weights); // [T, B, gates·hidden], one product for all steps
  const steps = x.shape[0];
  const outputs = new Array<Tensor>(steps);
  let state = start;
  for (let i = 0; i < steps; i++) {
    const t = backwards ? steps - 1 - i : i;
    const [before, next] = [state, rule.next(gates.at(t), state, weights)];
    const here = own?.at(t);
    state = here === undefined ? next : next.map((value, k) => where(here, value, before[k]));
    outputs[t] = here === undefined ? state[0] : where(here, state[0], 0);
  }
  return { outputs: stack(outputs), state };
}
