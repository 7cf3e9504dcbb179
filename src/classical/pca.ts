// Principal components: the linear code of the least squared error (Pearson, 1901; Hotelling, 1933).
import { type Tensor, tensor } from "../graph/index.ts";
import { compile } from "../run/index.ts";
import { symmetricEigen } from "./symmetric-eigen.ts";

export interface PcaOptions {
  /** How many components to keep; by default all that N samples of D elements can have, min(N − 1, D). */
  components?: number;
}

/** The mean of samples and the orthonormal directions in which they vary most, strongest first. */
export class Pca {
  readonly mean: Tensor; // [D]
  readonly components: Tensor; // [k, D]
  /** The variance of each component's scores, σᵢ² / (N − 1). */
  readonly explainedVariance: Float64Array;
  /** The variance of all elements, summed: the share that a component explains is its own through this. */
  readonly totalVariance: number;

  constructor(mean: Tensor, components: Tensor, explainedVariance: Float64Array, totalVariance: number) {
    [this.mean, this.components] = [mean, components];
    [this.explainedVariance, this.totalVariance] = [explainedVariance, totalVariance];
  }

  /** The codes (x − μ)·Vᵀ of samples x [B, …], [B, k]. */
  scores(x: Tensor): Tensor {
    return x.reshape(x.shape[0], -1).sub(this.mean).matmul(this.components.transpose());
  }

  /** What codes [B, k] stand for, μ + t·V, [B, D]. */
  decode(scores: Tensor): Tensor {
    return scores.matmul(this.components).add(this.mean);
  }

  /** The nearest points to samples x [B, …] on the plane of the components, of the shape of x. */
  reconstruct(x: Tensor): Tensor {
    return this.decode(this.scores(x)).reshape(x.shape);
  }
}

/**
 * The principal components of samples x [N, …]: the right singular vectors of x less its mean, of singular values σᵢ, so that the
 * squared error of reconstructions is Σ_{i > k} σᵢ² / N on average. They are the eigenvectors of the scatter [D, D], or where there
 * are fewer samples than elements come from those of the Gram matrix [N, N]; sums are in double precision, tensors have x's dtype,
 * and each component's largest element is positive. Throws a RangeError for less than two samples, and for a number of components
 * that N samples of D elements cannot have or that they do not vary in.
 */
export async function pca(x: Tensor, { components }: PcaOptions = {}): Promise<Pca> {
  const n = x.rank === 0 ? 0 : x.shape[0];
  if (n < 2) throw new RangeError(`pca: needs at least 2 samples [N, …], got [${x.shape}]`);
  const rows = x.reshape(n, -1);
  const d = rows.shape[1];
  const most = Math.min(n - 1, d);
  if (components !== undefined && !(Number.isInteger(components) && components >= 1 && components <= most))
    throw new RangeError(
      `pca: components must be a whole number from 1 to ${most} for ${n} samples of ${d}, got ${components}`,
    );
  const mean = (await summed(rows, (part) => part.sum(0))).map((sum) => sum / n);
  const centre = tensor(mean);
  const scatter = n > d;
  const products = scatter
    ? await summed(rows, (part) => part.sub(centre).transpose().matmul(part.sub(centre)))
    : await gram(rows, centre);
  const { values, vectors } = symmetricEigen(products, scatter ? d : n);
  const total = values.reduce((sum, value) => sum + Math.max(0, value), 0);
  const varying = values.slice(0, most).filter((value) => value > 1e-12 * total).length;
  const k = components ?? (scatter ? most : varying); // past those that vary, the Gram matrix gives no directions
  if (k < 1 || (components !== undefined && k > varying))
    throw new RangeError(`pca: the samples vary in ${varying} directions; ask for fewer components`);
  let axes = tensor(vectors.subarray(0, k * (scatter ? d : n)), [k, scatter ? d : n]);
  if (!scatter) axes = throughSamples(axes, rows.cast("f64").sub(centre));
  const dtype = x.dtype === "f64" ? "f64" : "f32";
  const kept = tensor(await axes.cast(dtype).data(), [k, d]);
  const variance = values.slice(0, k).map((value) => Math.max(0, value) / (n - 1));
  return new Pca(centre.cast(dtype), kept, variance, total / (n - 1));
}

/** Elements that are turned into double precision at a time. */
const partSize = 2 ** 22;

/** What a function makes of parts of the rows in double precision, summed over the parts. */
async function summed(rows: Tensor, of: (part: Tensor) => Tensor): Promise<Float64Array> {
  const [n, d] = rows.shape;
  const height = Math.max(1, Math.floor(partSize / d));
  const step = compile((part: Tensor) => of(part.cast("f64")));
  let total: Float64Array | undefined;
  for (let from = 0; from < n; from += height) {
    const values = (await (await step(rows.slice(0, from, Math.min(n, from + height)))).data()) as Float64Array;
    total = total?.map((sum, i) => sum + values[i]) ?? values.slice();
  }
  return total!;
}

async function gram(rows: Tensor, centre: Tensor): Promise<Float64Array> {
  const centred = rows.cast("f64").sub(centre);
  return (await centred.matmul(centred.transpose()).data()) as Float64Array;
}

/** vₖ = Xᵀuₖ / σₖ, for the eigenvectors u [k, N] of the Gram matrix, with the largest element positive. */
function throughSamples(u: Tensor, centred: Tensor): Tensor {
  const v = u.matmul(centred); // [k, D], of norms σ
  const norms = v.square().sum(1, { keepDims: true }).sqrt().maximum(Number.MIN_VALUE);
  const largest = v.max(1, { keepDims: true }).add(v.min(1, { keepDims: true })); // of the sign of the largest in size
  return v.div(norms).mul(largest.lt(0).cast("f64").mul(-2).add(1));
}
