// The expressions of a kernel being emitted: each is computed once per loop that it varies in, and kept in a local.
import { liveExprs, type TiledKernel, vectorOnResult } from "../../compile/4-tile.ts";
import { coefficient, type Index } from "../../compile/affine.ts";
import type { Expr, Guard } from "../../compile/kernel.ts";
import { bytesOf, type DType } from "../../graph/internal.ts";
import { Addresses } from "./addresses.ts";
import type { Func, Op } from "./assembler.ts";
import { emitOp, lanes, type Mode, pushConstant, wasmType } from "./operations.ts";

/** Offsets from the loop variables that tell the elements of a register tile apart, by axis id. */
export type Instance = ReadonlyMap<number, number>;

export const none: Instance = new Map();

export class Values {
  readonly f: Func;
  readonly kernel: TiledKernel;
  readonly addresses: Addresses;
  /** Locals of the finished reductions of the present tile, by instanceKey. */
  readonly results: Map<string, number> = new Map();
  /** The vector (by its offset along the vector axis) of which only some lanes are in use: memory past them is not read. */
  partial: { readonly offset: number; readonly lanes: number } = { offset: -1, lanes };
  /** Set while reductions run: what only the stores need is not computed ahead then. */
  reducing = false;
  /** Expressions of finished reductions. */
  readonly #finished: Set<Expr> = new Set();
  /** Values at hand: local by expression, instance and mode; one map per open loop. */
  readonly #scopes: Map<string, number>[] = [new Map()];

  constructor(f: Func, kernel: TiledKernel) {
    this.f = f;
    this.kernel = kernel;
    for (const e of liveExprs(kernel)) {
      if (e.kind === "reduction" || e.args.some((a) => this.#finished.has(a))) this.#finished.add(e);
    }
    this.addresses = new Addresses(f, (e) => this.#rowNumber(e));
  }

  /** Runs the body; what it computes is at hand only inside. */
  scoped(body: () => void): void {
    this.#scopes.push(new Map());
    body();
    for (const local of this.#scopes.pop()!.values()) this.f.free(local);
  }

  /** Computes ahead what the loops opened so far suffice for, so that inner loops need not repeat it. */
  hoist(instances: readonly Instance[], step: Instance, reduceMode?: Mode): void {
    const { kernel } = this;
    if (kernel.serial) return; // each round may read what the one before wrote
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
      if (!inTile) this.value(e, none, mode);
      else for (const instance of instances) this.value(e, merge(instance, step), mode);
    };
    for (const r of kernel.reductions) visit(r.value, reduceMode ?? inner);
    seen.clear();
    if (!inTile && !this.reducing) for (const s of kernel.stores) visit(s.value, outer);
  }
  /** Pushes an expression's value for an instance. */
  push(e: Expr, instance: Instance, mode: Mode): void {
    if (e.kind === "const") pushConstant(this.f, e.value, e.dtype, mode);
    else this.f.get(this.value(e, instance, mode));
  }

  /** The local that holds an expression's value for an instance, computing it at the present point if it is not at hand. */
  value(e: Expr, instance: Instance, mode: Mode): number {
    if (e.kind === "reduction") return this.results.get(instanceKey(e.reduction, tileInstance(instance, this.kernel)))!;
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
        for (const a of e.args) if (a.kind !== "const") this.value(a, instance, mode);
        emitOp(f, e, mode, (i) => this.push(e.args[i], instance, mode));
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
      const at = instance.get(this.kernel.vector!.id) ?? 0;
      const used = at === this.partial.offset ? this.partial.lanes : lanes;
      for (let lane = 1; lane < used; lane++) {
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
    this.f.get(this.value(e, none, "scalar"));
  }
}

export const merge = (a: Instance, b: Instance): Instance => (b.size === 0 ? a : new Map([...a, ...b]));

export const instanceKey = (reduction: number, instance: Instance): string =>
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
