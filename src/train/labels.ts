// Why a loss may be NaN in data, not in numbers: class labels that are none of the classes a model tells apart.
import type { Batch } from "../data/dataset.ts";
import { evaluating } from "../graph/index.ts";
import { captureStep } from "../graph/internal.ts";
import { outputOf } from "./evaluate.ts";
import type { Trainer } from "./trainer.ts";

/**
 * The first label in the batches that is none of the classes 0 … classes − 1, where the model gives [..., classes] for
 * labels i32 [...]; undefined where there is none. Only shapes are looked at, nothing is computed.
 */
export async function wrongLabel(
  { model, optimizer }: Pick<Trainer, "model" | "optimizer">,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
): Promise<string | undefined> {
  for await (const batch of batches) {
    const { y } = batch;
    const { step } = captureStep(() => evaluating(() => optimizer.loss(batch)));
    const { shape = [] } = outputOf(model, step) ?? {};
    const classes = shape.at(-1) ?? 0;
    if (y.dtype !== "i32" || `${shape.slice(0, -1)}` !== `${y.shape}` || shape.length !== y.rank + 1 || classes < 2)
      return undefined;
    const wrong = Array.from(await y.data()).find((label) => label < 0 || label >= classes);
    if (wrong !== undefined)
      return `label ${wrong} is none of the classes 0 … ${classes - 1} that the model tells apart`;
  }
  return undefined;
}
