// Emits a tiled kernel as one WebAssembly function: loops, running addresses, a register tile, reductions, stores.

import { lanes, liveExprs, type TiledKernel } from "../../compile/4-tile.ts";
import { type Axis, axesIn, coefficient, type Index } from "../../compile/affine.ts";
import type { Expr, Guard } from "../../compile/kernel.ts";
import { bytesOf, type DType } from "../../graph/internal.ts";
import { Addresses, type Loop } from "./addresses.ts";
import type { Func, Op, WasmModule } from "./assembler.ts";
import { emitOp, type Mode, pushConstant, wasmType } from "./operations.ts";

/** Offsets from the loop variables that tell the elements of a register tile apart, by axis id. */
type Instance = ReadonlyMap<number, number>;

/** What a tile body is emitted for: elements along each unrolled axis, vectors, and lanes in use of the last vector. */
interface Extent {
  readonly counts: readonly number[];
  readonly vectors: number;
  readonly lastLanes: number;
}

const none: Instance = new Map();

/** The kernel as a function (buffer addresses…, begin, end) that runs iterations begin … end − 1 of `taskCount`. */
export function emitKernel(module: WasmModule, kernel: TiledKernel, name: string): Func {
  const func = module.func(name, [...kernel.buffers.map(() => "i32" as const), "i32", "i32"]);
  new Emitter(func, kernel).emit();
  return func;
}

/** Number of independent iterations that threads may share out. */
export function taskCount(kernel: TiledKernel): number {
  if (kernel.serial) return 1;
  if (kernel.plain.length > 0) return kernel.plain.reduce((n, a) => n * a.extent, 1);
  const [first] = tileLoops(kernel);
  return first === undefined ? 1 : Math.ceil(first.axis.extent / first.step);
}

interface TileLoop {
  readonly axis: Axis;
  /** Elements per iteration. */
  readonly step: number;
}

/** Loops over register tiles, outermost first: the vector axis outside, so that what runs along lanes stays in cache. */
function tileLoops(kernel: TiledKernel): TileLoop[] {
  const unrolled = kernel.unrolled.map((u) => ({ axis: u.axis, step: u.factor }));
  const along = vectorOnResult(kernel) ? [{ axis: kernel.vector!, step: lanes * kernel.vectors }] : [];
  return [...along, ...unrolled];
}

const vectorOnResult = (kernel: TiledKernel): boolean =>
  kernel.vector !== undefined && kernel.outer.includes(kernel.vector);

class Emitter {
  readonly f: Func;
  readonly kernel: TiledKernel;
  readonly addresses: Addresses;
  readonly live: Expr[];
  /** Expressions of finished reductions. */
  readonly #finished: Set<Expr> = new Set();
  /** Values at hand: local by expression, instance and mode; one map per open loop. */
  readonly #scopes: Map<string, number>[] = [new Map()];
  #accumulators = new Map<string, number>();
  #results = new Map<string, number>();

