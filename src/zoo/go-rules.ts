// The rules of Go: positions, what may be played in them, and who has won.
import { GoStones, geometryOf, keyOf } from "./go-stones.ts";

/** 1 is black, who begins; −1 is white. */
export type GoColour = 1 | -1;

/** "positional": no position may come again (Tromp & Taylor); "simple": only a ko may not be retaken at once. */
export type GoKoRule = "positional" | "simple";

export interface GoBoardOptions {
  /** 2 … 25 points a side. */
  size?: number;
  rule?: GoKoRule;
}

/** The chains of a position: stones of one colour that are connected, numbered. */
export interface GoChains {
  /** The chain of the stone at each point, −1 where there is none. */
  readonly of: Int16Array;
  /** By chain: its stones, its liberties, one of its points, and the sum of its stones' keys. */
  readonly stones: readonly number[];
  readonly liberties: readonly number[];
  readonly point: readonly number[];
  readonly key: readonly number[];
}

/** The positions of a game as the sums of their stones' keys, the latest first. */
interface Past {
  readonly key: number;
  readonly move: number;
  readonly before: Past | undefined;
}

type Position = Pick<GoBoard, "size" | "rule" | "stones" | "placed" | "toPlay" | "moves" | "ko" | "passes"> & {
  readonly past: Past;
};

const letters = "ABCDEFGHJKLMNOPQRSTUVWXYZ"; // no I, as it looks like J
const symbols: Readonly<Record<string, number>> = { X: 1, O: -1, ".": 0 };
const nameOf = (colour: number): string => (colour > 0 ? "black" : "white");

/**
 * A position of a game of Go; it never changes, `play` and `pass` give the next one. Points are numbered row by row from
 * the top left; a move is such a number, or a name: column (A … Z without I) and row from below, as "D4". Suicide is
 * forbidden, and so is repeating a position under the rule "positional" (Tromp & Taylor, The game of Go, 1995).
 */
export class GoBoard {
  readonly size: number;
  readonly rule: GoKoRule;
  /** 1 black, −1 white, 0 empty: [size · size]. Not to be written to. */
  readonly stones: Int8Array;
  /** The number of the move that put each stone there, counted from 1; 0 for those of a diagram. [size · size] */
  readonly placed: Int16Array;
  readonly toPlay: GoColour;
  /** Moves so far, passes among them. */
  readonly moves: number;
  /** The point where a ko must not be retaken now, −1 where there is none. */
  readonly ko: number;
  /** How many of the latest moves were passes. */
  readonly passes: number;
  readonly #past: Past;
  #chains: GoChains | undefined;
  #known: Map<number, number> | undefined;

  private constructor(position: Position) {
    this.size = position.size;
    this.rule = position.rule;
    this.stones = position.stones;
    this.placed = position.placed;
    this.toPlay = position.toPlay;
    this.moves = position.moves;
    this.ko = position.ko;
    this.passes = position.passes;
    this.#past = position.past;
  }

  /** The empty board, black to play. Throws where the size is not 2 … 25 or the rule is none. */
  static empty({ size = 19, rule = "positional" }: GoBoardOptions = {}): GoBoard {
    if (!Number.isInteger(size) || size < 2 || size > 25)
      throw new RangeError(`GoBoard: a board has 2 to 25 points a side, got ${size}`);
    if (rule !== "positional" && rule !== "simple")
      throw new RangeError(`GoBoard: the rule is "positional" or "simple", not ${JSON.stringify(rule)}`);
    const area = size * size;
    const past = { key: 0, move: 0, before: undefined };
    const [stones, placed] = [new Int8Array(area), new Int16Array(area)];
    return new GoBoard({ size, rule, stones, placed, toPlay: 1, moves: 0, ko: -1, passes: 0, past });
  }

