// The restricted Boltzmann machine: energies, conditionals, Gibbs sampling.
import { normal, param, state, Tensor, tensor, uniform, within } from "../graph/index.ts";
import { fail, hostMath, kindOf, show } from "../graph/internal.ts";
import { logOnePlusExp } from "../nn/functional.ts";
import * as init from "../nn/init.ts";
import { checkSizes } from "../nn/module.ts";
import { compile, realize } from "../run/index.ts";
import type { BatchSource } from "../train/index.ts";

export type RbmKind = "binary" | "gaussian";

export interface RbmOptions {
  /** What the visible units are: bits, or real numbers of one deviation. */
  kind?: RbmKind;
  /** σ of Gaussian visible units, which is not learnt. */
  deviation?: number;
  /**
   * The mean of each visible unit over the data, from which its bias starts: ln(p / (1 − p)) of a bit, with p held within
   * [0.001, 0.999], the mean itself of a real number. Without it the biases start from 0.
   */
  means?: ArrayLike<number>;
}

/**
 * Restricted Boltzmann machine (Smolensky, 1986; Hinton, 2002): visible units v and binary hidden units h with the energy
 *
 *   E(v, h) = −bᵀv − cᵀh − hᵀWv                             of bits v,
 *   E(v, h) = Σᵢ(vᵢ − bᵢ)² / 2σ² − cᵀh − hᵀWv / σ             of real numbers v (Hinton & Salakhutdinov, 2006),
 *
 * and p(v, h) = e^−E / Z. Weights start from N(0, 0.01²), hidden biases from 0 (Hinton, A practical guide, 2010). It is a layer,
 * v [..., visible] → p(h = 1 | v) [..., hidden]. Throws where a size is none, and where v has other units.
 */
export class RBM {
  weight: Tensor; // W [hidden, visible]
  visibleBias: Tensor; // b [visible]
  hiddenBias: Tensor; // c [hidden]
  readonly kind: RbmKind;
  readonly deviation: number;

  constructor(visible: number, hidden: number, { kind = "binary", deviation = 1, means }: RbmOptions = {}) {
    checkSizes("RBM", { visible, hidden });
    if (kind !== "binary" && kind !== "gaussian")
      throw new TypeError(`RBM: kind must be "binary" or "gaussian", got ${JSON.stringify(kind)}`);
    if (!(deviation > 0 && Number.isFinite(deviation)))
      throw new RangeError(`RBM: deviation must be a finite number above 0, got ${deviation}`);
    if (kind === "binary" && deviation !== 1)
      throw new RangeError(`RBM: bits have no deviation, got ${deviation} (leave it out, or take kind: "gaussian")`);
    if (means !== undefined && means.length !== visible)
      throw new RangeError(`RBM: ${visible} visible units need as many means, got ${means.length}`);
    this.weight = param((shape) => init.normal(shape, 0, 0.01), [hidden, visible]);
    this.visibleBias = param(Float32Array.from({ length: visible }, (_, i) => biasOf(kind, means?.[i])));
    this.hiddenBias = param(new Float32Array(hidden));
    [this.kind, this.deviation] = [kind, deviation];
  }

  get visible(): number {
    return this.weight.shape[1];
  }

  get hidden(): number {
    return this.weight.shape[0];
  }

  /** p(h = 1 | v) = σ(c + Wv / σ): v [..., visible] → [..., hidden]. */
  forward(v: Tensor): Tensor {
    return within(this, v, () => this.hiddenInput(v).sigmoid());
  }

  /** A draw of h given v, as 0 and 1: v [..., visible] → [..., hidden]. */
  sampleHidden(v: Tensor): Tensor {
    return coins(this.forward(v));
  }

  /** The mean of v given h, σ(b + Wᵀh) of bits, b + σ·Wᵀh of real numbers: h [..., hidden] → [..., visible]. */
  visibleMeans(h: Tensor): Tensor {
    return within(this, h, () => {
      const input = this.#visibleInput(h);
      if (this.kind === "binary") return input.add(this.visibleBias).sigmoid();
      return input.mul(this.deviation).add(this.visibleBias);
    });
  }

  /** A draw of v given h: h [..., hidden] → [..., visible]. */
  sampleVisible(h: Tensor): Tensor {
    const means = this.visibleMeans(h);
    return this.kind === "binary" ? coins(means) : means.add(normal(means.shape, 0, this.deviation).cast(means.dtype));
  }

