// The progress bar: what it draws at each width, how often, and what stays on the screen.
import { describe, expect, test } from "vitest";
import {
  Progress,
  type ProgressState,
  type ProgressUpdate,
  renderLine,
  renderProgress,
  showDuration,
} from "../../src/train/progress.ts";

const state: ProgressState = {
  epoch: 2,
  epochs: 5,
  step: 421,
  steps: 938,
  metrics: { loss: 0.12345678, accuracy: 0.9712, "gradient norm": 1.5 },
  samplesPerSecond: 12345.6,
  eta: 754,
};

describe("the line", () => {
  test.each([140, 120, 100, 80, 60, 48, 40, 30, 20, 12, 5, 1, 0])("%i columns", (width) => {
    expect(renderProgress(state, width)).toMatchSnapshot();
  });

  test("is never longer than the terminal, at any width and state", () => {
    for (let width = 0; width < 160; width++)
      for (const step of [0, 1, 937, 938, 2000])
        for (const steps of [0, 1, 938, undefined]) {
          expect(renderProgress({ ...state, step, steps }, width).length).toBeLessThanOrEqual(width);
          expect(renderProgress({ epoch: 1, step, steps }, width).length).toBeLessThanOrEqual(width);
        }
  });

  test("of every state", () => {
    const lines: ProgressState[] = [
      { ...state, step: 0, samplesPerSecond: undefined, eta: undefined },
      { ...state, step: 938, eta: 0 },
      { ...state, steps: undefined, epochs: undefined, eta: undefined },
      { ...state, metrics: { loss: Number.NaN, accuracy: 1 } },
      { ...state, metrics: { loss: 1.5e-9 }, samplesPerSecond: 2.34 },
      { epoch: 1, step: 0 },
    ];
    expect(lines.flatMap((line) => [renderProgress(line, 100), renderLine(line)])).toMatchSnapshot();
  });

  test.each([
    [0, "0:00"],
    [59.4, "0:59"],
    [59.6, "1:00"],
    [3599, "59:59"],
    [3723, "1:02:03"],
    [86400 * 2 + 3 * 3600 + 240, "2d 03:04"],
  ])("%f seconds are %s", (seconds, text) => {
    expect(showDuration(seconds)).toBe(text);
  });
});

const controls = new RegExp(`${String.fromCharCode(27)}\\[\\??\\d*[A-Za-z]|[^]`, "gu");

/** A terminal of some columns that keeps rows, knows the four controls the bar uses, and wraps anew when it is resized. */
class Screen {
  readonly isTTY = true;
  columns = 100;
  writes = 0;
  rows = [""];
  row = 0;
  write(text: string): void {
    this.writes++;
    for (const [token] of text.matchAll(controls)) {
      if (token === "\n") this.rows[++this.row] ??= "";
      else if (token === "\x1b[J") this.rows = [...this.rows.slice(0, this.row), ""];
      else if (token.endsWith("A") && token.length > 1) this.row -= Number.parseInt(token.slice(2), 10);
      else if (token !== "\r" && token.length === 1) this.rows[this.row] += token;
    }
  }
  resize(columns: number): void {
    const last = this.rows.pop()!;
    this.columns = columns;
    this.rows.push(...(last.match(new RegExp(`.{1,${columns}}`, "g")) ?? [""]));
    this.row = this.rows.length - 1;
  }
}

const update = (step: number, epoch = 1): ProgressUpdate => ({
  epoch,
  epochs: 2,
  step,
  steps: 100,
  samples: ((epoch - 1) * 100 + step) * 64,
  metrics: { loss: 1 / step },
});

describe("on a terminal", () => {
  test("redraws at most ten times a second, with the pace since the first step", () => {
    let time = 5;
    const screen = new Screen();
    const progress = new Progress({ output: screen, now: () => time, terminal: true });
    for (let step = 1; step <= 100; step++) {
      progress.update(update(step));
      time += 0.01;
    }
    expect(screen.writes).toBeLessThanOrEqual(11);
    expect(screen.rows).toHaveLength(1);
    expect(screen.rows[0]).toMatch(/^epoch 1\/2 {2}━+─* +\d+% {2}loss 0\.01\d+ {2}6,400 samples\/s {2}ETA 0:01$/);
  });

  test("lines printed in between stay, the bar comes back below them and goes at the end", () => {
    let time = 0;
    const screen = new Screen();
    const progress = new Progress({ output: screen, now: () => time, terminal: true });
    progress.update(update(1));
    progress.print("checkpoint saved");
    expect(screen.rows).toEqual(["checkpoint saved", ""]);
    progress.update(update(2));
    expect(screen.rows[1]).toMatch(/^epoch 1\/2/);
    time = 9.9;
    progress.epoch(update(100));
    time = 11;
    progress.update(update(1, 2));
    expect(screen.rows).toHaveLength(3);
    expect(screen.rows[1]).toBe("epoch 1/2  step 100/100  loss 0.01000  640 samples/s  ETA 0:10");
    progress.stop();
    expect(screen.rows.slice(0, 2)).toEqual([
      "checkpoint saved",
      "epoch 1/2  step 100/100  loss 0.01000  640 samples/s  ETA 0:10",
    ]);
    expect(screen.rows[2]).toBe("");
    progress.stop();
    expect(screen.rows).toHaveLength(3);
  });

  test("made narrower or wider between two drawings, leaves nothing behind", () => {
    let time = 0;
    const screen = new Screen();
    const progress = new Progress({ output: screen, now: () => time, terminal: true });
    progress.print("above");
    let step = 1;
    for (const columns of [100, 99, 30, 7, 1, 50, 200, 12]) {
      screen.resize(columns);
      time += 0.2;
      progress.update(update(step++));
      expect(screen.rows, `${columns} columns`).toHaveLength(2);
      expect(screen.rows[0]).toBe("above");
      expect(screen.rows[1].length).toBeLessThan(columns);
    }
  });

  test("that does not know its width is taken for one of 80 columns", () => {
    const screen = new Screen();
    screen.columns = 0;
    new Progress({ output: screen, terminal: true }).update(update(3));
    expect(screen.rows[0].length).toBeLessThan(80);
  });
});

describe("elsewhere", () => {
  test("a line for each epoch and at most one each 30 seconds, without controls", () => {
    let time = 0;
    let text = "";
    const progress = new Progress({ output: { write: (line: string) => (text += line) }, now: () => time });
    for (let epoch = 1; epoch <= 2; epoch++) {
      for (let step = 1; step <= 100; step++) {
        progress.update(update(step, epoch));
        time += 0.5;
      }
      progress.epoch(update(100, epoch));
    }
    progress.stop();
    expect(text).toMatchSnapshot();
  });
});