  /**
   * The position of a diagram: a line a row, X for black, O for white, a dot for an empty point, blanks where one likes.
   * Throws where it is no square, has another sign, or a stone without liberties.
   */
  static parse(diagram: string, { toPlay = 1, rule }: { toPlay?: GoColour; rule?: GoKoRule } = {}): GoBoard {
    const rows = diagram
      .split("\n")
      .map((row) => row.replace(/\s/g, ""))
      .filter((row) => row !== "");
    const empty = GoBoard.empty({ size: rows.length, rule });
    const { size } = empty;
    if (toPlay !== 1 && toPlay !== -1)
      throw new RangeError(`GoBoard.parse: toPlay is 1 (black) or -1 (white), not ${toPlay}`);
    rows.forEach((row, r) => {
      if (row.length !== size)
        throw new RangeError(`GoBoard.parse: row ${size - r} has ${row.length} points on a board of ${size} rows`);
    });
    const stones = Int8Array.from(rows.join(""), (sign, point) => {
      if (!Object.hasOwn(symbols, sign))
        throw new RangeError(`GoBoard.parse: ${empty.nameOf(point)} is "${sign}"; signs are X, O and a dot`);
      return symbols[sign];
    });
    const { keys } = geometryOf(size);
    const key = stones.reduce((sum, colour, p) => (colour === 0 ? sum : sum + keyOf(keys, p, colour)), 0);
    const board = new GoBoard({ ...empty, stones, toPlay, past: { key, move: 0, before: undefined } });
    const { liberties, point } = board.chains;
    const dead = liberties.indexOf(0);
    if (dead >= 0) throw new RangeError(`GoBoard.parse: the stone at ${board.nameOf(point[dead])} has no liberty`);
    return board;
  }

