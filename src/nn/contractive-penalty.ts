// The penalty on how much a code changes with its input.
import { grad, iota, type Tensor, vjpOf } from "../graph/index.ts";
import { fail, show, sizeOf } from "../graph/internal.ts";
import type { Linear } from "./linear.ts";

/**
 * ‖∂f(x) / ∂x‖²_F, the sum of the squares of the Jacobian, averaged over the samples; x [B, …], f(x) [B, …] (Rifai et al., 2011,
 * who take it of the encoder). Exact for any f that treats each sample by itself, so for none with batch normalization, and
 * differentiable. Costs a forward and a backward pass of f for each element of f(x); see `denseContractivePenalty` for a single
 * layer. Throws where f(x) has another number of samples.
 */
export function contractivePenalty(f: (x: Tensor) => Tensor, x: Tensor): Tensor {
  const batch = x.shape[0];
  const { shape } = f(x);
  if (x.rank < 2 || shape.length < 2 || shape[0] !== batch)
    fail("contractivePenalty", `needs samples [B, …] of x and f(x), got ${show(x.shape)} and ${show(shape)}`);
  const units = sizeOf(shape.slice(1));
  const copies = x
    .unsqueeze(0)
    .expand(units, ...x.shape)
    .reshape(units * batch, ...x.shape.slice(1)); // copy j is for unit j
  const y = f(copies);
  const chosen = iota([units, batch, units], 0)
    .eq(iota([units, batch, units], 2))
    .cast(y.dtype)
    .reshape(y.shape);
  const [rows] = vjpOf([y], [copies], [chosen]); // row j of each sample's Jacobian
  return rows.square().sum().div(batch);
}

/**
 * `contractivePenalty` of one layer h = a(W·x + b), in closed form: Σⱼ a′(uⱼ)²·Σᵢ Wⱼᵢ² with u = W·x + b, averaged over the
 * samples, for an activation that works element by element; x [B, inputs]. For a sigmoid a′ = h·(1 − h) (Rifai et al., 2011).
 */
export function denseContractivePenalty(layer: Linear, activation: (u: Tensor) => Tensor, x: Tensor): Tensor {
  const u = layer.forward(x); // [B, outputs]
  const slopes = grad(activation(u).sum(), u);
  return slopes.square().matmul(layer.weight.square().sum(1)).mean();
}
