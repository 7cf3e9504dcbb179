// A layer of which derivatives keep only what goes in.
import { checkpoint as computedAgain, type Tensor } from "../graph/index.ts";
import type { Layer } from "./module.ts";

/**
 * The layer, with parameters of the same names, whose inner values are computed again for derivatives instead of being kept, see
 * `checkpoint` of tensors (Chen et al., Training deep nets with sublinear memory cost, 2016). For layers that give one tensor.
 */
export const checkpoint = <Inputs extends readonly Tensor[]>(layer: Layer<Inputs>): Layer<Inputs> => ({
  ...layer,
  forward: (...inputs: Inputs) => computedAgain((...given: Inputs) => layer.forward(...given), ...inputs),
});
