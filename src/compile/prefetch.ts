// What a kernel will read next, asked for ahead of time: rows that lie far apart are no pattern that a processor sees by itself.
import { bytesOf, type Node, sizeOf } from "../graph/internal.ts";
import { reached, type TiledKernel, tileLoops, vectorOnResult } from "./4-tile.ts";
import { type Axis, coefficient, type Index } from "./affine.ts";
import type { Expr, Kernel } from "./kernel.ts";
import type { Variable } from "./loop-form.ts";
import type { Instance, Values } from "./nest-values.ts";

/** Adds statements to a kernel's loop form that ask for memory. A target makes it, so that where nothing can be asked for it is left out. */
export class Prefetcher {
  readonly #kernel: TiledKernel;
  readonly #values: Values;
  readonly #variable: (axis: Axis) => Variable;
  readonly #streams: readonly Stream[];

  constructor(kernel: TiledKernel, values: Values, variable: (axis: Axis) => Variable) {
    this.#kernel = kernel;
    this.#values = values;
    this.#variable = variable;
    this.#streams = streams(
      kernel,
      values.live.filter((e) => e.kind === "load"),
    );
  }

  /** Asks for the rows that the next tile will read in this round, where it ends: what comes before, this one reads. */
  nextTile(instances: readonly Instance[], taps: readonly Axis[]): void {
    if (this.#streams.length === 0) return;
    const values = this.#values;
    const body = values.block(() => {
      for (const { load, step } of this.#streams) {
        const places = instances.map((i) => values.place(load.buffer, load.index, load.dtype, i, step));
        for (const [, place] of new Map(places.map((p) => [p.at, p]))) values.add({ kind: "prefetch", place });
      }
    });
    const ends = taps.map((axis) => ({ variable: this.#variable(axis), value: axis.extent - 1 }));
    values.add({ kind: "within", values: ends, body });
  }

  /** Asks for the rows that this tile's stores will read and write; `counts` are its elements along its axes. */
  rows(counts: ReadonlyMap<Axis, number>): void {
    const values = this.#values;
    for (const { buffer, index, dtype, rows, along, lines } of rowsAfter(this.#kernel, counts)) {
      const ask = ([row, ...inner]: typeof rows): void => {
        if (row !== undefined) return values.roll(row.axis, this.#variable(row.axis), row.count, 1, () => ask(inner));
        for (const line of lines)
          values.add({ kind: "prefetch", place: values.place(buffer, index, dtype, new Map([[along.id, line]])) });
      };
      ask(rows);
    }
  }
}

interface Stream {
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
function streams(kernel: TiledKernel, loads: readonly (Expr & { kind: "load" })[]): Stream[] {
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

interface Access {
  readonly buffer: number;
  readonly index: Index;
  readonly dtype: Expr["dtype"];
}

/** What a tile reads or writes once its sums are formed, in rows far apart: a row for each position along some of its axes. */
interface Rows extends Access {
  readonly rows: readonly { readonly axis: Axis; readonly count: number }[];
  /** The axis along a row, and elements of which one lies in each line of the cache that the tile's part of the row touches. */
  readonly along: Axis;
  readonly lines: readonly number[];
}

/** Smaller values are still in the second-level cache. */
const leastBytes = 512 * 1024;
/** Vector operations of a tile's sums for each line asked for, from which asking costs little and the lines are there in time. */
const leastWork = 20;
const lineElements = 16;
const twoLines = 2 * lineElements;

/** What the stores of a tile touch, asked for before its sums are formed: of rows far apart the processor waits for each. */
function rowsAfter(kernel: TiledKernel, counts: ReadonlyMap<Axis, number>): Rows[] {
  if (!vectorOnResult(kernel)) return [];
  const terms = kernel.reduced.reduce((n, a) => n * a.extent, 1);
  const elements = [...counts.values()].reduce((n, count) => n * count, 1);
  const places: Access[] = [
    ...loadsAfter(kernel),
    ...kernel.stores.map(({ buffer, index, value }) => ({ buffer, index, dtype: value.dtype })),
  ];
  const found = [...new Map(places.map((p) => [`${p.buffer} ${p.index.key}`, p])).values()]
    .map((access) => rowsOf(kernel, access, counts))
    .filter((r) => r !== undefined);
  const lines = found.reduce((n, r) => n + r.rows.reduce((m, { count }) => m * count, r.lines.length), 0);
  return (elements / kernel.lanes) * terms >= leastWork * lines ? found : [];
}

/** Loads without conditions that only the stores need. */
const loadsAfter = ({ stores }: Kernel): (Expr & { kind: "load" })[] =>
  [...reached(stores.map(({ value }) => value))].filter((e) => e.kind === "load").filter((e) => e.guards.length === 0);

function rowsOf(kernel: Kernel, { buffer, index, dtype }: Access, counts: ReadonlyMap<Axis, number>): Rows | undefined {
  if (bytesIn(kernel.buffers[buffer].node) < leastBytes) return undefined;
  const steps = [...counts].map(([axis, count]) => ({ axis, count, step: coefficient(index, axis) }));
  const line = steps.find(({ step }) => step === 1);
  const rows = steps.filter(({ step }) => step !== 0 && step !== 1);
  if (
    line === undefined ||
    rows.length === 0 ||
    rows.some(({ step }) => step === undefined || Math.abs(step) < twoLines)
  )
    return undefined;
  const last = line.count - 1;
  const lines = Array.from({ length: Math.ceil(line.count / lineElements) }, (_, k) => k * lineElements);
  if (last % lineElements !== lineElements - 1 && last > 0) lines.push(last);
  return { buffer, index, dtype, rows, along: line.axis, lines };
}

const bytesIn = ({ shape, dtype }: Node): number => sizeOf(shape) * bytesOf[dtype];