  /** The position after a stone there. Throws a RangeError that says why where the move is not legal. */
  play(move: number | string): GoBoard {
    const point = typeof move === "string" ? this.pointOf(move) : move;
    const objection = this.#objection(point);
    if (objection !== undefined)
      throw new RangeError(`GoBoard.play: ${this.nameOf(point)} ${objection}; legal() lists the moves there are`);
    const { size, rule, toPlay } = this;
    const moves = this.moves + 1;
    const board = new GoStones(size, this.stones.slice());
    board.place(point, toPlay);
    const placed = this.placed.map((number, p) => (board.at[p] === 0 ? 0 : number));
    placed[point] = moves;
    const past = { key: this.#keyAfter(point), move: moves, before: this.#past };
    const next = -toPlay as GoColour;
    return new GoBoard({ size, rule, stones: board.at, placed, toPlay: next, moves, ko: board.ko, passes: 0, past });
  }

  /** The position after a pass. */
  pass(): GoBoard {
    const toPlay = -this.toPlay as GoColour;
    const { moves, passes } = this;
    return new GoBoard({ ...this, toPlay, moves: moves + 1, ko: -1, passes: passes + 1, past: this.#past });
  }

  /** Whether both have passed, one after the other. */
  get over(): boolean {
    return this.passes >= 2;
  }

  /** The points where whose turn it is may play. */
  legal(): number[] {
    const points: number[] = [];
    for (let p = 0; p < this.stones.length; p++) if (this.isLegal(p)) points.push(p);
    return points;
  }

  /** Whether whose turn it is may play there. */
  isLegal(point: number): boolean {
    return this.#objection(point) === undefined;
  }

  /** What black has more than white: stones, and empty regions that touch one colour only, less komi (Tromp & Taylor). */
  score(komi = 7.5): number {
    const { stones } = this;
    const { neighbours } = geometryOf(this.size);
    const seen = new Uint8Array(stones.length);
    let score = -komi;
    for (let start = 0; start < stones.length; start++) {
      score += stones[start];
      if (stones[start] !== 0 || seen[start]) continue;
      const region = [start];
      let [black, white] = [false, false];
      seen[start] = 1;
      for (const p of region) {
        for (let k = 4 * p; k < 4 * p + 4; k++) {
          const q = neighbours[k];
          if (q < 0) continue;
          if (stones[q] > 0) black = true;
          else if (stones[q] < 0) white = true;
          else if (!seen[q]) seen[region[region.push(q) - 1]] = 1;
        }
      }
      if (black !== white) score += black ? region.length : -region.length;
    }
    return score;
  }

  /** The chains of this position, found at the first call. */
  get chains(): GoChains {
    return (this.#chains ??= findChains(this.size, this.stones));
  }

  /** The number of the point of a name as "D4". Throws where there is none on this board. */
  pointOf(name: string): number {
    const { size } = this;
    const [, letter = "", digits] = /^([A-HJ-Z])([1-9]\d?)$/i.exec(name) ?? [];
    const [column, row] = [letters.indexOf(letter.toUpperCase()), size - Number(digits)];
    if (letter === "" || column >= size || row < 0)
      throw new RangeError(
        `GoBoard: ${JSON.stringify(name)} is off the board; points are A1 to ${this.nameOf(size - 1)}`,
      );
    return row * size + column;
  }

  /** The name of a point, as "D4". */
  nameOf(point: number): string {
    const { size } = this;
    const row = Math.floor(point / size);
    return row >= 0 && row < size && Number.isInteger(point)
      ? `${letters[point % size]}${size - row}`
      : `point ${point}`;
  }

  /** The diagram that `parse` reads. */
  toString(): string {
    const { size } = this;
    const row = (r: number): string =>
      Array.from(this.stones.subarray(r * size, (r + 1) * size), (c) => "O.X"[c + 1]).join(" ");
    return Array.from({ length: size }, (_, r) => row(r)).join("\n");
  }

  /** Why a move is not legal. */
  #objection(point: number): string | undefined {
    const { stones, ko } = this;
    if (!(point >= 0 && point < stones.length && Number.isInteger(point)))
      return `is off the board; points are 0 to ${stones.length - 1}`;
    if (stones[point] !== 0) return `is occupied by ${nameOf(stones[point])}`;
    if (point === ko) return "retakes the ko at once";
    if (!this.#breathes(point)) return `is suicide for ${nameOf(this.toPlay)}`;
    if (this.rule === "simple") return undefined;
    const move = this.#positions().get(this.#keyAfter(point));
    return move === undefined ? undefined : `repeats the position after move ${move}`;
  }

  /** Whether a stone there would have a liberty: an empty point, a friend with another one, or an enemy it takes. */
  #breathes(point: number): boolean {
    const { stones, toPlay, chains } = this;
    const { neighbours } = geometryOf(this.size);
    for (let k = 4 * point; k < 4 * point + 4; k++) {
      const q = neighbours[k];
      if (q < 0) continue;
      if (stones[q] === 0 || chains.liberties[chains.of[q]] > 1 === (stones[q] === toPlay)) return true;
    }
    return false;
  }

  /** The key of the position after a move. */
  #keyAfter(point: number): number {
    const { stones, toPlay, chains } = this;
    const { neighbours, keys } = geometryOf(this.size);
    let key = this.#past.key + keyOf(keys, point, toPlay);
    for (let k = 4 * point; k < 4 * point + 4; k++) {
      const q = neighbours[k];
      if (q < 0 || stones[q] !== -toPlay) continue;
      const chain = chains.of[q];
      let known = chains.liberties[chain] > 1;
      for (let j = 4 * point; j < k && !known; j++) known = neighbours[j] >= 0 && chains.of[neighbours[j]] === chain;
      if (!known) key -= chains.key[chain];
    }
    return key;
  }

  /** The positions so far: their keys, and after which move each was first. */
  #positions(): Map<number, number> {
    if (this.#known === undefined) {
      this.#known = new Map();
      for (let past: Past | undefined = this.#past; past !== undefined; past = past.before)
        this.#known.set(past.key, past.move);
    }
    return this.#known;
  }
}

function findChains(size: number, at: Int8Array): GoChains {
  const board = new GoStones(size, at);
  const { keys } = geometryOf(size);
  const of = new Int16Array(at.length).fill(-1);
  const [stones, liberties, point, key]: number[][] = [[], [], [], []];
  for (let p = 0; p < at.length; p++) {
    if (at[p] === 0 || of[p] >= 0) continue;
    liberties.push(board.trace(p));
    let sum = 0;
    for (let i = 0; i < board.length; i++) {
      of[board.chain[i]] = stones.length;
      sum += keyOf(keys, board.chain[i], at[p]);
    }
    stones.push(board.length);
    point.push(p);
    key.push(sum);
  }
  return { of, stones, liberties, point, key };
}
