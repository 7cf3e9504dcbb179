// Metrics: what a training reports besides its loss, from sums over batches, and from rows collected over an evaluation.
import { full, Tensor, where } from "../graph/index.ts";
import { fail, kindOf, sameShape, show } from "../graph/internal.ts";
import { ignoredLabel } from "../nn/cross-entropy.ts";
import { crossEntropy, type HostTensor } from "../nn/index.ts";
import type { Labelled } from "../optim/index.ts";

/** A sum over whatever is counted in a batch, samples or tokens, and how many there were. */
export interface Tally {
  readonly sum: Tensor;
  readonly count: Tensor | number;
}

/** Numbers of one element each that are summed over batches, by names without a dot. */
export type Sums = Readonly<Record<string, Tensor | number>>;

/** A figure that is Σ sum / Σ count over the batches, so that those of unequal size count rightly. */
export type MeanMetric<B = Labelled, O = Tensor> = (batch: B, outputs: O) => Tally;

/** A figure that is anything else: named sums over the batches, and what they make in the end, on the host. */
export interface TotalMetric<B = Labelled, O = Tensor> {
  sums(batch: B, outputs: O): Sums;
  figure(totals: Readonly<Record<string, number>>): number;
}

/** A figure of merit of batches and the model's outputs for them. */
export type Metric<B = Labelled, O = Tensor> = MeanMetric<B, O> | TotalMetric<B, O>;

export type Metrics<B = Labelled, O = Tensor> = Readonly<Record<string, Metric<B, O>>>;

/**
 * What needs every sample of an evaluation at once, on the host: a table, a score over whole sentences. `collect` says which
 * tensors of a batch are read back, `finish` makes the outcome of those of all batches, in order.
 */
export interface Collector<B = Labelled, O = Tensor, F = unknown> {
  collect(batch: B, outputs: O): Readonly<Record<string, Tensor>>;
  finish(rows: readonly Readonly<Record<string, HostTensor>>[]): F;
}

/** Collectors by name, of the outcomes R. */
export type Collectors<B, O, R extends object> = { readonly [Name in keyof R]: Collector<B, O, R[Name]> };

/** The tally of the mean over all values [...], or over those where `kept`, bool of the same shape, holds. Throws where the shapes differ. */
export function meanOf(values: Tensor, kept?: Tensor): Tally {
  if (kept === undefined) return { sum: values.sum(), count: values.size };
  if (!sameShape(values.shape, kept.shape) || kept.dtype !== "bool")
    fail("meanOf", `values ${show(values.shape)} take bool of their shape, got ${kept.dtype} ${show(kept.shape)}`);
  return { sum: where(kept, values, 0).sum(), count: kept.sum() };
}

/** A batch whose targets are called y, whatever else it has. */
export interface Targeted {
  readonly y: Tensor;
  readonly x?: unknown;
}

/** Which labels do not count, e.g. that of padding; by default those that `crossEntropy` leaves out, −100. */
export interface Ignoring {
  readonly ignore?: number;
}

/**
 * The share of right answers. Outputs [..., classes]: the largest (the first at ties) against labels [...] or the largest of
 * targets [..., classes] that add up to 1. One output, [..., 1] or [B]: a logit, above 0 or not, against targets [..., 1] or
 * [...] above ½ or not. The mean is over all rows, be they samples or tokens. A row with NaN is wrong. The figure is NaN
 * where targets [..., classes] do not add up to 1. Rows of the label −100 do not count, as in crossEntropy. Throws where the
 * shapes do not fit.
 */
export const accuracy: MeanMetric<Targeted> = ({ y }, outputs) => tallyRight(outputs, y);

/** accuracy over the rows whose label is not `ignore`. */
export const accuracyOf =
  ({ ignore }: Ignoring): MeanMetric<Targeted> =>
  ({ y }, outputs) =>
    tallyRight(outputs, y, ignore);

/** exp of the mean cross-entropy of logits [..., classes] against labels i32 [...]; those that are `ignore` do not count. */
export const perplexity = ({ ignore = ignoredLabel }: Ignoring = {}): TotalMetric<Targeted> => ({
  sums: ({ y }, outputs) => ({
    sum: crossEntropy(outputs, y, { ignore, reduction: "sum" }),
    count: y.ne(ignore).sum(),
  }),
  figure: ({ sum, count }) => Math.exp(sum / count),
});

