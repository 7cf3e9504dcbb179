// One step of a recurrent network: what tells one kind from another, its parameters, and cells used by themselves.
import { param, Tensor, within, zeros } from "../graph/index.ts";
import { type DType, fail, failKind, isFloat, kindOf, type Shape, sameShape, show } from "../graph/internal.ts";
import { type Init, uniform } from "./init.ts";
import { checkSizes } from "./module.ts";

/** What a recurrent network carries from step to step: [h], or [h, c] for an LSTM. */
export type State = readonly Tensor[];

/** The parameters of one cell by PyTorch's names, and those that are its own. */
export interface CellWeights {
  readonly weight_ih: Tensor; // [gates·hidden, inputs]
  readonly weight_hh: Tensor; // [gates·hidden, hidden]
  readonly bias_ih: Tensor | undefined; // [gates·hidden]
  readonly bias_hh: Tensor | undefined; // [gates·hidden]
  readonly [name: string]: Tensor | undefined;
}

/** The equations of a kind of cell. */
export interface CellRule {
  /** For each gate, in the order of the weights' rows, what is added to the bias that it starts from. */
  readonly gates: readonly number[];
  /** The names of what is carried, the output first. */
  readonly states: readonly string[];
  /** The names of parameters [hidden] beside weights and biases. */
  readonly vectors?: readonly string[];
  /** What the inputs [..., inputs] add to the gates, [..., gates·hidden], which does not wait for the state. */
  inputs(x: Tensor, weights: CellWeights): Tensor;
  /** The next state, from the inputs' part of the gates [B, gates·hidden] and the state, [B, hidden] each. */
  next(gates: Tensor, state: State, weights: CellWeights): State;
}

export interface CellOptions {
  bias?: boolean;
  /** Starting values of the weights for x, those for h, and the biases, in place of U(±1/√hidden). */
  init?: { input?: Init; recurrent?: Init; bias?: Init };
}

/** x·Wᵀ + b₁ + b₂. */
export function linear(x: Tensor, weight: Tensor, ...biases: (Tensor | undefined)[]): Tensor {
  const [bias, ...rest] = biases.filter((b) => b !== undefined);
  const y = x.matmul(weight.transpose());
  return bias === undefined ? y : y.add(rest.reduce((sum, b) => sum.add(b), bias));
}

/** The shapes of a cell's parameters, in the order in which PyTorch has them. */
function shapesOf({ gates, vectors = [] }: CellRule, inputs: number, hidden: number, bias: boolean): [string, Shape][] {
  const rows = gates.length * hidden;
  const biases = ["bias_ih", "bias_hh"].map((name): [string, Shape] => [name, [rows]]);
  const own = vectors.map((name): [string, Shape] => [name, [hidden]]);
  return [["weight_ih", [rows, inputs]], ["weight_hh", [rows, hidden]], ...(bias ? biases : []), ...own];
}

/** New parameters of a cell, their names followed by a suffix. */
export function parametersOf(
  rule: CellRule,
  inputs: number,
  hidden: number,
  { bias = true, init = {} }: CellOptions,
  suffix = "",
): Record<string, Tensor> {
  const bound = 1 / Math.sqrt(hidden);
  const drawn: Init = (shape) => uniform(shape, -bound, bound);
  const starts: Record<string, Init | undefined> = {
    weight_ih: init.input,
    weight_hh: init.recurrent,
    bias_ih: (shape) => (init.bias ?? drawn)(shape).map((v, row) => v + rule.gates[Math.floor(row / hidden)]),
    bias_hh: init.bias,
  };
  return Object.fromEntries(
    shapesOf(rule, inputs, hidden, bias).map(([name, shape]) => [name + suffix, param(starts[name] ?? drawn, shape)]),
  );
}

/** The parameters of a cell among the properties of what owns them. */
export function weightsOf(owner: object, { vectors = [] }: CellRule, suffix = ""): CellWeights {
  const names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", ...vectors];
  const held = owner as Readonly<Record<string, Tensor | undefined>>;
  return Object.fromEntries(names.map((name) => [name, held[name + suffix]])) as unknown as CellWeights;
}

/** The state given, which must have the shape for each of its names, or zeros. */
export function startOf(
  op: string,
  names: readonly string[],
  given: State | undefined,
  shape: Shape,
  dtype: DType,
): State {
  if (given === undefined) return names.map(() => zeros(shape, isFloat(dtype) ? dtype : "f32"));
  const wanted = `the state must be [${names.join(", ")}], each ${show(shape)}`;
  if (!Array.isArray(given)) failKind(op, `${wanted}, got ${kindOf(given)}`);
  names.forEach((name, i) => {
    if (i < given.length && !(given[i] instanceof Tensor))
      failKind(op, `${wanted}, got ${kindOf(given[i])} for ${name}`);
  });
  if (given.length !== names.length || !given.every((t) => sameShape(t.shape, shape)))
    fail(op, `${wanted}, got [${given.map((t) => show(t.shape)).join(", ")}]`);
  return given;
}

/** A cell by itself, for decoders that choose each input from the output before: one step, with the equations of its layer. */
export abstract class Cell {
  declare weight_ih: Tensor;
  declare weight_hh: Tensor;
  declare bias_ih: Tensor | undefined;
  declare bias_hh: Tensor | undefined;
  readonly inputs: number;
  readonly hidden: number;
  readonly #rule: CellRule;

  protected constructor(layer: string, rule: CellRule, inputs: number, hidden: number, options: CellOptions) {
    checkSizes(layer, { inputs, hidden });
    this.inputs = inputs;
    this.hidden = hidden;
    this.#rule = rule;
    Object.assign(this, parametersOf(rule, inputs, hidden, options));
  }

  /** The state after x [B, inputs], from the state before, by default zeros; [h] or [h, c], each [B, hidden]. */
  forward(x: Tensor, state?: State): State {
    return within(this, x, () => {
      if (x.rank !== 2 || x.shape[1] !== this.inputs) fail("cell", `needs x [B, ${this.inputs}], got ${show(x.shape)}`);
      const weights = weightsOf(this, this.#rule);
      const gates = this.#rule.inputs(x, weights);
      const before = startOf("cell", this.#rule.states, state, [x.shape[0], this.hidden], gates.dtype);
      return this.#rule.next(gates, before, weights);
    });
  }
}
