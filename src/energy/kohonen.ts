// Kohonen's rule on batches: what an optimizer follows to train a self-organising map.
import type { Tensor } from "../graph/index.ts";
import type { GradientSource } from "../optim/index.ts";
import { rowsOf } from "./rbm.ts";
import type { SOM } from "./som.ts";

/**
 * Kohonen's rule (1982) on batches { x [B, ...] } for a neighbourhood of width σ, a scalar:
 *
 *   ∂/∂wᵢ = −Σ h·(x − wᵢ) / max(1, Σ h), the sums over examples, with h = exp(−d² / 2σ²) as in `SOM.fit`.
 *
 * So `sgd` with the rate α makes of one example the online rule, and with the rate 1 of a batch that reaches all units the batch rule
 * (Kohonen, 1995). `step` returns the quantization error; outputs are the weights of the nearest units [B, features]. Throws where x
 * does not have as many features an example as the map.
 */
export const kohonen = (map: SOM, radius: Tensor): GradientSource<{ x: Tensor }, Tensor> => ({
  gradients: ({ x }) => {
    const data = rowsOf("kohonen", x, map.features);
    const nearest = map.forward(data); // [B]
    const near = map.neighbourhood(radius).take(nearest); // h [B, units]
    const total = near.sum(0).unsqueeze(1); // [units, 1]
    const pull = near.transpose().matmul(data).sub(total.mul(map.weight)); // Σ h·(x − w) [units, features]
    return {
      loss: map.quantizationError(data),
      outputs: map.weight.take(nearest),
      gradients: new Map([[map.weight, pull.div(total.maximum(1)).neg()]]),
    };
  },
});