function tallyRight(outputs: Tensor, targets: Tensor, ignore?: number): Tally {
  const { predicted, actual, sure, valid } = answersOf("accuracy", outputs, targets);
  const right = predicted.eq(actual).and(sure);
  const labels = ignore !== undefined || (targets.dtype === "i32" && targets.size === right.size);
  if (labels && targets.size !== right.size)
    fail("accuracy", `ignore takes labels ${show(right.shape)}, got targets ${show(targets.shape)}`);
  const kept = labels ? targets.ne(ignore ?? ignoredLabel).reshape(right.shape) : undefined;
  const { sum, count } = meanOf(right, kept);
  return { sum: valid === undefined ? sum : where(valid, sum.float(), Number.NaN), count };
}

interface Answers {
  /** i32, a class a row. */
  readonly predicted: Tensor;
  readonly actual: Tensor;
  /** bool, false where NaN among the outputs or targets leaves a row without a class. */
  readonly sure: Tensor;
  /** bool, one element: whether each row of targets [..., classes] names one class. */
  readonly valid?: Tensor;
}

/** Which class each row of outputs tells, and which its targets name. Throws where the shapes do not fit. */
function answersOf(metric: string, outputs: Tensor, targets: Tensor): Answers {
  const rows = outputs.shape.slice(0, -1);
  const classes = outputs.shape.at(-1);
  const alike = sameShape(outputs.shape, targets.shape);
  const labels = sameShape(rows, targets.shape) && outputs.rank > 0;
  const single = (alike && outputs.rank === 1) || (classes === 1 && (alike || labels));
  if (single) {
    const [x, y] = [outputs.reshape(-1), targets.reshape(-1)];
    const sure = isNumber(x).and(isNumber(y));
    return { predicted: x.gt(0).cast("i32"), actual: y.gt(0.5).cast("i32"), sure };
  }
  const predicted = outputs.argmax(-1);
  const sure = isNumber(outputs).not().sum(-1).eq(0);
  if (labels) return { predicted, actual: targets, sure };
  if (!alike || outputs.rank === 0)
    fail(
      metric,
      `outputs ${show(outputs.shape)} take labels ${show(rows)} or targets of their own shape, got ${targets.dtype} ${show(targets.shape)}`,
    );
  const off = targets.float().sum(-1).sub(1).abs();
  return { predicted, actual: targets.argmax(-1), sure, valid: off.le(1e-3).not().sum().eq(0) };
}

/** Where x is no NaN. */
const isNumber = (x: Tensor): Tensor => x.ge(0).or(x.lt(0));

/** Refuses metrics and collectors that are none, or are in each other's place. */
export function checkMeasured(metrics: object, collect: object): void {
  for (const [name, metric] of Object.entries(metrics)) {
    if (typeof metric === "function" || typeof metric?.sums === "function") continue;
    const advice = typeof metric?.collect === "function" ? "a collector (it goes into collect)" : kindOf(metric);
    throw new TypeError(`metrics: "${name}" takes a function of (batch, outputs) or { sums, figure }, got ${advice}`);
  }
  for (const [name, collector] of Object.entries(collect)) {
    if (typeof collector?.collect === "function" && typeof collector.finish === "function") continue;
    const advice = typeof collector === "function" ? " (call it, e.g. confusion(10); a metric goes into metrics)" : "";
    throw new TypeError(`collect: "${name}" takes { collect, finish }, got ${kindOf(collector)}${advice}`);
  }
}

/** Refuses what a metric gave that is no sums. */
function checkSums(name: string, metric: unknown, found: unknown): void {
  const sums = (found ?? {}) as Record<string, unknown>;
  if (typeof sums.sums === "function")
    throw new TypeError(`metrics: "${name}" gives a metric rather than sums; call it, e.g. perplexity()`);
  const values =
    found instanceof Tensor || typeof found !== "object"
      ? []
      : typeof metric === "function"
        ? [sums.sum, sums.count]
        : Object.values(sums);
  if (values.length > 0 && values.every((value) => typeof value === "number" || value instanceof Tensor)) return;
  const form = typeof metric === "function" ? "{ sum, count }" : "named sums";
  const advice = found instanceof Promise ? "leave out async" : "e.g. by meanOf(values)";
  throw new TypeError(`metrics: "${name}" must give ${form}, tensors or numbers, got ${kindOf(found)} (${advice})`);
}

