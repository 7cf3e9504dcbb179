// Renders a tiled kernel as one C function: loops, a register tile, reductions, stores. The compiler does addresses and registers.
import {
  isStaged,
  liveExprs,
  type TiledKernel,
  type TileLoop,
  tileLoops,
  vectorOnResult,
} from "../../compile/4-tile.ts";
import { type Axis, coefficient, type Index } from "../../compile/affine.ts";
import type { Expr, Guard, Reduction } from "../../compile/kernel.ts";
import { bytesOf, type DType } from "../../graph/internal.ts";
import {
  axisName,
  constantText,
  indexText,
  type Mode,
  operationText,
  singleInstruction,
  typeName,
} from "./expressions.ts";
import { type Stream, streams } from "./prefetch.ts";

/** Offsets from the loop variables that tell the elements of a register tile apart, by axis id. */
type Instance = ReadonlyMap<number, number>;
const none: Instance = new Map();

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
  readonly #idempotent: boolean;
  /** Expressions that need a finished reduction. */
  readonly #finished = new Set<Expr>();
  readonly #streams: readonly Stream[];
  readonly #lines: string[] = [];
  /** C names of values at hand, by expression, instance and mode; one map per open scope. */
  readonly #scopes: Map<string, string>[] = [new Map()];
  readonly #open = new Set<number>();
  readonly #results = new Map<string, string>();
  /** The vector (by its offset along the vector axis) of which only some lanes are in use. */
  #partial: { readonly offset: number; readonly lanes: number };
  #names = 0;

  constructor(kernel: TiledKernel, idempotent: boolean) {
    this.kernel = kernel;
    this.#idempotent = idempotent && !kernel.serial;
    this.#partial = { offset: -1, lanes: kernel.lanes };
    this.live = liveExprs(kernel);
    for (const e of this.live)
      if (e.kind === "reduction" || e.args.some((a) => this.#finished.has(a))) this.#finished.add(e);
    this.#streams = streams(
      kernel,
      this.live.filter((e) => e.kind === "load"),
    );
  }

  // Loops ---------------------------------------------------------------------------------------------------------------

  render(name: string): string {
    const { kernel } = this;
    this.#line(`${kernelHead(kernel, name)} {`);
    const tiles = tileLoops(kernel);
    this.#hoist();
    if (kernel.serial || (kernel.plain.length === 0 && tiles.length === 0))
      this.#block("if (begin < end)", () => this.#serial(kernel.plain, tiles));
    else if (kernel.plain.length > 0) this.#plainTasks(tiles);
    else this.#tileTasks(tiles);
    this.#line("}");
    return this.#lines.join("\n");
  }

  /** All loops in order, for one thread. */
  #serial(plain: readonly Axis[], tiles: readonly TileLoop[]): void {
    if (plain.length === 0) this.#tiles(tiles, []);
    else this.#loop(plain[0], 0, plain[0].extent, 1, () => this.#serial(plain.slice(1), tiles));
  }

  /** Threads share the iterations of all plain loops, flattened. */
  #plainTasks(tiles: readonly TileLoop[]): void {
    const { plain } = this.kernel;
    this.#block("for (long task = begin; task < end; task++)", () => {
      let rest = "task";
      for (let k = plain.length - 1; k > 0; k--) {
        this.#line(`long ${axisName(plain[k].id)} = (${rest}) % ${plain[k].extent};`);
        rest = `(${rest}) / ${plain[k].extent}`;
      }
      this.#line(`long ${axisName(plain[0].id)} = ${rest};`);
      this.#within(plain, () => this.#tiles(tiles, []));
    });
  }

  /** No plain loops: threads share the tiles along the first tiled axis. */
  #tileTasks(tiles: readonly TileLoop[]): void {
    const [{ axis, step }, ...inner] = tiles;
    if (this.#even(axis, step)) {
      this.#block("for (long tile = begin; tile < end; tile++)", () => this.#start(axis, step, "tile", inner, []));
      return;
    }
    const whole = Math.floor(axis.extent / step);
    const i = axisName(axis.id);
    if (whole > 0) {
      const stop = `(end < ${whole} ? end : ${whole}) * ${step}`;
      this.#block(`for (long ${i} = begin * ${step}; ${i} < ${stop}; ${i} += ${step})`, () =>
        this.#within([axis], () => this.#tiles(inner, [step])),
      );
    }
    this.#block(`if (end > ${whole})`, () => {
      this.#line(`long ${i} = ${whole * step};`);
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
      this.#block(head, () => this.#start(axis, step, n, inner, counts));
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
    this.#line(`long ${axisName(axis.id)} = ${at};`);
    this.#within([axis], () => this.#tiles(inner, [...counts, step]));
  }

  #loop(axis: Axis, from: number, to: number, step: number, body: () => void): void {
    if (to <= from) return;
    const i = axisName(axis.id);
    const once = to - from <= step;
    this.#block(once ? "" : `for (long ${i} = ${from}; ${i} < ${to}; ${i} += ${step})`, () => {
      if (once) this.#line(`long ${i} = ${from};`);
      this.#within([axis], body);
    });
  }

  #block(head: string, body: () => void): void {
    this.#line(`${head} {`);
    this.#scopes.push(new Map());
    body();
    this.#scopes.pop();
    this.#line("}");
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
      if (ready && e.kind !== "const" && !this.#finished.has(e)) this.#value(e, none, "scalar");
    }
  }

  // The register tile -----------------------------------------------------------------------------------------------------

  #tile(counts: readonly number[]): void {
    const { kernel } = this;
    const { lanes } = kernel;
    const along = vectorOnResult(kernel);
    const vectors = along ? Math.ceil(counts[0] / lanes) : 1;
    const used = along && counts[0] % lanes !== 0 ? counts[0] % lanes : lanes;
    if (along) this.#partial = { offset: (vectors - 1) * lanes, lanes: used };
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
    if (this.#worthRolling(instances.length)) this.#rolled(spread, used < lanes, totals, store);
    else {
      totals.forEach((names, r) => {
        instances.forEach((instance, k) => {
          this.#results.set(resultKey(r, instance), this.#whole(r, names[k]));
        });
      });
      for (const instance of instances) store(instance);
    }
    this.#results.clear();
  }

  /** Whether what comes after the sums is so much that writing it out for each element of the tile would keep the compiler busy for long. */
  #worthRolling(instances: number): boolean {
    const after = this.kernel.reductions.length > 0 ? [...this.#finished] : this.live;
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
      this.#line(`${type} all${r}[] = { ${names.join(", ")} };`);
    });
    const within = (rest: readonly Spread[], at: string): void => {
      const [next, ...inner] = rest;
      if (next === undefined) {
        const instances = instancesOf(spread.filter(written));
        instances.forEach((instance, n) => {
          totals.forEach((_, r) => {
            this.#results.set(resultKey(r, instance), this.#whole(r, `all${r}[${at.replace("N", String(n))}]`));
          });
          store(instance);
        });
        return;
      }
      const place = `${at === "" ? "" : `(${at}) * ${next.count} + `}`;
      if (written(next)) return within(inner, next.count === 1 ? at : `${place}N`);
      const [i, k] = [axisName(next.axis.id), `k${next.axis.id}`];
      this.#block(`for (long ${k} = 0; ${k} < ${next.count}; ${k}++, ${i} += ${next.step})`, () =>
        within(inner, `${place}${k}`),
      );
      this.#line(`${i} -= ${next.count * next.step};`);
    };
    within(spread, "");
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
    const names = kernel.reductions.map(({ value }) => instances.map(() => this.#name(value.dtype)));
    kernel.reductions.forEach((r, n) => {
      const type = typeName(r.value.dtype, mode);
      for (const total of names[n]) {
        this.#line(`${type} ${total} = ${neutral(r, mode)};`);
        if (r.compensated) this.#line(`${type} ${total}c = ${neutral(r, mode)};`);
        if (kernel.stage !== undefined && isStaged(r)) this.#line(`${type} ${total}w = ${neutral(r, mode)};`);
      }
    });
    this.#reduceLoops(kernel.reducedOrder, instances, names, mode);
    kernel.reductions.forEach((r, n) => {
      const type = typeName(r.value.dtype, mode);
      for (const total of names[n]) {
        if (r.compensated) this.#line(`${total} = settle_${type}(${total}, ${total}c);`);
        if (kernel.stage !== undefined && isStaged(r)) this.#line(`${total} = ${total}w + ${total};`);
      }
    });
    return names;
  }

  #reduceLoops(axes: readonly Axis[], instances: readonly Instance[], names: string[][], mode: Mode): void {
    if (axes.length === 0) return this.#accumulate(instances, names, mode, this.kernel.lanes);
    const [axis, ...rest] = axes;
    if (axis !== this.kernel.vector) {
      const terms = instances.length * this.kernel.reductions.length * axes.reduce((n, a) => n * a.extent, 1);
      if (axis.extent > 1 && terms <= mostWritten) this.#line(`#pragma GCC unroll ${axis.extent}`);
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
      this.#partial = { offset: 0, lanes: axis.extent - whole };
      this.#loop(axis, whole, axis.extent, lanes, () => this.#accumulate(instances, names, mode, axis.extent - whole));
      this.#partial = { offset: -1, lanes };
    }
  }

  /** Asks for the rows that the next tile will read in this round, where it ends: what comes before, this one reads. */
  #ahead(instances: readonly Instance[], taps: readonly Axis[]): void {
    for (const { load, step } of this.#streams) {
      this.#block("", () => {
        for (const axis of taps) this.#line(`long ${axisName(axis.id)} = ${axis.extent - 1};`);
        const bytes = bytesOf[load.dtype as DType];
        const offsets = instances.map((instance) => bytes * this.#offset(load.index, instance, step));
        const row = this.#declare("char *", `b${load.buffer} + ${bytes} * (${this.#index(load.index, none, 0)})`);
        for (const offset of new Set(offsets)) this.#line(`__builtin_prefetch(${row} + (${offset}));`);
      });
    }
  }

  /** A loop along a reduced axis from 0; where sums run in stages, several, each with its own sums. */
  #staged(axis: Axis, to: number, step: number, names: readonly (readonly string[])[], body: () => void): void {
    const { kernel } = this;
    const count = kernel.stage?.axis === axis ? kernel.stage.count : to;
    if (count >= to) return this.#loop(axis, 0, to, step, body);
    const [i, start, stop] = [axisName(axis.id), `from${axis.id}`, `to${axis.id}`];
    this.#block(`for (long ${start} = 0; ${start} < ${to}; ${start} += ${count})`, () => {
      this.#line(`long ${stop} = ${start} + ${count} < ${to} ? ${start} + ${count} : ${to};`);
      this.#block(`for (long ${i} = ${start}; ${i} < ${stop}; ${i} += ${step})`, () => this.#within([axis], body));
      kernel.reductions.forEach((r, n) => {
        if (isStaged(r)) for (const t of names[n]) this.#line(`${t}w += ${t}; ${t} = (__typeof__(${t})){0};`);
      });
    });
  }

  /** Adds the terms of one step to the totals; lanes past `used` do not count. */
  #accumulate(instances: readonly Instance[], names: string[][], mode: Mode, used: number): void {
    this.kernel.reductions.forEach((r, n) => {
      const type = typeName(r.value.dtype, mode);
      instances.forEach((instance, k) => {
        let term = this.#value(r.value, instance, mode);
        if (used < this.kernel.lanes) {
          const keep = Array.from({ length: this.kernel.lanes }, (_, lane) => (lane < used ? -1 : 0));
          term = `where_${type}((vb){${keep.join(", ")}}, ${term}, ${neutral(r, mode)})`;
        }
        const total = names[n][k];
        if (r.compensated) this.#line(`compensate(${total}, ${total}c, ${term});`);
        else if (r.op === "sum") this.#line(`${total} += ${term};`);
        else this.#line(`${total} = max_${type}(${total}, ${term});`);
      });
    });
  }

  #stores(instance: Instance, mode: Mode, lastLanes: number, last: number): void {
    const { kernel } = this;
    const { vector, lanes } = kernel;
    const offset = vector === undefined ? 0 : (instance.get(vector.id) ?? 0);
    const used = mode === "vector" && offset === last ? lastLanes : lanes;
    this.#scopes.push(new Map());
    const values = kernel.stores.map(({ value }) => this.#value(value, instance, mode));
    kernel.stores.forEach(({ buffer, index, value }, k) => {
      const type = typeName(value.dtype);
      const place = (lane: number): string =>
        this.#place(buffer, index, instance, value.dtype, lane * coefficient(index, vector!)!);
      if (mode === "scalar") {
        this.#line(`at(${type}, ${this.#place(buffer, index, instance, value.dtype, 0)}) = ${values[k]};`);
        return;
      }
      const stored = value.dtype === "bool" ? `(${values[k]} & 1)` : values[k];
      if (coefficient(index, vector!) !== 1) {
        const whole = this.#declare(typeName(value.dtype, "vector"), stored);
        for (let lane = 0; lane < used; lane++) this.#line(`at(${type}, ${place(lane)}) = ${whole}[${lane}];`);
      } else if (used < lanes) {
        const whole = this.#declare(typeName(value.dtype, "vector"), stored);
        this.#line(`__builtin_memcpy(${place(0)}, &${whole}, ${4 * used});`);
      } else this.#line(`at(${value.dtype === "f32" ? "uf" : "ui"}, ${place(0)}) = ${stored};`);
    });
    this.#scopes.pop();
  }

  // Values ----------------------------------------------------------------------------------------------------------------

  /** The C name of an expression's value for an instance, declared here if it is not at hand. */
  #value(e: Expr, instance: Instance, mode: Mode): string {
    if (e.kind === "const")
      return mode === "vector" ? splat(e, constantText(e.value, e.dtype)) : constantText(e.value, e.dtype);
    if (e.kind === "reduction") return this.#results.get(resultKey(e.reduction, instance))!;
    const key = `${e.id}${mode}${restricted(e, instance)}`;
    const found = this.#found(key);
    if (found !== undefined) return found;
    const alike = mode === "vector" && !e.axes.has(this.kernel.vector!.id) && !this.#finished.has(e);
    const text = alike ? splat(e, this.#value(e, instance, "scalar")) : this.#compute(e, instance, mode);
    const name = this.#declare(typeName(e.dtype, mode), text);
    this.#scopes[this.#scopes.length - 1].set(key, name);
    return name;
  }

  #compute(e: Expr, instance: Instance, mode: Mode): string {
    switch (e.kind) {
      case "op": {
        const single = mode === "vector" ? singleInstruction(e) : undefined;
        if (single !== undefined)
          return `${single.name}(${single.args.map((a) => this.#value(a, instance, mode)).join(", ")})`;
        return operationText(
          e,
          mode,
          e.args.map((a) => this.#value(a, instance, mode)),
        );
      }
      case "load":
        return this.#load(e, instance, mode);
      case "index":
        return this.#lanesOf(e.index, instance, mode);
      case "inside":
        return e.guards
          .map(({ index, size }) =>
            mode === "vector"
              ? `(vb)((vu)${this.#lanesOf(index, instance, mode)} < ${size}u)`
              : this.#guard({ index, size }, instance, 0),
          )
          .join(" & ");
      default:
        throw new Error(`native: a ${e.kind} is not computed here`);
    }
  }

  /** An index as i32: one value, or its value in each lane. */
  #lanesOf(index: Index, instance: Instance, mode: Mode): string {
    const first = `(i)(${this.#index(index, instance, 0)})`;
    if (mode === "scalar") return first;
    const step = coefficient(index, this.kernel.vector!)!;
    return `(splat_i(${first}) + ${this.#lanes(step)})`;
  }

  #load(e: Expr & { kind: "load" }, instance: Instance, mode: Mode): string {
    const { lanes } = this.kernel;
    const element = (offset: number): string =>
      `at(${typeName(e.dtype)}, ${this.#place(e.buffer, e.index, instance, e.dtype, offset)})`;
    if (mode === "scalar") {
      const conditions = e.guards.map((g) => this.#guard(g, instance, 0));
      return conditions.length === 0 ? element(0) : `((${conditions.join(" & ")}) ? ${element(0)} : 0)`;
    }
    const step = coefficient(e.index, this.kernel.vector!)!;
    const offset = instance.get(this.kernel.vector!.id) ?? 0;
    const used = offset === this.#partial.offset ? this.#partial.lanes : lanes;
    const whole = (): string => {
      if (step === 1)
        return `at(${e.dtype === "f32" ? "uf" : "ui"}, ${this.#place(e.buffer, e.index, instance, e.dtype, 0)})`;
      if (step === 0) return `splat_${typeName(e.dtype === "bool" ? "i32" : e.dtype)}(${element(0)})`;
      const parts = Array.from({ length: used }, (_, lane) => element(lane * step));
      return `(${e.dtype === "f32" ? "vf" : "vi"}){${parts.join(", ")}}`;
    };
    const text =
      e.guards.length === 0 ? whole() : this.#guarded(e, instance, used, whole, (lane) => element(lane * step));
    return e.dtype === "bool" ? `(vb)(${text} != 0)` : text;
  }

  /** A vector of which lanes outside the guards are 0: one load where lanes are neighbours, else lane by lane. */
  #guarded(
    e: Expr & { kind: "load" },
    instance: Instance,
    used: number,
    whole: () => string,
    element: (lane: number) => string,
  ): string {
    const along = ({ index }: { index: Index }): number => coefficient(index, this.kernel.vector!)!;
    const varying = e.guards.filter((g) => along(g) !== 0);
    const conditions = e.guards.filter((g) => !varying.includes(g)).map((g) => this.#guard(g, instance, 0));
    const name = this.#declare(e.dtype === "f32" ? "vf" : "vi", "{}");
    if (along(e) === 1 && varying.every((g) => along(g) === 1)) {
      // buffers have room around them for a vector of which one lane is inside
      const first = varying.map((g) => this.#declare("long", this.#index(g.index, instance, 0)));
      const some = varying.map((g, k) => `${first[k]} > ${-used} & ${first[k]} < ${g.size}`);
      const masks = varying.map((g, k) => ` & (vi)((vu)(splat_i((i)${first[k]}) + ${this.#lanes()}) < ${g.size}u)`);
      const type = e.dtype === "f32" ? "vf" : "vi";
      this.#line(`if (${[...conditions, ...some].join(" & ")}) ${name} = (${type})((vi)${whole()}${masks.join("")});`);
      return name;
    }
    if (varying.length === 0) {
      this.#line(`if (${conditions.join(" & ")}) ${name} = ${whole()};`);
      return name;
    }
    const at = (lane: number): string => varying.map((g) => this.#guard(g, instance, lane)).join(" & ");
    this.#block(`if (${conditions.length > 0 ? conditions.join(" & ") : 1})`, () => {
      for (let lane = 0; lane < used; lane++) this.#line(`if (${at(lane)}) ${name}[${lane}] = ${element(lane)};`);
    });
    return name;
  }

  #lanes(step = 1): string {
    return `(vi){${Array.from({ length: this.kernel.lanes }, (_, lane) => lane * step).join(", ")}}`;
  }

  /** Whether a guard holds in one lane: as unsigned numbers negative indices are large. */
  #guard({ index, size }: Guard, instance: Instance, lane: number): string {
    const step = lane === 0 ? 0 : coefficient(index, this.kernel.vector!)!;
    return `((unsigned long)(${this.#index(index, instance, lane * step)}) < ${size}ul)`;
  }

  /** Where an element lies: a pointer for what varies, which a tile's elements share, and a constant. */
  #place(buffer: number, index: Index, instance: Instance, dtype: Expr["dtype"], offset: number): string {
    const bytes = bytesOf[dtype as DType];
    const constant = (index.offset + this.#offset(index, instance, offset)) * bytes;
    const varying = index.terms.length === 0 ? `b${buffer}` : this.#pointer(buffer, index, bytes);
    return constant === 0 ? varying : `${varying} + (${constant})`;
  }

  #pointer(buffer: number, index: Index, bytes: number): string {
    const text = `b${buffer} + ${bytes} * (${this.#index(index, none, -index.offset)})`;
    const found = this.#found(text);
    if (found !== undefined) return found;
    const name = this.#declare("char *", text);
    this.#scopes[this.#scopes.length - 1].set(text, name);
    return name;
  }

  #index(index: Index, instance: Instance, offset: number): string {
    return indexText(index, this.#offset(index, instance, offset), (e) => this.#value(e, none, "scalar"));
  }

  /** What an instance adds to an index, and a number. */
  #offset({ terms }: Index, instance: Instance, offset: number): number {
    return terms.reduce(
      (sum, { coef, atom }) => sum + (atom.kind === "axis" ? coef * (instance.get(atom.axis.id) ?? 0) : 0),
      offset,
    );
  }

  /** The C name of what has been declared under a key in the open scopes. */
  #found(key: string): string | undefined {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const found = this.#scopes[i].get(key);
      if (found !== undefined) return found;
    }
  }

  #declare(type: string, text: string): string {
    const name = `t${this.#names++}`;
    this.#line(`${type} ${name} = ${text};`);
    return name;
  }

  #name(dtype: Expr["dtype"]): string {
    return `${typeName(dtype)}${this.#names++}_`;
  }

  #line(text: string): void {
    this.#lines.push(text);
  }
}

const splat = (e: Expr, text: string): string => `splat_${typeName(e.dtype)}(${text})`;

function neutral({ op, value }: Reduction, mode: Mode): string {
  const least = value.dtype === "i32" ? -(2 ** 31) : Number.NEGATIVE_INFINITY;
  const text = constantText(op === "sum" ? 0 : least, value.dtype);
  return mode === "vector" ? splat(value, text) : text;
}

const resultKey = (reduction: number, instance: Instance): string =>
  `${reduction} ${[...instance].map(([k, v]) => `${k}:${v}`).join()}`;

/** The part of an instance that an expression depends on, as text. */
function restricted(e: Expr, instance: Instance): string {
  let text = "";
  for (const [id, offset] of instance) if (offset !== 0 && e.axes.has(id)) text += ` ${id}+${offset}`;
  return text;
}
