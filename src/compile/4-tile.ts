// Pass 4: chooses how a kernel's loops map to the machine: which axis runs along vector lanes, which are unrolled into registers, in what order.
import { halves, rebuild } from "./3-lower.ts";
import { type Axis, coefficient, type Index } from "./affine.ts";
import { type Expr, indicesIn, type Kernel, type Reduction } from "./kernel.ts";
import type { Target } from "./target.ts";

export interface Unrolled {
  readonly axis: Axis;
  readonly factor: number;
}

/** A kernel with its loops laid out. */
export interface TiledKernel extends Kernel {
  readonly lanes: number;
  /** Loops over results that surround the tile, outermost first; threads share out their iterations. */
  readonly plain: readonly Axis[];
  /** Result axes of the register tile, outermost first. The vector axis, if it is one of the results', comes with `vectors`. */
  readonly unrolled: readonly Unrolled[];
  /** The axis along lanes; undefined: one element at a time. */
  readonly vector: Axis | undefined;
  /** Vectors side by side along the vector axis. */
  readonly vectors: number;
  /** The reduced axes in loop order; the vector axis, if reduced, is the last. */
  readonly reducedOrder: readonly Axis[];
  /** Steps along the last reduced axis that one round of its loop takes. */
  readonly rounds: number;
  /** Sums start anew after so many elements along a reduced axis, and are added to a total: so errors do not grow with their length. */
  readonly stage: Stage | undefined;
}

export interface Stage {
  readonly axis: Axis;
  /** A multiple of what one round of the axis's loop takes. */
  readonly count: number;
}

export interface TileOptions {
  readonly target: Target;
  readonly vectorize: boolean;
  readonly unroll: boolean;
  /** Split products that are too large for the cache into blocks. */
  readonly block: boolean;
  /** Let sums start anew before they grow long. */
  readonly stage: boolean;
}

export type Access = {
  readonly index: Index;
  readonly guards: readonly { readonly index: Index }[];
  readonly store: boolean;
};

interface Choice {
  vector: Axis | undefined;
  vectors: number;
  unrolled: Unrolled[];
  rounds: number;
  cost: number;
}

/** Lays out a kernel's loops as the cost model likes best. */
export const tile = (kernel: Kernel, options: TileOptions): TiledKernel => layouts(kernel, options, 1)[0];

/** Up to `most` ways to lay out a kernel's loops, the most promising first. All add terms in the same order: results are the same. */
export function layouts(kernel: Kernel, options: TileOptions, most: number): TiledKernel[] {
  return choices(kernel, options, most).map((choice) => {
    const laid = layOut(kernel, choice, options);
    const blocked = options.unroll && options.block ? block(laid, options.target.blockBytes) : undefined;
    return blocked ?? laid;
  });
}

/** Splits the innermost tiled loop when what it walks through is too large to be in cache again for the next outer tile. */
function block(kernel: TiledKernel, blockBytes: number): TiledKernel | undefined {
  const tiles = kernel.unrolled.length + (vectorOnResult(kernel) ? 1 : 0);
  if (tiles < 2 || kernel.reduced.length === 0) return undefined;
  const { axis, factor } = kernel.unrolled[kernel.unrolled.length - 1];
  const depth = kernel.reduced.reduce((n, a) => n * a.extent, 1);
  const rows = Math.floor(blockBytes / (4 * depth));
  if (axis.extent <= rows) return undefined;
  let size = Math.max(rows, factor);
  while (size > factor && axis.extent % size !== 0) size--;
  if (size < 4 * factor) return undefined;
  const { high: outside, low: inside, index } = halves(kernel, axis, size);
  const { strips = 0 } = kernel;
  const outer = kernel.outer.map((a) => (a === axis ? inside : a)).toSpliced(strips, 0, outside);
  const rebuilt = rebuild({ ...kernel, outer }, new Map([[axis.id, index]]));
  const unrolled = kernel.unrolled.map((u) => (u.axis === axis ? { axis: inside, factor } : u));
  return { ...kernel, ...rebuilt, plain: kernel.plain.toSpliced(strips, 0, outside), unrolled };
}

