// Trading time for memory: values that derivatives compute again instead of finding them kept.
import { topological } from "./grad.ts";
import { kindOf } from "./kind.ts";
import { make } from "./operands.ts";
import { failKind } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/**
 * fn(...inputs), of which derivatives keep nothing but the inputs and compute the rest again, with the same random draws, where they
 * need it: for one more forward pass, a chain of n layers in √n such pieces trains in memory for some 2·√n of them (Chen et al.,
 * Training deep nets with sublinear memory cost, 2016). fn is called once; updates that it assigns are made once. Throws a TypeError
 * where fn gives anything but a tensor.
 */
export function checkpoint<Inputs extends readonly Tensor[]>(
  fn: (...inputs: Inputs) => Tensor,
  ...inputs: Inputs
): Tensor {
  const value = fn(...inputs);
  if (!Array.isArray((value as Tensor | undefined)?.inputs))
    failKind("checkpoint", `its function must give one tensor, got ${kindOf(value)}`);
  const given = new Set<Tensor>(inputs);
  const from = topological([value], given).filter((t) => given.has(t) || t.op === "buffer");
  return make("reshape", [value], { shape: value.shape, from });
}
