// Pass 7: turns a tiled kernel into loops, values, totals and stores, for an emitter to print.
import { isStaged, type TiledKernel, type TileLoop, tileLoops, vectorOnResult } from "./4-tile.ts";
import { type Axis, coefficient } from "./affine.ts";
import { type Expr, indicesIn } from "./kernel.ts";
import {
  axisName,
  type Block,
  begin,
  end,
  type Mode,
  type Total,
  type Value,
  type Variable,
  type Whole,
} from "./loop-form.ts";
import { type Instance, none, resultKey, rowsIn, Values } from "./nest-values.ts";
import type { Prefetcher } from "./prefetch.ts";
import type { Target } from "./target.ts";

/** Elements of a register tile along an axis. */
interface Spread {
  readonly axis: Axis;
  readonly count: number;
  readonly step: number;
}

/**
 * The loop form of a kernel. idempotent: an element may be computed twice, as nothing that the kernel reads is overwritten; then the last of
 * several tiles may reach back over the one before, and need not be smaller.
 */
export const nest = (kernel: TiledKernel, target: Target, idempotent: boolean): Block =>
  new Nester(kernel, target, idempotent).nest();

class Nester {
  readonly kernel: TiledKernel;
  readonly target: Target;
  readonly #values: Values;
  readonly #reachesBack: boolean;
  readonly #ahead: Prefetcher | undefined;
  /** Row numbers that indices read from memory. */
  readonly #rows: readonly Expr[];
  readonly #variables = new Map<number, Variable>();
  readonly #open = new Set<number>();
  /** While sums are formed, what only the stores need is not computed ahead. */
  #reducing = false;

