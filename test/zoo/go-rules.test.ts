// The rules of Go: captures, ko, repetition, suicide, scores, names; and random games against an obvious implementation.
import { expect, test } from "vitest";
import { randomStream, uniform } from "../../src/data/random.ts";
import { GoBoard, type GoKoRule } from "../../src/zoo/index.ts";

const diagram = (text: string): string =>
  text
    .trim()
    .split("\n")
    .map((row) => row.trim())
    .join("\n");
const played = (board: GoBoard, ...moves: string[]): GoBoard => moves.reduce((b, move) => b.play(move), board);

test("a stone without liberties is taken, and so are several chains at once", () => {
  const board = GoBoard.parse(`
    . X O X .
    . O . O .
    X O . O X
    . X O X .
    . . . . .`);
  expect(String(played(board, "C4"))).toBe(
    diagram(`
    . X . X .
    . O X O .
    X O . O X
    . X O X .
    . . . . .`),
  );
  const corner = GoBoard.parse("O O . .\nX X . .\n. . . .\n. . . .").play("C4");
  expect(String(corner)).toBe(". . X .\nX X . .\n. . . .\n. . . .");
  const two = GoBoard.parse("O . O X\nX O X .\n. X . .\n. . . .").play("B4");
  expect(String(two)).toBe(". X . X\nX . X .\n. X . .\n. . . .");
  expect(two.placed[two.pointOf("B4")]).toBe(1);
  expect([two.moves, two.toPlay, two.ko]).toEqual([1, -1, -1]);
  expect(() => two.play("B3")).toThrow("B3 is suicide for white");
});

const koFight = `
  . X O .
  X O . O
  . X O .
  . . . .`;

test.each(["simple", "positional"] as const)("a ko is not retaken at once, but after another move: %s", (rule) => {
  const taken = GoBoard.parse(koFight, { rule }).play("C3");
  expect(taken.nameOf(taken.ko)).toBe("B3");
  expect(() => taken.play("B3")).toThrow("GoBoard.play: B3 retakes the ko at once; legal() lists the moves there are");
  expect(taken.legal()).not.toContain(taken.ko);
  const later = played(taken, "D1", "A1", "B3");
  expect(later.stones[later.pointOf("C3")]).toBe(0);
  expect(later.nameOf(later.ko)).toBe("C3");
  expect(taken.pass().ko).toBe(-1);
});

test("after two passes the ko may be retaken under the simple rule, not where no position may come again", () => {
  const after = (rule: GoKoRule): GoBoard => GoBoard.parse(koFight, { rule }).play("C3").pass().pass();
  expect(String(after("simple").play("B3"))).toBe(diagram(koFight));
  expect(() => after("positional").play("B3")).toThrow("B3 repeats the position after move 0");
});

test("two are sent and one returned: no ko, but a repetition", () => {
  const start = `
    . O . O
    X X O .
    . . . .
    . . . .`;
  const cycle = (rule: GoKoRule): GoBoard => played(GoBoard.parse(start, { toPlay: -1, rule }), "A4", "C4");
  expect(cycle("simple").ko).toBe(-1);
  expect(String(cycle("simple").play("B4"))).toBe(diagram(start));
  expect(() => cycle("positional").play("B4")).toThrow("B4 repeats the position after move 0");
  expect(cycle("positional").isLegal(cycle("positional").pointOf("B4"))).toBe(false);
});

test("suicide is forbidden, of one stone and of several, but not where it takes", () => {
  const board = GoBoard.parse(". X . .\nX . . .\n. . . .\n. . . .", { toPlay: -1 });
  expect(() => board.play("A4")).toThrow("GoBoard.play: A4 is suicide for white");
  expect(board.pass().isLegal(0)).toBe(true);
  const several = GoBoard.parse("O . X .\nX X . .\n. . . .\n. . . .", { toPlay: -1 });
  expect(() => several.play("B4")).toThrow("B4 is suicide for white");
  const takes = GoBoard.parse(". X O .\nX O . .\nO . . .\n. . . .", { toPlay: -1 }).play("A4");
  expect(String(takes)).toBe("O . O .\n. O . .\nO . . .\n. . . .");
});

