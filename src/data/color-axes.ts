// The principal axes of a set's colours, along which AlexNet's noise goes.
import type { Dataset } from "./dataset.ts";
import { imageAxes } from "./image-axes.ts";

/** Eigenvalues of the covariance of red, green and blue in [0, 1] over all pixels, the largest first, and their unit vectors. */
export interface ColorAxes {
  readonly values: readonly number[];
  /** vectors[k] belongs to values[k]. */
  readonly vectors: readonly (readonly number[])[];
}

/**
 * The axes of a Dataset's samples as they are stored, of those it has after take, skip and split. Takes the training set.
 * Throws an Error for samples that are no images of 3 channels, or none at all.
 */
export async function colorAxes(dataset: Dataset): Promise<ColorAxes> {
  const [channels, height, width] = imageAxes("colorAxes", dataset.info.shape);
  if (channels !== 3) throw new Error(`colorAxes: takes images of 3 channels, got samples [${dataset.info.shape}]`);
  const { x } = await dataset.samples();
  const plane = height * width;
  const order = dataset.order(0);
  if (order.length === 0) throw new Error("colorAxes: the set has no samples; give it some");
  const sums = new Float64Array(9); // of R, G, B, then RR, GG, BB, RG, RB, GB
  for (const index of order)
    for (let at = 3 * plane * index, end = at + plane; at < end; at++) {
      const [r, g, b] = [x[at], x[at + plane], x[at + 2 * plane]];
      sums[0] += r;
      sums[1] += g;
      sums[2] += b;
      sums[3] += r * r;
      sums[4] += g * g;
      sums[5] += b * b;
      sums[6] += r * g;
      sums[7] += r * b;
      sums[8] += g * b;
    }
  const most = x instanceof Uint8Array ? 255 : 1;
  const mean = sums.map((sum) => sum / (order.length * plane) / most);
  const covariance = (i: number, j: number, at: number): number => mean[at] / most - mean[i] * mean[j];
  const [rg, rb, gb] = [covariance(0, 1, 6), covariance(0, 2, 7), covariance(1, 2, 8)];
  return eigen([
    [covariance(0, 0, 3), rg, rb],
    [rg, covariance(1, 1, 4), gb],
    [rb, gb, covariance(2, 2, 5)],
  ]);
}

/** Eigenvalues and vectors of a symmetric matrix by Jacobi's rotations (1846), each of which makes one pair of elements 0. */
function eigen(matrix: number[][]): ColorAxes {
  const size = matrix.length;
  const a = matrix.map((row) => [...row]);
  const v = a.map((_, i) => a.map((_, j) => Number(i === j))); // rows turn into the vectors
  for (let sweep = 0; sweep < 20; sweep++)
    for (let p = 0; p < size; p++)
      for (let q = p + 1; q < size; q++) {
        if (a[p][q] === 0) continue;
        const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        for (const row of a) [row[p], row[q]] = [c * (row[p] - t * row[q]), c * (t * row[p] + row[q])];
        for (const rows of [a, v])
          for (let k = 0; k < size; k++) {
            const [up, low] = [rows[p][k], rows[q][k]];
            [rows[p][k], rows[q][k]] = [c * (up - t * low), c * (t * up + low)];
          }
        a[p][q] = a[q][p] = 0;
      }
  const order = a.map((_, k) => k).sort((i, j) => a[j][j] - a[i][i]);
  return { values: order.map((k) => a[k][k]), vectors: order.map((k) => v[k]) };
}
