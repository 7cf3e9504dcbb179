// Finding a loss that cannot be finite because of its data: the first value that one of its checks refuses.
import { capturing, evaluating, randomState, restoreRandom } from "../graph/index.ts";
import { compile } from "../run/index.ts";
import { read } from "../run/realize.ts";
import type { Loss } from "./loss.ts";

/**
 * What is wrong with the data that the loss is given, e.g. `label 12 is none of the classes 0 … 9, in crossEntropy`: the
 * first problem in the batches, or undefined. Nothing is updated, and no random numbers are used up.
 */
export async function wrongData<B>(
  loss: Loss<B>,
  batches: Iterable<B> | AsyncIterable<B>,
): Promise<string | undefined> {
  const now = randomState();
  const checked = compile((batch: B) => {
    evaluating(() => loss(batch));
    const step = capturing()!;
    step.updates.clear();
    return step.compared.flatMap(({ check }) => check ?? []);
  });
  try {
    for await (const batch of batches) {
      for (const { values, wrong, problem } of await checked(batch)) {
        const at = (await read(wrong)).findIndex((each) => each !== 0);
        if (at >= 0) return problem(Number((await read(values))[at]));
      }
    }
    return undefined;
  } finally {
    restoreRandom(now);
  }
}
