// The gated recurrent unit.
import { concat } from "../graph/index.ts";
import { Cell, type CellOptions, type CellRule, linear } from "./cell.ts";
import { Recurrent, type RecurrentOptions } from "./recurrent.ts";

export interface GRUKind {
  /** Whether r scales R·h, as in PyTorch and cuDNN, or h before the product, as in the paper. */
  resetAfter?: boolean;
}

/** r scales what the state adds: n = tanh(Wₙ·x + bₙ + r ⊙ (Rₙ·h + b′ₙ)). */
const resetAfterProduct: CellRule = {
  gates: [0, 0, 0],
  states: ["h"],
  inputs(x, { weight_ih, bias_ih, bias_hh }) {
    if (bias_hh === undefined) return linear(x, weight_ih, bias_ih);
    const [br, bz, bn] = bias_hh.chunk(3);
    return linear(x, weight_ih, bias_ih, concat([br, bz, bn.full(0)])); // b′ₙ is scaled by r
  },
  next(x, [h], { weight_hh, bias_hh }) {
    const [xr, xz, xn] = x.chunk(3, -1);
    const [hr, hz, product] = linear(h, weight_hh).chunk(3, -1);
    const hn = bias_hh === undefined ? product : product.add(bias_hh.chunk(3)[2]);
    const r = xr.add(hr).sigmoid();
    const z = xz.add(hz).sigmoid();
    const n = xn.add(r.mul(hn)).tanh();
    return [n.add(z.mul(h.sub(n)))];
  },
};

/** r scales the state: n = tanh(Wₙ·x + bₙ + Rₙ·(r ⊙ h)). */
const resetBeforeProduct: CellRule = {
  gates: [0, 0, 0],
  states: ["h"],
  inputs: (x, w) => linear(x, w.weight_ih, w.bias_ih, w.bias_hh),
  next(x, [h], w) {
    const [xr, xz, xn] = x.chunk(3, -1);
    const [Rrz, Rn] = w.weight_hh.split([2 * h.shape[1], h.shape[1]]);
    const [hr, hz] = linear(h, Rrz).chunk(2, -1);
    const r = xr.add(hr).sigmoid();
    const z = xz.add(hz).sigmoid();
    const n = xn.add(linear(r.mul(h), Rn)).tanh();
    return [n.add(z.mul(h.sub(n)))];
  },
};

const gru = ({ resetAfter = true }: GRUKind): CellRule => (resetAfter ? resetAfterProduct : resetBeforeProduct);

/**
 * r = σ(Wᵣ·x + Rᵣ·h + bᵣ), z = σ(W_z·x + R_z·h + b_z), n = tanh(Wₙ·x + bₙ + r ⊙ (Rₙ·h + b′ₙ)), h ← (1 − z) ⊙ n + z ⊙ h
 * (Cho et al., Learning phrase representations using RNN encoder-decoder, 2014); the paper's r ⊙ h before the product is
 * `resetAfter: false`. Rows of the weights are those of r, z, n. See `Recurrent`.
 */
export class GRU extends Recurrent {
  constructor(inputs: number, hidden: number, options: GRUKind & RecurrentOptions = {}) {
    super("GRU", gru(options), inputs, hidden, options);
  }
}

/** One step of `GRU`: x [B, inputs], [h] → [h]. */
export class GRUCell extends Cell {
  constructor(inputs: number, hidden: number, options: GRUKind & CellOptions = {}) {
    super("GRUCell", gru(options), inputs, hidden, options);
  }
}
