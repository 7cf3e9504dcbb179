// Running addresses: each loop keeps, for every access that moves with it, a pointer that advances by a constant each round.
import { type Atom, type Axis, axesIn, type Index, type Term } from "../../compile/affine.ts";
import type { Expr } from "../../compile/kernel.ts";
import type { Func } from "./assembler.ts";

export interface Loop {
  readonly axis: Axis;
  /** Local that holds the loop variable. */
  readonly variable: number;
  readonly step: number;
}

interface Pointer {
  readonly local: number;
  /** Bytes it advances per round of its loop; undefined: computed anew each round. */
  readonly advance: number | undefined;
  readonly compute: () => void;
}

interface Level {
  readonly loops: readonly Loop[];
  readonly pointers: Map<string, Pointer>;
}

/** Offsets from loop variables, by axis id. */
type Instance = ReadonlyMap<number, number>;

export class Addresses {
  readonly #f: Func;
  readonly #levels: Level[] = [];
  readonly #pushRow: (e: Expr) => void;
  readonly openAxes: Set<number> = new Set();

  constructor(f: Func, pushRow: (e: Expr) => void) {
    this.#f = f;
    this.#pushRow = pushRow;
  }

  /**
   * Opens loops whose variables are set, and sets up the pointers of accesses that move with them.
   * Returns a function that emits their advance to the next round.
   */
  open(loops: readonly Loop[], accesses: readonly { buffer: number; index: Index; bytes: number }[]): () => void {
    const level: Level = { loops, pointers: new Map() };
    this.#levels.push(level);
    for (const l of loops) this.openAxes.add(l.axis.id);
    for (const { buffer, index, bytes } of accesses) {
      const key = this.#key(buffer, index, bytes, this.#levels.length);
      if (level.pointers.has(key)) continue;
      level.pointers.set(key, this.#pointer(buffer, index, bytes, loops));
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
    const level = this.#levels.pop()!;
    for (const p of level.pointers.values()) this.#f.free(p.local);
    for (const l of level.loops) this.openAxes.delete(l.axis.id);
  }

  #pointer(buffer: number, index: Index, bytes: number, loops: readonly Loop[]): Pointer {
    const f = this.#f;
    const depth = this.#levels.length;
    const local = f.local("i32");
    const here = index.terms.filter((t) => this.#levelOf(t.atom) === depth - 1);
    const plain = here.every((t) => t.atom.kind === "axis");
    const single = loops.length === 1;
    const advance = plain && single ? here.reduce((sum, t) => sum + t.coef * loops[0].step * bytes, 0) : undefined;
    const compute = (): void => {
      this.#pushBase(buffer, index, bytes, depth - 1);
      this.#addTerms(here, bytes);
      f.set(local);
    };
    return { local, advance: single ? advance : undefined, compute };
  }

  /** Pushes the part of an access's address that the first `depth` levels fix: the nearest pointer, or the buffer and its axis-free rows. */
  #pushBase(buffer: number, index: Index, bytes: number, depth: number): void {
    for (let d = depth; d > 0; d--) {
      const found = this.#levels[d - 1].pointers.get(this.#key(buffer, index, bytes, d));
      if (found !== undefined) return void this.#f.get(found.local);
    }
    this.#f.get(buffer);
    this.#addTerms(
      index.terms.filter((t) => this.#levelOf(t.atom) < 0),
      bytes,
    );
  }

  #addTerms(terms: readonly Term[], bytes: number): void {
    for (const { coef, atom } of terms) {
      this.#pushAtom(atom);
      if (coef * bytes !== 1) this.#f.i32(coef * bytes).op("i32.mul");
      this.#f.op("i32.add");
    }
  }

  /** What the pointer of an access at a depth depends on; constant offsets do not count. */
  #key(buffer: number, index: Index, bytes: number, depth: number): string {
    const terms = index.terms.filter((t) => this.#levelOf(t.atom) < depth);
    return `${buffer} ${bytes} ${terms.map((t) => `${t.coef}*${t.atom.key}`).join("+")}`;
  }

  /** The innermost open level whose variables an atom needs: −1 for a row without any, past all levels where one is not open yet. */
  #levelOf(atom: Atom): number {
    const ids = atom.kind === "axis" ? new Set([atom.axis.id]) : atom.kind === "row" ? atom.expr.axes : axesIn(atom.of);
    let level = -1;
    for (const id of ids) {
      const at = this.#levels.findIndex((l) => l.loops.some((loop) => loop.axis.id === id));
      if (at < 0) return Number.POSITIVE_INFINITY;
      level = Math.max(level, at);
    }
    return level;
  }

  /** Pushes the address of an element of a tile; returns the constant byte offset that the access must add. */
  push(buffer: number, index: Index, instance: Instance, bytes: number, extra: number): number {
    const f = this.#f;
    let offset = index.offset + extra;
    for (const { coef, atom } of index.terms)
      if (atom.kind === "axis") offset += coef * (instance.get(atom.axis.id) ?? 0);
    this.#pushBase(buffer, index, bytes, this.#levels.length);
    // a constant offset does not wrap around; it is safe where the pointer itself lies inside the buffer
    if (offset >= 0 && index.terms.every((t) => t.coef > 0)) return offset * bytes;
    f.i32(offset * bytes).op("i32.add");
    return 0;
  }

  /** Pushes the value of an index as i32. */
  pushIndex(index: Index, instance: Instance, extra: number): void {
    const f = this.#f;
    let offset = index.offset + extra;
    for (const { coef, atom } of index.terms)
      if (atom.kind === "axis") offset += coef * (instance.get(atom.axis.id) ?? 0);
    f.i32(offset);
    for (const { coef, atom } of index.terms) {
      this.#pushAtom(atom);
      if (coef !== 1) f.i32(coef).op("i32.mul");
      f.op("i32.add");
    }
  }

  #pushAtom(atom: Atom): void {
    const f = this.#f;
    if (atom.kind === "axis") {
      f.get(this.#variable(atom.axis));
    } else if (atom.kind === "row") {
      const row = f.local("i32");
      this.#pushRow(atom.expr);
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
      this.pushIndex(atom.of, new Map(), raised * atom.by);
      f.i32(atom.by).op(atom.kind === "div" ? "i32.div_u" : "i32.rem_u");
      if (atom.kind === "div" && raised > 0) f.i32(raised).op("i32.sub");
    }
  }

  #variable(axis: Axis): number {
    for (const level of this.#levels) for (const l of level.loops) if (l.axis.id === axis.id) return l.variable;
    throw new Error(`wasm: axis i${axis.id} is not open`);
  }
}
