// Kernels: inner products of what points become in a space that is never entered.
import { type Tensor, where } from "../graph/index.ts";

/** k(a, b) = ⟨φ(a), φ(b)⟩. */
export interface Kernel {
  /** k of each row of a [n, D] with each row of b [m, D], [n, m]. */
  of(a: Tensor, b: Tensor): Tensor;
  /**
   * One step of the fixed point that z [B, D] has where φ(z) is nearest to Σᵢ γᵢ·φ(xᵢ), x [N, D], γ [B, N]
   * (Mika et al., Kernel PCA and de-noising in feature spaces, 1999).
   */
  towards(z: Tensor, x: Tensor, gamma: Tensor): Tensor;
}

/**
 * The Gaussian kernel exp(−γ·‖a − b‖²). Its fixed point is z = Σᵢ γᵢ·k(z, xᵢ)·xᵢ / Σᵢ γᵢ·k(z, xᵢ); where the weights sum to less
 * than 10⁻¹², z stays. Throws a RangeError unless γ > 0.
 */
export function rbfKernel({ gamma }: { gamma: number }): Kernel {
  if (!(gamma > 0 && gamma < Number.POSITIVE_INFINITY))
    throw new RangeError(`rbfKernel: gamma must be a finite number above 0, got ${gamma}`);
  const of = (a: Tensor, b: Tensor): Tensor => {
    const [left, right] = [a.square().sum(1, { keepDims: true }), b.square().sum(1)];
    return left.add(right).sub(a.matmul(b.transpose()).mul(2)).maximum(0).mul(-gamma).exp();
  };
  return {
    of,
    towards(z, x, weights) {
      const each = of(z, x).mul(weights); // [B, N]
      const sum = each.sum(1, { keepDims: true });
      return where(sum.abs().lt(1e-12), z, each.matmul(x).div(sum));
    },
  };
}

/**
 * The polynomial kernel (γ·⟨a, b⟩ + c)ᵈ. Its fixed point is z = Σᵢ γᵢ·k′(⟨z, xᵢ⟩)·xᵢ / k′(⟨z, z⟩), which need not be reached for
 * d > 1: iterations may go round. Throws a RangeError unless d is a whole number ≥ 1, γ > 0 and c ≥ 0.
 */
export function polynomialKernel({
  degree = 2,
  gamma = 1,
  offset = 1,
}: {
  degree?: number;
  gamma?: number;
  offset?: number;
} = {}): Kernel {
  if (!Number.isInteger(degree) || degree < 1)
    throw new RangeError(`polynomialKernel: degree must be a whole number ≥ 1, got ${degree}`);
  if (!(gamma > 0 && offset >= 0 && Number.isFinite(gamma + offset)))
    throw new RangeError(`polynomialKernel: needs gamma > 0 and offset ≥ 0, both finite, got ${gamma} and ${offset}`);
  const raised = (inner: Tensor, power: number): Tensor => inner.mul(gamma).add(offset).pow(power);
  return {
    of: (a, b) => raised(a.matmul(b.transpose()), degree),
    towards(z, x, weights) {
      const each = raised(z.matmul(x.transpose()), degree - 1).mul(weights); // of k′, without the factors that cancel
      const next = each.matmul(x).div(raised(z.square().sum(1, { keepDims: true }), degree - 1));
      return where(next.isFinite(), next, z);
    },
  };
}
