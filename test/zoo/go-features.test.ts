// The planes of Go positions by hand, and ladders against a reading of all moves.
import { expect, test } from "vitest";
import { randomStream, uniform } from "../../src/data/random.ts";
import { GoBoard, type GoColour, goFeatures, goPlanes } from "../../src/zoo/index.ts";

type Name = keyof typeof goPlanes;
const numbered: readonly Name[] = ["turnsSince", "liberties", "captureSize", "selfAtari", "libertiesAfter"];

/** A feature as a diagram: dots where it is 0, else the number it stands for; 8 is 8 or more. */
function picture(board: GoBoard, name: Name): string {
  const { size } = board;
  const planes = goFeatures(board);
  const area = size * size;
  expect(planes.length).toBe(48 * area);
  const signs = Array.from({ length: area }, (_, p) => {
    const count = numbered.includes(name) ? 8 : 1;
    const values = Array.from({ length: count }, (_, k) => planes[(goPlanes[name] + k) * area + p]);
    expect(values.filter((value) => value === 1).length + values.filter((value) => value === 0).length).toBe(count);
    expect(values.filter((value) => value === 1).length).toBeLessThanOrEqual(1);
    return values.includes(1) ? values.indexOf(1) + 1 : ".";
  });
  return Array.from({ length: size }, (_, r) => signs.slice(r * size, (r + 1) * size).join(" ")).join("\n");
}

const diagram = (text: string): string =>
  text
    .trim()
    .split("\n")
    .map((row) => row.trim())
    .join("\n");
const points = (board: GoBoard, name: "ladderCapture" | "ladderEscape" | "sensible"): string[] => {
  const area = board.stones.length;
  const plane = goFeatures(board).subarray(goPlanes[name] * area, (goPlanes[name] + 1) * area);
  return Array.from(plane, (value, p) => (value === 1 ? board.nameOf(p) : "")).filter((point) => point !== "");
};
const ladder = (text: string, toPlay: GoColour = 1): GoBoard => GoBoard.parse(text, { toPlay });

const position = `
  . X O . .
  X . X O .
  . X O . O
  . X O O .
  . . . . .`;

test("the planes of stones, for either side", () => {
  const board = GoBoard.parse(position);
  const [black, white, none] = [
    ". 1 . . .\n1 . 1 . .\n. 1 . . .\n. 1 . . .\n. . . . .",
    ". . 1 . .\n. . . 1 .\n. . 1 . 1\n. . 1 1 .\n. . . . .",
    "1 . . 1 1\n. 1 . . 1\n1 . . 1 .\n1 . . . 1\n1 1 1 1 1",
  ];
  expect([picture(board, "own"), picture(board, "opponent"), picture(board, "empty")]).toEqual([black, white, none]);
  const other = board.pass();
  expect([picture(other, "own"), picture(other, "opponent"), picture(other, "empty")]).toEqual([white, black, none]);
  expect(picture(board, "ones")).toBe("1 1 1 1 1\n".repeat(5).trim());
  expect(picture(board, "zeros")).toBe(". . . . .\n".repeat(5).trim());
  expect(picture(board, "liberties")).toBe(
    diagram(`
    . 2 1 . .
    3 . 1 3 .
    . 4 4 . 3
    . 4 4 4 .
    . . . . .`),
  );
});

test("turns since: the last move is 1, passes count, eight and more are 8, as are stones of a diagram", () => {
  let board = GoBoard.parse(". . . . X\n. . . . .\n. . . . .\n. . . . .\n. . . . .");
  for (const move of ["A1", "A3", "B1", "B3", "C1", "C3", "D1", "D3"]) board = board.play(move);
  expect(picture(board, "turnsSince")).toBe(". . . . 8\n. . . . .\n7 5 3 1 .\n. . . . .\n8 6 4 2 .");
  board = board.pass().pass().play("E3");
  expect(picture(board, "turnsSince")).toBe(". . . . 8\n. . . . .\n8 8 6 4 1\n. . . . .\n8 8 7 5 .");
  const taken = GoBoard.parse("O . .\nX . .\n. . .").play("B3").pass().play("A3");
  expect(picture(taken, "turnsSince")).toBe("1 3 .\n8 . .\n. . ."); // not that of the stone that stood there
});

test("capture size, liberties after the move, self-atari", () => {
  const board = GoBoard.parse(position);
  expect(picture(board, "captureSize")).toBe(
    diagram(`
    . . . 1 .
    . . . . .
    . . . . .
    . . . . .
    . . . . .`),
  );
  expect(picture(board, "libertiesAfter")).toBe(
    diagram(`
    2 . . 2 2
    . 4 . . 1
    4 . . . .
    4 . . . 1
    2 5 2 2 2`),
  );
  expect(picture(board, "selfAtari")).toBe(
    diagram(`
    . . . . .
    . . . . 1
    . . . . .
    . . . . 1
    . . . . .`),
  );
  const three = GoBoard.parse(". . . .\n. . . .\nO O . .\nX X . O");
  expect(picture(three, "selfAtari")).toBe(". . . .\n. . . .\n. . . .\n. . 3 .");
  const fifteen = GoBoard.parse(`
    X X X X .
    O O O O X
    O O O O X
    O O . O X
    X X X X .`);
  expect(picture(fifteen, "captureSize")).toBe(". . . . .\n. . . . .\n. . . . .\n. . 8 . .\n. . . . .");
});

