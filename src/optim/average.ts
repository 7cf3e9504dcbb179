// Averages of the parameters over an optimizer's moves, which often generalize better than the parameters themselves.
import type { Tensor } from "../graph/index.ts";
import { type HostTensor, stateDict } from "../nn/module.ts";
import { power } from "./schedule.ts";

/** The name of the average among an optimizer's state, after the parameter's. */
export const averageSlot = "average";

/** The decay, refused in one line where it is none. */
export function checkAverage(decay: number): number {
  if (!(decay >= 0 && decay <= 1)) throw new RangeError(`optimizer: average must lie in [0, 1], got ${decay}`);
  return decay;
}

/**
 * The share that the parameters have in their average after move t = 1, 2, …: (1 − d) / (1 − dᵗ), so that the average is
 * Σᵢ dᵗ⁻ⁱ θᵢ / Σᵢ dᵗ⁻ⁱ whatever it began with; 1 / t where d is 1.
 */
export const newShare = (decay: number, t: number): number =>
  decay === 1 ? 1 / t : (1 - decay) / (1 - power(decay, t));

/**
 * The values of a model with its parameters' averages in their places, for `load(copy, …)` and evaluation. The optimizer was made
 * with `average: d`: after t moves the average is Σᵢ dᵗ⁻ⁱ θᵢ / Σᵢ dᵗ⁻ⁱ over what the parameters were after moves i = 1 … t, an
 * exponential mean without the bias of its start, and with d = 1 the plain mean (Polyak & Juditsky, 1992). Frozen parameters and
 * running statistics are those of the model, as all is before the first move. Throws where the optimizer keeps no averages.
 */
export async function averaged(
  model: object,
  optimizer: { readonly state: ReadonlyMap<string, Tensor>; readonly steps: number },
): Promise<Map<string, HostTensor>> {
  const values = await stateDict(model);
  const averages = new Map(
    [...values.keys()].flatMap((name) => {
      const average = optimizer.state.get(`${name}.${averageSlot}`);
      return average === undefined ? [] : [[name, average] as const];
    }),
  );
  if (averages.size === 0) throw new Error("averaged: the optimizer keeps no averages (make it with average: 0.999)");
  if (optimizer.steps === 0) return values;
  return new Map([...values, ...(await stateDict(averages))]);
}
