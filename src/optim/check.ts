// Finding a loss that cannot be finite because of its data: the first value that one of its checks refuses.
import { capturing, evaluating, randomState, restoreRandom, Tensor } from "../graph/index.ts";
import { isFloat } from "../graph/internal.ts";
import { walk } from "../nn/module.ts";
import { compile } from "../run/index.ts";
import { read } from "../run/realize.ts";
import type { Loss } from "./loss.ts";

/**
 * What is wrong with the data that the loss is given, e.g. `label 12 is none of the classes 0 … 9, in crossEntropy`: the
 * first problem in the batches, a NaN in them after what the checks refuse, or undefined. Nothing is updated, and no random numbers are used up.
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
    const checks = step.compared.flatMap(({ check }) => check ?? []);
    const spoilt = [...floatsIn(batch)].map(([path, t]) => ({ path, size: t.size, count: t.ne(t).sum() }));
    return { checks, spoilt };
  });
  try {
    for await (const batch of batches) {
      const { checks, spoilt } = await checked(batch);
      for (const { values, wrong, problem } of checks) {
        const at = (await read(wrong)).findIndex((each) => each !== 0);
        if (at >= 0) return problem(Number((await read(values))[at]));
      }
      for (const { path, size, count } of spoilt) {
        const nans = Number((await read(count))[0]);
        if (nans > 0) return `${partOf(path)} has ${nans} of ${size} elements that are NaN`;
      }
    }
    return undefined;
  } finally {
    restoreRandom(now);
  }
}

/** The float tensors of a tree, by their paths. */
export function floatsIn(tree: unknown): Map<string, Tensor> {
  if (typeof tree !== "object" || tree === null) return new Map();
  const tensors = [...walk(tree)].filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor);
  return new Map(tensors.filter(([, t]) => isFloat(t.dtype)));
}

/** What a message calls the part of a batch at a path. */
export const partOf = (path: string): string => (path === "" ? "the batch" : `"${path}" of the batch`);
