// A layer of which derivatives keep only what goes in.
import { checkpoint as computedAgain, type Tensor } from "../graph/index.ts";
import { kindOf } from "../graph/internal.ts";
import type { Layer } from "./module.ts";

/**
 * The layer, with parameters of the same names, whose inner values are computed again for derivatives instead of being kept, see
 * `checkpoint` of tensors (Chen et al., Training deep nets with sublinear memory cost, 2016). For layers that give one tensor.
 * Throws a TypeError for what is no layer.
 */
export function checkpoint<Inputs extends readonly Tensor[]>(layer: Layer<Inputs>): Layer<Inputs> {
  if (typeof layer?.forward !== "function") throw new TypeError(`checkpoint: takes a layer, got ${kindOf(layer)}`);
  return {
    ...layer,
    forward: (...inputs: Inputs) => computedAgain((...given: Inputs) => layer.forward(...given), ...inputs),
  };
}
