// Evaluation: the loss and metrics of a model over a data set, with layers in evaluating mode and nothing updated.
import type { Batch, Position } from "../data/dataset.ts";
import { capturing, evaluating, type Step, Tensor, within } from "../graph/index.ts";
import { type Loss, lossOf } from "../optim/index.ts";
import { compile } from "../run/index.ts";
import type { Metric } from "./metrics.ts";

/** What batches are taken from: a Dataset, or anything that can continue an epoch where a run stopped. */
export interface BatchSource {
  /** One epoch of batches, from batch `skip` on, in the order that belongs to the epoch. */
  iterate(position?: Position): AsyncIterable<Batch>;
  /** Batches in an epoch, once loaded, where that is known. */
  readonly batches?: number;
  load?(): Promise<unknown>;
}

/** A model to evaluate, with what is measured of it. */
export interface Evaluated {
  readonly model: object;
  readonly loss: Loss<Batch>;
  readonly metrics: Readonly<Record<string, Metric>>;
}

export interface Evaluation {
  readonly samples: number;
  /** Mean over samples. */
  readonly loss: number;
  /** Means over samples. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Where the model gives [B, classes] and the labels are i32 [B]: each sample's class as told and as it is. */
  readonly classes?: { readonly predicted: Int32Array; readonly actual: Int32Array };
}

export type Evaluate = (data: BatchSource, options?: { signal?: AbortSignal }) => Promise<Evaluation | undefined>;

/**
 * Makes a function that evaluates the model over a data set; it gives undefined where `signal` is aborted on the way.
 * A last batch that is smaller runs as a second compiled program, so no sample is dropped or counted twice.
 */
export function evaluator({ model, loss, metrics }: Evaluated): Evaluate {
  recordOutput(model);
  const measure = compile((batch: Batch) =>
    evaluating(() => {
      const { loss: mean } = lossOf(loss(batch));
      const outputs = outputOf(model, capturing()!);
      const classified = outputs?.rank === 2 && batch.y.rank === 1 && batch.y.dtype === "i32";
      return {
        mean,
        sums: sumMetrics(metrics, outputs, batch.y),
        predicted: classified ? outputs.argmax(-1) : undefined,
      };
    }),
  );
  return async (data, { signal } = {}) => {
    const totals: Record<string, number> = {
      loss: 0,
      ...Object.fromEntries(Object.keys(metrics).map((name) => [name, 0])),
    };
    const predicted: ArrayLike<number>[] = [];
    const actual: ArrayLike<number>[] = [];
    let samples = 0;
    const breathe = breather();
    for await (const batch of data.iterate({ epoch: 0 })) {
      if (signal?.aborted) return undefined;
      const measured = await measure(batch);
      const size = batchSize(batch);
      samples += size;
      totals.loss += size * (await measured.mean.item());
      for (const [name, sum] of Object.entries(measured.sums)) totals[name] += await sum.item();
      if (measured.predicted) {
        predicted.push(await measured.predicted.data());
        actual.push(await batch.y.data());
      }
      await breathe();
    }
    const { loss: mean, ...rest } = Object.fromEntries(
      Object.entries(totals).map(([name, sum]) => [name, sum / samples]),
    );
    const classes = actual.length > 0 ? { predicted: joined(predicted), actual: joined(actual) } : undefined;
    return { samples, loss: mean, metrics: rest, classes };
  };
}

function joined(parts: readonly ArrayLike<number>[]): Int32Array {
  const whole = new Int32Array(parts.reduce((length, part) => length + part.length, 0));
  let end = 0;
  for (const part of parts) {
    whole.set(part, end);
    end += part.length;
  }
  return whole;
}

/** Samples in a batch. */
export const batchSize = ({ x }: Batch): number => x.shape[0];

/** Each metric summed over the batch. Throws where the model's output is not known. */
export function sumMetrics(
  metrics: Readonly<Record<string, Metric>>,
  outputs: Tensor | undefined,
  targets: Tensor,
): Record<string, Tensor> {
  const entries = Object.entries(metrics);
  if (entries.length > 0 && outputs === undefined)
    throw new Error(
      "metrics: the loss did not call model.forward, so there is no output to measure; call it, or leave metrics out",
    );
  return Object.fromEntries(entries.map(([name, metric]) => [name, metric(outputs!, targets).float().sum()]));
}

const recorded = new WeakSet<object>();

/** Sees to it that a step keeps what model.forward returns, also for a class that does not record itself through `within`. */
export function recordOutput(model: object): void {
  const { forward } = model as { forward?: (...inputs: unknown[]) => unknown };
  if (recorded.has(model) || typeof forward !== "function") return;
  recorded.add(model);
  const recording = (...inputs: unknown[]): unknown => within(model, () => forward.apply(model, inputs));
  Object.defineProperty(model, "forward", { value: recording, configurable: true, writable: true, enumerable: false });
}

/** What the model's forward returned last in the step, if it was one tensor. */
export function outputOf(model: object, step: Pick<Step, "outputs">): Tensor | undefined {
  const output = step.outputs.findLast((entry) => entry.module === model)?.output;
  return output instanceof Tensor ? output : undefined;
}

/** A function to await after each step: about every 50 ms it lets the event loop turn, so that signals and screens are served. */
export function breather(): () => Promise<void> | undefined {
  let rested = performance.now();
  return () => {
    if (performance.now() - rested < 50) return undefined;
    return new Promise((resolve) => {
      const done = (): void => {
        rested = performance.now();
        resolve();
      };
      if (typeof setImmediate === "function") setImmediate(done);
      else setTimeout(done, 0);
    });
  };
}
