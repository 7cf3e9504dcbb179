// Random numbers of other distributions, from uniform ones: the same on every machine.
import { hostMath } from "../graph/internal.ts";

/** A number in [0, 1). */
export type Uniform = () => number;

/** A standard normal number (Box & Muller, 1958): √(−2 ln u)·cos 2πv. */
export const normal = (random: Uniform): number =>
  Math.sqrt(-2 * hostMath.log(1 - random())) * hostMath.cos(2 * Math.PI * random());

/** Γ(shape, 1) (Marsaglia & Tsang, 2000); below 1 as Γ(shape + 1)·u^(1/shape), whose logarithm is what is returned. */
function logGamma(shape: number, random: Uniform): number {
  if (shape < 1) return logGamma(shape + 1, random) + hostMath.log(1 - random()) / shape;
  const d = shape - 1 / 3;
  for (;;) {
    const z = normal(random);
    const v = (1 + z / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && hostMath.log(1 - random()) < (z * z) / 2 + d * (1 - v + hostMath.log(v))) return hostMath.log(d * v);
  }
}

/** A number of Beta(α, β): a / (a + b) for a of Γ(α) and b of Γ(β), by logarithms, as for small α both are nearly 0. */
export function beta(alpha: number, other: number, random: Uniform): number {
  const [a, b] = [logGamma(alpha, random), logGamma(other, random)];
  return 1 / (1 + hostMath.exp(b - a));
}