  constructor(f: Func, kernel: TiledKernel) {
    this.f = f;
    this.kernel = kernel;
    this.live = liveExprs(kernel);
    for (const e of this.live)
      if (e.kind === "reduction" || e.args.some((a) => this.#finished.has(a))) this.#finished.add(e);
    this.addresses = new Addresses(f, (e) => this.#rowNumber(e));
  }

  // Loops ---------------------------------------------------------------------------------------------------------------

  emit(): void {
    const { kernel, f } = this;
    const begin = kernel.buffers.length;
    const tiles = tileLoops(kernel);
    if (kernel.serial || (kernel.plain.length === 0 && tiles.length === 0)) {
      f.get(begin)
        .get(begin + 1)
        .op("i32.lt_s")
        .if(() => this.#serial(kernel.plain, tiles));
    } else if (kernel.plain.length > 0) this.#plainTasks(begin, tiles);
    else this.#tileTasks(begin, tiles);
  }

  /** All loops in order, for one thread. */
  #serial(plain: readonly Axis[], tiles: readonly TileLoop[]): void {
    if (plain.length === 0) return this.#tiles(tiles, []);
    this.#counted(plain[0], 0, plain[0].extent, 1, () => this.#serial(plain.slice(1), tiles));
  }

  /** Threads share the iterations of all plain loops, flattened. */
  #plainTasks(begin: number, tiles: readonly TileLoop[]): void {
    const { f, kernel } = this;
    this.#hoist([], none);
    this.#range(begin, () => {
      const rest = f.local("i32");
      f.get(begin).set(rest);
      const loops: Loop[] = [];
      for (let i = kernel.plain.length - 1; i >= 0; i--) {
        const axis = kernel.plain[i];
        const variable = f.local("i32");
        if (i === 0) f.get(rest).set(variable);
        else {
          f.get(rest).i32(axis.extent).op("i32.rem_u").set(variable);
          f.get(rest).i32(axis.extent).op("i32.div_u").set(rest);
        }
        loops.unshift({ axis, variable, step: 1 });
      }
      this.addresses.open(loops, this.#hereIndices(loops));
      this.#scoped(() => {
        this.addresses.refresh();
        this.#hoist([], none);
        this.#tiles(tiles, []);
      });
      this.addresses.close();
      for (const l of loops) f.free(l.variable);
      f.free(rest);
    });
  }

  /** Runs the body while begin < end, counting begin up. */
  #range(begin: number, body: () => void): void {
    const { f } = this;
    f.block(() => {
      f.loop(() => {
        f.get(begin)
          .get(begin + 1)
          .op("i32.ge_s")
          .brIf(1);
        body();
        f.get(begin).i32(1).op("i32.add").set(begin).br(0);
      });
    });
  }

  /** No plain loops: threads share the tiles along the first tiled axis. */
  #tileTasks(begin: number, tiles: readonly TileLoop[]): void {
    const { f } = this;
    const [{ axis, step }, ...inner] = tiles;
    const whole = Math.floor(axis.extent / step);
    this.#hoist([], none);
    const variable = f.local("i32");
    const start = f.local("i32");
    const stop = f.local("i32");
    if (whole > 0) {
      f.get(begin).i32(step).op("i32.mul").set(start);
      f.get(begin + 1)
        .i32(whole)
        .get(begin + 1)
        .i32(whole)
        .op("i32.lt_s")
        .op("select")
        .i32(step)
        .op("i32.mul")
        .set(stop);
      this.#loop({ axis, variable, step }, start, stop, () => this.#tiles(inner, [step]));
    }
    if (axis.extent % step > 0) {
      f.get(begin + 1)
        .i32(whole)
        .op("i32.gt_s")
        .if(() => {
          f.i32(whole * step).set(variable);
          this.#body({ axis, variable, step }, () => this.#tiles(inner, [axis.extent % step]));
        });
    }
    for (const local of [variable, start, stop]) f.free(local);
  }

  /** Loops over full tiles of the next tiled axis, then the remainder as a smaller tile. */
  #tiles(tiles: readonly TileLoop[], counts: readonly number[]): void {
    if (tiles.length === 0) return this.#tile(counts);
    const [{ axis, step }, ...inner] = tiles;
    const whole = Math.floor(axis.extent / step) * step;
    if (whole > 0) this.#counted(axis, 0, whole, step, () => this.#tiles(inner, [...counts, step]));
    if (whole < axis.extent)
      this.#counted(axis, whole, axis.extent, step, () => this.#tiles(inner, [...counts, axis.extent - whole]));
  }

  #counted(axis: Axis, from: number, to: number, step: number, body: () => void): void {
    if (to <= from) return;
    const { f } = this;
    const variable = f.local("i32");
    if (to - from <= step) {
      f.i32(from).set(variable);
      this.#body({ axis, variable, step }, body);
    } else {
      const [start, stop] = [f.local("i32"), f.local("i32")];
      f.i32(from).set(start).i32(to).set(stop);
      this.#loop({ axis, variable, step }, start, stop, body);
      f.free(start);
      f.free(stop);
    }
    f.free(variable);
  }

  /** A loop whose bounds are in locals; skipped when empty. */
  #loop(loop: Loop, start: number, stop: number, body: () => void): void {
    const { f } = this;
    f.get(start)
      .tee(loop.variable)
      .get(stop)
      .op("i32.lt_s")
      .if(() => {
        const advance = this.addresses.open([loop], this.#hereIndices([loop]));
        f.loop(() => {
          this.#scoped(() => {
            this.addresses.refresh();
            this.#hoist([], none);
            body();
          });
          advance();
          f.get(loop.variable).i32(loop.step).op("i32.add").tee(loop.variable).get(stop).op("i32.lt_s").brIf(0);
        });
        this.addresses.close();
      });
  }

  /** One iteration with the variable already set. */
  #body(loop: Loop, body: () => void): void {
    this.addresses.open([loop], this.#hereIndices([loop]));
    this.#scoped(() => {
      this.addresses.refresh();
      this.#hoist([], none);
      body();
    });
    this.addresses.close();
  }

  /** Index expressions that vary with the loops being opened, with their element sizes, so that their addresses run along. */
  #hereIndices(loops: readonly Loop[]): { buffer: number; index: Index; bytes: number }[] {
    const ids = loops.map((l) => l.axis.id);
    const varies = (index: Index): boolean => {
      const axes = axesIn(index);
      return ids.some((id) => axes.has(id));
    };
    const found: { buffer: number; index: Index; bytes: number }[] = [];
    for (const e of this.live) {
      if (e.kind === "load" && varies(e.index))
        found.push({ buffer: e.buffer, index: e.index, bytes: bytesOf[e.dtype as DType] });
    }
    for (const s of this.kernel.stores) {
      if (varies(s.index)) found.push({ buffer: s.buffer, index: s.index, bytes: bytesOf[s.value.dtype as DType] });
    }
    return found;
  }

  #scoped(body: () => void): void {
    this.#scopes.push(new Map());
    body();
    for (const local of this.#scopes.pop()!.values()) this.f.free(local);
  }

  // The register tile -----------------------------------------------------------------------------------------------------

  #tile(counts: readonly number[]): void {
    const { kernel } = this;
    const along = vectorOnResult(kernel);
    const last = along ? counts[0] : 0;
    const extent: Extent = {
      counts: along ? counts.slice(1) : counts,
      vectors: along ? Math.ceil(last / lanes) : 1,
      lastLanes: along && last % lanes !== 0 ? last % lanes : lanes,
    };
    const instances = this.#instances(extent);
    this.#scoped(() => {
      if (kernel.reductions.length > 0) this.#reduce(instances);
      for (const instance of instances) this.#stores(instance, extent);
    });
    for (const local of [...this.#accumulators.values(), ...this.#results.values()]) this.f.free(local);
    this.#accumulators.clear();
    this.#results.clear();
  }

  #instances(extent: Extent): Instance[] {
    const { kernel } = this;
    let list: Map<number, number>[] = [new Map()];
    const vary = (axis: Axis, offsets: readonly number[]): void => {
      list = list.flatMap((m) => offsets.map((o) => new Map(m).set(axis.id, o)));
    };
    const dimensions = kernel.unrolled.map((u, i) => ({
      axis: u.axis,
      offsets: Array.from({ length: extent.counts[i] }, (_, k) => k),
    }));
    if (vectorOnResult(kernel))
      dimensions.push({ axis: kernel.vector!, offsets: Array.from({ length: extent.vectors }, (_, q) => q * lanes) });
    // the longest outermost: values that vary along the others stay in registers while it passes
    for (const { axis, offsets } of dimensions.sort((a, b) => b.offsets.length - a.offsets.length)) vary(axis, offsets);
    return list;
  }

  #reduce(instances: readonly Instance[]): void {
    const { kernel, f } = this;
    const mode: Mode = kernel.vector === undefined ? "scalar" : "vector";
    this.#hoist(instances, none, mode);
    kernel.reductions.forEach(({ op, value }, r) => {
      for (const instance of instances) {
        const local = f.local(mode === "vector" ? "v128" : wasmType(value.dtype));
        pushConstant(
          f,
          op === "sum" ? 0 : value.dtype === "i32" ? -(2 ** 31) : Number.NEGATIVE_INFINITY,
          value.dtype,
          mode,
        );
        f.set(local);
        this.#accumulators.set(instanceKey(r, instance), local);
      }
    });
    this.#reduceLoops(kernel.reducedOrder, instances, mode);
    if (mode === "vector" && !vectorOnResult(kernel)) this.#sumLanes(instances);
    else {
      this.#results = this.#accumulators;
      this.#accumulators = new Map();
    }
  }

  #reduceLoops(axes: readonly Axis[], instances: readonly Instance[], mode: Mode): void {
    if (axes.length === 0) return this.#accumulate(instances, none, mode, lanes);
    const [axis, ...rest] = axes;
    const width = axis === this.kernel.vector ? lanes : 1;
    if (rest.length > 0) {
      this.#counted(axis, 0, axis.extent, 1, () => {
        this.#hoist(instances, none, mode);
        this.#reduceLoops(rest, instances, mode);
      });
      return;
    }
    const whole = Math.floor(axis.extent / width);
    const tileSize = instances.length * this.kernel.reductions.length;
    const affine = this.live.every((e) => indicesOf(e).every((i) => coefficient(i, axis) !== undefined));
    const unroll = !affine ? 1 : whole <= 6 ? whole : tileSize >= 8 ? 4 : 2;
    const step = Math.max(1, unroll) * width;
    const steps = (count: number): void => {
      for (let k = 0; k < count; k++)
        this.#scoped(() => this.#accumulate(instances, new Map([[axis.id, k * width]]), mode, lanes));
    };
    const main = Math.floor((whole * width) / step) * step;
    if (main > 0) this.#counted(axis, 0, main, step, () => steps(step / width));
    const left = Math.floor((axis.extent - main) / width);
    const tail = axis.extent - main - left * width;
    if (left > 0 || tail > 0) {
      this.#counted(axis, main, axis.extent, step, () => {
        steps(left);
        if (tail > 0) this.#scoped(() => this.#accumulate(instances, new Map([[axis.id, left * width]]), mode, tail));
      });
    }
  }

  /** Adds the summands of one step to the accumulators; past `used` lanes they do not count. */
  #accumulate(instances: readonly Instance[], step: Instance, mode: Mode, used: number): void {
    const { kernel, f } = this;
    kernel.reductions.forEach(({ op, value }, r) => {
      for (const instance of instances) {
        const accumulator = this.#accumulators.get(instanceKey(r, instance))!;
        f.get(accumulator);
        this.#push(value, merge(instance, step), mode);
        if (used < lanes) this.#mask(op, value.dtype === "i32" ? "i32" : "f32", used);
        this.#combine(op, wasmType(value.dtype), mode);
        f.set(accumulator);
      }
    });
  }

  #combine(op: "sum" | "max", type: string, mode: Mode): void {
    const { f } = this;
    if (mode === "vector") f.op(`${type}x4.${op === "sum" ? "add" : type === "i32" ? "max_s" : "max"}` as Op);
    else if (op === "sum" || type !== "i32") f.op(`${type}.${op === "sum" ? "add" : "max"}` as Op);
    else {
      const [a, b] = [f.local("i32"), f.local("i32")];
      f.set(b).set(a).get(a).get(b).get(a).get(b).op("i32.gt_s").op("select");
      f.free(a);
      f.free(b);
    }
  }

  /** Replaces the lanes past `used` of the vector on the stack by the reduction's neutral element. */
  #mask(op: "sum" | "max", type: "i32" | "f32", used: number): void {
    const keep = new Uint8Array(Int32Array.from({ length: lanes }, (_, i) => (i < used ? -1 : 0)).buffer);
    if (op === "sum") this.f.v128(keep).op("v128.and");
    else {
      pushConstant(this.f, type === "i32" ? -(2 ** 31) : Number.NEGATIVE_INFINITY, type, "vector");
      this.f.v128(keep).op("v128.bitselect");
    }
  }

  /** Reduces each vector accumulator to one value: (0 + 2) + (1 + 3). */
  #sumLanes(instances: readonly Instance[]): void {
    const { f, kernel } = this;
    kernel.reductions.forEach(({ op, value }, r) => {
      const type = wasmType(value.dtype);
      for (const instance of instances) {
        const vector = this.#accumulators.get(instanceKey(r, instance))!;
        const result = f.local(type);
        const half = f.local("v128");
        f.get(vector).get(vector).get(vector).shuffle([8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]);
        this.#combine(op, type, "vector");
        f.tee(half)
          .lane(`${type}x4.extract_lane` as Op, 0)
          .get(half)
          .lane(`${type}x4.extract_lane` as Op, 1);
        this.#combine(op, type, "scalar");
        f.set(result);
        f.free(half);
        this.#results.set(instanceKey(r, instance), result);
      }
    });
  }

  #stores(instance: Instance, extent: Extent): void {
    const { kernel, f } = this;
    const mode: Mode = vectorOnResult(kernel) ? "vector" : "scalar";
    const at = kernel.vector === undefined ? 0 : (instance.get(kernel.vector.id) ?? 0);
    const used = mode === "vector" && at === (extent.vectors - 1) * lanes ? extent.lastLanes : lanes;
    const values = kernel.stores.map((s) => this.#value(s.value, instance, mode));
    kernel.stores.forEach(({ buffer, index, value }, i) => {
      const bytes = bytesOf[value.dtype as DType];
      const step = mode === "vector" ? coefficient(index, kernel.vector!)! : 0;
      if (mode === "vector" && (step !== 1 || used < lanes)) {
        for (let lane = 0; lane < used; lane++) {
          const offset = this.addresses.push(buffer, index, instance, bytes, lane * step);
          this.#storable(values[i], value, mode);
          f.memoryLane("v128.store32_lane", offset, lane);
        }
        return;
      }
      const offset = this.addresses.push(buffer, index, instance, bytes, 0);
      this.#storable(values[i], value, mode);
      f.memory((mode === "vector" ? "v128.store" : `${wasmType(value.dtype)}.store`) as Op, offset);
    });
  }

  /** Pushes a value as it is kept in memory: a bool as 0 or 1. */
  #storable(local: number, value: Expr, mode: Mode): void {
    this.f.get(local);
    if (value.dtype === "bool" && mode === "vector")
      this.f.v128(new Uint8Array(Int32Array.of(1, 1, 1, 1).buffer)).op("v128.and");
  }

  // Expressions -------------------------------------------------------------------------------------------------------------

  /** Computes ahead what the loops opened so far suffice for, so that inner loops need not repeat it. */
  #hoist(instances: readonly Instance[], step: Instance, reduceMode?: Mode): void {
    const { kernel } = this;
    const inTile = instances.length > 0;
    const open = this.addresses.openAxes;
    const tiled = new Set([
      ...kernel.unrolled.map((u) => u.axis.id),
      ...(vectorOnResult(kernel) ? [kernel.vector!.id] : []),
    ]);
    const ready = (e: Expr): boolean =>
      e.kind !== "reduction" &&
      [...e.axes].every((id) => open.has(id) && (inTile || !tiled.has(id))) &&
      !this.#finished.has(e);
    const inner: Mode = kernel.vector === undefined ? "scalar" : "vector";
    const outer: Mode = vectorOnResult(kernel) ? "vector" : "scalar";
    const seen = new Set<Expr>();
    const visit = (e: Expr, mode: Mode): void => {
      if (e.kind === "const" || seen.has(e)) return;
      seen.add(e);
      if (!ready(e)) {
        if (e.kind === "op") for (const a of e.args) visit(a, mode);
        return;
      }
      if (kernel.vector !== undefined && e.axes.has(kernel.vector.id) && !inTile) return;
      if (!inTile) this.#value(e, none, mode);
      else for (const instance of instances) this.#value(e, merge(instance, step), mode);
    };
    for (const r of kernel.reductions) visit(r.value, reduceMode ?? inner);
    seen.clear();
    if (!inTile && !this.#inReduction) for (const s of kernel.stores) visit(s.value, outer);
  }
  get #inReduction(): boolean {
    return this.#accumulators.size > 0;
  }

  #push(e: Expr, instance: Instance, mode: Mode): void {
    if (e.kind === "const") pushConstant(this.f, e.value, e.dtype, mode);
    else this.f.get(this.#value(e, instance, mode));
  }

  /** The local that holds an expression's value for an instance, computing it at the present point if it is not at hand. */
  #value(e: Expr, instance: Instance, mode: Mode): number {
    if (e.kind === "reduction")
      return this.#results.get(instanceKey(e.reduction, tileInstance(instance, this.kernel)))!;
    const key = `${e.id}${mode === "vector" ? "v" : "s"}${restricted(e, instance)}`;
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const found = this.#scopes[i].get(key);
      if (found !== undefined) return found;
    }
    this.#compute(e, instance, mode);
    const local = this.f.local(mode === "vector" ? "v128" : wasmType(e.dtype));
    this.f.set(local);
    this.#scopes[this.#scopes.length - 1].set(key, local);
    return local;
  }

  #compute(e: Expr, instance: Instance, mode: Mode): void {
    const { f } = this;
    switch (e.kind) {
      case "const":
        pushConstant(f, e.value, e.dtype, mode);
        return;
      case "op":
        for (const a of e.args) if (a.kind !== "const") this.#value(a, instance, mode);
        emitOp(f, e, mode, (i) => this.#push(e.args[i], instance, mode));
        return;
      case "load":
        this.#load(e, instance, mode);
        return;
      case "index":
        this.#lanesOf(e.index, instance, mode);
        return;
      case "inside":
        this.#inside(e.guards, instance, mode);
        return;
      case "reduction":
        throw new Error("wasm: a reduction is not computed here");
    }
  }

  /** Pushes an index as i32: one value, or its value in each lane. */
  #lanesOf(index: Index, instance: Instance, mode: Mode): void {
    const { f } = this;
    this.addresses.pushIndex(index, instance, 0);
    if (mode === "scalar") return;
    f.op("i32x4.splat");
    const step = coefficient(index, this.kernel.vector!)!;
    if (step !== 0) f.v128(new Uint8Array(Int32Array.of(0, step, 2 * step, 3 * step).buffer)).op("i32x4.add");
  }

  #inside(guards: readonly Guard[], instance: Instance, mode: Mode): void {
    const { f } = this;
    guards.forEach(({ index, size }, i) => {
      this.#lanesOf(index, instance, mode);
      // as unsigned numbers negative indices are large, so one comparison checks both ends
      if (mode === "vector") f.v128(new Uint8Array(Int32Array.of(size, size, size, size).buffer)).op("i32x4.lt_u");
      else f.i32(size).op("i32.lt_u");
      if (i > 0) f.op(mode === "vector" ? "v128.and" : "i32.and");
    });
  }

  #load(e: Expr & { kind: "load" }, instance: Instance, mode: Mode): void {
    const { f, kernel } = this;
    const step = mode === "vector" ? coefficient(e.index, kernel.vector!)! : 0;
    const guards = e.guards;
    if (guards.length === 0) return this.#plainLoad(e, instance, mode, step);
    const varying = mode === "vector" ? guards.filter((g) => coefficient(g.index, kernel.vector!) !== 0) : [];
    const result = f.local(mode === "vector" ? "v128" : wasmType(e.dtype));
    pushConstant(f, 0, e.dtype, mode);
    f.set(result);
    this.#scalarGuards(
      guards.filter((g) => !varying.includes(g)),
      instance,
      0,
    );
    f.if(() => {
      if (varying.length === 0) {
        this.#plainLoad(e, instance, mode, step);
        f.set(result);
        return;
      }
      // all lanes inside (both ends are): one load; else lane by lane
      this.#scalarGuards(varying, instance, 0);
      this.#scalarGuards(varying, instance, lanes - 1);
      f.op("i32.and").if(
        () => {
          this.#plainLoad(e, instance, mode, step);
          f.set(result);
        },
        () => {
          for (let lane = 0; lane < lanes; lane++) {
            this.#scalarGuards(varying, instance, lane);
            f.if(() => {
              const offset = this.addresses.push(e.buffer, e.index, instance, 4, lane * step);
              f.get(result).memoryLane("v128.load32_lane", offset, lane).set(result);
            });
          }
          if (e.dtype === "bool") this.#asMask(result);
        },
      );
    });
    f.get(result);
    f.free(result);
  }

  #asMask(vector: number): void {
    this.f.get(vector).v128(new Uint8Array(16)).op("i32x4.ne").set(vector);
  }

  /** Pushes whether the guards hold in one lane. */
  #scalarGuards(guards: readonly Guard[], instance: Instance, lane: number): void {
    const { f } = this;
    if (guards.length === 0) f.i32(1);
    guards.forEach(({ index, size }, i) => {
      const step = lane === 0 ? 0 : coefficient(index, this.kernel.vector!)!;
      this.addresses.pushIndex(index, instance, lane * step);
      f.i32(size).op("i32.lt_u");
      if (i > 0) f.op("i32.and");
    });
  }

  #plainLoad(e: Expr & { kind: "load" }, instance: Instance, mode: Mode, step: number): void {
    const { f } = this;
    const bytes = bytesOf[e.dtype as DType];
    if (mode === "scalar") {
      const offset = this.addresses.push(e.buffer, e.index, instance, bytes, 0);
      f.memory(`${wasmType(e.dtype)}.load` as Op, offset);
      return;
    }
    if (step === 0 || step === 1) {
      const offset = this.addresses.push(e.buffer, e.index, instance, bytes, 0);
      f.memory(step === 1 ? "v128.load" : "v128.load32_splat", offset);
    } else {
      const first = this.addresses.push(e.buffer, e.index, instance, bytes, 0);
      f.memory("v128.load32_zero", first);
      const gathered = f.local("v128");
      f.set(gathered);
      for (let lane = 1; lane < lanes; lane++) {
        const offset = this.addresses.push(e.buffer, e.index, instance, bytes, lane * step);
        f.get(gathered).memoryLane("v128.load32_lane", offset, lane).set(gathered);
      }
      f.get(gathered);
      f.free(gathered);
    }
    if (e.dtype === "bool") f.v128(new Uint8Array(16)).op("i32x4.ne");
  }

  /** Pushes a row number read from memory, as one i32 (it does not vary along lanes). */
  #rowNumber(e: Expr): void {
    this.f.get(this.#value(e, none, "scalar"));
  }
}

const indicesOf = (e: Expr): Index[] => {
  if (e.kind === "load") return [e.index, ...e.guards.map((g) => g.index)];
  if (e.kind === "index") return [e.index];
  return e.kind === "inside" ? e.guards.map((g) => g.index) : [];
};

const merge = (a: Instance, b: Instance): Instance => (b.size === 0 ? a : new Map([...a, ...b]));

const instanceKey = (reduction: number, instance: Instance): string =>
  `${reduction} ${[...instance].map(([k, v]) => `${k}:${v}`).join()}`;

/** The part of an instance that tells tile elements apart (not the step within an unrolled reduction). */
function tileInstance(instance: Instance, kernel: TiledKernel): Instance {
  return new Map([...instance].filter(([id]) => kernel.outer.some((a) => a.id === id)));
}

/** The part of an instance that an expression depends on, as text. */
function restricted(e: Expr, instance: Instance): string {
  let text = "";
  for (const [id, offset] of instance) if (offset !== 0 && e.axes.has(id)) text += ` ${id}+${offset}`;
  return text;
}
