// Contrastive divergence: what an optimizer follows to train a restricted Boltzmann machine.
import { concat, isTraining, state, type Tensor } from "../graph/index.ts";
import * as init from "../nn/init.ts";
import { checkSizes } from "../nn/module.ts";
import type { GradientSource, SgdOptions } from "../optim/index.ts";
import { coins, type RBM, rowsOf } from "./rbm.ts";

export interface ContrastiveDivergenceOptions {
  /** Rounds of Gibbs sampling between the data and what the machine makes of them. */
  k?: number;
  /** A number of chains that go on from step to step instead of starting from the data (Tieleman, 2008). */
  persistent?: number;
  /** Whether a round draws the visible units or takes their means, as in Hinton's own programs: less noise, a little bias. */
  visible?: "samples" | "means";
  /**
   * Adds weight·Σⱼ(target − mean of p(hⱼ = 1 | v))² to what is minimized, for the hidden biases alone (Lee, Ekanadham & Ng, 2008).
   */
  sparsity?: { target: number; weight: number };
}

export interface ContrastiveDivergence extends GradientSource<{ x: Tensor }, Tensor> {
  /** The persistent chains [chains, visible], which `namedTensors` finds; undefined where there are none. */
  readonly chains: Tensor | undefined;
}

/**
 * CD-k (Hinton, 2002) on batches { x [B, ...] }: the gradient of mean F(v) − mean F(vₖ), where v are the data and vₖ, taken as given, what
 * k rounds of Gibbs sampling make of them, or of chains that persist (PCD-k):
 *
 *   ∂/∂W = ⟨hvᵀ⟩ₖ − ⟨hvᵀ⟩₀,  ∂/∂b = ⟨v⟩ₖ − ⟨v⟩₀,  ∂/∂c = ⟨h⟩ₖ − ⟨h⟩₀,
 *
 * with h the probabilities of the hidden units. `step` returns the mean squared error per unit of the data's reconstruction, with chains
 * the difference of the mean free energies; outputs are p(h = 1 | v) [B, hidden]. `sgd(rbm, contrastiveDivergence(rbm))` trains in one
 * program a step. Throws where an option is out of range, or x does not have as many units an example as are visible.
 */
export function contrastiveDivergence(rbm: RBM, options: ContrastiveDivergenceOptions = {}): ContrastiveDivergence {
  const { k = 1, persistent, visible = "samples", sparsity } = options;
  checkSizes("contrastiveDivergence", { k });
  if (persistent !== undefined) checkSizes("contrastiveDivergence", { persistent });
  if (visible !== "samples" && visible !== "means")
    throw new TypeError(`contrastiveDivergence: visible must be "samples" or "means", got ${JSON.stringify(visible)}`);
  checkSparsity(sparsity);
  const chains = persistent === undefined ? undefined : startChains(rbm, persistent);
  const gradients = ({ x }: { x: Tensor }): ReturnType<ContrastiveDivergence["gradients"]> => {
    const data = rowsOf("contrastiveDivergence", x, rbm.visible).cast(rbm.weight.dtype);
    const active = rbm.forward(data); // p(h = 1 | v) [B, hidden]
    let [v, h] = chains === undefined ? [data, active] : [chains, rbm.forward(chains)];
    let means = v;
    for (let i = 0; i < k; i++) {
      const drawn = coins(h);
      means = visible === "means" || i === 0 ? rbm.visibleMeans(drawn) : means;
      v = visible === "means" ? means : rbm.sampleVisible(drawn);
      h = rbm.forward(v);
    }
    if (chains !== undefined && isTraining()) chains.assign(v);
    const found = differences(rbm, { v: data, h: active }, { v, h });
    if (sparsity !== undefined) {
      const sparse = found.get(rbm.hiddenBias)!.add(towards(sparsity, active));
      found.set(rbm.hiddenBias, sparse);
    }
    const loss =
      chains === undefined
        ? means.sub(data).square().mean()
        : rbm.freeEnergy(data).mean().sub(rbm.freeEnergy(v).mean());
    return { loss, outputs: active, gradients: found };
  };
  return { chains, gradients };
}

/** Visible units, and the probabilities of the hidden ones given them. */
interface States {
  readonly v: Tensor; // [n, visible]
  readonly h: Tensor; // [n, hidden]
}

/** The gradients of mean F over the data less mean F over the model's states: one product for both. */
function differences(rbm: RBM, data: States, model: States): Map<Tensor, Tensor> {
  const [n, m] = [data.v.shape[0] * rbm.deviation, model.v.shape[0] * rbm.deviation];
  const h = concat([data.h.div(-n), model.h.div(m)]); // [n + m, hidden]
  const v = concat([data.v, model.v]); // [n + m, visible]
  const variance = rbm.deviation ** 2;
  const bias = model.v.mean(0).sub(data.v.mean(0));
  return new Map([
    [rbm.weight, h.transpose().matmul(v)],
    [rbm.visibleBias, variance === 1 ? bias : bias.div(variance)],
    [rbm.hiddenBias, model.h.mean(0).sub(data.h.mean(0))],
  ]);
}

/** ∂/∂c of weight·Σⱼ(target − qⱼ)² with q the mean of p(h = 1 | v). */
function towards({ target, weight }: { target: number; weight: number }, active: Tensor): Tensor {
  const slope = active.mul(active.neg().add(1)).mean(0);
  return active
    .mean(0)
    .sub(target)
    .mul(slope)
    .mul(2 * weight);
}

/** Chains begin with fair coins, or with N(0, σ²). */
export function startChains({ kind, visible, deviation, weight }: RBM, chains: number): Tensor {
  const shape = [chains, visible];
  const drawn =
    kind === "gaussian" ? init.normal(shape, 0, deviation) : init.uniform(shape).map((u) => Number(u < 0.5));
  return state(weight.dtype === "f64" ? Float64Array.from(drawn) : drawn, shape);
}

function checkSparsity(sparsity: ContrastiveDivergenceOptions["sparsity"]): void {
  if (sparsity === undefined) return;
  const { target, weight } = sparsity;
  if (!(target > 0 && target < 1))
    throw new RangeError(`contrastiveDivergence: sparsity.target must lie between 0 and 1, got ${target}`);
  if (!(weight >= 0 && Number.isFinite(weight)))
    throw new RangeError(`contrastiveDivergence: sparsity.weight must be a finite number ≥ 0, got ${weight}`);
}

/**
 * The settings of `sgd` that Hinton's guide advises (A practical guide to training restricted Boltzmann machines, 2010): rate 0.1, 0.001
 * with Gaussian units; momentum 0.5, after five epochs 0.9; weight cost 2·10⁻⁴ on weights, none on biases. Spread it, to change a part:
 * `sgd(rbm, source, { ...hintonsGuide(rbm, { batches: 600 }), lr: 0.05 })`. Throws where `batches` is no whole number ≥ 1.
 */
export function hintonsGuide({ kind }: RBM, { batches }: { batches: number }): SgdOptions {
  checkSizes("hintonsGuide", { batches });
  return {
    lr: kind === "binary" ? 0.1 : 0.001,
    momentum: (step) => (step < 5 * batches ? 0.5 : 0.9),
    weightDecay: 2e-4,
    groups: [{ match: /Bias$/, weightDecay: 0 }],
  };
}
