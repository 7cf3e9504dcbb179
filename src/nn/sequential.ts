// Layers applied one after the other.
import { type Tensor, within } from "../graph/index.ts";
import { fail } from "../graph/internal.ts";
import { type Layer, nameModules } from "./module.ts";

/** A layer, or a plain function such as `tanh`. */
export type Part = Layer | ((x: Tensor) => Tensor);

/** Applies its parts in order; they are its properties 0, 1, …, so that names read "0.weight", as in PyTorch's files. */
export class Sequential {
  readonly [index: number]: Part;
  readonly length: number;

  constructor(...parts: Part[]) {
    parts.forEach((part, i) => {
      const fits = typeof part === "function" || typeof part?.forward === "function";
      if (!fits) fail("Sequential", `part ${i} is neither a function nor a layer with forward(x), got ${String(part)}`);
    });
    Object.assign(this, parts);
    this.length = parts.length;
    nameModules(this);
  }

  forward(x: Tensor): Tensor {
    return within(this, () => {
      let y = x;
      for (let i = 0; i < this.length; i++) {
        const part = this[i];
        y = typeof part === "function" ? part(y) : part.forward(y);
      }
      return y;
    });
  }
}
