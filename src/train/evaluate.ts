// Evaluation: the loss and metrics of a model over a data set, with layers in evaluating mode and nothing updated.
import type { Position } from "../data/dataset.ts";
import { capturing, evaluating, Tensor } from "../graph/index.ts";
import { kindOf, show } from "../graph/internal.ts";
import type { HostTensor } from "../nn/index.ts";
import { walk } from "../nn/module.ts";
import { type Labelled, type Loss, lossOf } from "../optim/index.ts";
import { compile } from "../run/index.ts";
import { type Collector, type Collectors, checkMeasured, figuresOf, type Metrics, sumsOf } from "./metrics.ts";

/**
 * What batches are taken from: a Dataset, or anything that can continue an epoch where a run stopped. A batch is any tree of
 * tensors in arrays and plain objects.
 */
export interface BatchSource<B = Labelled> {
  /** One epoch of batches, from batch `skip` on, in the order that belongs to the epoch. */
  iterate(position?: Position): AsyncIterable<B>;
  /** Batches in an epoch, once loaded, where that is known. */
  readonly batches?: number;
  load?(): Promise<unknown>;
  /** Whether each epoch has an order of its own. */
  readonly shuffled?: boolean;
  /** The same batches in a new order each epoch, decided by the seed. */
  shuffle?(options: { seed?: number }): BatchSource<B>;
}

/** What is measured of a model besides its loss. */
export interface Measured<B = Labelled, O = Tensor, R extends object = object> {
  /**
   * Figures that are summed batch by batch, in training and evaluation. They read the outputs that the loss returned as
   * { loss, outputs }, else what the model's forward returned last, where that records itself through within(this, …), else
   * what the one loss of hebb/nn that ran was given.
   */
  readonly metrics?: Metrics<B, O>;
  /** Whatever needs all samples at once, on the host, in evaluation only. */
  readonly collect?: Collectors<B, O, R>;
  /** Samples in a batch; by default the first axis of its first tensor. */
  readonly size?: (batch: B) => number;
}

/** A model to evaluate, with what is measured of it. */
export interface Evaluated<B = Labelled, O = Tensor, R extends object = object> extends Measured<B, O, R> {
  readonly model: object;
  readonly loss: Loss<B>;
}

export interface Evaluation<R extends object = object> {
  readonly samples: number;
  /** Mean over samples. */
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** What the collectors made, by their names; absent where the loss is not finite. */
  readonly collected?: Readonly<R>;
}

export interface EvaluateOptions {
  readonly signal?: AbortSignal;
  /** What errors call the data. */
  readonly name?: string;
}

export type Evaluate<B = Labelled, R extends object = object> = (
  data: BatchSource<B>,
  options?: EvaluateOptions,
) => Promise<Evaluation<R> | undefined>;

/**
 * Makes a function that evaluates the model over a data set; it gives undefined where `signal` is aborted on the way.
 * A last batch that is smaller runs as a second compiled program, so no sample is dropped or counted twice. It throws where
 * the set is empty, and where a metric counted nothing in it.
 */
export function evaluator<B = Labelled, O = Tensor, R extends object = object>({
  model,
  loss,
  metrics = {},
  collect,
  size = batchSize,
}: Evaluated<B, O, R>): Evaluate<B, R> {
  checkMeasured(metrics, collect ?? {});
  const collectors = Object.entries<Collector<B, O>>(collect ?? {});
  const measure = compile((batch: B) =>
    evaluating(() => {
      const { loss: mean, outputs: returned } = lossOf(loss(batch));
      const asked = collectors.length > 0 || Object.keys(metrics).length > 0;
      const outputs = (asked ? outputsOf(model, returned) : undefined) as O;
      return {
        mean,
        sums: sumsOf(metrics, batch, outputs),
        collected: collectors.map(([, { collect: of }]) => of(batch, outputs)),
      };
    }),
  );
  return async (data, { signal, name = "data set" } = {}) => {
    checkSource("evaluate:", data);
    const totals: Record<string, number> = {};
    const rows: Record<string, HostTensor>[][] = collectors.map(() => []);
    let samples = 0;
    let total = 0;
    const breathe = breather();
    for await (const batch of data.iterate({ epoch: 0 })) {
      if (signal?.aborted) return undefined;
      const measured = await measure(batch);
      const count = size(batch);
      samples += count;
      total += count * (await measured.mean.item());
      for (const [key, sum] of Object.entries(measured.sums)) totals[key] = (totals[key] ?? 0) + (await sum.item());
      for (const [i, tensors] of measured.collected.entries()) rows[i].push(await onHost(tensors));
      await breathe();
    }
    if (samples === 0) throw new Error(`evaluate: the ${name} is empty: it gives no batch`);
    const figures = figuresOf(metrics, totals);
    for (const metric of Object.keys(metrics))
      if (figures[metric] === undefined)
        throw new Error(`evaluate: "${metric}" counted nothing in the ${name}, so it has no mean; leave it out there`);
    const mean = total / samples;
    if (!Number.isFinite(mean)) return { samples, loss: mean, metrics: figures };
    const finished = collectors.map(([key, { finish }], i) => [key, finish(rows[i])]);
    return { samples, loss: mean, metrics: figures, collected: Object.fromEntries(finished) as R };
  };
}

/** Refuses what batches cannot be taken from. */
export function checkSource(op: string, data: unknown): void {
  if (typeof (data as BatchSource | undefined)?.iterate === "function") return;
  const other = "{ async *iterate() { yield* batches } }";
  throw new TypeError(`${op} takes a Dataset, or e.g. ${other}, got ${kindOf(data)}`);
}

async function onHost(tensors: Readonly<Record<string, Tensor>>): Promise<Record<string, HostTensor>> {
  const row: Record<string, HostTensor> = {};
  for (const [name, t] of Object.entries(tensors)) row[name] = { dtype: t.dtype, shape: t.shape, data: await t.data() };
  return row;
}

/** Samples in a batch: the first axis of its first tensor. Throws where there is none. */
export function batchSize(batch: unknown): number {
  const tensors = typeof batch === "object" && batch !== null ? [...walk(batch)] : [];
  const first = tensors.map(([, t]) => t).find((t) => t instanceof Tensor);
  if (first !== undefined && first.shape[0] > 0) return first.shape[0];
  const found = first === undefined ? "it holds no tensor" : `its first tensor is ${show(first.shape)}`;
  throw new Error(`the batch does not show how many samples it has (${found}); say so by the option size`);
}

/**
 * What the model gave in the step that is being traced: what its loss returned, else what its forward recorded last, else
 * what the only loss of nn was given. Throws where nothing says so.
 */
export function outputsOf(model: object, returned: unknown): unknown {
  const { outputs, compared } = capturing()!;
  const recorded = returned ?? outputs.findLast(({ module }) => module === model)?.output;
  if (recorded !== undefined) return recorded;
  if (compared.length === 1) return compared[0].prediction;
  throw new Error(
    "metrics: nothing says what the model gave; let the loss return { loss, outputs }, or wrap the body of the model's forward in within(this, () => …) and call it in the loss",
  );
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
