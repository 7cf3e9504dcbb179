// The values of a kernel in C: each named where it is first needed, and at hand from there on; where in memory they lie.
import type { TiledKernel } from "../../compile/4-tile.ts";
import { coefficient, type Index } from "../../compile/affine.ts";
import type { Expr, Guard } from "../../compile/kernel.ts";
import { bytesOf, type DType } from "../../graph/internal.ts";
import { constantText, indexText, type Mode, operationText, singleInstruction, typeName } from "./expressions.ts";

/** Offsets from the loop variables that tell the elements of a register tile apart, by axis id. */
export type Instance = ReadonlyMap<number, number>;
export const none: Instance = new Map();

/** The C of a kernel as it grows. */
export class Values {
  readonly kernel: TiledKernel;
  /** Expressions that need a finished reduction. */
  readonly finished: ReadonlySet<Expr>;
  /** What reductions come to, in C, by reduction and instance. */
  readonly results: Map<string, string> = new Map();
  /** The vector (by its offset along the vector axis) of which only some lanes are in use. */
  partial: { readonly offset: number; readonly lanes: number };
  readonly #lines: string[] = [];
  /** C names of values at hand, by expression, instance and mode; one map per open scope. */
  readonly #scopes: Map<string, string>[] = [new Map()];
  #names = 0;

  constructor(kernel: TiledKernel, live: readonly Expr[]) {
    this.kernel = kernel;
    this.partial = { offset: -1, lanes: kernel.lanes };
    const finished = new Set<Expr>();
    for (const e of live) if (e.kind === "reduction" || e.args.some((a) => finished.has(a))) finished.add(e);
    this.finished = finished;
  }

  get text(): string {
    return this.#lines.join("\n");
  }

  /** Lines in braces; what is named there is not at hand outside. */
  block(head: string, body: () => void): void {
    this.line(`${head} {`);
    this.apart(body);
    this.line("}");
  }

  /** Runs the body; what is named there is not at hand after it. */
  apart(body: () => void): void {
    this.#scopes.push(new Map());
    body();
    this.#scopes.pop();
  }

  /** The C name of an expression's value for an instance, declared here if it is not at hand. */
  value(e: Expr, instance: Instance, mode: Mode): string {
    if (e.kind === "const")
      return mode === "vector" ? splat(e, constantText(e.value, e.dtype)) : constantText(e.value, e.dtype);
    if (e.kind === "reduction") return this.results.get(resultKey(e.reduction, instance))!;
    const key = `${e.id}${mode}${restricted(e, instance)}`;
    const found = this.#found(key);
    if (found !== undefined) return found;
    const alike = mode === "vector" && !e.axes.has(this.kernel.vector!.id) && !this.finished.has(e);
    const text = alike ? splat(e, this.value(e, instance, "scalar")) : this.#compute(e, instance, mode);
    const name = this.declare(typeName(e.dtype, mode), text);
    this.#scopes[this.#scopes.length - 1].set(key, name);
    return name;
  }

