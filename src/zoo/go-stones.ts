// Stones on a Go board that change in place and can be taken back: what the rules and the reading of ladders stand on.
import { randomStream } from "../data/random.ts";

/** What is the same on all boards of a size. */
interface Geometry {
  /** The points beside point p at 4p … 4p + 3, −1 where the board ends. */
  readonly neighbours: Int16Array;
  /** A random number below 2⁴³ for a black stone at p (2p + 1) and a white one (2p); sums of 625 of them are exact. */
  readonly keys: Float64Array;
}

const geometries = new Map<number, Geometry>();

/** The geometry of boards of size × size points, made once. */
export function geometryOf(size: number): Geometry {
  let geometry = geometries.get(size);
  if (geometry === undefined) geometries.set(size, (geometry = measure(size)));
  return geometry;
}

function measure(size: number): Geometry {
  const neighbours = new Int16Array(4 * size * size);
  for (let p = 0; p < size * size; p++) {
    const column = p % size;
    neighbours[4 * p] = p - size < 0 ? -1 : p - size;
    neighbours[4 * p + 1] = column === 0 ? -1 : p - 1;
    neighbours[4 * p + 2] = column === size - 1 ? -1 : p + 1;
    neighbours[4 * p + 3] = p + size < size * size ? p + size : -1;
  }
  const random = randomStream(size);
  const keys = Float64Array.from({ length: 2 * size * size }, () => random() * 2 ** 11 + (random() >>> 21));
  return { neighbours, keys };
}

/** The key of a stone; the sum of the keys of all stones stands for the position, as in Zobrist's tables. */
export const keyOf = (keys: Float64Array, point: number, colour: number): number =>
  keys[2 * point + (colour > 0 ? 1 : 0)];

/** Stones in place: 1 is black, −1 white, 0 empty; points are numbered row by row from the top left. */
export class GoStones {
  readonly at: Int8Array;
  /** The point where a ko must not be retaken, −1 where there is none. */
  ko = -1;
  readonly neighbours: Int16Array;
  /** The chain that `trace` found: its stones, of which the first `length` count, and the empty points beside it. */
  readonly chain: Int16Array;
  length = 0;
  readonly liberties: Int16Array;
  breaths = 0;
  readonly #seen: Uint32Array;
  #mark = 0;
  readonly #log: number[] = [];

  constructor(size: number, at: Int8Array) {
    this.at = at;
    this.neighbours = geometryOf(size).neighbours;
    this.chain = new Int16Array(at.length);
    this.liberties = new Int16Array(at.length);
    this.#seen = new Uint32Array(at.length);
  }

  /** Finds the chain of the stone at a point (`chain`, `length`) and its liberties (`liberties`); gives their number. */
  trace(point: number): number {
    const { at, chain, liberties, neighbours } = this;
    const [seen, mark, colour] = [this.#seen, ++this.#mark, at[point]];
    let [length, breaths] = [1, 0];
    chain[0] = point;
    seen[point] = mark;
    for (let i = 0; i < length; i++) {
      for (let k = 4 * chain[i], end = k + 4; k < end; k++) {
        const q = neighbours[k];
        if (q < 0 || seen[q] === mark || at[q] === -colour) continue;
        seen[q] = mark;
        if (at[q] === 0) liberties[breaths++] = q;
        else chain[length++] = q;
      }
    }
    this.length = length;
    this.breaths = breaths;
    return breaths;
  }

  /** Puts a stone on an empty point and takes enemy chains that have no liberty left; gives how many stones were taken. */
  place(point: number, colour: number): number {
    const { at, neighbours } = this;
    const log = this.#log;
    log.push(this.ko);
    at[point] = colour;
    let taken = 0;
    for (let k = 4 * point; k < 4 * point + 4; k++) {
      const q = neighbours[k];
      if (q < 0 || at[q] !== -colour || this.trace(q) > 0) continue;
      for (let i = 0; i < this.length; i++) {
        at[this.chain[i]] = 0;
        log.push(this.chain[i]);
      }
      taken += this.length;
    }
    log.push(taken, colour, point);
    // A lone stone that took one and has that point as its only liberty could be retaken, which would restore the position.
    this.ko = taken === 1 && this.trace(point) === 1 && this.length === 1 ? this.liberties[0] : -1;
    return taken;
  }

  /** Takes the latest `place` back. */
  undo(): void {
    const log = this.#log;
    const [point, colour, taken] = [log.pop()!, log.pop()!, log.pop()!];
    this.at[point] = 0;
    for (let i = 0; i < taken; i++) this.at[log.pop()!] = -colour;
    this.ko = log.pop()!;
  }
}
