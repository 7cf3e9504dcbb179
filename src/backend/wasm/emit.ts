// Prints a kernel's loop form as one WebAssembly function.

import type { TiledKernel } from "../../compile/4-tile.ts";
import { nest } from "../../compile/7-nest.ts";
import {
  type Block,
  begin,
  type Condition,
  end,
  type Load,
  type Mode,
  type Place,
  type Statement,
  type Total,
  type Value,
  type Variable,
  type Whole,
} from "../../compile/loop-form.ts";
import type { Target } from "../../compile/target.ts";
import { type Accumulator, accumulate, endStage, openAccumulator, reduceLanes, settle } from "./accumulators.ts";
import { Addresses, type Open } from "./addresses.ts";
import type { Func, Op, WasmModule } from "./assembler.ts";
import { emitOp, lanes, pushConstant, wasmType } from "./operations.ts";

/** The kernel as a function (buffer addresses…, begin, end) that runs tasks begin … end − 1. */
export function emitKernel(module: WasmModule, kernel: TiledKernel, target: Target, name: string): Func {
  const func = module.func(name, [...kernel.buffers.map(() => "i32" as const), "i32", "i32"]);
  new Printer(func, kernel.buffers.length).block(nest(kernel, target, false));
  return func;
}

/** All lanes hold an i32. */
const inLanes = (...values: number[]): Uint8Array =>
  new Uint8Array(Int32Array.from({ length: lanes }, (_, i) => values[i % values.length]).buffer);

class Printer {
  readonly f: Func;
  readonly #addresses: Addresses;
  readonly #variables: Map<Variable, number>;
  readonly #locals = new Map<Value, number>();
  readonly #totals = new Map<Total, Accumulator>();
  readonly #placesIn = new Map<Block, readonly Place[]>();

