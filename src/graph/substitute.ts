// A graph with other tensors in the places of some of its own.
import { topological } from "./grad.ts";
import type { Args } from "./primitives.ts";
import { Tensor } from "./tensor.ts";

/** The outputs as functions of `to` instead of `from`; what depends on none of these is shared with the old graph. */
export function substitute(outputs: readonly Tensor[], from: readonly Tensor[], to: readonly Tensor[]): Tensor[] {
  const made = new Map(from.map((t, i) => [t, to[i]]));
  for (const t of topological(outputs)) {
    if (made.has(t)) continue;
    const inputs = t.inputs.map((input) => made.get(input)!);
    const same = inputs.every((input, i) => input === t.inputs[i]);
    const { shape, from } = t.args as Args["reshape"];
    const args = from === undefined ? t.args : { shape, from: from.map((x) => made.get(x) ?? x) }; // of a checkpoint
    made.set(t, same ? t : new Tensor(t.op, inputs, args, t.shape, t.dtype));
  }
  return outputs.map((t) => made.get(t)!);
}
