// Renders a tiled kernel as one C function: loops, a register tile, reductions, stores. The compiler does addresses and registers.
import {
  isStaged,
  liveExprs,
  type TiledKernel,
  type TileLoop,
  tileLoops,
  vectorOnResult,
} from "../../compile/4-tile.ts";
import { type Axis, coefficient } from "../../compile/affine.ts";
import type { Expr, Reduction } from "../../compile/kernel.ts";
import { bytesOf, type DType } from "../../graph/internal.ts";
import { axisName, constantText, type Mode, typeName } from "./expressions.ts";
import { type Stream, streams } from "./prefetch.ts";
import { type Instance, none, resultKey, splat, Values } from "./values.ts";

/** Elements of a register tile along an axis. */
interface Spread {
  readonly axis: Axis;
  readonly count: number;
  readonly step: number;
}

/** The elements of a tile, the last axis's next to each other. */
const instancesOf = (spread: readonly Spread[]): Instance[] =>
  spread.reduce<Instance[]>(
    (found, { axis, count, step }) =>
      found.flatMap((m) => Array.from({ length: count }, (_, k) => new Map(m).set(axis.id, k * step))),
    [none],
  );

/** Operations after a tile's sums, over all of its elements, up to which they are written out one after the other. */
const mostStored = 48;

/** Inner loops, as over the taps of a convolution, are written out up to so many terms: past that values crowd the registers. */
const mostWritten = 120;

/**
 * The kernel as a C function (buffers…, begin, end) that runs tasks begin … end − 1. idempotent: it may compute an element twice,
 * as nothing that it reads is overwritten; then the last of several tiles reaches back over the one before, and need not be smaller.
 */
export function renderKernel(kernel: TiledKernel, name: string, idempotent: boolean): string {
  return new Renderer(kernel, idempotent).render(name);
}

export const kernelHead = (kernel: TiledKernel, name: string): string =>
  `KERNEL void ${name}(${[...kernel.buffers.map((_, i) => `char *b${i}`), "long begin", "long end"].join(", ")})`;

class Renderer {
  readonly kernel: TiledKernel;
  readonly live: readonly Expr[];
  readonly #values: Values;
  readonly #idempotent: boolean;
  readonly #streams: readonly Stream[];
  readonly #open = new Set<number>();

