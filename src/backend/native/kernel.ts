// Prints a kernel's loop form as one C function. The compiler does addresses and registers.
import type { TiledKernel } from "../../compile/4-tile.ts";
import { nest } from "../../compile/7-nest.ts";
import type {
  Block,
  Condition,
  Load,
  Place,
  Position,
  Statement,
  Total,
  Value,
  Whole,
} from "../../compile/loop-form.ts";
import type { Target } from "../../compile/target.ts";
import { bytesOf, type DType } from "../../graph/internal.ts";
import { constantText, indexText, operationText, typeName } from "./expressions.ts";

/** The kernel as a C function (buffers…, begin, end) that runs tasks begin … end − 1. idempotent: it may compute an element twice. */
export function renderKernel(kernel: TiledKernel, target: Target, name: string, idempotent: boolean): string {
  const printer = new Printer(target.lanes);
  printer.line(`${kernelHead(kernel, name)} {`);
  printer.block(nest(kernel, target, idempotent));
  printer.line("}");
  return printer.text;
}

export const kernelHead = (kernel: TiledKernel, name: string): string =>
  `KERNEL void ${name}(${[...kernel.buffers.map((_, i) => `char *b${i}`), "long begin", "long end"].join(", ")})`;

class Printer {
  readonly lanes: number;
  readonly #lines: string[] = [];
  readonly #values = new Map<Value, string>();
  readonly #totals = new Map<Total, string>();
  /** C names of pointers by what they point to, a map for each open brace; what rolls has no use for those from outside. */
  #pointers: Map<string, string>[] = [new Map()];
  #names = 0;

  constructor(lanes: number) {
    this.lanes = lanes;
  }

  get text(): string {
    return this.#lines.join("\n");
  }

  line(text: string): void {
    this.#lines.push(text);
  }

  // Statements ------------------------------------------------------------------------------------------------------------

  block(block: Block): void {
    for (const s of block) this.#statement(s);
  }

