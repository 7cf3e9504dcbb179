// Metrics: what a training reports besides its loss, one value a sample, and the table of which class is taken for which.
import type { Tensor } from "../graph/index.ts";

/**
 * A figure of merit: from the model's outputs [B, …] and the targets [B, …] one value a sample, [B]. The trainer averages
 * over samples, so that batches of unequal size count rightly.
 */
export type Metric = (outputs: Tensor, targets: Tensor) => Tensor;

/** 1 where the largest of the outputs [B, classes] is the label's (the first at ties), else 0. Labels are i32 [B] or one-hot [B, classes]. */
export const accuracy: Metric = (outputs, targets) =>
  outputs
    .argmax(-1)
    .eq(targets.rank === outputs.rank ? targets.argmax(-1) : targets)
    .cast("f32");

/** Counts of samples by [actual class][predicted class]. Throws where a label is not one of the classes. */
export function confusionMatrix(predicted: ArrayLike<number>, actual: ArrayLike<number>, classes: number): number[][] {
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < actual.length; i++) {
    const row = matrix[actual[i]];
    if (row === undefined)
      throw new RangeError(`confusionMatrix: label ${actual[i]} of sample ${i} is not one of ${classes} classes`);
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
