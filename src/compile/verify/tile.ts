// Checks of tiling: every loop has one place in the layout, and what runs along lanes or is unrolled does so in equal steps.

import { liveExprs, type TiledKernel, vectorOnResult, withinRow } from "../4-tile.ts";
import { type Axis, coefficient } from "../affine.ts";
import { indicesIn } from "../kernel.ts";
import { fault as faultAfter } from "./fault.ts";

/** Checks the layout of a kernel that has itself been checked. `name` stands for it in errors. */
export function verifyTile(kernel: TiledKernel, name: string): void {
  const fault = (problem: string): never => faultAfter("tile", `${name}: ${problem}`);
  const { outer, reduced, plain, unrolled, vector, vectors, reducedOrder, rounds, lanes } = kernel;
  const alike = (a: readonly Axis[], b: readonly Axis[]): boolean =>
    a.length === b.length && a.every((x) => b.filter((y) => x.id === y.id && x.extent === y.extent).length === 1);
  const onResult = vectorOnResult(kernel);
  const laid = [...plain, ...unrolled.map((u) => u.axis), ...(onResult ? [vector!] : [])];
  const names = (axes: readonly Axis[]): string => axes.map((a) => `i${a.id}<${a.extent}`).join(" ");
  if (!alike(laid, outer)) fault(`the layout runs over ${names(laid)}, the results over ${names(outer)}`);
  if (!alike(reducedOrder, reduced))
    fault(`the layout reduces over ${names(reducedOrder)}, the kernel over ${names(reduced)}`);
  for (const { axis, factor } of unrolled)
    if (!(Number.isInteger(factor) && factor >= 1 && factor <= axis.extent))
      fault(`${factor} elements of ${names([axis])} in a tile`);
  if (vector !== undefined && !onResult && reducedOrder[reducedOrder.length - 1] !== vector)
    fault(`the vector axis ${names([vector])} is not the last of ${names(reducedOrder)}`);
  if (!(vectors >= 1) || (vectors > 1 && !onResult)) fault(`${vectors} vectors side by side`);
  const last = reducedOrder[reducedOrder.length - 1];
  const steps = Math.floor((last?.extent ?? 1) / (vector !== undefined && !onResult ? lanes : 1));
  if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= Math.max(1, steps)))
    fault(`rounds of ${rounds} steps along ${steps}`);
  const along = [...unrolled.map((u) => u.axis), ...(vector === undefined ? [] : [vector])];
  const dependent = kernel.serial && along.some((axis) => !withinRow(kernel, axis));
  if (dependent) fault(`${names(along)} run side by side, the kernel is serial`);
  const live = liveExprs(kernel);
  for (const axis of along) {
    const uneven = [...live.flatMap(indicesIn), ...kernel.stores.map((s) => s.index)].find(
      (index) => coefficient(index, axis) === undefined,
    );
    if (uneven !== undefined) fault(`${names([axis])} does not move in equal steps through ${uneven.key}`);
  }
  const unfit = vector && live.find((e) => e.dtype === "f64" || e.dtype === "i64");
  if (unfit !== undefined) fault(`%${unfit.id} of ${unfit.dtype} runs along lanes of 32 bits`);
}
