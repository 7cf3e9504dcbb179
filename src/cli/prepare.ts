// What comes before the training of some models, as their entries say: layers trained one after the other.
import type { Tensor } from "../graph/index.ts";
import type { Layer } from "../nn/index.ts";
import { breather } from "../train/evaluate.ts";
import type { BatchSource } from "../train/index.ts";
import type { ZooEntry } from "../zoo/index.ts";
import type { Io } from "./command.ts";

/** Thrown out of the data where the signal is aborted. */
const stopped = new Error("stopped");

interface Surroundings {
  readonly data: BatchSource<{ x: Tensor }>;
  readonly signal: AbortSignal;
  readonly io: Io;
}

/** Prepares a model, if its entry says how. Gives false where the signal was aborted on the way. */
export async function prepare(entry: ZooEntry, model: Layer, { data, signal, io }: Surroundings): Promise<boolean> {
  if (entry.prepare === undefined) return true;
  let told = false;
  const say = (line: string): void => {
    if (!told)
      io.stderr.write(
        `${entry.name} is prepared before its training; stopped before the end of that, nothing is kept\n`,
      );
    told = true;
    io.stderr.write(`${line}\n`);
  };
  try {
    await entry.prepare(model, stoppable(data, signal), say);
    return true;
  } catch (error) {
    if (error === stopped) return false;
    throw error;
  }
}

/** The inputs of the data, until the signal is aborted. */
const stoppable = (data: BatchSource<{ x: Tensor }>, signal: AbortSignal): BatchSource<{ x: Tensor }> => ({
  async *iterate(position) {
    const breathe = breather();
    for await (const { x } of data.iterate(position)) {
      await breathe();
      if (signal.aborted) throw stopped;
      yield { x };
    }
  },
});
