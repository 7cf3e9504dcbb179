// What the Go policy network sees of a position: 48 planes (Silver et al., 2016, extended data table 2).
import { GoLadders } from "./go-ladder.ts";
import type { GoBoard } from "./go-rules.ts";
import { GoStones, geometryOf } from "./go-stones.ts";

/** The first plane of each feature. Those of numbers have eight planes: 1, 2, …, 7, and 8 or more. */
export const goPlanes = {
  own: 0,
  opponent: 1,
  empty: 2,
  ones: 3,
  turnsSince: 4,
  liberties: 12,
  captureSize: 20,
  selfAtari: 28,
  libertiesAfter: 36,
  ladderCapture: 44,
  ladderEscape: 45,
  sensible: 46,
  zeros: 47,
} as const;

type Paint = (plane: number, point: number, value?: number) => void;

/**
 * The features of a position for whose turn it is: [48, size, size] zeros and ones, in the order of `goPlanes`
 * (Silver et al., Mastering the game of Go with deep neural networks and tree search, 2016).
 * Of stones: whose, turns since they were played (the last move 1; those of a diagram 8 or more), liberties of their
 * chain. Of legal moves: stones they take, stones of the own chain they leave in atari, liberties of that chain after them,
 * whether they begin a ladder that takes a chain of two liberties, whether they save a chain in atari, and whether they are
 * sensible: do not fill an own eye, whose neighbours are all own and whose diagonals are the opponent's at most once in
 * the middle of the board and not at all at its edge.
 */
export function goFeatures(board: GoBoard): Float32Array {
  const area = board.stones.length;
  const planes = new Float32Array(48 * area);
  const paint: Paint = (plane, point, value = 1) => {
    if (value > 0) planes[(plane + Math.min(value, 8) - 1) * area + point] = 1;
  };
  planes.fill(1, goPlanes.ones * area, (goPlanes.ones + 1) * area);
  const scratch = new GoStones(board.size, board.stones.slice());
  paintStones(board, paint);
  paintMoves(board, scratch, paint);
  paintLadders(board, new GoLadders(scratch), paint);
  return planes;
}

function paintStones({ stones, placed, moves, toPlay, chains }: GoBoard, paint: Paint): void {
  for (let p = 0; p < stones.length; p++) {
    if (stones[p] === 0) {
      paint(goPlanes.empty, p);
      continue;
    }
    paint(stones[p] === toPlay ? goPlanes.own : goPlanes.opponent, p);
    paint(goPlanes.turnsSince, p, placed[p] === 0 ? 8 : moves - placed[p] + 1);
    paint(goPlanes.liberties, p, chains.liberties[chains.of[p]]);
  }
}

function paintMoves(board: GoBoard, scratch: GoStones, paint: Paint): void {
  const { toPlay } = board;
  for (const p of board.legal()) {
    paint(goPlanes.captureSize, p, scratch.place(p, toPlay));
    const liberties = scratch.trace(p);
    paint(goPlanes.libertiesAfter, p, liberties);
    if (liberties === 1) paint(goPlanes.selfAtari, p, scratch.length);
    scratch.undo();
    if (!isOwnEye(board, p)) paint(goPlanes.sensible, p);
  }
}

function paintLadders(board: GoBoard, ladders: GoLadders, paint: Paint): void {
  const { stones, toPlay, chains } = board;
  chains.point.forEach((prey, chain) => {
    const liberties = chains.liberties[chain];
    if (stones[prey] !== toPlay && liberties === 2) {
      for (const p of ladders.captures(prey)) if (board.isLegal(p)) paint(goPlanes.ladderCapture, p);
    } else if (stones[prey] === toPlay && liberties === 1) {
      for (const p of ladders.escapes(prey)) if (board.isLegal(p)) paint(goPlanes.ladderEscape, p);
    }
  });
}

/** Whether an empty point is an eye of whose turn it is. */
function isOwnEye({ size, stones, toPlay }: GoBoard, point: number): boolean {
  const { neighbours } = geometryOf(size);
  for (let k = 4 * point; k < 4 * point + 4; k++) {
    if (neighbours[k] >= 0 && stones[neighbours[k]] !== toPlay) return false;
  }
  const [row, column] = [Math.floor(point / size), point % size];
  let [edge, hostile] = [0, 0];
  for (const r of [row - 1, row + 1]) {
    for (const c of [column - 1, column + 1]) {
      if (r < 0 || c < 0 || r >= size || c >= size) edge = 1;
      else if (stones[r * size + c] === -toPlay) hostile++;
    }
  }
  return hostile + edge < 2;
}
