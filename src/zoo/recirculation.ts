// Recirculation: an auto-encoder learns from differences that its own units see (Hinton & McClelland, Learning representations by recirculation, 1988).
import type { Tensor } from "../graph/index.ts";
import { Linear } from "../nn/index.ts";
import type { GradientSource } from "../optim/index.ts";
import type { Autoencoder } from "./autoencoder.ts";
import { DenseStage } from "./dense-stage.ts";

export interface RecirculationOptions {
  /** λ, how much of its activity a unit keeps when what came round reaches it. */
  regression?: number;
}

/**
 * The changes that recirculation makes, for an optimizer such as `sgd(model, recirculation(model), { lr })`: y₀ = x is encoded,
 * h₁ = a(W·y₀ + b), decoded, y₂ = λy₀ + (1 − λ)·o(V·h₁ + c), and encoded again, h₃ = λh₁ + (1 − λ)·a(W·y₂ + b). Then
 * ΔV = ε(y₀ − y₂)·h₁ᵀ and ΔW = ε(h₁ − h₃)·y₂ᵀ, averaged over the batch [B, …]: each weight needs the activity of its two units
 * at two times only. Where W ≈ Vᵀ, o is linear and λ near 1, it follows the gradient of the squared error, W more slowly by
 * 1 − λ. Its figure is that error, ‖o(V·h₁ + c) − x‖², averaged over the samples.
 * Throws a TypeError for a model of more than one dense stage each way or of tied weights, a RangeError unless 0 ≤ λ < 1.
 */
export function recirculation(
  model: Autoencoder,
  { regression = 0.75 }: RecirculationOptions = {},
): GradientSource<{ x: Tensor }> {
  if (!(regression >= 0 && regression < 1))
    throw new RangeError(`recirculation: regression must lie in [0, 1), got ${regression}`);
  const [encoder, decoder] = [denseOf(model.encoder), denseOf(model.decoder)];
  const mixed = (before: Tensor, after: Tensor): Tensor => before.mul(regression).add(after.mul(1 - regression));
  return {
    gradients({ x }) {
      const y0 = x.reshape(x.shape[0], -1);
      const h1 = model.encode(y0);
      const back = model.decode(h1);
      const y2 = mixed(y0, back);
      const h3 = mixed(h1, model.encode(y2));
      return {
        loss: back.sub(y0).square().sum(1).mean(),
        gradients: new Map([...moves(decoder, y2.sub(y0), h1), ...moves(encoder, h3.sub(h1), y2)]),
      };
    },
  };
}

/** What a layer's weights and biases are to be moved against, for the errors [B, outputs] and inputs [B, inputs] of its units. */
function moves({ weight, bias }: Linear, errors: Tensor, inputs: Tensor): [Tensor, Tensor][] {
  const weights: [Tensor, Tensor] = [weight, errors.transpose().matmul(inputs).div(inputs.shape[0])];
  return bias === undefined ? [weights] : [weights, [bias, errors.mean(0)]];
}

function denseOf({ length, 0: stage }: Autoencoder["encoder"]): Linear {
  if (length === 1 && stage instanceof DenseStage && stage.linear instanceof Linear) return stage.linear;
  throw new TypeError(
    "recirculation: needs an auto-encoder of one dense stage each way with weights of its own, e.g. autoencoder(784, 100)",
  );
}