  constructor(kernel: TiledKernel, idempotent: boolean) {
    this.kernel = kernel;
    this.#idempotent = idempotent && !kernel.serial;
    this.live = liveExprs(kernel);
    this.#values = new Values(kernel, this.live);
    this.#streams = streams(
      kernel,
      this.live.filter((e) => e.kind === "load"),
    );
  }

  // Loops ---------------------------------------------------------------------------------------------------------------

  render(name: string): string {
    const { kernel } = this;
    this.#values.line(`${kernelHead(kernel, name)} {`);
    const tiles = tileLoops(kernel);
    this.#hoist();
    if (kernel.serial || (kernel.plain.length === 0 && tiles.length === 0))
      this.#values.block("if (begin < end)", () => this.#serial(kernel.plain, tiles));
    else if (kernel.plain.length > 0) this.#plainTasks(tiles);
    else this.#tileTasks(tiles);
    this.#values.line("}");
    return this.#values.text;
  }

  /** All loops in order, for one thread. */
  #serial(plain: readonly Axis[], tiles: readonly TileLoop[]): void {
    if (plain.length === 0) this.#tiles(tiles, []);
    else this.#loop(plain[0], 0, plain[0].extent, 1, () => this.#serial(plain.slice(1), tiles));
  }

  /** Threads share the iterations of all plain loops, flattened. */
  #plainTasks(tiles: readonly TileLoop[]): void {
    const { plain } = this.kernel;
    this.#values.block("for (long task = begin; task < end; task++)", () => {
      let rest = "task";
      for (let k = plain.length - 1; k > 0; k--) {
        this.#values.line(`long ${axisName(plain[k].id)} = (${rest}) % ${plain[k].extent};`);
        rest = `(${rest}) / ${plain[k].extent}`;
      }
      this.#values.line(`long ${axisName(plain[0].id)} = ${rest};`);
      this.#within(plain, () => this.#tiles(tiles, []));
    });
  }

  /** No plain loops: threads share the tiles along the first tiled axis. */
  #tileTasks(tiles: readonly TileLoop[]): void {
    const [{ axis, step }, ...inner] = tiles;
    if (this.#even(axis, step)) {
      this.#values.block("for (long tile = begin; tile < end; tile++)", () =>
        this.#start(axis, step, "tile", inner, []),
      );
      return;
    }
    const whole = Math.floor(axis.extent / step);
    const i = axisName(axis.id);
    if (whole > 0) {
      const stop = `(end < ${whole} ? end : ${whole}) * ${step}`;
      this.#values.block(`for (long ${i} = begin * ${step}; ${i} < ${stop}; ${i} += ${step})`, () =>
        this.#within([axis], () => this.#tiles(inner, [step])),
      );
    }
    this.#values.block(`if (end > ${whole})`, () => {
      this.#values.line(`long ${i} = ${whole * step};`);
      this.#within([axis], () => this.#tiles(inner, [axis.extent % step]));
    });
  }

  /** Loops over full tiles of the next tiled axis; where it has to be, the remainder as a smaller tile. */
  #tiles(tiles: readonly TileLoop[], counts: readonly number[]): void {
    if (tiles.length === 0) return this.#tile(counts);
    const [{ axis, step }, ...inner] = tiles;
    if (axis.extent % step !== 0 && this.#even(axis, step)) {
      const n = `n${axis.id}`;
      const head = `for (long ${n} = 0; ${n} < ${Math.ceil(axis.extent / step)}; ${n}++)`;
      this.#values.block(head, () => this.#start(axis, step, n, inner, counts));
      return;
    }
    const whole = Math.floor(axis.extent / step) * step;
    if (whole > 0) this.#loop(axis, 0, whole, step, () => this.#tiles(inner, [...counts, step]));
    if (whole < axis.extent)
      this.#loop(axis, whole, axis.extent, step, () => this.#tiles(inner, [...counts, axis.extent - whole]));
  }

  /** Whether full tiles suffice. */
  #even(axis: Axis, step: number): boolean {
    return axis.extent % step === 0 || (this.#idempotent && axis.extent > step);
  }

  /** The n-th full tile along an axis, which ends at the axis's end at the latest. */
  #start(axis: Axis, step: number, n: string, inner: readonly TileLoop[], counts: readonly number[]): void {
    const last = axis.extent - step;
    const at = last % step === 0 ? `${n} * ${step}` : `${n} * ${step} < ${last} ? ${n} * ${step} : ${last}`;
    this.#values.line(`long ${axisName(axis.id)} = ${at};`);
    this.#within([axis], () => this.#tiles(inner, [...counts, step]));
  }

  #loop(axis: Axis, from: number, to: number, step: number, body: () => void): void {
    if (to <= from) return;
    const i = axisName(axis.id);
    const once = to - from <= step;
    this.#values.block(once ? "" : `for (long ${i} = ${from}; ${i} < ${to}; ${i} += ${step})`, () => {
      if (once) this.#values.line(`long ${i} = ${from};`);
      this.#within([axis], body);
    });
  }

  /** Runs the body with loop variables declared. */
  #within(axes: readonly Axis[], body: () => void): void {
    for (const a of axes) this.#open.add(a.id);
    this.#hoist();
    body();
    for (const a of axes) this.#open.delete(a.id);
  }

  /** Computes ahead what the open loops suffice for: stores may overlap what is read, so the compiler would not. */
  #hoist(): void {
    if (this.kernel.serial) return; // each round may read what the one before wrote
    const { kernel } = this;
    const tiled = new Set(kernel.unrolled.map((u) => u.axis.id));
    if (kernel.vector !== undefined) tiled.add(kernel.vector.id);
    for (const e of this.live) {
      const ready = [...e.axes].every((id) => this.#open.has(id) && !tiled.has(id));
      if (ready && e.kind !== "const" && !this.#values.finished.has(e)) this.#values.value(e, none, "scalar");
    }
  }

  // The register tile -----------------------------------------------------------------------------------------------------

  #tile(counts: readonly number[]): void {
    const { kernel } = this;
    const { lanes } = kernel;
    const along = vectorOnResult(kernel);
    const vectors = along ? Math.ceil(counts[0] / lanes) : 1;
    const used = along && counts[0] % lanes !== 0 ? counts[0] % lanes : lanes;
    if (along) this.#values.partial = { offset: (vectors - 1) * lanes, lanes: used };
    const spread: Spread[] = kernel.unrolled.map((u, k) => ({
      axis: u.axis,
      count: counts[k + (along ? 1 : 0)],
      step: 1,
    }));
    if (along) spread.push({ axis: kernel.vector!, count: vectors, step: lanes });
    // what the last axis shares out is held in registers meanwhile, so the last is the one of fewest elements
    spread.sort((a, b) => b.count - a.count);
    const instances = instancesOf(spread);
    const totals = kernel.reductions.length > 0 ? this.#reduce(instances) : [];
    const mode: Mode = along ? "vector" : "scalar";
    const store = (instance: Instance): void =>
      this.#stores(instance, mode, along ? used : lanes, (vectors - 1) * lanes);
    this.#values.apart(() => {
      if (this.#worthRolling(instances.length)) this.#rolled(spread, used < lanes, totals, store);
      else this.#written(instances, (r, k) => totals[r][k], store);
    });
    this.#values.results.clear();
  }

  /** Whether what comes after the sums is so much that writing it out for each element of the tile would keep the compiler busy for long. */
  #worthRolling(instances: number): boolean {
    const after = this.kernel.reductions.length > 0 ? [...this.#values.finished] : this.live;
    const scattered = vectorOnResult(this.kernel)
      ? this.kernel.stores.filter(({ index }) => coefficient(index, this.kernel.vector!) !== 1)
      : [];
    const operations = after.filter((e) => e.kind !== "reduction").length + scattered.length * this.kernel.lanes;
    return instances > 1 && instances * operations > mostStored;
  }

  /** Stores the tile's elements in loops over them; the last of the vectors apart where not all of its lanes are in use. */
  #rolled(
    spread: readonly Spread[],
    apart: boolean,
    totals: readonly (readonly string[])[],
    store: (instance: Instance) => void,
  ): void {
    const { kernel } = this;
    const written = (s: Spread): boolean => s.count === 1 || (apart && s.axis === kernel.vector);
    totals.forEach((names, r) => {
      const type = typeName(kernel.reductions[r].value.dtype, kernel.vector === undefined ? "scalar" : "vector");
      this.#values.line(`${type} all${r}[] = { ${names.join(", ")} };`);
    });
    const within = (rest: readonly Spread[], at: string): void => {
      const [next, ...inner] = rest;
      if (next === undefined) {
        const place = (k: number): string => at.replace("N", String(k));
        this.#written(instancesOf(spread.filter(written)), (r, k) => `all${r}[${place(k)}]`, store);
        return;
      }
      const place = at === "" ? "" : `(${at}) * ${next.count} + `;
      if (written(next)) return within(inner, next.count === 1 ? at : `${place}N`);
      const [i, k] = [axisName(next.axis.id), `k${next.axis.id}`];
      this.#values.block(`for (long ${k} = 0; ${k} < ${next.count}; ${k}++, ${i} += ${next.step})`, () =>
        within(inner, `${place}${k}`),
      );
      this.#values.line(`${i} -= ${next.count * next.step};`);
    };
    within(spread, "");
  }

  /** Stores instances one after the other, given the totals of their reductions by their numbers. */
  #written(
    instances: readonly Instance[],
    totalOf: (reduction: number, instance: number) => string,
    store: (instance: Instance) => void,
  ): void {
    instances.forEach((instance, k) => {
      this.kernel.reductions.forEach((_, r) => {
        this.#values.results.set(resultKey(r, instance), this.#whole(r, totalOf(r, k)));
      });
      store(instance);
    });
  }

  /** What a reduction comes to, of which there is a total, or one in each lane. */
  #whole(r: number, total: string): string {
    const { op, value } = this.kernel.reductions[r];
    if (this.kernel.vector === undefined || vectorOnResult(this.kernel)) return total;
    return `${op === "sum" ? "sum" : "max_across"}_${typeName(value.dtype, "vector")}(${total})`;
  }

  /** Adds up; for each reduction the names of its totals by instance. */
  #reduce(instances: readonly Instance[]): string[][] {
    const { kernel } = this;
    const mode: Mode = kernel.vector === undefined ? "scalar" : "vector";
    const names = kernel.reductions.map(({ value }) => instances.map(() => this.#values.name(value.dtype)));
    kernel.reductions.forEach((r, n) => {
      const type = typeName(r.value.dtype, mode);
      for (const total of names[n]) {
        this.#values.line(`${type} ${total} = ${neutral(r, mode)};`);
        if (r.compensated) this.#values.line(`${type} ${total}c = ${neutral(r, mode)};`);
        if (kernel.stage !== undefined && isStaged(r)) this.#values.line(`${type} ${total}w = ${neutral(r, mode)};`);
      }
    });
    this.#reduceLoops(kernel.reducedOrder, instances, names, mode);
    kernel.reductions.forEach((r, n) => {
      const type = typeName(r.value.dtype, mode);
      for (const total of names[n]) {
        if (r.compensated) this.#values.line(`${total} = settle_${type}(${total}, ${total}c);`);
        if (kernel.stage !== undefined && isStaged(r)) this.#values.line(`${total} = ${total}w + ${total};`);
      }
    });
    return names;
  }

  #reduceLoops(axes: readonly Axis[], instances: readonly Instance[], names: string[][], mode: Mode): void {
    if (axes.length === 0) return this.#accumulate(instances, names, mode, this.kernel.lanes);
    const [axis, ...rest] = axes;
    if (axis !== this.kernel.vector) {
      const terms = instances.length * this.kernel.reductions.length * axes.reduce((n, a) => n * a.extent, 1);
      if (axis.extent > 1 && terms <= mostWritten) this.#values.line(`#pragma GCC unroll ${axis.extent}`);
      this.#staged(axis, axis.extent, 1, names, () => {
        if (axes === this.kernel.reducedOrder) this.#ahead(instances, rest);
        this.#reduceLoops(rest, instances, names, mode);
      });
      return;
    }
    const { lanes } = this.kernel;
    const whole = axis.extent - (axis.extent % lanes);
    if (whole > 0) this.#staged(axis, whole, lanes, names, () => this.#accumulate(instances, names, mode, lanes));
    if (whole < axis.extent) {
      this.#values.partial = { offset: 0, lanes: axis.extent - whole };
      this.#loop(axis, whole, axis.extent, lanes, () => this.#accumulate(instances, names, mode, axis.extent - whole));
      this.#values.partial = { offset: -1, lanes };
    }
  }

  /** Asks for the rows that the next tile will read in this round, where it ends: what comes before, this one reads. */
  #ahead(instances: readonly Instance[], taps: readonly Axis[]): void {
    for (const { load, step } of this.#streams) {
      this.#values.block("", () => {
        for (const axis of taps) this.#values.line(`long ${axisName(axis.id)} = ${axis.extent - 1};`);
        const bytes = bytesOf[load.dtype as DType];
        const offsets = instances.map((instance) => bytes * this.#values.offset(load.index, instance, step));
        const row = this.#values.declare(
          "char *",
          `b${load.buffer} + ${bytes} * (${this.#values.index(load.index, none, 0)})`,
        );
        for (const offset of new Set(offsets)) this.#values.line(`__builtin_prefetch(${row} + (${offset}));`);
      });
    }
  }

  /** A loop along a reduced axis from 0; where sums run in stages, several, each with its own sums. */
  #staged(axis: Axis, to: number, step: number, names: readonly (readonly string[])[], body: () => void): void {
    const { kernel } = this;
    const count = kernel.stage?.axis === axis ? kernel.stage.count : to;
    if (count >= to) return this.#loop(axis, 0, to, step, body);
    const [i, start, stop] = [axisName(axis.id), `from${axis.id}`, `to${axis.id}`];
    this.#values.block(`for (long ${start} = 0; ${start} < ${to}; ${start} += ${count})`, () => {
      this.#values.line(`long ${stop} = ${start} + ${count} < ${to} ? ${start} + ${count} : ${to};`);
      this.#values.block(`for (long ${i} = ${start}; ${i} < ${stop}; ${i} += ${step})`, () =>
        this.#within([axis], body),
      );
      kernel.reductions.forEach((r, n) => {
        if (isStaged(r)) for (const t of names[n]) this.#values.line(`${t}w += ${t}; ${t} = (__typeof__(${t})){0};`);
      });
    });
  }

  /** Adds the terms of one step to the totals; lanes past `used` do not count. */
  #accumulate(instances: readonly Instance[], names: string[][], mode: Mode, used: number): void {
    this.kernel.reductions.forEach((r, n) => {
      const type = typeName(r.value.dtype, mode);
      instances.forEach((instance, k) => {
        let term = this.#values.value(r.value, instance, mode);
        if (used < this.kernel.lanes) {
          const keep = Array.from({ length: this.kernel.lanes }, (_, lane) => (lane < used ? -1 : 0));
          term = `where_${type}((vb){${keep.join(", ")}}, ${term}, ${neutral(r, mode)})`;
        }
        const total = names[n][k];
        if (r.compensated) this.#values.line(`compensate(${total}, ${total}c, ${term});`);
        else if (r.op === "sum") this.#values.line(`${total} += ${term};`);
        else this.#values.line(`${total} = max_${type}(${total}, ${term});`);
      });
    });
  }

  #stores(instance: Instance, mode: Mode, lastLanes: number, last: number): void {
    const { kernel } = this;
    const { vector, lanes } = kernel;
    const offset = vector === undefined ? 0 : (instance.get(vector.id) ?? 0);
    const used = mode === "vector" && offset === last ? lastLanes : lanes;
    const values = kernel.stores.map(({ value }) => this.#values.value(value, instance, mode));
    kernel.stores.forEach(({ buffer, index, value }, k) => {
      const type = typeName(value.dtype);
      const place = (lane: number): string =>
        this.#values.place(buffer, index, instance, value.dtype, lane * coefficient(index, vector!)!);
      if (mode === "scalar") {
        this.#values.line(
          `at(${type}, ${this.#values.place(buffer, index, instance, value.dtype, 0)}) = ${values[k]};`,
        );
        return;
      }
      const stored = value.dtype === "bool" ? `(${values[k]} & 1)` : values[k];
      if (coefficient(index, vector!) !== 1) {
        const whole = this.#values.declare(typeName(value.dtype, "vector"), stored);
        for (let lane = 0; lane < used; lane++) this.#values.line(`at(${type}, ${place(lane)}) = ${whole}[${lane}];`);
      } else if (used < lanes) {
        const whole = this.#values.declare(typeName(value.dtype, "vector"), stored);
        this.#values.line(`__builtin_memcpy(${place(0)}, &${whole}, ${4 * used});`);
      } else this.#values.line(`at(${value.dtype === "f32" ? "uf" : "ui"}, ${place(0)}) = ${stored};`);
    });
  }
}

function neutral({ op, value }: Reduction, mode: Mode): string {
  const least = value.dtype === "i32" ? -(2 ** 31) : Number.NEGATIVE_INFINITY;
  const text = constantText(op === "sum" ? 0 : least, value.dtype);
  return mode === "vector" ? splat(value, text) : text;
}