function choices(kernel: Kernel, options: TileOptions, most: number): Choice[] {
  const live = liveExprs(kernel);
  const accesses: Access[] = loadsOf(live);
  accesses.push(...kernel.stores.map((s) => ({ index: s.index, guards: [], store: true })));
  const vectorizable = options.vectorize && live.every(hasVectorForm);
  const candidates = (axes: readonly Axis[]): Axis[] =>
    vectorizable
      ? axes.filter(
          (a) => a.extent >= 3 && live.every((e) => affineAlong(e, a)) && (!kernel.serial || withinRow(kernel, a)),
        )
      : [];
  const unroll = options.unroll && !kernel.serial;
  if (kernel.reductions.length === 0)
    return [elementwise(kernel, live, accesses, candidates(tiledAxes(kernel)), { ...options, unroll })];
  const [best, ...others] = reducing(kernel, live, candidates, { ...options, unroll });
  const sameSums = (c: Choice): boolean => c.vector === best.vector || (onResults(c) && onResults(best));
  const onResults = ({ vector }: Choice): boolean => vector !== undefined && kernel.outer.includes(vector);
  return most === 1 ? [best] : [best, ...others.filter(sameSums).sort((a, b) => a.cost - b.cost)].slice(0, most);
}

/** The loops over results that may be part of a tile: those over strips stay outermost. */
const tiledAxes = ({ outer, strips = 0 }: Kernel): readonly Axis[] => outer.slice(strips);

function layOut(
  kernel: Kernel,
  { vector, vectors, unrolled, rounds }: Choice,
  { target: { lanes }, stage: staged }: TileOptions,
): TiledKernel {
  const tiled = new Set(unrolled.map((u) => u.axis));
  const onResult = vector !== undefined && kernel.outer.includes(vector);
  const reducedOrder = onResult
    ? kernel.reduced
    : [...kernel.reduced.filter((a) => a !== vector), ...kernel.reduced.filter((a) => a === vector)];
  return {
    ...kernel,
    lanes,
    plain: kernel.outer.filter((a) => !tiled.has(a) && !(onResult && a === vector)),
    unrolled,
    vector,
    vectors,
    rounds,
    reducedOrder,
    stage:
      staged && kernel.reductions.some(isStaged)
        ? stageOf(reducedOrder, onResult ? undefined : vector, rounds, lanes)
        : undefined,
  };
}

/** Terms that one running sum takes up before it is added to the total. */
const longestRun = 1024;

/** Whether a reduction is a plain sum of f32; of those that are compensated the error does not grow, f64 has digits to spare. */
export const isStaged = ({ op, value, compensated }: Reduction): boolean =>
  op === "sum" && value.dtype === "f32" && !compensated;

/** Where running sums are cut: the innermost axis at which they would grow too long. */
function stageOf(order: readonly Axis[], vector: Axis | undefined, rounds: number, lanes: number): Stage | undefined {
  let inner = 1;
  for (let i = order.length - 1; i >= 0; i--) {
    const axis = order[i];
    const width = axis === vector ? lanes : 1;
    const steps = Math.ceil(axis.extent / width);
    if (inner * steps > longestRun) {
      const round = i === order.length - 1 ? rounds : 1;
      const count = Math.max(1, Math.floor(longestRun / inner / round)) * round * width;
      return count < axis.extent ? { axis, count } : undefined;
    }
    inner *= steps;
  }
  return undefined;
}

const loadsOf = (exprs: readonly Expr[]): Access[] =>
  exprs.flatMap((e) => (e.kind === "load" ? [{ index: e.index, guards: e.guards, store: false }] : []));

/** Whether lanes run along an axis of the results, rather than a reduced one. */
export const vectorOnResult = (kernel: TiledKernel): boolean =>
  kernel.vector !== undefined && kernel.outer.includes(kernel.vector);

/** Expressions that others are made of, and with `reductions`, what is reduced for them. */
export function reached(from: readonly Expr[], reductions: readonly Reduction[] = []): Set<Expr> {
  const found = new Set<Expr>();
  const visit = (e: Expr | undefined): void => {
    if (e === undefined || found.has(e)) return;
    found.add(e);
    e.args.forEach(visit);
    if (e.kind === "reduction") visit(reductions[e.reduction]?.value);
  };
  from.forEach(visit);
  return found;
}

/** Expressions that the stores need. */
export const liveExprs = ({ stores, reductions }: Kernel): Expr[] =>
  [...reached(values(stores), reductions)].sort((a, b) => a.id - b.id);

