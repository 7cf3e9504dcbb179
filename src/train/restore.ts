// From a checkpoint back into a model and its optimizer: all of it, or nothing and a short account of what does not fit.
import type { Tensor } from "../graph/index.ts";
import { LoadError, load, stateDict } from "../nn/index.ts";
import type { Checkpoint } from "./checkpoint.ts";

type Loadable = Parameters<typeof load>[1];

/**
 * Gives the model, and the optimizer's `slots` where there are any, the values of the checkpoint. Throws one line with the
 * first three tensors that do not fit and how many more there are, and then all is as it was.
 */
export async function restore(
  checkpoint: Pick<Checkpoint, "model" | "optimizer">,
  { model, slots }: { model: object; slots?: ReadonlyMap<string, Tensor> },
): Promise<void> {
  const before = await stateDict(model);
  try {
    await load(model, checkpoint.model as Loadable);
    if (slots === undefined) return;
    await load(slots, checkpoint.optimizer as Loadable).catch(async (error) => {
      await load(model, before);
      throw error;
    });
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    const { problems } = error;
    const more = problems.length > 3 ? `; and ${problems.length - 3} more` : "";
    throw new Error(`${problems.slice(0, 3).join("; ")}${more}`, { cause: error });
  }
}