  constructor(kernel: TiledKernel, target: Target, idempotent: boolean) {
    this.kernel = kernel;
    this.target = target;
    this.#values = new Values(kernel);
    const indices = [...this.#values.live.flatMap(indicesIn), ...kernel.stores.map((s) => s.index)];
    this.#rows = indices.flatMap(rowsIn);
    this.#reachesBack = target.reachesBack && idempotent && !kernel.serial;
    this.#ahead = target.prefetcher?.(kernel, this.#values, (axis) => this.#variable(axis));
  }

  // Loops ---------------------------------------------------------------------------------------------------------------

  nest(): Block {
    const { kernel } = this;
    const tiles = tileLoops(kernel);
    return this.#values.block(() =>
      this.#when(begin, end, () => {
        if (kernel.serial || (kernel.plain.length === 0 && tiles.length === 0)) this.#serial(kernel.plain, tiles);
        else if (kernel.plain.length > 0) this.#plainTasks(tiles);
        else this.#tileTasks(tiles);
      }),
    );
  }

  /** All loops in order, for one thread. */
  #serial(plain: readonly Axis[], tiles: readonly TileLoop[]): void {
    if (plain.length === 0) this.#tiles(tiles, new Map());
    else this.#loop(plain[0], 0, plain[0].extent, 1, () => this.#serial(plain.slice(1), tiles));
  }

  /** Threads share the iterations of all plain loops, flattened. */
  #plainTasks(tiles: readonly TileLoop[]): void {
    const { plain } = this.kernel;
    const task: Variable = { name: "task" };
    this.#hoist();
    this.#counted(task, begin, end, () => {
      let rest: Whole = task;
      const positions = new Map<Axis, Whole>();
      for (let k = plain.length - 1; k > 0; k--) {
        positions.set(plain[k], { op: "mod", a: rest, b: plain[k].extent });
        rest = { op: "div", a: rest, b: plain[k].extent };
      }
      positions.set(plain[0], rest);
      this.#within(positions, () => this.#tiles(tiles, new Map()));
    });
  }

  /** No plain loops: threads share the tiles along the first tiled axis. */
  #tileTasks([{ axis, step }, ...inner]: readonly TileLoop[]): void {
    this.#hoist();
    if (this.#even(axis, step)) {
      const tile: Variable = { name: "tile" };
      this.#counted(tile, begin, end, () => this.#whole(axis, step, tile, inner, new Map()));
      return;
    }
    const whole = Math.floor(axis.extent / step);
    const first: Whole = { op: "mul", a: begin, b: step };
    const last: Whole = { op: "mul", a: { op: "min", a: end, b: whole }, b: step };
    if (whole > 0) this.#loop(axis, first, last, step, () => this.#tiles(inner, new Map([[axis, step]])));
    if (axis.extent % step === 0) return;
    this.#when(whole, end, () =>
      this.#within(new Map([[axis, whole * step]]), () =>
        this.#tiles(inner, new Map([[axis, axis.extent - whole * step]])),
      ),
    );
  }

  /** Loops over full tiles of the next tiled axis; where it has to be, the remainder as a smaller tile. */
  #tiles(tiles: readonly TileLoop[], counts: Counts): void {
    if (tiles.length === 0) return this.#tile(counts);
    const [{ axis, step }, ...inner] = tiles;
    if (axis.extent % step !== 0 && this.#even(axis, step)) {
      const n: Variable = { name: `n${axis.id}` };
      this.#counted(n, 0, Math.ceil(axis.extent / step), () => this.#whole(axis, step, n, inner, counts));
      return;
    }
    const whole = axis.extent - (axis.extent % step);
    this.#loop(axis, 0, whole, step, () => this.#tiles(inner, new Map(counts).set(axis, step)));
    this.#loop(axis, whole, axis.extent, step, () =>
      this.#tiles(inner, new Map(counts).set(axis, axis.extent - whole)),
    );
  }

  /** Whether full tiles suffice. */
  #even(axis: Axis, step: number): boolean {
    return axis.extent % step === 0 ? this.target.reachesBack : this.#reachesBack && axis.extent > step;
  }

  /** The n-th full tile along an axis, which ends at the axis's end at the latest. */
  #whole(axis: Axis, step: number, n: Variable, inner: readonly TileLoop[], counts: Counts): void {
    const start: Whole = { op: "mul", a: n, b: step };
    const last = axis.extent - step;
    const at: Whole = last % step === 0 ? start : { op: "min", a: start, b: last };
    this.#within(new Map([[axis, at]]), () => this.#tiles(inner, new Map(counts).set(axis, step)));
  }

  #when(less: Whole, than: Whole, body: () => void): void {
    this.#values.add({ kind: "when", less, than, body: this.#values.block(body) });
  }

  /** A loop that counts what no index depends on. */
  #counted(variable: Variable, from: Whole, to: Whole, body: () => void): void {
    this.#values.add({ kind: "loop", variable, from, to, step: 1, unrolled: false, body: this.#values.block(body) });
  }

  #loop(axis: Axis, from: Whole, to: Whole, step: number, body: () => void, unrolled = false): void {
    if (typeof from === "number" && typeof to === "number") {
      if (to <= from) return;
      if (to - from <= step) return this.#within(new Map([[axis, from]]), body);
    }
    const variable = this.#variable(axis);
    this.#values.add({ kind: "loop", variable, from, to, step, unrolled, body: this.#opened([axis], body) });
  }

  #within(positions: ReadonlyMap<Axis, Whole>, body: () => void): void {
    const values = [...positions].map(([axis, value]) => ({ variable: this.#variable(axis), value }));
    this.#values.add({ kind: "within", values, body: this.#opened([...positions.keys()], body) });
  }

  #variable(axis: Axis): Variable {
    let variable = this.#variables.get(axis.id);
    if (variable === undefined) this.#variables.set(axis.id, (variable = { name: axisName(axis), axis }));
    return variable;
  }

  /** A block in which axes have positions; what these suffice for is computed first. */
  #opened(axes: readonly Axis[], body: () => void): Block {
    const block = this.#values.block(() => {
      for (const a of axes) this.#open.add(a.id);
      this.#hoist();
      body();
    });
    for (const a of axes) this.#open.delete(a.id);
    return block;
  }

  /** Computes ahead what the open loops suffice for, of one value for all of the tile, or of a tile's sums; inner loops need not repeat it. */
  #hoist(tile?: Tile): void {
    const { kernel } = this;
    const values = this.#values;
    const along = vectorOnResult(kernel);
    const spread = new Set(tile === undefined ? kernel.unrolled.map((u) => u.axis.id) : []);
    if (kernel.vector !== undefined && !(along && tile !== undefined)) spread.add(kernel.vector.id);
    const ready = (e: Expr): boolean =>
      !values.finished.has(e) && [...e.axes].every((id) => this.#open.has(id) && !spread.has(id));
    for (const e of this.#rows) if (ready(e)) values.value(e, none, "scalar");
    if (kernel.serial) return; // each round may read what the one before wrote
    const seen = new Set<Expr>();
    const visit = (e: Expr, mode: Mode): void => {
      if (e.kind === "const" || seen.has(e)) return;
      seen.add(e);
      if (ready(e)) for (const instance of tile?.instances ?? [none]) values.value(e, instance, mode);
      else if (e.kind === "op") for (const a of e.args) visit(a, mode);
    };
    for (const r of kernel.reductions) visit(r.value, kernel.vector === undefined ? "scalar" : "vector");
    seen.clear();
    if (!this.#reducing) for (const s of kernel.stores) visit(s.value, along ? "vector" : "scalar");
  }

  // The register tile -----------------------------------------------------------------------------------------------------

  #tile(counts: Counts): void {
    const { kernel } = this;
    const { lanes } = kernel;
    const along = vectorOnResult(kernel);
    const elements = along ? counts.get(kernel.vector!)! : 1;
    const vectors = along ? Math.ceil(elements / lanes) : 1;
    const lastLanes = along && elements % lanes !== 0 ? elements % lanes : lanes;
    if (along) this.#values.partial = { offset: (vectors - 1) * lanes, lanes: lastLanes };
    const spread: Spread[] = kernel.unrolled.map(({ axis }) => ({ axis, count: counts.get(axis)!, step: 1 }));
    if (along) spread.push({ axis: kernel.vector!, count: vectors, step: lanes });
    // what the last axis shares out is held in registers meanwhile, so the last is the one of fewest elements
    spread.sort((a, b) => b.count - a.count);
    const instances = instancesOf(spread);
    const totals = kernel.reductions.length > 0 ? this.#reduce(instances, spread) : [];
    const store = (instance: Instance): void => this.#store(instance, (vectors - 1) * lanes, lastLanes);
    const body = this.#values.block(() => {
      if (this.#worthRolling(instances.length)) this.#rolled(spread, lastLanes < lanes, totals, store);
      else this.#written(instances, (r, k) => runningOf(totals[r][k]), store);
    });
    this.#values.add({ kind: "block", body });
    this.#values.results.clear();
  }

  /** Whether what comes after the sums is so much that writing it out for each element of the tile would be long. */
  #worthRolling(instances: number): boolean {
    const { kernel } = this;
    const after = kernel.reductions.length > 0 ? [...this.#values.finished] : this.#values.live;
    const scattered = vectorOnResult(kernel)
      ? kernel.stores.filter(({ index }) => coefficient(index, kernel.vector!) !== 1)
      : [];
    const operations = after.filter((e) => e.kind !== "reduction").length + scattered.length * kernel.lanes;
    return instances > 1 && instances * operations > this.target.mostStored;
  }

  /** Stores the tile's elements in loops over them; the last of the vectors apart where not all of its lanes are in use. */
  #rolled(
    spread: readonly Spread[],
    apart: boolean,
    totals: readonly (readonly Total[])[],
    store: (instance: Instance) => void,
  ): void {
    const written = (s: Spread): boolean => s.count === 1 || (apart && s.axis === this.kernel.vector);
    totals.forEach((list, r) => {
      this.#values.add({ kind: "array", array: `all${r}`, totals: list });
    });
    /** `at`: the number among all elements of the k-th of those that are written out. */
    const within = (rest: readonly Spread[], at: (k: number) => Whole): void => {
      const [next, ...inner] = rest;
      if (next === undefined) {
        const element = (r: number, k: number): Value => {
          const { reduction, vector } = totals[r][0];
          return { kind: "element", array: `all${r}`, at: at(k), dtype: reduction.value.dtype, vector };
        };
        return this.#written(instancesOf(spread.filter(written)), element, store);
      }
      const { axis, count, step } = next;
      const row = (k: number): Whole => product(at(k), count);
      if (written(next)) return within(inner, count === 1 ? at : (k) => sum(row(k), k));
      this.#values.roll(axis, this.#variable(axis), count, step, (counter) =>
        within(inner, (k) => sum(row(k), counter)),
      );
    };
    within(spread, () => 0);
  }

  /** Stores instances one after the other, given the totals of their reductions by their numbers. */
  #written(
    instances: readonly Instance[],
    totalOf: (reduction: number, instance: number) => Value,
    store: (instance: Instance) => void,
  ): void {
    instances.forEach((instance, k) => {
      this.kernel.reductions.forEach((_, r) => {
        this.#values.results.set(resultKey(r, instance), this.#finished(r, totalOf(r, k)));
      });
      store(instance);
    });
  }

  /** What a reduction comes to, of which there is a total, or one in each lane. */
  #finished(r: number, total: Value): Value {
    const whole = total.kind === "total" ? total : this.#values.let(total);
    if (this.kernel.vector === undefined || vectorOnResult(this.kernel)) return whole;
    const { op } = this.kernel.reductions[r];
    return this.#values.let({ kind: "across", op, of: whole, dtype: whole.dtype, vector: false });
  }

  /** Stores an element of the tile; of the last of its vectors, the lanes in use. */
  #store(instance: Instance, last: number, lastLanes: number): void {
    const { kernel } = this;
    const along = vectorOnResult(kernel);
    const offset = kernel.vector === undefined ? 0 : (instance.get(kernel.vector.id) ?? 0);
    const lanes = along && offset === last ? lastLanes : kernel.lanes;
    const values = kernel.stores.map(({ value }) => this.#values.value(value, instance, along ? "vector" : "scalar"));
    kernel.stores.forEach(({ buffer, index, value: { dtype } }, k) => {
      const place = this.#values.place(buffer, index, dtype, instance);
      const step = along ? coefficient(index, kernel.vector!)! : 0;
      this.#values.add({ kind: "store", place, value: values[k], step, lanes });
    });
  }

  // Sums ------------------------------------------------------------------------------------------------------------------

  /** Adds up; for each reduction its totals by instance. */
  #reduce(instances: readonly Instance[], spread: readonly Spread[]): Total[][] {
    const { kernel } = this;
    const totals = kernel.reductions.map((reduction) =>
      instances.map((): Total => {
        const staged = kernel.stage !== undefined && isStaged(reduction);
        return { reduction, vector: kernel.vector !== undefined, staged };
      }),
    );
    this.#reducing = true;
    this.#hoist({ instances, totals });
    this.#ahead?.rows(new Map(spread.map(({ axis, count, step }) => [axis, count * step])));
    for (const total of totals.flat()) this.#values.add({ kind: "open", total });
    this.#reduceLoops(kernel.reducedOrder, { instances, totals });
    this.#reducing = false;
    for (const total of totals.flat()) this.#values.add({ kind: "settle", total });
    return totals;
  }

  #reduceLoops(axes: readonly Axis[], tile: Tile): void {
    const { kernel } = this;
    if (axes.length === 0) return this.#accumulate(tile, none, kernel.lanes);
    const [axis, ...rest] = axes;
    const terms = tile.totals.flat().length * axes.reduce((n, a) => n * a.extent, 1);
    const unrolled = axis !== kernel.vector && axis.extent > 1 && terms <= this.target.mostTerms;
    if (rest.length === 0) return this.#innermost(axis, tile, unrolled);
    this.#staged(axis, axis.extent, 1, tile, unrolled, () => {
      if (axes === kernel.reducedOrder) this.#ahead?.nextTile(tile.instances, rest);
      this.#hoist(tile);
      this.#reduceLoops(rest, tile);
    });
  }

  /** The innermost reduced loop: several steps a round, then what is left of them, then the lanes that are left. */
  #innermost(axis: Axis, tile: Tile, unrolled: boolean): void {
    const { kernel } = this;
    const width = axis === kernel.vector ? kernel.lanes : 1;
    const affine = this.#values.live.every((e) => indicesIn(e).every((i) => coefficient(i, axis) !== undefined));
    const step = (affine ? kernel.rounds : 1) * width;
    const take = (k: number, lanes: number): void => this.#accumulate(tile, new Map([[axis.id, k * width]]), lanes);
    const steps = (count: number): void => {
      if (count === 1) return take(0, kernel.lanes);
      for (let k = 0; k < count; k++)
        this.#values.add({ kind: "block", body: this.#values.block(() => take(k, kernel.lanes)) });
    };
    const main = axis.extent - (axis.extent % step);
    this.#staged(axis, main, step, tile, unrolled, () => {
      if (axis === kernel.reducedOrder[0]) this.#ahead?.nextTile(tile.instances, []);
      steps(step / width);
    });
    const left = Math.floor((axis.extent - main) / width);
    const tail = axis.extent - main - left * width;
    if (left === 0 && tail === 0) return;
    this.#loop(axis, main, axis.extent, step, () => {
      steps(left);
      if (tail === 0) return;
      this.#values.partial = { offset: left * width, lanes: tail };
      take(left, tail);
      this.#values.partial = { offset: -1, lanes: kernel.lanes };
    });
  }

  /** A loop along a reduced axis from 0; where sums run in stages, several, each with its own sums. */
  #staged(axis: Axis, to: number, step: number, { totals }: Tile, unrolled: boolean, body: () => void): void {
    const { stage } = this.kernel;
    const count = stage?.axis === axis ? stage.count : to;
    if (count >= to) return this.#loop(axis, 0, to, step, body, unrolled);
    const variable: Variable = { name: `from${axis.id}` };
    const stages = this.#values.block(() => {
      const stop: Whole = { op: "min", a: sum(variable, count), b: to };
      this.#loop(axis, variable, stop, step, body);
      for (const total of totals.flat()) if (total.staged) this.#values.add({ kind: "endStage", total });
    });
    this.#values.add({ kind: "loop", variable, from: 0, to, step: count, unrolled: false, body: stages });
  }

  /** Adds the terms of one step to the totals; lanes past the first `lanes` do not count. */
  #accumulate({ instances, totals }: Tile, step: Instance, lanes: number): void {
    const mode: Mode = this.kernel.vector === undefined ? "scalar" : "vector";
    this.kernel.reductions.forEach(({ value }, r) => {
      instances.forEach((instance, k) => {
        const term = this.#values.value(value, new Map([...instance, ...step]), mode);
        this.#values.add({ kind: "add", total: totals[r][k], term, lanes });
      });
    });
  }
}

/** Elements of a register tile along its axes. */
type Counts = ReadonlyMap<Axis, number>;

/** The elements of a register tile, and for each reduction its totals by element. */
interface Tile {
  readonly instances: readonly Instance[];
  readonly totals: readonly (readonly Total[])[];
}

/** The elements of a tile, the last axis's next to each other. */
const instancesOf = (spread: readonly Spread[]): Instance[] =>
  spread.reduce<Instance[]>(
    (found, { axis, count, step }) =>
      found.flatMap((m) => Array.from({ length: count }, (_, k) => new Map(m).set(axis.id, k * step))),
    [none],
  );

const runningOf = (total: Total): Value => ({
  kind: "total",
  total,
  dtype: total.reduction.value.dtype,
  vector: total.vector,
});

const sum = (a: Whole, b: Whole): Whole => (a === 0 ? b : b === 0 ? a : { op: "add", a, b });
const product = (a: Whole, b: Whole): Whole => (a === 0 || b === 0 ? 0 : { op: "mul", a, b });