  #compute(e: Expr, instance: Instance, mode: Mode): string {
    switch (e.kind) {
      case "op": {
        const single = mode === "vector" ? singleInstruction(e) : undefined;
        if (single !== undefined)
          return `${single.name}(${single.args.map((a) => this.value(a, instance, mode)).join(", ")})`;
        return operationText(
          e,
          mode,
          e.args.map((a) => this.value(a, instance, mode)),
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
    const first = `(i)(${this.index(index, instance, 0)})`;
    if (mode === "scalar") return first;
    const step = coefficient(index, this.kernel.vector!)!;
    return `(splat_i(${first}) + ${this.lanes(step)})`;
  }

  #load(e: Expr & { kind: "load" }, instance: Instance, mode: Mode): string {
    const { lanes } = this.kernel;
    const element = (offset: number): string =>
      `at(${typeName(e.dtype)}, ${this.place(e.buffer, e.index, instance, e.dtype, offset)})`;
    if (mode === "scalar") {
      const conditions = e.guards.map((g) => this.#guard(g, instance, 0));
      return conditions.length === 0 ? element(0) : `((${conditions.join(" & ")}) ? ${element(0)} : 0)`;
    }
    const step = coefficient(e.index, this.kernel.vector!)!;
    const offset = instance.get(this.kernel.vector!.id) ?? 0;
    const used = offset === this.partial.offset ? this.partial.lanes : lanes;
    const whole = (): string => {
      if (step === 1)
        return `at(${e.dtype === "f32" ? "uf" : "ui"}, ${this.place(e.buffer, e.index, instance, e.dtype, 0)})`;
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
    const name = this.declare(e.dtype === "f32" ? "vf" : "vi", "{}");
    if (along(e) === 1 && varying.every((g) => along(g) === 1)) {
      // buffers have room around them for a vector of which one lane is inside
      const first = varying.map((g) => this.declare("long", this.index(g.index, instance, 0)));
      const some = varying.map((g, k) => `${first[k]} > ${-used} & ${first[k]} < ${g.size}`);
      const masks = varying.map((g, k) => ` & (vi)((vu)(splat_i((i)${first[k]}) + ${this.lanes()}) < ${g.size}u)`);
      const type = e.dtype === "f32" ? "vf" : "vi";
      this.line(`if (${[...conditions, ...some].join(" & ")}) ${name} = (${type})((vi)${whole()}${masks.join("")});`);
      return name;
    }
    if (varying.length === 0) {
      this.line(`if (${conditions.join(" & ")}) ${name} = ${whole()};`);
      return name;
    }
    const at = (lane: number): string => varying.map((g) => this.#guard(g, instance, lane)).join(" & ");
    this.block(`if (${conditions.length > 0 ? conditions.join(" & ") : 1})`, () => {
      for (let lane = 0; lane < used; lane++) this.line(`if (${at(lane)}) ${name}[${lane}] = ${element(lane)};`);
    });
    return name;
  }

  lanes(step = 1): string {
    return `(vi){${Array.from({ length: this.kernel.lanes }, (_, lane) => lane * step).join(", ")}}`;
  }

  /** Whether a guard holds in one lane: as unsigned numbers negative indices are large. */
  #guard({ index, size }: Guard, instance: Instance, lane: number): string {
    const step = lane === 0 ? 0 : coefficient(index, this.kernel.vector!)!;
    return `((unsigned long)(${this.index(index, instance, lane * step)}) < ${size}ul)`;
  }

  /** Where an element lies: a pointer for what varies, which a tile's elements share, and a constant. */
  place(buffer: number, index: Index, instance: Instance, dtype: Expr["dtype"], offset: number): string {
    const bytes = bytesOf[dtype as DType];
    const constant = (index.offset + this.offset(index, instance, offset)) * bytes;
    const varying = index.terms.length === 0 ? `b${buffer}` : this.#pointer(buffer, index, bytes);
    return constant === 0 ? varying : `${varying} + (${constant})`;
  }

  #pointer(buffer: number, index: Index, bytes: number): string {
    const text = `b${buffer} + ${bytes} * (${this.index(index, none, -index.offset)})`;
    const found = this.#found(text);
    if (found !== undefined) return found;
    const name = this.declare("char *", text);
    this.#scopes[this.#scopes.length - 1].set(text, name);
    return name;
  }

  index(index: Index, instance: Instance, offset: number): string {
    return indexText(index, this.offset(index, instance, offset), (e) => this.value(e, none, "scalar"));
  }

  /** What an instance adds to an index, and a number. */
  offset({ terms }: Index, instance: Instance, offset: number): number {
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

  declare(type: string, text: string): string {
    const name = `t${this.#names++}`;
    this.line(`${type} ${name} = ${text};`);
    return name;
  }

  name(dtype: Expr["dtype"]): string {
    return `${typeName(dtype)}${this.#names++}_`;
  }

  line(text: string): void {
    this.#lines.push(text);
  }
}

export const splat = (e: Expr, text: string): string => `splat_${typeName(e.dtype)}(${text})`;

export const resultKey = (reduction: number, instance: Instance): string =>
  `${reduction} ${[...instance].map(([k, v]) => `${k}:${v}`).join()}`;

/** The part of an instance that an expression depends on, as text. */
function restricted(e: Expr, instance: Instance): string {
  let text = "";
  for (const [id, offset] of instance) if (offset !== 0 && e.axes.has(id)) text += ` ${id}+${offset}`;
  return text;
}