test("sensible moves are legal and fill no own eye; a false one may be filled", () => {
  const eyes = `
    . X . O .
    X X O . O
    . X O O .
    X . X O O
    . X . X .`;
  expect(points(ladder(eyes), "sensible")).toEqual(["C5", "C1", "E1"]);
  expect(points(ladder(eyes, -1), "sensible")).toEqual(["C5", "E1"]);
  const middle = (corner: string): string => `
    . . . . .
    . ${corner} X O .
    . X . X .
    . . X . .
    . . . . .`;
  expect(points(ladder(middle(".")), "sensible")).not.toContain("C3"); // one diagonal is white's
  expect(points(ladder(middle("O")), "sensible")).toContain("C3"); // two are
  expect(points(ladder(middle("O"), -1), "sensible")).not.toContain("C3"); // suicide
});

const across = (breaker: string, e6 = "."): string => `
  . . . . . . . . .
  . . . . . . . . .
  . . . X . . . . .
  . . X O ${e6} . . . .
  . . X . . . . . .
  . . . . . . . . .
  . . . . . . ${breaker} . .
  . O . . . . . . .
  . . . . . . . . .`;

test("a ladder across the board works, unless a stone breaks it", () => {
  expect(points(ladder(across(".")), "ladderCapture")).toEqual(["E6"]);
  expect(points(ladder(across("O")), "ladderCapture")).toEqual([]);
  expect(points(ladder(across("X")), "ladderCapture")).toEqual(["E6"]);
  expect(points(ladder(across("."), -1), "ladderCapture")).toEqual([]); // the hunter is to play
  expect(points(ladder(across(".", "X"), -1), "ladderEscape")).toEqual([]);
  expect(points(ladder(across("O", "X"), -1), "ladderEscape")).toEqual(["D5"]);
  expect(points(ladder(across("O", "X")), "ladderEscape")).toEqual([]);
});

test("a ladder along 19 lines is read to its end", () => {
  const wide = (sign: string): GoBoard => {
    const rows = Array.from({ length: 19 }, () => new Array<string>(19).fill("."));
    rows[1][2] = rows[2][1] = rows[3][1] = "X";
    rows[2][2] = "O";
    rows[17][17] = sign;
    return GoBoard.parse(rows.map((row) => row.join(" ")).join("\n"));
  };
  expect(points(wide("."), "ladderCapture")).toEqual(["D17"]);
  expect(points(wide("O"), "ladderCapture")).toEqual([]);
});

test("a chain in atari escapes by taking a stone that surrounds it, where to extend is no help", () => {
  const board = ladder(". . . . .\n. . . . .\n. . . . .\nX X . O .\n. O X O .", -1);
  expect(points(board, "ladderEscape")).toEqual(["C2"]);
});

test("a ladder does not begin with a ko that may not be retaken", () => {
  const taken = GoBoard.parse(". X O .\nX O . O\n. X O .\n. . . .").play("C3");
  const free = ladder(String(taken), -1); // the same stones, without the ko
  for (const name of ["ladderCapture", "ladderEscape"] as const) {
    expect(points(free, name)).toContain("B3");
    expect(points(taken, name)).toEqual(points(free, name).filter((point) => point !== "B3"));
  }
});

/** Reads all legal moves: whether an enemy's chain of two liberties is lost after a move. */
function lost(board: GoBoard, prey: number, move: number): boolean {
  if (!board.isLegal(move)) return false;
  const next = board.play(move);
  return libertiesAt(next, prey) === 1 && !next.legal().some((defence) => saves(next, prey, defence));
}

function saves(board: GoBoard, prey: number, move: number): boolean {
  const next = board.play(move);
  const liberties = libertiesAt(next, prey);
  return liberties > 2 || (liberties === 2 && !next.legal().some((atari) => lost(next, prey, atari)));
}

const libertiesAt = ({ chains }: GoBoard, point: number): number => chains.liberties[chains.of[point]];

test("ladders on small boards are those that a reading of all moves finds", () => {
  const random = randomStream(37);
  const found = { ladderCapture: 0, ladderEscape: 0 };
  let inAtari = 0;
  for (let game = 0; game < 150; game++) {
    let board = GoBoard.empty({ size: 5 + (game % 3), rule: "simple" });
    for (let move = 0; move < 10 + (game % 25); move++) {
      const legal = board.legal();
      board = legal.length === 0 ? board.pass() : board.play(legal[Math.floor(uniform(random) * legal.length)]);
    }
    const expected = { ladderCapture: new Set<string>(), ladderEscape: new Set<string>() };
    board.chains.point.forEach((prey, chain) => {
      const [own, liberties] = [board.stones[prey] === board.toPlay, board.chains.liberties[chain]];
      if (own && liberties === 1) inAtari++;
      for (const move of board.legal()) {
        const name = board.nameOf(move);
        if (!own && liberties === 2 && lost(board, prey, move)) expected.ladderCapture.add(name);
        if (own && liberties === 1 && saves(board, prey, move)) expected.ladderEscape.add(name);
      }
    });
    for (const name of ["ladderCapture", "ladderEscape"] as const) {
      expect(new Set(points(board, name)), `${name} of game ${game}\n${board}\n${board.toPlay}`).toEqual(
        expected[name],
      );
      found[name] += expected[name].size;
    }
  }
  expect(found.ladderCapture).toBeGreaterThan(30);
  expect(found.ladderEscape).toBeGreaterThan(30);
  expect(inAtari).toBeGreaterThan(found.ladderEscape / 2);
});