/** The sums of all metrics over a batch, by "metric.sum". Throws where a sum has a dot in its name. */
export function sumsOf<B, O>(metrics: Metrics<B, O>, batch: B, outputs: O): Record<string, Tensor> {
  const sums: Record<string, Tensor> = {};
  for (const [name, metric] of Object.entries(metrics)) {
    const found = typeof metric === "function" ? metric(batch, outputs) : metric.sums(batch, outputs);
    checkSums(name, metric, found);
    for (const [key, value] of Object.entries(found)) {
      if (key.includes(".")) throw new Error(`metrics: "${name}" has a sum called "${key}"; leave out the dot`);
      const sum = typeof value === "number" ? full([], value, "f64") : value;
      if (sum.size !== 1)
        fail("metrics", `"${name}" gives ${show(sum.shape)} as its ${key}; take the sum, e.g. with meanOf(values)`);
      sums[`${name}.${key}`] = sum.reshape([]);
    }
  }
  return sums;
}

/** The figures that the totals of sumsOf make; a mean over nothing is left out. */
export function figuresOf<B, O>(
  metrics: Metrics<B, O>,
  totals: Readonly<Record<string, number>>,
): Record<string, number> {
  const figures: Record<string, number> = {};
  for (const [name, metric] of Object.entries(metrics)) {
    const prefix = `${name}.`;
    const own = Object.entries(totals).filter(
      ([key]) => key.lastIndexOf(".") === name.length && key.startsWith(prefix),
    );
    const sums = Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value]));
    if (own.length === 0 || sums.count === 0) continue;
    figures[name] = typeof metric === "function" ? sums.sum / sums.count : metric.figure(sums);
  }
  return figures;
}

/**
 * The table of which class is taken for which, of outputs and targets as accuracy takes them. Its `finish` throws where a
 * label is not one of the classes, or outputs with NaN tell none.
 */
export const confusion = (
  classes: number,
  { ignore = ignoredLabel }: Ignoring = {},
): Collector<Targeted, Tensor, number[][]> => ({
  collect({ y }, outputs) {
    const { predicted, actual, sure } = answersOf("confusion", outputs, y);
    return { predicted: where(sure, predicted, -1), actual };
  },
  finish(rows) {
    const [told, labels]: [number[], number[]] = [[], []];
    for (const { predicted, actual } of rows)
      actual.data.forEach((label, i) => {
        if (label === ignore) return;
        told.push(Number(predicted.data[i]));
        labels.push(Number(label));
      });
    return confusionMatrix(told, labels, classes);
  },
});

/** Counts of samples by [actual class][predicted class]. Throws where a label or a prediction is not one of the classes. */
export function confusionMatrix(predicted: ArrayLike<number>, actual: ArrayLike<number>, classes: number): number[][] {
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < actual.length; i++) {
    const row = matrix[actual[i]];
    if (row === undefined)
      throw new RangeError(`confusionMatrix: label ${actual[i]} of sample ${i} is not one of ${classes} classes`);
    if (row[predicted[i]] === undefined) {
      const told = predicted[i] === -1 ? "NaN" : `class ${predicted[i]}`;
      throw new RangeError(
        `confusionMatrix: the outputs for sample ${i} tell ${told}, which is not one of ${classes} classes`,
      );
    }
    row[predicted[i]]++;
  }
  return matrix;
}

/** The matrix as text: a row an actual class, a column a predicted one, and each class's share of right answers. */
export function renderConfusion(
  matrix: readonly (readonly number[])[],
  names: readonly string[] = matrix.map((_, i) => `${i}`),
): string {
  const cells = matrix.map((row) => row.map((n) => (n === 0 ? "·" : `${n}`)));
  const nameWidth = Math.max(6, ...names.map((name) => name.length));
  const short = names.map((name) => name.slice(0, 7));
  const width = Math.max(4, ...short.map((name) => name.length), ...cells.flat().map((cell) => cell.length)) + 1;
  const head = `${"actual".padEnd(nameWidth)} ${short.map((name) => name.padStart(width)).join("")}    right`;
  const rows = cells.map((row, i) => {
    const total = matrix[i].reduce((sum, n) => sum + n, 0);
    const right = total === 0 ? "–" : `${((100 * matrix[i][i]) / total).toFixed(1)}%`;
    return `${names[i].padEnd(nameWidth)} ${row.map((cell) => cell.padStart(width)).join("")} ${right.padStart(8)}`;
  });
  return [head, ...rows].join("\n");
}