  /** Starts the visible biases anew from the means of data in one pass, as `means` does. Throws a RangeError where they have no batch. */
  async startFromMeans(data: BatchSource<{ x: Tensor }>): Promise<void> {
    const sums = state(new Float32Array(this.visible));
    const add = compile(({ x }: { x: Tensor }) => sums.assign(sums.add(rowsOf("RBM", x, this.visible).sum(0))));
    let count = 0;
    for await (const { x } of data.iterate({ epoch: 0 })) {
      await add({ x });
      count += x.shape[0];
    }
    if (count === 0) throw new RangeError("RBM: the data have no batch");
    const totals = await sums.data();
    this.visibleBias.assign(tensor(Float32Array.from(totals, (sum) => biasOf(this.kind, sum / count))));
    await realize(this.visibleBias);
  }

  /** v after `steps` rounds of block Gibbs sampling, h from v and v from h: v [..., visible] → [..., visible]. */
  gibbs(v: Tensor, steps = 1): Tensor {
    checkSizes("gibbs", { steps }, 0);
    let chain = v;
    for (let i = 0; i < steps; i++) chain = this.sampleVisible(this.sampleHidden(chain));
    return chain;
  }

  /** v through the means of the hidden units and back, without a draw: v [..., visible] → [..., visible]. */
  reconstruct(v: Tensor): Tensor {
    return this.visibleMeans(this.forward(v));
  }

  /** E(v, h): v [..., visible], h [..., hidden] → [...]. */
  energy(v: Tensor, h: Tensor): Tensor {
    return within(this, v, () => this.visiblePart(v).sub(h.mul(this.hiddenInput(v)).sum(-1)));
  }

  /** F(v) = −ln Σₕ e^−E(v, h) = −bᵀv − Σⱼ ln(1 + e^(c + Wv)ⱼ), or with the square of real numbers: v [..., visible] → [...]. */
  freeEnergy(v: Tensor): Tensor {
    return within(this, v, () => this.visiblePart(v).sub(logOnePlusExp(this.hiddenInput(v)).sum(-1)));
  }

  /** −ln Σᵥ e^−E(v, h), an integral for real numbers v: h [..., hidden] → [...]. */
  hiddenFreeEnergy(h: Tensor): Tensor {
    return within(this, h, () => {
      const input = this.#visibleInput(h);
      const own = h.mul(this.hiddenBias).sum(-1).neg();
      if (this.kind === "binary") return own.sub(logOnePlusExp(input.add(this.visibleBias)).sum(-1));
      const squares = input
        .square()
        .mul(0.5)
        .add(input.mul(this.visibleBias.div(this.deviation)))
        .sum(-1);
      return own.sub(squares).sub(this.visible * hostMath.log(this.deviation * Math.sqrt(2 * Math.PI)));
    });
  }

  /** What of E is without hidden units: −bᵀv, or Σ(v − b)² / 2σ². v [..., visible] → [...]. */
  visiblePart(v: Tensor): Tensor {
    checkUnits("visible", v, this.visible);
    if (this.kind === "binary") return v.mul(this.visibleBias).sum(-1).neg();
    return v
      .sub(this.visibleBias)
      .square()
      .sum(-1)
      .div(2 * this.deviation ** 2);
  }

  /** c + Wv / σ: v [..., visible] → [..., hidden]. */
  hiddenInput(v: Tensor): Tensor {
    checkUnits("visible", v, this.visible);
    const input = v.matmul(this.weight.transpose()); // [..., visible] · [visible, hidden]
    return (this.deviation === 1 ? input : input.div(this.deviation)).add(this.hiddenBias);
  }

  /** Wᵀh: h [..., hidden] → [..., visible]. */
  #visibleInput(h: Tensor): Tensor {
    checkUnits("hidden", h, this.hidden);
    return h.matmul(this.weight);
  }
}

/** 1 with the given probabilities, else 0. */
export const coins = (p: Tensor): Tensor => uniform(p.shape).lt(p).cast(p.dtype);

/** Examples of any shape as rows: [B, ...] → [B, units]. Throws where they are not so many units. */
export function rowsOf(owner: string, x: unknown, units: number): Tensor {
  if (!(x instanceof Tensor)) throw new TypeError(`${owner}: the batch needs a tensor x, got ${kindOf(x)}`);
  const perExample = x.size / (x.shape[0] ?? 0);
  if (perExample !== units) fail(owner, `needs [B, ${units}], or as many in other axes, got x ${show(x.shape)}`);
  return x.rank === 2 ? x : x.reshape(-1, units);
}

function checkUnits(side: string, t: Tensor, units: number): void {
  if (!(t instanceof Tensor)) throw new TypeError(`RBM: takes a tensor of ${side} units, got ${kindOf(t)}`);
  if (t.shape.at(-1) !== units) fail("RBM", `needs ${side} units [..., ${units}], got ${show(t.shape)}`);
}

function biasOf(kind: RbmKind, mean = kind === "binary" ? 0.5 : 0): number {
  if (kind === "gaussian") return mean;
  const p = Math.min(Math.max(mean, 0.001), 0.999);
  return hostMath.log(p / (1 - p));
}
