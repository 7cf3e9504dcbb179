// What a kernel's sums will read next, asked for ahead of time: rows that lie far apart are no pattern that a processor sees by itself.
import { type TiledKernel, tileLoops, vectorOnResult } from "./4-tile.ts";
import { type Axis, coefficient } from "./affine.ts";
import type { Expr } from "./kernel.ts";

export interface Stream {
  readonly load: Expr & { kind: "load" };
  /** Elements from what one tile reads to what the next one does. */
  readonly step: number;
}

/** Rows closer than this many elements are followed by the processor itself. */
const farApart = 256;
/** Terms of a sum within one row, such as the taps of a convolution, of which the last ones are new to the next tile. */
const mostTaps = 64;
/** Tiles that read the same, one after another: for more, what is asked for again and again costs more than it saves. */
const mostRepeats = 4;

/** The loads that begin a new row at each step of the outermost reduced loop, and walk on along a loop around it. */
export function streams(kernel: TiledKernel, loads: readonly (Expr & { kind: "load" })[]): Stream[] {
  const { vector, reducedOrder } = kernel;
  if (vector === undefined || !vectorOnResult(kernel) || reducedOrder.length === 0) return [];
  const [rows, ...taps] = reducedOrder;
  if (taps.reduce((n, a) => n * a.extent, 1) > mostTaps) return [];
  return loads.flatMap((load) => {
    const along = (axis: Axis): number => coefficient(load.index, axis) ?? 0;
    if (load.guards.length > 0 || along(vector) !== 1 || along(rows) < farApart) return [];
    let repeats = 1;
    for (const { axis, step, count } of around(kernel)) {
      if (along(axis) > 0) return repeats > mostRepeats ? [] : [{ load, step: along(axis) * step }];
      repeats *= count;
    }
    return [];
  });
}

/** The loops around the tile with more than one iteration, innermost first. */
function around(kernel: TiledKernel): { axis: Axis; step: number; count: number }[] {
  const plain = kernel.plain.map((axis) => ({ axis, step: 1 }));
  return [...plain, ...tileLoops(kernel)]
    .map(({ axis, step }) => ({ axis, step, count: Math.ceil(axis.extent / step) }))
    .filter(({ count }) => count > 1)
    .reverse();
}