test("a snapback: what took one stone is taken at once", () => {
  const board = GoBoard.parse(`
    . . O X .
    O O O X .
    X X X . .
    . . . . .
    . . . . .`);
  const taken = played(board, "B5", "A5");
  expect(taken.ko).toBe(-1);
  expect(String(taken.play("B5"))).toBe(
    diagram(`
    . X . X .
    . . . X .
    X X X . .
    . . . . .
    . . . . .`),
  );
});

test("area scores: stones, and regions that touch one colour only", () => {
  expect(GoBoard.empty().score()).toBe(-7.5);
  expect(GoBoard.empty({ size: 5 }).play("C3").score(0)).toBe(25);
  const board = GoBoard.parse(". X O .\n. X O .\nX X X O\n. . . .");
  expect([board.score(0), board.score(6.5)]).toEqual([2, -4.5]);
  expect(board.over).toBe(false);
  expect(board.pass().over).toBe(false);
  expect([board.pass().pass().over, board.pass().pass().moves, board.pass().pass().toPlay]).toEqual([true, 2, 1]);
});

test("chains and their liberties", () => {
  const { chains } = GoBoard.parse("X X . .\n. X O .\n. . O .\n. . . X");
  expect([chains.stones, chains.liberties]).toEqual([[3, 2, 1], [3, 5, 2]]); // biome-ignore format: by chain
  expect(Array.from(chains.of.slice(0, 8))).toEqual([0, 0, -1, -1, -1, 0, 1, -1]);
});

test("points have the names of players, without I", () => {
  const board = GoBoard.empty();
  expect([board.pointOf("D4"), board.pointOf("a19"), board.pointOf("J10"), board.pointOf("T1")]).toEqual([
    288, 0, 179, 360,
  ]);
  for (let p = 0; p < 361; p++) expect(board.pointOf(board.nameOf(p))).toBe(p);
  expect(GoBoard.empty({ size: 25 }).nameOf(624)).toBe("Z1");
  for (const name of ["I4", "U1", "A20", "A0", "4D", "", "pass"])
    expect(() => board.play(name), name).toThrow(`GoBoard: "${name}" is off the board; points are A1 to T19`);
});

test("misuse is refused", () => {
  const board = GoBoard.empty({ size: 5 }).play("C3");
  expect(() => board.play("C3")).toThrow("GoBoard.play: C3 is occupied by black; legal() lists the moves there are");
  expect(() => board.play(25)).toThrow("GoBoard.play: point 25 is off the board; points are 0 to 24");
  expect(() => board.play(-1)).toThrow("point -1 is off the board");
  expect(() => board.play(0.5)).toThrow("point 0.5 is off the board");
  expect(board.isLegal(Number.NaN)).toBe(false);
  for (const size of [1, 26, 2.5]) expect(() => GoBoard.empty({ size })).toThrow(`2 to 25 points a side, got ${size}`);
  expect(() => GoBoard.empty({ rule: "super" as "simple" })).toThrow('"positional" or "simple", not "super"');
  expect(() => GoBoard.parse(". .\n.")).toThrow("GoBoard.parse: row 1 has 1 points on a board of 2 rows");
  expect(() => GoBoard.parse(". .\n. *")).toThrow('GoBoard.parse: B1 is "*"; signs are X, O and a dot');
  expect(() => GoBoard.parse("X O\nX .")).not.toThrow();
  expect(() => GoBoard.parse("X O .\nO . .\n. . .")).toThrow("GoBoard.parse: the stone at A3 has no liberty");
  expect(() => GoBoard.parse(". .\n. .", { toPlay: 0 as 1 })).toThrow("toPlay is 1 (black) or -1 (white), not 0");
});

/** Go as one would explain it: positions are strings, and everything is found by looking again. */
class Obvious {
  readonly size: number;
  readonly rule: GoKoRule;
  history: string[];

  constructor(size: number, rule: GoKoRule) {
    this.size = size;
    this.rule = rule;
    this.history = [".".repeat(size * size)];
  }

  get position(): string {
    return this.history.at(-1)!;
  }

  beside(p: number): number[] {
    const [row, column] = [Math.floor(p / this.size), p % this.size];
    const all = [[row - 1, column], [row, column - 1], [row, column + 1], [row + 1, column]]; // biome-ignore format: points
    return all.filter((at) => at.every((i) => i >= 0 && i < this.size)).map(([r, c]) => r * this.size + c);
  }

