// Layers applied one after the other.
import { moduleLabel, Tensor, within } from "../graph/index.ts";
import { fail } from "../graph/internal.ts";
import { type Layer, nameModules } from "./module.ts";

/** A layer from one tensor to one tensor, or a plain function such as `tanh`. */
export type Part = Layer | ((x: Tensor) => Tensor);

/**
 * Applies its parts in order; they are its properties 0, 1, …, so that names read "0.weight", as in PyTorch's files. Each
 * goes from one tensor to one tensor; what takes or gives more is a class with a forward of its own. Throws where a part
 * gives anything else.
 */
export class Sequential {
  readonly [index: number]: Part;
  readonly length: number;

  constructor(...parts: Part[]) {
    parts.forEach((part, i) => {
      checkPart("Sequential", part, i);
    });
    Object.assign(this, parts);
    this.length = parts.length;
    nameModules(this);
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      let y = x;
      for (let i = 0; i < this.length; i++) y = apply("Sequential", this[i], i, y);
      return y;
    });
  }
}

/** Throws where a part of a layer can not be applied. */
export function checkPart(owner: string, part: Part, name: string | number): void {
  if (Array.isArray(part)) fail(owner, `part ${name} is an array of layers; spread it: new ${owner}(...layers)`);
  const fits = typeof part === "function" || typeof part?.forward === "function";
  if (!fits) fail(owner, `part ${name} is neither a function nor a layer with forward(x), got ${String(part)}`);
}

/** What a part of a layer makes of x. Throws where that is not one tensor. */
export function apply(owner: string, part: Part, name: string | number, x: Tensor): Tensor {
  const given: unknown = typeof part === "function" ? part(x) : part.forward(x);
  if (given instanceof Tensor) return given;
  const label = typeof part === "function" ? part.name || "a function" : moduleLabel(part);
  const what = Array.isArray(given) ? `an array of ${given.length}` : given === null ? "null" : typeof given;
  const advice = "a part gives one tensor; write a class whose forward takes apart what this one gives";
  return fail(owner, `part ${name} (${label}) gave ${what}: ${advice}`);
}
