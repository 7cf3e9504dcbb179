// What loads cost on a processor that does them beside arithmetic; a target has it.
import { type Access, accessCost, type Unrolled } from "./4-tile.ts";
import { type Axis, coefficient } from "./affine.ts";

/** How much of the time of loads does not vanish behind arithmetic. */
const overlap = 0.35;
/** Bytes that stay in the first-level cache while a sum is formed. */
const nearBytes = 16 * 1024;

/** Instructions that a vector load is worth, of `vectors` in a sum: where it crosses lines of the cache it takes two, and more from further away. */
export function loadCost(
  load: Access,
  vector: Axis,
  unrolled: readonly Unrolled[],
  vectors: number,
  lanes: number,
): number {
  const step = coefficient(load.index, vector);
  if (step === 0) return overlap * (0.5 + (accessCost(load, vector, lanes) - 1));
  if (step !== 1) return accessCost(load, vector, lanes) / 2;
  const askew = (coef: number): boolean => coef % lanes !== 0;
  const tiles = unrolled.some((u) => askew(coefficient(load.index, u.axis) ?? 0));
  const taps =
    load.index.terms.some((t) => t.coef !== 1 && askew(t.coef)) ||
    load.index.terms.filter((t) => t.coef === 1).length > 1;
  const far = 4 * lanes * vectors > nearBytes ? 1 : 0;
  return overlap * (accessCost(load, vector, lanes) + far + (tiles ? 1.5 : taps ? 0.7 : 0));
}