  /** All that is connected with a point through its own kind. */
  region(position: string, p: number): Set<number> {
    const found = new Set([p]);
    for (const at of found) for (const q of this.beside(at)) if (position[q] === position[p]) found.add(q);
    return found;
  }

  touches(position: string, region: Set<number>, sign: string): boolean {
    return [...region].some((p) => this.beside(p).some((q) => position[q] === sign));
  }

  /** The position after a move, or nothing where it is not legal. */
  after(p: number, own: string): string | undefined {
    if (this.position[p] !== ".") return undefined;
    const signs = [...this.position];
    signs[p] = own;
    const position = signs.join("");
    for (const q of this.beside(p)) {
      if (position[q] === "." || position[q] === own) continue;
      const chain = this.region(position, q);
      if (!this.touches(position, chain, ".")) for (const stone of chain) signs[stone] = ".";
    }
    const result = signs.join("");
    if (!this.touches(result, this.region(result, p), ".")) return undefined;
    const repeats = this.rule === "positional" ? this.history.includes(result) : this.history.at(-2) === result;
    return repeats ? undefined : result;
  }

  score(): number {
    let score = 0;
    for (let p = 0; p < this.position.length; p++) {
      const region = this.region(this.position, p);
      const of = (sign: string): boolean =>
        this.position[p] === sign || (this.position[p] === "." && this.touches(this.position, region, sign));
      score += Number(of("X")) - Number(of("O"));
    }
    return score;
  }
}

test.each([
  [2, "simple"],
  [2, "positional"],
  [3, "simple"],
  [3, "positional"],
  [5, "positional"],
  [6, "simple"],
  [7, "positional"],
] as const)("random games of size %i under the rule %s are those of an obvious implementation", (size, rule) => {
  const random = randomStream(size, rule.length);
  let [captures, kos, repetitions] = [0, 0, 0];
  for (let game = 0; game < 6; game++) {
    let board = GoBoard.empty({ size, rule });
    const obvious = new Obvious(size, rule);
    for (let move = 0; move < 3 * size * size && board.passes < 2; move++) {
      const own = board.toPlay > 0 ? "X" : "O";
      const results = Array.from({ length: size * size }, (_, p) => obvious.after(p, own));
      const legal = results.flatMap((result, p) => (result === undefined ? [] : [p]));
      expect(board.legal()).toEqual(legal);
      expect(board.score(0)).toBe(obvious.score());
      const free = [...obvious.position].filter((sign) => sign === ".").length;
      if (board.ko >= 0) kos++;
      for (let p = 0; p < size * size; p++) {
        if (!board.isLegal(p) && board.stones[p] === 0) expect(() => board.play(p)).toThrow(RangeError);
        const { chains } = board;
        if (board.stones[p] === 0) continue;
        const chain = obvious.region(obvious.position, p);
        const liberties = new Set(
          [...chain].flatMap((q) => obvious.beside(q).filter((r) => obvious.position[r] === ".")),
        );
        expect([chains.stones[chains.of[p]], chains.liberties[chains.of[p]]]).toEqual([chain.size, liberties.size]);
      }
      if (legal.length === 0 || uniform(random) < 0.02) {
        if (legal.length === 0 && free > 0) repetitions++;
        board = board.pass();
        obvious.history.push(obvious.position);
        continue;
      }
      const p = legal[Math.floor(uniform(random) * legal.length)];
      const before = String(board);
      const next = board.play(p);
      expect(String(board)).toBe(before);
      expect(String(next).replace(/\s/g, "")).toBe(results[p]);
      expect(next.placed.every((number, q) => number > 0 === (next.stones[q] !== 0))).toBe(true);
      if ([...results[p]!].filter((sign) => sign === ".").length >= free) captures++;
      obvious.history.push(results[p]!);
      board = next;
    }
  }
  expect(captures).toBeGreaterThan(5);
  if (size > 3) expect(kos).toBeGreaterThan(0);
  if (size === 2 && rule === "positional") expect(repetitions).toBeGreaterThan(0);
});