const values = (list: readonly { readonly value: Expr }[]): Expr[] => list.map(({ value }) => value);

/** Vectors hold 32-bit lanes; there is no vector instruction for whole-number remainders. */
const hasVectorForm = (e: Expr): boolean =>
  e.dtype !== "f64" &&
  e.dtype !== "i64" &&
  !(e.kind === "op" && e.dtype === "i32" && (e.op === "mod" || e.op === "div"));

/** Whether lanes of an axis are a constant step apart in everything the expression reads. */
const affineAlong = (e: Expr, axis: Axis): boolean =>
  indicesIn(e).every((index) => coefficient(index, axis) !== undefined);

/** Whether what scattering stores along an axis are neighbours in one row, so that no lane needs another. */
export const withinRow = (kernel: Kernel, axis: Axis): boolean =>
  kernel.stores.every(({ index }) => coefficient(index, axis) === 1);

function elementwise(
  kernel: Kernel,
  live: readonly Expr[],
  accesses: readonly Access[],
  candidates: readonly Axis[],
  { target: { lanes }, unroll }: TileOptions,
): Choice {
  let best: Choice = { vector: undefined, vectors: 1, unrolled: [], rounds: 1, cost: Number.POSITIVE_INFINITY };
  for (const axis of candidates) {
    if (kernel.stores.some((s) => coefficient(s.index, axis) === undefined)) continue;
    const cost = accesses.reduce((sum, a) => sum + accessCost(a, axis, lanes), 0) / usefulLanes(axis.extent, lanes);
    const vectors = axis.extent >= 4 * lanes && live.length <= 24 ? 2 : 1;
    if (cost <= best.cost) best = { vector: axis, vectors, unrolled: [], rounds: 1, cost };
  }
  return unroll ? turned(kernel, live, accesses, best, lanes) : best;
}

/** Where lanes are gathered from far apart, as in a transposition, a square tile uses up each cache line while it is at hand. */
function turned(
  kernel: Kernel,
  live: readonly Expr[],
  accesses: readonly Access[],
  choice: Choice,
  lanes: number,
): Choice {
  const { vector } = choice;
  if (vector === undefined || vector.extent < 4 * lanes) return choice;
  const gathered = accesses.filter((a) => !a.store && Math.abs(coefficient(a.index, vector)!) > lanes);
  const along = tiledAxes(kernel).find((u) => u.extent >= 4 && gathered.some((a) => coefficient(a.index, u) === 1));
  const affine = along !== undefined && live.every((e) => affineAlong(e, along));
  if (!affine || kernel.stores.some((s) => coefficient(s.index, along) === undefined)) return choice;
  const factor = Math.min(along.extent, Math.max(4, lanes));
  return { ...choice, vectors: Math.max(1, 16 / lanes), unrolled: [{ axis: along, factor }] };
}

/** Instructions of one vector access along an axis. */
export function accessCost(access: Access, axis: Axis, lanes: number): number {
  const step = coefficient(access.index, axis);
  const guarded = access.guards.some((g) => coefficient(g.index, axis) !== 0) ? 4 : 0;
  if (step === 1) return (access.store ? 2 : 1) + guarded;
  if (step === 0) return access.store ? 4 * lanes : 1 + guarded;
  return (access.store ? 3 * lanes : 1.5 * lanes) + guarded;
}

const usefulLanes = (extent: number, lanes: number): number => extent / Math.ceil(extent / lanes);