  /** A function whose parameters are so many buffers, and the tasks to run. */
  constructor(f: Func, buffers: number) {
    this.f = f;
    this.#addresses = new Addresses(f, (value) => this.#locals.get(value));
    this.#variables = new Map([
      [begin, buffers],
      [end, buffers + 1],
    ]);
  }

  // Statements ------------------------------------------------------------------------------------------------------------

  block(block: Block): void {
    for (const s of block) this.#statement(s);
    for (const s of block) {
      if (s.kind === "let") this.f.free(this.#locals.get(s.value)!);
      if (s.kind === "open") this.f.free(this.#totals.get(s.total)!.total);
    }
  }

  #statement(s: Statement): void {
    const { f } = this;
    switch (s.kind) {
      case "loop":
        return this.#loop(s);
      case "within":
        return this.#within(s);
      case "when":
        this.#push(s.less);
        this.#push(s.than);
        f.op("i32.lt_s").if(() => this.block(s.body));
        return;
      case "block":
        return this.block(s.body);
      case "let": {
        this.#compute(s.value);
        const local = f.local(s.value.vector ? "v128" : wasmType(s.value.dtype));
        f.set(local);
        this.#locals.set(s.value, local);
        return;
      }
      case "open":
        this.#totals.set(s.total, openAccumulator(f, s.total));
        return;
      case "add":
        this.#value(s.term);
        return accumulate(f, this.#totals.get(s.total)!, s.lanes);
      case "endStage":
        return endStage(f, this.#totals.get(s.total)!);
      case "settle":
        return settle(f, this.#totals.get(s.total)!);
      case "store":
        return this.#store(s);
      case "prefetch":
        return;
      case "roll":
      case "array":
        throw new Error("wasm: register tiles are written out");
    }
  }

  #loop({ variable, from, to, step, body }: Statement & { kind: "loop" }): void {
    const { f } = this;
    const local = f.local("i32");
    const stop = typeof to === "number" ? undefined : f.local("i32");
    this.#variables.set(variable, local);
    const pushStop = (): unknown => (stop === undefined ? f.i32(to as number) : f.get(stop));
    this.#push(from);
    f.set(local);
    if (stop !== undefined) this.#push(to);
    if (stop !== undefined) f.set(stop);
    const rounds = (): void => {
      const open: Open[] = variable.axis === undefined ? [] : [{ axis: variable.axis, local }];
      const advance = this.#addresses.open(open, step, this.#places(body));
      f.loop(() => {
        this.#addresses.refresh();
        this.block(body);
        advance();
        f.get(local).i32(step).op("i32.add").tee(local);
        pushStop();
        f.op("i32.lt_s").brIf(0);
      });
      this.#addresses.close();
    };
    if (typeof from === "number" && typeof to === "number") rounds();
    else {
      f.get(local);
      pushStop();
      f.op("i32.lt_s").if(rounds);
    }
    if (stop !== undefined) f.free(stop);
    f.free(local);
  }

  #within({ values, body }: Statement & { kind: "within" }): void {
    const { f } = this;
    const open = values.map(({ variable, value }): Open => {
      const local = f.local("i32");
      this.#push(value);
      f.set(local);
      this.#variables.set(variable, local);
      return { axis: variable.axis!, local };
    });
    this.#addresses.open(open, 0, this.#places(body));
    this.#addresses.refresh();
    this.block(body);
    this.#addresses.close();
    for (const { local } of open) f.free(local);
  }

  /** Places of memory that a block reads or writes. */
  #places(block: Block): readonly Place[] {
    let found = this.#placesIn.get(block);
    if (found === undefined) {
      found = block.flatMap((s): readonly Place[] => {
        if (s.kind === "store") return [s.place];
        if (s.kind === "let") return s.value.kind === "load" ? [s.value.place] : [];
        return "body" in s ? this.#places(s.body) : [];
      });
      const distinct = new Map(found.map((p) => [`${p.buffer} ${p.dtype} ${p.index.key}`, p]));
      this.#placesIn.set(block, (found = [...distinct.values()]));
    }
    return found;
  }

  #push(whole: Whole): void {
    const { f } = this;
    if (typeof whole === "number") f.i32(whole);
    else if ("name" in whole) f.get(this.#variables.get(whole)!);
    else if (whole.op === "min") {
      const [a, b] = [f.local("i32"), f.local("i32")];
      this.#push(whole.a);
      f.set(a);
      this.#push(whole.b);
      f.set(b).get(a).get(b).get(a).get(b).op("i32.lt_s").op("select");
      for (const local of [a, b]) f.free(local);
    } else {
      this.#push(whole.a);
      this.#push(whole.b);
      f.op(`i32.${{ add: "add", mul: "mul", div: "div_u", mod: "rem_u" }[whole.op]}` as Op);
    }
  }

  #store({ place, value, step, lanes: used }: Statement & { kind: "store" }): void {
    const { f } = this;
    const pushStorable = (): void => {
      this.#value(value);
      if (value.dtype === "bool" && value.vector) f.v128(inLanes(1)).op("v128.and"); // in memory, a bool is 0 or 1
    };
    if (!value.vector || (step === 1 && used === lanes)) {
      const offset = this.#addresses.push(place);
      pushStorable();
      f.memory((value.vector ? "v128.store" : `${wasmType(value.dtype)}.store`) as Op, offset);
      return;
    }
    for (let lane = 0; lane < used; lane++) {
      const offset = this.#addresses.push(place, lane * step);
      pushStorable();
      f.memoryLane("v128.store32_lane", offset, lane);
    }
  }

  // Values ----------------------------------------------------------------------------------------------------------------

  /** Pushes a value that is a constant, a total, or has been computed. */
  #value(value: Value): void {
    const { f } = this;
    if (value.kind === "const") pushConstant(f, value.value, value.dtype, modeOf(value));
    else if (value.kind === "total") f.get(this.#totals.get(value.total)!.total);
    else f.get(this.#locals.get(value)!);
  }

  #compute(value: Value): void {
    const { f } = this;
    switch (value.kind) {
      case "const":
      case "total":
        return this.#value(value);
      case "op":
        return emitOp(f, value, modeOf(value), (i) => this.#value(value.args[i]));
      case "load":
        return value.conditions.length + value.inLanes.length === 0 ? this.#load(value) : this.#guarded(value);
      case "index":
        this.#addresses.pushPosition(value.position);
        if (value.vector) this.#countUp(value.step);
        return;
      case "inside":
        return this.#inside(value.conditions, value.vector);
      case "spread":
        if (value.dtype === "bool") f.i32(0);
        this.#value(value.of);
        if (value.dtype === "bool") f.op("i32.sub"); // in lanes, true is −1
        f.op(`${wasmType(value.dtype)}x4.splat` as Op);
        return;
      case "across":
        return reduceLanes(f, value.op, value.dtype, () => this.#value(value.of));
      case "element":
        throw new Error("wasm: register tiles are written out");
    }
  }

  /** From the number on the stack, one in each lane that goes up in steps. */
  #countUp(step: number): void {
    this.f.op("i32x4.splat");
    if (step !== 0) this.f.v128(inLanes(0, step, 2 * step, 3 * step)).op("i32x4.add");
  }

  /** Pushes whether conditions hold. As unsigned numbers negative positions are large, so one comparison checks both ends. */
  #inside(conditions: readonly Condition[], vector: boolean): void {
    const { f } = this;
    conditions.forEach((condition, i) => {
      this.#addresses.pushPosition(condition);
      if (vector) this.#countUp(condition.step);
      if (vector) f.v128(inLanes(condition.size)).op("i32x4.lt_u");
      else f.i32(condition.size).op("i32.lt_u");
      if (i > 0) f.op(vector ? "v128.and" : "i32.and");
    });
  }

  #load({ place, step, lanes: used, vector, dtype }: Value & Load): void {
    const { f } = this;
    if (!vector) {
      f.memory(`${wasmType(dtype)}.load` as Op, this.#addresses.push(place));
      return;
    }
    if (step === 0 || step === 1) f.memory(step === 1 ? "v128.load" : "v128.load32_splat", this.#addresses.push(place));
    else {
      f.memory("v128.load32_zero", this.#addresses.push(place));
      const gathered = f.local("v128");
      f.set(gathered);
      for (let lane = 1; lane < used; lane++) this.#loadLane(place, lane, step, gathered);
      f.get(gathered);
      f.free(gathered);
    }
    if (dtype === "bool") f.v128(inLanes(0)).op("i32x4.ne");
  }

  #loadLane(place: Place, lane: number, step: number, vector: number): void {
    const offset = this.#addresses.push(place, lane * step);
    this.f.get(vector).memoryLane("v128.load32_lane", offset, lane).set(vector);
  }

  /** A load that gives 0 where its conditions do not hold. */
  #guarded(load: Value & Load): void {
    const { f } = this;
    const { conditions, inLanes: varying, vector, dtype } = load;
    const result = f.local(vector ? "v128" : wasmType(dtype));
    pushConstant(f, 0, dtype, modeOf(load));
    f.set(result);
    const body = (): void => {
      if (varying.length > 0 && load.masked) return this.#masked(load, result);
      if (varying.length > 0) return this.#lanewise(load, result);
      this.#load(load);
      f.set(result);
    };
    if (conditions.length === 0) body();
    else {
      this.#inside(conditions, false);
      f.if(body);
    }
    f.get(result);
    f.free(result);
  }

  /** One load where one of the lanes is inside, of which the others become 0. */
  #masked(load: Value & Load, result: number): void {
    const { f } = this;
    const first = load.inLanes.map((condition, i) => {
      const local = f.local("i32");
      this.#addresses.pushPosition(condition);
      f.tee(local)
        .i32(load.lanes - 1)
        .op("i32.add");
      f.i32(condition.size + load.lanes - 1).op("i32.lt_u");
      if (i > 0) f.op("i32.and");
      return local;
    });
    f.if(() => {
      this.#load(load);
      load.inLanes.forEach(({ size }, i) => {
        f.get(first[i]);
        this.#countUp(1);
        f.v128(inLanes(size)).op("i32x4.lt_u").op("v128.and");
      });
      f.set(result);
    });
    for (const local of first) f.free(local);
  }

  /** The lanes that are inside, one by one. */
  #lanewise(load: Value & Load, result: number): void {
    const { f } = this;
    for (let lane = 0; lane < load.lanes; lane++) {
      load.inLanes.forEach((c, i) => {
        this.#addresses.pushPosition(c, lane * c.step);
        f.i32(c.size).op("i32.lt_u");
        if (i > 0) f.op("i32.and");
      });
      f.if(() => this.#loadLane(load.place, lane, load.step, result));
    }
    if (load.dtype === "bool") f.get(result).v128(inLanes(0)).op("i32x4.ne").set(result);
  }
}

const modeOf = ({ vector }: { vector: boolean }): Mode => (vector ? "vector" : "scalar");
