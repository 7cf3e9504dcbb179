// Running addresses: each loop keeps, for every access that moves with it, a pointer that advances by a constant each round.
import { type Atom, type Axis, axesIn, type Term } from "../../compile/affine.ts";
import type { Place, Position, Value } from "../../compile/loop-form.ts";
import { rowsIn } from "../../compile/nest-values.ts";
import { bytesOf, type DType } from "../../graph/internal.ts";
import type { Func } from "./assembler.ts";

/** An axis whose position is in a local. */
export interface Open {
  readonly axis: Axis;
  readonly local: number;
}

interface Pointer {
  readonly local: number;
  /** Bytes it advances per round of its loop; undefined: computed anew each round. */
  readonly advance: number | undefined;
  readonly compute: () => void;
}

interface Level {
  readonly axes: readonly Open[];
  readonly pointers: Map<string, Pointer>;
}

export class Addresses {
  readonly #f: Func;
  readonly #levels: Level[] = [];
  /** The local of a value that has been computed. */
  readonly #local: (value: Value) => number | undefined;

  constructor(f: Func, local: (value: Value) => number | undefined) {
    this.#f = f;
    this.#local = local;
  }

  /**
   * Opens axes whose positions are set, and sets up the pointers of accesses that move with them.
   * Returns a function that emits their advance where the axis, if it is one, goes so many elements further.
   */
  open(axes: readonly Open[], step: number, places: readonly Place[]): () => void {
    const level: Level = { axes, pointers: new Map() };
    this.#levels.push(level);
    const depth = this.#levels.length;
    for (const place of places) {
      const here = place.index.terms.filter((t) => this.#levelOf(t.atom) === depth - 1);
      const key = this.#key(place, depth);
      if (here.length === 0 || level.pointers.has(key) || !this.#known(place, depth)) continue;
      const local = this.#f.local("i32");
      const running = step > 0 && here.every((t) => t.atom.kind === "axis");
      const advance = running ? here.reduce((sum, t) => sum + t.coef * step * bytesIn(place), 0) : undefined;
      const compute = (): void => {
        this.#pushBase(place, depth - 1);
        this.#addTerms(here, place);
        this.#f.set(local);
      };
      level.pointers.set(key, { local, advance, compute });
    }
    for (const p of level.pointers.values()) if (p.advance !== undefined) p.compute();
    return () => {
      for (const p of level.pointers.values()) {
        if (p.advance !== undefined && p.advance !== 0) this.#f.get(p.local).i32(p.advance).op("i32.add").set(p.local);
      }
    };
  }

  /** Recomputes, at the top of a round, the pointers that do not advance by a constant. */
  refresh(): void {
    for (const p of this.#levels[this.#levels.length - 1].pointers.values()) if (p.advance === undefined) p.compute();
  }

  close(): void {
    for (const p of this.#levels.pop()!.pointers.values()) this.#f.free(p.local);
  }

  /** Pushes the part of an access's address that the first `depth` levels fix: the nearest pointer, or the buffer, and what that lacks. */
  #pushBase(place: Place, depth: number): void {
    let from = -1;
    let pointer: Pointer | undefined;
    for (let d = depth; d > 0 && pointer === undefined; d--) {
      pointer = this.#levels[d - 1].pointers.get(this.#key(place, d));
      if (pointer !== undefined) from = d;
    }
    this.#f.get(pointer?.local ?? place.buffer);
    const rest = place.index.terms.filter((t) => this.#levelOf(t.atom) >= from && this.#levelOf(t.atom) < depth);
    this.#addTerms(rest, place);
  }

  #addTerms(terms: readonly Term[], place: Place): void {
    for (const { coef, atom } of terms) {
      this.#pushAtom(atom, place);
      if (coef * bytesIn(place) !== 1) this.#f.i32(coef * bytesIn(place)).op("i32.mul");
      this.#f.op("i32.add");
    }
  }

  /** Whether all row numbers in the terms that the first `depth` levels fix have been computed. */
  #known({ index, rows }: Place, depth: number): boolean {
    const terms = index.terms.filter((t) => this.#levelOf(t.atom) < depth);
    return rowsIn({ ...index, terms }).every((e) => this.#local(rows.get(e)!) !== undefined);
  }

  /** What the pointer of an access at a depth depends on; constant offsets do not count. */
  #key({ buffer, index, dtype }: Place, depth: number): string {
    const terms = index.terms.filter((t) => this.#levelOf(t.atom) < depth);
    return `${buffer} ${dtype} ${terms.map((t) => `${t.coef}*${t.atom.key}`).join("+")}`;
  }

  /** The innermost open level whose variables an atom needs: −1 for a row without any, past all levels where one is not open yet. */
  #levelOf(atom: Atom): number {
    const ids = atom.kind === "axis" ? new Set([atom.axis.id]) : atom.kind === "row" ? atom.expr.axes : axesIn(atom.of);
    let level = -1;
    for (const id of ids) {
      const at = this.#levels.findIndex(({ axes }) => axes.some(({ axis }) => axis.id === id));
      if (at < 0) return Number.POSITIVE_INFINITY;
      level = Math.max(level, at);
    }
    return level;
  }

  /** Pushes the address of what lies `further` elements past a place; returns the constant byte offset that the access must add. */
  push(place: Place, further = 0): number {
    const offset = (place.at + further) * bytesIn(place);
    this.#pushBase(place, this.#levels.length);
    // a constant offset does not wrap around; it is safe where the pointer itself lies inside the buffer
    if (offset >= 0 && place.index.terms.every((t) => t.coef > 0)) return offset;
    this.#f.i32(offset).op("i32.add");
    return 0;
  }

  /** Pushes a position, or what lies further on, as i32. */
  pushPosition(position: Position, further = 0): void {
    const f = this.#f;
    f.i32(position.at + further);
    for (const { coef, atom } of position.index.terms) {
      this.#pushAtom(atom, position);
      if (coef !== 1) f.i32(coef).op("i32.mul");
      f.op("i32.add");
    }
  }

  #pushAtom(atom: Atom, { rows }: Position): void {
    const f = this.#f;
    if (atom.kind === "axis") {
      f.get(this.#localOf(atom.axis));
    } else if (atom.kind === "row") {
      const row = f.local("i32");
      f.get(this.#local(rows.get(atom.expr)!)!);
      f.tee(row).i32(0).get(row).i32(0).op("i32.gt_s").op("select").tee(row); // at least 0
      f.i32(atom.rows - 1)
        .get(row)
        .i32(atom.rows - 1)
        .op("i32.lt_s")
        .op("select"); // at most rows − 1
      f.free(row);
    } else {
      // the instructions round towards zero, so the dividend is raised by whole divisors until it cannot be negative
      const raised = Math.max(0, Math.ceil(-atom.of.min / atom.by));
      this.pushPosition({ index: atom.of, at: atom.of.offset, rows }, raised * atom.by);
      f.i32(atom.by).op(atom.kind === "div" ? "i32.div_u" : "i32.rem_u");
      if (atom.kind === "div" && raised > 0) f.i32(raised).op("i32.sub");
    }
  }

  #localOf(axis: Axis): number {
    for (const level of this.#levels) for (const o of level.axes) if (o.axis.id === axis.id) return o.local;
    throw new Error(`wasm: axis i${axis.id} is not open`);
  }
}

const bytesIn = ({ dtype }: Place): number => bytesOf[dtype as DType];
