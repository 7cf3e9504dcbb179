// Emits a tiled kernel as one WebAssembly function: loops, running addresses, a register tile, reductions, stores.

import {
  isStaged,
  liveExprs,
  type TiledKernel,
  type TileLoop,
  tileLoops,
  vectorOnResult,
} from "../../compile/4-tile.ts";
import { type Axis, axesIn, coefficient, type Index } from "../../compile/affine.ts";
import { type Expr, indicesIn } from "../../compile/kernel.ts";
import { bytesOf, type DType } from "../../graph/internal.ts";
import { type Accumulator, accumulate, endStage, finishAccumulator, openAccumulator } from "./accumulators.ts";
import type { Addresses, Loop } from "./addresses.ts";
import type { Func, Op, WasmModule } from "./assembler.ts";
import { lanes, type Mode, wasmType } from "./operations.ts";
import { type Instance, instanceKey, merge, none, Values } from "./values.ts";

/** What a tile body is emitted for: elements along each unrolled axis, vectors, and lanes in use of the last vector. */
interface Extent {
  readonly counts: readonly number[];
  readonly vectors: number;
  readonly lastLanes: number;
}

/** The kernel as a function (buffer addresses…, begin, end) that runs iterations begin … end − 1 of `taskCount`. */
export function emitKernel(module: WasmModule, kernel: TiledKernel, name: string): Func {
  const func = module.func(name, [...kernel.buffers.map(() => "i32" as const), "i32", "i32"]);
  new Emitter(func, kernel).emit();
  return func;
}

class Emitter {
  readonly f: Func;
  readonly kernel: TiledKernel;
  readonly values: Values;
  readonly addresses: Addresses;
  readonly live: Expr[];
  readonly #accumulators: Map<string, Accumulator> = new Map();

  constructor(f: Func, kernel: TiledKernel) {
    this.f = f;
    this.kernel = kernel;
    this.live = liveExprs(kernel);
    this.values = new Values(f, kernel);
    this.addresses = this.values.addresses;
  }

  // Loops ---------------------------------------------------------------------------------------------------------------

  emit(): void {
    const { kernel, f } = this;
    const begin = kernel.buffers.length;
    const tiles = tileLoops(kernel);
    f.get(begin)
      .get(begin + 1)
      .op("i32.lt_s")
      .if(() => {
        if (kernel.serial || (kernel.plain.length === 0 && tiles.length === 0)) this.#serial(kernel.plain, tiles);
        else if (kernel.plain.length > 0) this.#plainTasks(begin, tiles);
        else this.#tileTasks(begin, tiles);
      });
  }