/** Vector axes and register tiles of a kernel with reductions, first the one with the fewest instructions per useful multiply-add. */
function reducing(
  kernel: Kernel,
  live: readonly Expr[],
  candidates: (axes: readonly Axis[]) => Axis[],
  { target, unroll }: TileOptions,
): Choice[] {
  const { lanes } = target;
  const inner = reached(values(kernel.reductions));
  const reducedIds = new Set(kernel.reduced.map((a) => a.id));
  const varying = live.filter((e) => inner.has(e) && [...e.axes].some((id) => reducedIds.has(id)));
  const work: Work = {
    loads: loadsOf(varying),
    ops: varying.filter((e) => e.kind === "op"),
    kernel,
    target,
    steps: kernel.reduced.reduce((n, a) => n * a.extent, 1),
  };
  const free = tiledAxes(kernel).filter(
    (a) => live.every((e) => affineAlong(e, a)) && kernel.stores.every((s) => coefficient(s.index, a) !== undefined),
  );
  const all: Choice[] = [];
  let best = 0;
  const consider = (vector: Axis | undefined, vectors: number, unrolled: Unrolled[]): void => {
    // totals that do not fit into registers never pay
    const totals = unrolled.reduce((n, u) => n * u.factor, vectors) * kernel.reductions.length;
    if (totals >= target.registers && all.length > 0) return;
    const choice = { vector, vectors, unrolled, ...estimate(work, vector, vectors, unrolled) };
    if (all.push(choice) > 1 && choice.cost < all[best].cost) best = all.length - 1;
  };
  const onResult = candidates(tiledAxes(kernel)).filter((a) =>
    kernel.stores.every((s) => coefficient(s.index, a) !== undefined),
  );
  for (const vector of [undefined, ...onResult, ...candidates(kernel.reduced)]) {
    const others = free.filter((a) => a !== vector && a.extent > 1);
    const most =
      vector !== undefined && kernel.outer.includes(vector) ? Math.min(4, Math.ceil(vector.extent / lanes)) : 1;
    for (let vectors = 1; vectors <= most; vectors++) {
      consider(vector, vectors, []);
      if (unroll) for (const tile of tilesOf(others, target)) consider(vector, vectors, tile);
    }
  }
  [all[0], all[best]] = [all[best], all[0]];
  return all;
}

/** Register tiles over one axis, then over two: of what costs as much, that along one line is the faster. */
function* tilesOf(axes: readonly Axis[], { factors, mostUnrolled }: Target): Iterable<Unrolled[]> {
  for (const axis of axes) for (const factor of factors) if (factor <= axis.extent) yield [{ axis, factor }];
  for (let i = 0; i < axes.length; i++) {
    for (const f of factors) {
      if (f > axes[i].extent) continue;
      for (let j = i + 1; j < axes.length; j++) {
        for (const g of factors)
          if (g <= axes[j].extent && f * g <= mostUnrolled)
            yield [
              { axis: axes[j], factor: g },
              { axis: axes[i], factor: f },
            ];
      }
    }
  }
}

/** Elements in a page of memory. */
const far = 1024;

/** Lines that the first-level cache holds of those that lie whole pages apart: of 14 rows of 1024 elements, all are read anew for each line (57 instead of 109 GFLOP/s). */
const ways = 8;

/** Places in a page where rows so many elements apart begin. */
function setsOf(apart: number): number {
  let common = far;
  while (apart % common !== 0) common /= 2;
  return far / common;
}

interface Work {
  readonly loads: readonly Access[];
  readonly ops: readonly Expr[];
  readonly kernel: Kernel;
  readonly target: Target;
  /** Terms in each sum. */
  readonly steps: number;
}

