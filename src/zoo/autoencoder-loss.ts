// What an auto-encoder minimizes: the error of its reconstructions, and penalties on its code.
import type { Tensor } from "../graph/index.ts";
import {
  contractivePenalty,
  denseContractivePenalty,
  Linear,
  type SparsePenaltyOptions,
  sparsePenalty,
} from "../nn/index.ts";
import type { Autoencoder } from "./autoencoder.ts";
import { DenseStage } from "./dense-stage.ts";

export interface AutoencoderLossOptions {
  /** A sparse auto-encoder: `sparsePenalty` of the code (Ranzato et al., 2006; Ng, 2011). */
  sparse?: SparsePenaltyOptions;
  /** A contractive auto-encoder: λ, and whether the Jacobian is the code's, as in Rifai et al., 2011, or the reconstruction's. */
  contractive?: { readonly weight?: number; readonly of?: "code" | "reconstruction" };
}

/**
 * The loss of a batch's x: `model.error`, the squared error or cross-entropy of a sample's elements, summed, averaged over the
 * batch, plus β·Σⱼ KL(ρ ‖ ρⱼ) and λ·‖J(x)‖²_F where asked for. The code that is decoded and kept sparse is that of the
 * corrupted x, the Jacobian is taken at x itself. `outputs` is nothing: what came out is `model.reconstruct(x)`.
 * Throws a RangeError for a λ below 0.
 */
export function autoencoderLoss(
  model: Autoencoder,
  options: AutoencoderLossOptions = {},
): (batch: { x: Tensor }) => Tensor {
  const reconstructed = reconstructionLoss(model, options);
  return (batch) => reconstructed(batch).loss;
}

/** `autoencoderLoss` with what it measured as `outputs`, for metrics: the reconstruction of the x that training shows, of the shape of x. */
export function reconstructionLoss(
  model: Autoencoder,
  { sparse, contractive }: AutoencoderLossOptions = {},
): (batch: { x: Tensor }) => { loss: Tensor; outputs: Tensor } {
  const { weight = 0.1, of = "code" } = contractive ?? {};
  if (!(weight >= 0 && Number.isFinite(weight)))
    throw new RangeError(`autoencoderLoss: contractive.weight must be a finite number ≥ 0, got ${weight}`);
  return ({ x }) => {
    const code = model.encode(model.corrupt(x));
    const u = model.decoder.forward(code).reshape(x.shape);
    const outputs = model.output(u);
    let loss = model.errorOf(u, x);
    if (sparse !== undefined) loss = loss.add(sparsePenalty(code, sparse));
    if (contractive === undefined) return { loss, outputs };
    const penalty = of === "code" ? contraction(model, x) : contractivePenalty((v) => model.reconstruct(v), x);
    return { loss: loss.add(penalty.mul(weight)), outputs };
  };
}

/** ‖∂f(x) / ∂x‖²_F, averaged over the samples, in closed form for an encoder of one dense stage. */
export function contraction(model: Autoencoder, x: Tensor): Tensor {
  const first = model.encoder[0];
  if (model.encoder.length === 1 && first instanceof DenseStage && first.linear instanceof Linear)
    return denseContractivePenalty(first.linear, first.activation, first.flatten.forward(x));
  return contractivePenalty((v) => model.encode(v), x);
}
