// Models in double precision, in which rounding hides nothing.
import { param, state, Tensor, tensor } from "../../src/index.ts";
import { walk } from "../../src/nn/module.ts";

const makers = { param, state, data: tensor };

/** Gives a model f64 leaves in place of its f32 ones, of the same values, or zeros where they have none. */
export function double<M extends object>(model: M): M {
  for (const [, module] of [...walk(model)]) {
    if (module instanceof Tensor) continue;
    for (const [key, t] of Object.entries(module)) {
      if (!(t instanceof Tensor) || t.op !== "buffer" || t.dtype !== "f32") continue;
      const { role, storage } = t.leaf("double");
      const values = storage.host === undefined ? new Float64Array(t.size) : Float64Array.from(storage.host);
      (module as Record<string, Tensor>)[key] = makers[role as keyof typeof makers](values, t.shape);
    }
  }
  return model;
}
