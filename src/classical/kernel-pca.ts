// Principal components in the space of a kernel (Schölkopf, Smola & Müller, Nonlinear component analysis as a kernel eigenvalue problem, 1998).
import { type Tensor, tensor } from "../graph/index.ts";
import { compile } from "../run/index.ts";
import type { Kernel } from "./kernel.ts";
import { symmetricEigen } from "./symmetric-eigen.ts";

export interface KernelPcaOptions {
  kernel: Kernel;
  /** How many components to keep; N samples have at most N − 1. */
  components: number;
}

export interface PreimageOptions {
  /** Where the search begins, [B, D]; by default at the sample whose scores are nearest. */
  start?: Tensor;
  /** Steps of the fixed point. */
  steps?: number;
}

/** Components of samples x [N, D] in the space of a kernel. All tensors are f64. */
export class KernelPca {
  readonly kernel: Kernel;
  readonly samples: Tensor; // x [N, D]
  readonly alpha: Tensor; // αₖ = vₖ / √λₖ, [N, k]
  /** Eigenvalues λ of the centred kernel matrix K̃, largest first. */
  readonly eigenvalues: Float64Array;
  readonly #columns: Tensor; // mean over the samples of k(xᵢ, xⱼ) for each j, [N]
  readonly #project: (y: Tensor) => Promise<Tensor>;
  readonly #towards: (z: Tensor, gamma: Tensor) => Promise<Tensor>;

  constructor(kernel: Kernel, samples: Tensor, alpha: Tensor, eigenvalues: Float64Array, columns: Tensor) {
    [this.kernel, this.samples, this.alpha] = [kernel, samples, alpha];
    [this.eigenvalues, this.#columns] = [eigenvalues, columns];
    this.#project = compile((y: Tensor) => this.scores(y));
    this.#towards = compile((z: Tensor, gamma: Tensor) => kernel.towards(z, samples, gamma));
  }

  /** The codes Σᵢ αₖᵢ·k̃(xᵢ, y) of points y [B, …], [B, k], with k̃ the kernel of what is centred there. */
  scores(y: Tensor): Tensor {
    const k = this.kernel.of(flat(y), this.samples); // [B, N]
    const centred = k
      .sub(k.mean(1, { keepDims: true }))
      .sub(this.#columns)
      .add(this.#columns.mean());
    return centred.matmul(this.alpha);
  }

  /**
   * Points z [B, D] whose images φ(z) are nearest to what codes [B, k] stand for, the mean of the images plus Σₖ tₖ·vₖ, as far as
   * the fixed point of the kernel leads there. Throws a RangeError unless the number of steps is a whole one.
   */
  async preimage(scores: Tensor, { start, steps = 100 }: PreimageOptions = {}): Promise<Tensor> {
    if (!Number.isInteger(steps) || steps < 0)
      throw new RangeError(`preimage: steps must be a whole number ≥ 0, got ${steps}`);
    const n = this.samples.shape[0];
    const weights = scores.cast("f64").matmul(this.alpha.transpose()); // [B, N]
    const gamma = weights.add(weights.sum(1, { keepDims: true }).neg().add(1).div(n)); // with the mean that was taken away
    await gamma.data();
    let z = start === undefined ? await this.#nearest(scores) : flat(start);
    for (let step = 0; step < steps; step++) z = await this.#towards(z, gamma);
    return z;
  }

  /** x̂ of points x [B, …], of the shape of x: the pre-image of their scores, searched from themselves. */
  async reconstruct(x: Tensor, { steps }: { steps?: number } = {}): Promise<Tensor> {
    const z = await this.preimage(await this.#project(x), { start: x, ...(steps === undefined ? {} : { steps }) });
    return z.reshape(x.shape);
  }

  /** For each row of codes [B, k] the sample that has the nearest ones. */
  async #nearest(scores: Tensor): Promise<Tensor> {
    const own = await this.#project(this.samples); // [N, k]
    const t = scores.cast("f64");
    const distance = own.square().sum(1).sub(t.matmul(own.transpose()).mul(2)); // less what a row has in common
    return this.samples.gather(distance.argmin(1));
  }
}

/**
 * Kernel PCA of samples x [N, …]: the eigenvectors v of K̃ = HKH, H = 1 − 11ᵀ / N, with αₖ = vₖ / √λₖ, so that components have unit
 * norm in the kernel's space. Takes time as N³: meant for some thousand samples. Throws a RangeError for a number of components
 * that N samples cannot have, or that they do not vary in.
 */
export async function kernelPca(x: Tensor, { kernel, components }: KernelPcaOptions): Promise<KernelPca> {
  const n = x.rank === 0 ? 0 : x.shape[0];
  if (!Number.isInteger(components) || components < 1 || components >= n)
    throw new RangeError(
      `kernelPca: components must be a whole number from 1 to ${n - 1} for ${n} samples, got ${components}`,
    );
  const values = await flat(x).data();
  const samples = tensor(values, [n, values.length / n]);
  const matrix = kernel.of(samples, samples);
  const columns = tensor(await matrix.mean(0).data());
  const centred = matrix.sub(columns).sub(columns.unsqueeze(1)).add(columns.mean());
  const eigen = symmetricEigen((await centred.data()) as Float64Array, n);
  const eigenvalues = eigen.values.slice(0, components);
  if (!(eigenvalues[components - 1] > 1e-12 * eigenvalues[0]))
    throw new RangeError(
      `kernelPca: the samples vary in fewer than ${components} directions; ask for fewer components`,
    );
  const alpha = new Float64Array(n * components);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < components; k++)
      alpha[i * components + k] = eigen.vectors[k * n + i] / Math.sqrt(eigenvalues[k]);
  return new KernelPca(kernel, samples, tensor(alpha, [n, components]), eigenvalues, columns);
}

/** Points as rows in double precision. */
const flat = (x: Tensor): Tensor => x.reshape(x.shape[0], -1).cast("f64");