/** Instructions per multiply-add of one useful result element, and the steps that one round of the loop takes. */
function estimate(
  { loads, ops, kernel, target, steps }: Work,
  vector: Axis | undefined,
  vectors: number,
  unrolled: readonly Unrolled[],
): { cost: number; rounds: number } {
  const { lanes, registers, fused } = target;
  const onResult = vector !== undefined && kernel.outer.includes(vector);
  const repeats = (uses: (a: Axis) => boolean): number =>
    unrolled.reduce((n, u) => (uses(u.axis) ? n * u.factor : n), 1) * (onResult && uses(vector) ? vectors : 1);
  const tileSize = repeats(() => true);
  const compensated = tileSize * kernel.reductions.filter((r) => r.compensated).length;
  const accumulators = tileSize * kernel.reductions.length + compensated;
  let instructions = accumulators + 5 * compensated; // one addition each, seven where compensated
  if (fused) instructions -= tileSize * kernel.reductions.filter(isProduct).length;
  const streams: number[] = [];
  for (const load of loads) {
    const count = repeats((a) => coefficient(load.index, a) !== 0);
    if (vector === undefined) instructions += (fused ? 0.5 : 1) * count;
    else if (target.loadCost) instructions += count * target.loadCost(load, vector, unrolled, count * steps, lanes);
    else instructions += count * accessCost(load, vector, lanes);
    streams.push(count);
    // tile elements far apart in memory crowd the cache
    for (const u of unrolled) {
      const apart = Math.abs(coefficient(load.index, u.axis) ?? 0);
      if (apart >= far) instructions += (u.factor > ways * setsOf(apart) ? 1.5 : 0.5) * u.factor;
    }
  }
  for (const { index } of kernel.stores)
    for (const u of unrolled)
      if (Math.abs(coefficient(index, u.axis) ?? 0) >= far / 2) instructions += (16 * u.factor) / steps;
  for (const e of ops) instructions += repeats((a) => e.axes.has(a.id));
  const loaded = target.loadsFirst ? streams.reduce((a, b) => a + b, 0) : streams.length > 1 ? Math.min(...streams) : 1;
  const left = registers - accumulators - 1;
  const rounds = target.mostTerms > 0 ? 1 : roundsOf(kernel, vector, left / Math.max(1, loaded), lanes);
  instructions += fused ? 1 : loopInstructions / rounds; // a C compiler needs no more, however many steps a round takes
  if (loaded > left) instructions += 4 * (loaded - left);
  if (vector !== undefined && !onResult) instructions += (8 * accumulators * lanes) / Math.max(lanes, steps); // horizontal sums
  if (accumulators < 4) instructions += 2 * (4 - accumulators); // too few independent chains to hide the latency of addition
  if (onResult)
    for (const s of kernel.stores)
      instructions += ((coefficient(s.index, vector) === 1 ? 0 : 2 * lanes) * tileSize) / steps; // lane by lane
  const spent = unrolled.reduce((w, u) => (w * Math.ceil(u.axis.extent / u.factor) * u.factor) / u.axis.extent, 1);
  const waste = fused ? spent : Math.sqrt(spent); // the last tile reaches back over the one before, or is smaller
  const groups = onResult ? Math.ceil(vector.extent / lanes / vectors) * vectors * lanes : 0;
  const tailWaste = onResult ? Math.sqrt(groups / (Math.ceil(vector.extent / lanes) * lanes)) : 1;
  const useful = tileSize * (vector === undefined ? 1 : usefulLanes(vector.extent, lanes));
  return { cost: (instructions * waste * tailWaste) / useful, rounds };
}

const isProduct = ({ op, value, compensated }: Reduction): boolean =>
  op === "sum" && !compensated && value.kind === "op" && value.op === "mul";

/** Advancing addresses, comparing, branching, and the check for interrupts that V8 adds to each loop. */
const loopInstructions = 3;

/** How many steps along the last reduced axis a round takes: all where that spares the loop, else few, and no more than fit into registers. */
function roundsOf(kernel: Kernel, vector: Axis | undefined, fitting: number, lanes: number): number {
  const reducedVector = vector !== undefined && kernel.reduced.includes(vector);
  const last = reducedVector ? vector : kernel.reduced[kernel.reduced.length - 1];
  const steps = Math.floor((last?.extent ?? 1) / (reducedVector ? lanes : 1));
  const most = steps <= 6 ? steps : 4;
  return Math.max(1, Math.min(most, Math.floor(fitting)));
}

export interface TileLoop {
  readonly axis: Axis;
  /** Elements per iteration. */
  readonly step: number;
}

/** Tiles along an axis from which its loop may be the outermost, which threads share out. */
const manyTiles = 16;

/**
 * Loops over register tiles, outermost first: the vector axis outside, so that what runs along lanes stays in cache; outside of it those
 * along which that moves too, as from row to row of an image, of which every column would be read from afar else.
 */
export function tileLoops(kernel: TiledKernel): TileLoop[] {
  const { vector, lanes, vectors } = kernel;
  const tiles = kernel.unrolled.map((u) => ({ axis: u.axis, step: u.factor }));
  if (vector === undefined || !vectorOnResult(kernel)) return tiles;
  const along = loadsOf([...reached(values(kernel.reductions))]).filter(
    ({ index }) => coefficient(index, vector) === 1,
  );
  const outside = tiles.filter(
    ({ axis, step }) => axis.extent >= manyTiles * step && along.some(({ index }) => coefficient(index, axis) !== 0),
  );
  const inside = tiles.filter((t) => !outside.includes(t));
  return [...outside, { axis: vector, step: lanes * vectors }, ...inside];
}