  /** Lines in braces; pointers that are named there are not known outside. */
  #braces(head: string, body: () => void): void {
    this.line(`${head} {`);
    this.#pointers.push(new Map());
    body();
    this.#pointers.pop();
    this.line("}");
  }

  #statement(s: Statement): void {
    switch (s.kind) {
      case "loop":
        return this.#loop(s);
      case "within":
        return this.#braces("", () => {
          for (const { variable, value } of s.values) this.line(`long ${variable.name} = ${wholeText(value)};`);
          this.block(s.body);
        });
      case "when":
        return this.#braces(`if (${wholeText(s.less)} < ${wholeText(s.than)})`, () => this.block(s.body));
      case "roll":
        return this.#roll(s);
      case "block":
        return this.#braces("", () => this.block(s.body));
      case "let": {
        const text = this.#compute(s.value);
        this.#values.set(s.value, this.#declare(typeOf(s.value), text));
        return;
      }
      case "open":
        return this.#openTotal(s.total);
      case "add":
        return this.#addTerm(s);
      case "endStage": {
        const name = this.#totals.get(s.total)!;
        return this.line(`${name}w += ${name}; ${name} = (__typeof__(${name})){0};`);
      }
      case "settle": {
        const name = this.#totals.get(s.total)!;
        if (s.total.reduction.compensated) this.line(`${name} = settle_${totalType(s.total)}(${name}, ${name}c);`);
        if (s.total.staged) this.line(`${name} = ${name}w + ${name};`);
        return;
      }
      case "array": {
        const names = s.totals.map((t) => this.#totals.get(t)!);
        return this.line(`${totalType(s.totals[0])} ${s.array}[] = { ${names.join(", ")} };`);
      }
      case "store":
        return this.#store(s);
      case "prefetch":
        return this.line(`__builtin_prefetch(${this.#place(s.place)});`);
    }
  }

  #loop({ variable: { name }, from, to, step, unrolled, body }: Statement & { kind: "loop" }): void {
    if (unrolled) this.line(`#pragma GCC unroll ${Math.ceil((to as number) / step)}`);
    const head = `for (long ${name} = ${wholeText(from)}; ${name} < ${wholeText(to)}; ${name} += ${step})`;
    this.#braces(head, () => this.block(body));
  }

  #roll({ variable, counter, count, step, body }: Statement & { kind: "roll" }): void {
    const outside = this.#pointers;
    this.#pointers = [];
    const head = `for (long ${counter.name} = 0; ${counter.name} < ${count}; ${counter.name}++, ${variable.name} += ${step})`;
    this.#braces(head, () => this.block(body));
    this.line(`${variable.name} -= ${count * step};`);
    this.#pointers = outside;
  }

  #openTotal(total: Total): void {
    const { reduction, staged } = total;
    const type = totalType(total);
    const name = `${typeName(reduction.value.dtype)}${this.#names++}_`;
    this.#totals.set(total, name);
    const also = [...(reduction.compensated ? ["c"] : []), ...(staged ? ["w"] : [])];
    for (const end of ["", ...also]) this.line(`${type} ${name}${end} = ${neutral(total)};`);
  }

  #addTerm({ total, term, lanes }: Statement & { kind: "add" }): void {
    const { reduction, vector } = total;
    const type = totalType(total);
    const name = this.#totals.get(total)!;
    let text = this.#value(term);
    if (vector && lanes < this.lanes) {
      const keep = Array.from({ length: this.lanes }, (_, lane) => (lane < lanes ? -1 : 0));
      text = `where_${type}((vb){${keep.join(", ")}}, ${text}, ${neutral(total)})`;
    }
    if (reduction.compensated) this.line(`compensate(${name}, ${name}c, ${text});`);
    else if (reduction.op === "sum") this.line(`${name} += ${text};`);
    else this.line(`${name} = max_${type}(${name}, ${text});`);
  }

  #store({ place, value, step, lanes }: Statement & { kind: "store" }): void {
    const type = typeName(value.dtype);
    if (!value.vector) return this.line(`at(${type}, ${this.#place(place)}) = ${this.#value(value)};`);
    // in memory, a bool is 0 or 1
    const stored = value.dtype === "bool" ? `(${this.#value(value)} & 1)` : this.#value(value);
    if (step === 1 && lanes === this.lanes)
      return this.line(`at(${value.dtype === "f32" ? "uf" : "ui"}, ${this.#place(place)}) = ${stored};`);
    const whole = this.#declare(typeOf(value), stored);
    if (step === 1) return this.line(`__builtin_memcpy(${this.#place(place)}, &${whole}, ${4 * lanes});`);
    for (let lane = 0; lane < lanes; lane++)
      this.line(`at(${type}, ${this.#place(place, lane * step)}) = ${whole}[${lane}];`);
  }

  // Values ----------------------------------------------------------------------------------------------------------------

  /** The C of a value that is a constant, a total, or has been computed. */
  #value(value: Value): string {
    if (value.kind === "total") return this.#totals.get(value.total)!;
    if (value.kind !== "const") return this.#values.get(value)!;
    const text = constantText(value.value, value.dtype);
    return value.vector ? `splat_${typeName(value.dtype)}(${text})` : text;
  }

  #compute(value: Value): string {
    switch (value.kind) {
      case "op":
        return operationText(
          value,
          value.vector ? "vector" : "scalar",
          value.args.map((a) => this.#value(a)),
        );
      case "load": {
        const text = this.#load(value);
        return value.vector && value.dtype === "bool" ? `(vb)(${text} != 0)` : text;
      }
      case "index":
        return this.#inLanes(value.position, value.vector, value.step);
      case "inside":
        return value.conditions
          .map((c) => (value.vector ? `(vb)((vu)${this.#inLanes(c, true, c.step)} < ${c.size}u)` : this.#holds(c)))
          .join(" & ");
      case "spread":
        return `splat_${typeName(value.dtype)}(${this.#value(value.of)})`;
      case "across":
        return `${value.op === "sum" ? "sum" : "max_across"}_${typeName(value.dtype, "vector")}(${this.#value(value.of)})`;
      case "element":
        return `${value.array}[${wholeText(value.at)}]`;
      default:
        return this.#value(value);
    }
  }

  /** A position as i32: one value, or its value in each lane. */
  #inLanes(position: Position, vector: boolean, step: number): string {
    const first = `(i)(${this.#position(position)})`;
    return vector ? `(splat_i(${first}) + ${this.#countUp(step)})` : first;
  }

  #countUp(step: number): string {
    return `(vi){${Array.from({ length: this.lanes }, (_, lane) => lane * step).join(", ")}}`;
  }

  #load(load: Value & Load): string {
    const { place, step, lanes, conditions, inLanes, vector, dtype } = load;
    const element = (further: number): string => `at(${typeName(dtype)}, ${this.#place(place, further)})`;
    if (!vector)
      return conditions.length === 0
        ? element(0)
        : `((${conditions.map((c) => this.#holds(c)).join(" & ")}) ? ${element(0)} : 0)`;
    const whole = (): string => {
      if (step === 1) return `at(${dtype === "f32" ? "uf" : "ui"}, ${this.#place(place)})`;
      if (step === 0) return `splat_${typeName(dtype === "bool" ? "i32" : dtype)}(${element(0)})`;
      return `(${storedType(dtype)}){${Array.from({ length: lanes }, (_, lane) => element(lane * step)).join(", ")}}`;
    };
    return conditions.length + inLanes.length === 0 ? whole() : this.#guarded(load, whole, element);
  }

  /** A vector of which lanes outside the conditions are 0: one load where lanes are neighbours, else lane by lane. */
  #guarded(
    { lanes, conditions, inLanes, masked, step, dtype }: Value & Load,
    whole: () => string,
    element: (further: number) => string,
  ): string {
    const type = storedType(dtype);
    const all = conditions.map((c) => this.#holds(c));
    const name = this.#declare(type, "{}");
    if (inLanes.length === 0) this.line(`if (${all.join(" & ")}) ${name} = ${whole()};`);
    else if (masked) {
      const first = inLanes.map((c) => this.#declare("long", this.#position(c)));
      const some = inLanes.map((c, k) => `${first[k]} > ${-lanes} & ${first[k]} < ${c.size}`);
      const masks = inLanes.map((c, k) => ` & (vi)((vu)(splat_i((i)${first[k]}) + ${this.#countUp(1)}) < ${c.size}u)`);
      this.line(`if (${[...all, ...some].join(" & ")}) ${name} = (${type})((vi)${whole()}${masks.join("")});`);
    } else {
      this.#braces(`if (${all.length > 0 ? all.join(" & ") : 1})`, () => {
        for (let lane = 0; lane < lanes; lane++) {
          const holds = inLanes.map((c) => this.#holds(c, lane * c.step)).join(" & ");
          this.line(`if (${holds}) ${name}[${lane}] = ${element(lane * step)};`);
        }
      });
    }
    return name;
  }

  /** Whether a condition holds for a position, or further on: as unsigned numbers negative positions are large. */
  #holds(condition: Condition, further = 0): string {
    return `((unsigned long)(${this.#position(condition, further)}) < ${condition.size}ul)`;
  }

  // Where things lie --------------------------------------------------------------------------------------------------------

  /** Where an element lies: a pointer for what varies, which a tile's elements share, and a constant. */
  #place(place: Place, further = 0): string {
    const bytes = bytesOf[place.dtype as DType];
    const constant = (place.at + further) * bytes;
    const varying = place.index.terms.length === 0 ? `b${place.buffer}` : this.#pointer(place, bytes);
    return constant === 0 ? varying : `${varying} + (${constant})`;
  }

  #pointer(place: Place, bytes: number): string {
    const text = `b${place.buffer} + ${bytes} * (${this.#position(place, -place.at)})`;
    for (const known of this.#pointers) {
      const found = known.get(text);
      if (found !== undefined) return found;
    }
    const name = this.#declare("char *", text);
    this.#pointers[this.#pointers.length - 1].set(text, name);
    return name;
  }

  #position({ index, at, rows }: Position, further = 0): string {
    return indexText(index, at + further, (e) => this.#values.get(rows.get(e)!)!);
  }

  #declare(type: string, text: string): string {
    const name = `t${this.#names++}`;
    this.line(`${type} ${name} = ${text};`);
    return name;
  }
}

const typeOf = ({ dtype, vector }: Value): string => typeName(dtype, vector ? "vector" : "scalar");
const totalType = ({ reduction, vector }: Total): string =>
  typeName(reduction.value.dtype, vector ? "vector" : "scalar");
/** Type of a vector as it lies in memory. */
const storedType = (dtype: Value["dtype"]): string => (dtype === "f32" ? "vf" : "vi");

function neutral({ reduction: { op, value }, vector }: Total): string {
  const least = value.dtype === "i32" ? -(2 ** 31) : Number.NEGATIVE_INFINITY;
  const text = constantText(op === "sum" ? 0 : least, value.dtype);
  return vector ? `splat_${typeName(value.dtype)}(${text})` : text;
}

function wholeText(whole: Whole): string {
  if (typeof whole === "number") return String(whole);
  if ("name" in whole) return whole.name;
  const [a, b] = [wholeText(whole.a), wholeText(whole.b)];
  if (whole.op === "min") return `(${a} < ${b} ? ${a} : ${b})`;
  return `(${a} ${{ add: "+", mul: "*", div: "/", mod: "%" }[whole.op]} ${b})`;
}
