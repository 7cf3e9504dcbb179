// Reads ladders to their end: chains that are kept in atari move after move until they are taken or get away.
import type { GoStones } from "./go-stones.ts";

/** Moves tried for one question, after which a chain counts as free; a ladder across a 19×19 board takes 92 in all. */
const patience = 2000;

/**
 * A reader of ladders on a board, which is as before after each question. A ko that arises while it reads is not retaken at
 * once; repetition is not looked for, and whether the first move is legal is for the asker to know.
 */
export class GoLadders {
  readonly #board: GoStones;
  #left = 0;

  constructor(board: GoStones) {
    this.#board = board;
  }

  /** Where the enemy of a chain of two liberties can give it an atari from which it does not get away. */
  captures(prey: number): number[] {
    return this.#libertiesOf(prey).filter((move) => {
      this.#left = patience;
      return this.#takes(prey, move);
    });
  }

  /** The moves after which a chain in atari can no longer be taken by one atari after the other. */
  escapes(prey: number): number[] {
    return this.#defences(prey).filter((move) => {
      this.#left = patience;
      return this.#saves(prey, move);
    });
  }

  #libertiesOf(prey: number): number[] {
    const board = this.#board;
    const breaths = board.trace(prey);
    return Array.from(board.liberties.subarray(0, breaths));
  }

  /** Whether the enemy's move puts the chain in atari and it then has no way out. */
  #takes(prey: number, move: number): boolean {
    const board = this.#board;
    if (move === board.ko || this.#left-- <= 0) return false;
    board.place(move, -board.at[prey]);
    const taken =
      board.trace(move) > 0 && // no suicide
      board.trace(prey) === 1 &&
      !this.#defences(prey).some((defence) => this.#saves(prey, defence));
    board.undo();
    return taken;
  }

  /** Whether a move of its own takes the chain out of atari, and no atari after it brings it down. */
  #saves(prey: number, move: number): boolean {
    const board = this.#board;
    if (move === board.ko) return false;
    if (this.#left-- <= 0) return true;
    board.place(move, board.at[prey]);
    const breaths = board.trace(prey);
    const saved = breaths > 2 || (breaths === 2 && !this.#libertiesOf(prey).some((atari) => this.#takes(prey, atari)));
    board.undo();
    return saved;
  }

  /** What can be tried for a chain in atari: to take a neighbour that is in atari itself, or to extend. */
  #defences(prey: number): number[] {
    const board = this.#board;
    const { at, neighbours } = board;
    const moves = this.#libertiesOf(prey);
    const chain = board.chain.slice(0, board.length);
    const enemies = new Set<number>();
    for (const p of chain) {
      for (let k = 4 * p; k < 4 * p + 4; k++) {
        const q = neighbours[k];
        if (q >= 0 && at[q] === -at[prey] && this.#roomAt(q) < 2) enemies.add(q);
      }
    }
    for (const enemy of enemies) {
      if (board.trace(enemy) === 1 && !moves.includes(board.liberties[0])) moves.unshift(board.liberties[0]);
    }
    return moves;
  }

  /** Empty points beside a stone; one with two of them is not in atari. */
  #roomAt(point: number): number {
    const { at, neighbours } = this.#board;
    let room = 0;
    for (let k = 4 * point; k < 4 * point + 4; k++) if (neighbours[k] >= 0 && at[neighbours[k]] === 0) room++;
    return room;
  }
}