  /** All loops in order, for one thread. */
  #serial(plain: readonly Axis[], tiles: readonly TileLoop[]): void {
    if (plain.length === 0) return this.#tiles(tiles, []);
    this.#counted(plain[0], 0, plain[0].extent, 1, () => this.#serial(plain.slice(1), tiles));
  }

  /** Threads share the iterations of all plain loops, flattened. */
  #plainTasks(begin: number, tiles: readonly TileLoop[]): void {
    const { f, kernel } = this;
    this.values.hoist([], none);
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
      this.values.scoped(() => {
        this.addresses.refresh();
        this.values.hoist([], none);
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
    this.values.hoist([], none);
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
          this.values.scoped(() => {
            this.addresses.refresh();
            this.values.hoist([], none);
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
    this.values.scoped(() => {
      this.addresses.refresh();
      this.values.hoist([], none);
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
    if (along) this.values.partial = { offset: (extent.vectors - 1) * lanes, lanes: extent.lastLanes };
    this.values.scoped(() => {
      if (kernel.reductions.length > 0) this.#reduce(instances);
      for (const instance of instances) this.#stores(instance, extent);
    });
    for (const local of this.values.results.values()) this.f.free(local);
    this.values.results.clear();
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
    this.values.hoist(instances, none, mode);
    kernel.reductions.forEach((reduction, r) => {
      for (const instance of instances) {
        this.#accumulators.set(
          instanceKey(r, instance),
          openAccumulator(f, reduction, mode, kernel.stage !== undefined && isStaged(reduction)),
        );
      }
    });
    this.values.reducing = true;
    this.#reduceLoops(kernel.reducedOrder, instances, mode);
    this.values.reducing = false;
    const acrossLanes = mode === "vector" && !vectorOnResult(kernel);
    for (const [key, a] of this.#accumulators) this.values.results.set(key, finishAccumulator(f, a, acrossLanes));
    this.#accumulators.clear();
  }

  #reduceLoops(axes: readonly Axis[], instances: readonly Instance[], mode: Mode): void {
    if (axes.length === 0) return this.#accumulate(instances, none, mode, lanes);
    const [axis, ...rest] = axes;
    const width = axis === this.kernel.vector ? lanes : 1;
    if (rest.length > 0) {
      this.#staged(axis, axis.extent, 1, () => {
        this.values.hoist(instances, none, mode);
        this.#reduceLoops(rest, instances, mode);
      });
      return;
    }
    const whole = Math.floor(axis.extent / width);
    const affine = this.live.every((e) => indicesIn(e).every((i) => coefficient(i, axis) !== undefined));
    const step = (affine ? this.kernel.rounds : 1) * width;
    const steps = (count: number): void => {
      for (let k = 0; k < count; k++)
        this.values.scoped(() => this.#accumulate(instances, new Map([[axis.id, k * width]]), mode, lanes));
    };
    const main = Math.floor((whole * width) / step) * step;
    if (main > 0) this.#staged(axis, main, step, () => steps(step / width));
    const left = Math.floor((axis.extent - main) / width);
    const tail = axis.extent - main - left * width;
    if (left > 0 || tail > 0) {
      this.#counted(axis, main, axis.extent, step, () => {
        steps(left);
        if (tail > 0) {
          this.values.partial = { offset: left * width, lanes: tail };
          this.values.scoped(() => this.#accumulate(instances, new Map([[axis.id, left * width]]), mode, tail));
          this.values.partial = { offset: -1, lanes };
        }
      });
    }
  }

  /** A loop along a reduced axis from 0; where sums run in stages, several, each with its own sum. */
  #staged(axis: Axis, to: number, step: number, body: () => void): void {
    const { f, kernel } = this;
    const count = kernel.stage?.axis === axis ? kernel.stage.count : to;
    if (count >= to) return this.#counted(axis, 0, to, step, body);
    const [variable, start, stop] = [f.local("i32"), f.local("i32"), f.local("i32")];
    f.i32(0).set(start);
    f.loop(() => {
      f.get(start).i32(count).op("i32.add").tee(stop).i32(to).get(stop).i32(to).op("i32.lt_s").op("select").set(stop);
      this.#loop({ axis, variable, step }, start, stop, body);
      for (const a of this.#accumulators.values()) endStage(f, a);
      f.get(stop).tee(start).i32(to).op("i32.lt_s").brIf(0);
    });
    for (const local of [variable, start, stop]) f.free(local);
  }

  /** Adds the summands of one step to the accumulators; past `used` lanes they do not count. */
  #accumulate(instances: readonly Instance[], step: Instance, mode: Mode, used: number): void {
    this.kernel.reductions.forEach(({ value }, r) => {
      for (const instance of instances) {
        this.values.push(value, merge(instance, step), mode);
        accumulate(this.f, this.#accumulators.get(instanceKey(r, instance))!, used);
      }
    });
  }

  #stores(instance: Instance, extent: Extent): void {
    const { kernel, f } = this;
    const mode: Mode = vectorOnResult(kernel) ? "vector" : "scalar";
    const at = kernel.vector === undefined ? 0 : (instance.get(kernel.vector.id) ?? 0);
    const used = mode === "vector" && at === (extent.vectors - 1) * lanes ? extent.lastLanes : lanes;
    const values = kernel.stores.map((s) => this.values.value(s.value, instance, mode));
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
}
