// Gradients of single samples, of which the empirical Fisher matrix is made.
import type { Tensor } from "../graph/index.ts";
import { fail } from "../graph/internal.ts";
import { flatten, replace } from "../run/tree.ts";
import type { Iterate } from "./second-order.ts";

/**
 * The gradient of each sample of a batch in turn, for a loss that is a mean over samples. Throws where the batch's tensors do not
 * have the samples along their first axis.
 */
export async function* sampleGradients<B>(owner: string, at: Iterate<B>): AsyncGenerator<Float64Array> {
  const tensors: Tensor[] = [];
  flatten(at.batch, tensors);
  const [count] = tensors[0]?.shape ?? [];
  if (count === undefined || tensors.some(({ shape }) => shape[0] !== count))
    fail(owner, "the batch's tensors must all have the samples along their first axis");
  for (let i = 0; i < count; i++) {
    const one = replace(at.batch, (t) => t.slice(0, i, i + 1)) as B;
    yield (await at.evaluate(at.x, one)).gradient;
  }
}
