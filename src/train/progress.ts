// The progress of a training on standard error: a bar that redraws itself on a terminal, plain lines everywhere else.

export interface ProgressState {
  /** From 1. */
  readonly epoch: number;
  readonly epochs?: number;
  /** Steps done in this epoch, and all there are where that is known. */
  readonly step: number;
  readonly steps?: number;
  /** Shown in order, the first kept longest where the line is narrow; a name with "accuracy" in it as a percentage. */
  readonly metrics?: Readonly<Record<string, number>>;
  readonly samplesPerSecond?: number;
  /** What is counted, "samples" unless said otherwise. */
  readonly unit?: string;
  /** Seconds to the end of the training. */
  readonly eta?: number;
}

/** One line for a terminal of `width` columns, never longer: where room is short the less telling figures go, the bar last. */
export function renderProgress(state: ProgressState, width: number): string {
  const { step, steps } = state;
  const done = Math.min(1, step / Math.max(1, steps ?? 0));
  const head = showEpoch(state);
  const count = steps === undefined ? `step ${step}` : `${Math.floor(done * 100)}%`.padStart(4);
  let figures = showFigures(state);
  const room = () => width - [head, count, ...figures.map(({ text }) => text)].join("  ").length;
  while (figures.length > 0 && room() < (steps === undefined ? 0 : 12)) {
    const least = Math.min(...figures.map(({ worth }) => worth));
    figures = figures.filter(({ worth }) => worth !== least);
  }
  const length = steps === undefined ? 0 : Math.min(40, room() - 2);
  const filled = Math.round(done * length);
  const bar = length < 4 ? [] : ["━".repeat(filled) + "─".repeat(length - filled)];
  return clip([head, ...bar, count, ...figures.map(({ text }) => text)].join("  "), width);
}

/** The line for a log: the same figures, no bar. */
export function renderLine(state: ProgressState): string {
  const { step, steps } = state;
  const count = steps === undefined ? `step ${step}` : `step ${step}/${steps}`;
  return [showEpoch(state), count, ...showFigures(state).map(({ text }) => text)].join("  ");
}

const clip = (text: string, width: number) =>
  text.length <= width ? text : width < 1 ? "" : `${text.slice(0, width - 1)}…`;

const showEpoch = ({ epoch, epochs }: ProgressState) =>
  epochs === undefined ? `epoch ${epoch}` : `epoch ${epoch}/${epochs}`;

/** The figures in the order they are shown, with their worth, all different: first metric, ETA, other metrics, samples/s. */
function showFigures({
  metrics = {},
  samplesPerSecond,
  unit = "samples",
  eta,
}: ProgressState): { text: string; worth: number }[] {
  const figures = Object.entries(metrics).map(([name, value], i) => ({
    text: showMetric(name, value),
    worth: i === 0 ? 2 : 1 / i,
  }));
  if (samplesPerSecond !== undefined && Number.isFinite(samplesPerSecond)) {
    const digits = samplesPerSecond < 1 ? 2 : samplesPerSecond < 10 ? 1 : 0;
    const rate = samplesPerSecond.toLocaleString("en-US", { maximumFractionDigits: digits });
    figures.push({ text: `${rate} ${unit}/s`, worth: 0 });
  }
  if (eta !== undefined && Number.isFinite(eta)) figures.push({ text: `ETA ${showDuration(eta)}`, worth: 1.5 });
  return figures;
}

function showMetric(name: string, value: number): string {
  if (!Number.isFinite(value)) return `${name} ${value}`;
  return `${name} ${name.toLowerCase().includes("accuracy") ? `${(value * 100).toFixed(2)}%` : value.toPrecision(4)}`;
}

/** 0:07, 12:34, 1:02:03, 2d 03:04. */
export function showDuration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  const [days, hours, minutes] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  if (days > 0) return `${days}d ${two(hours)}:${two(minutes)}`;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

/** What a trainer reports after a step; `samples` is a running count of those trained on. */
export interface ProgressUpdate extends Omit<ProgressState, "samplesPerSecond" | "unit" | "eta"> {
  readonly samples: number;
}

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/**
 * Draws the progress: on a terminal at most ten times a second, one line that is cleared for what is printed in between;
 * elsewhere (a pipe, a log file, TERM=dumb) a line at each epoch's end and otherwise at most one each `every` seconds. The pace is in
 * `unit`, "samples" unless the trainer counts something else, such as tokens.
 */
export class Progress {
  readonly #output: Output;
  readonly #every: number;
  readonly #unit: string;
  readonly #now: () => number;
  readonly #isTerminal: boolean;
  #shown = Number.NEGATIVE_INFINITY;
  #drawn = 0; // characters of the bar now on the screen
  #last: ProgressUpdate | undefined;
  #origin: { time: number; samples: number; steps: number } | undefined; // the first update: after compiling, so the pace is honest

  constructor({
    output = process.stderr,
    every = 30,
    unit = "samples",
    now = () => performance.now() / 1000,
    terminal = output.isTTY === true && process.env.TERM !== "dumb",
  }: { output?: Output; every?: number; unit?: string; now?: () => number; terminal?: boolean } = {}) {
    this.#output = output;
    this.#every = every;
    this.#unit = unit;
    this.#now = now;
    this.#isTerminal = terminal;
    if (!terminal) this.#shown = now();
  }

  /** After a step: redraws if it is time to. */
  update(update: ProgressUpdate): void {
    this.#last = update;
    const now = this.#now();
    this.#origin ??= { time: now, samples: update.samples, steps: stepsDone(update) };
    if (now - this.#shown < (this.#isTerminal ? 0.1 : this.#every)) return;
    this.#shown = now;
    if (this.#isTerminal) this.#draw();
    else this.#output.write(`${renderLine(this.#paced(update))}\n`);
  }

  /** At an epoch's end: a line that stays, with the metrics of the whole epoch. */
  epoch(update: ProgressUpdate): void {
    this.print(renderLine(this.#paced(update)));
    this.#shown = this.#now();
  }

  /** Prints a line above the bar. */
  print(line: string): void {
    this.#output.write(`${this.#erase()}${line}\n`);
    if (this.#isTerminal && this.#last) this.#shown = Number.NEGATIVE_INFINITY; // the bar comes back with the next step
  }

  /** Takes the bar off the screen; nothing else is held. */
  stop(): void {
    const erase = this.#erase();
    if (erase) this.#output.write(erase);
    this.#last = undefined;
  }

  /** The width is asked for at each drawing, so a resized terminal is right a tenth of a second later. */
  #draw(): void {
    // One column stays free and wrapping is off meanwhile: a line that fills the last column would make the terminal scroll.
    const line = renderProgress(this.#paced(this.#last!), (this.#output.columns || 80) - 1);
    this.#output.write(`${this.#erase()}\x1b[?7l${line}\x1b[?7h`);
    this.#drawn = line.length;
  }

  /** A terminal made narrower has wrapped the old bar onto several rows: go up to its first, then clear to the end. */
  #erase(): string {
    if (this.#drawn === 0) return "";
    const rows = Math.ceil(this.#drawn / Math.max(1, this.#output.columns || 80));
    this.#drawn = 0;
    return `\r${rows > 1 ? `\x1b[${rows - 1}A` : ""}\x1b[J`;
  }

  #paced(update: ProgressUpdate): ProgressState {
    const { samples, ...state } = update;
    const { epochs = Number.NaN, steps = Number.NaN } = update;
    const {
      time,
      samples: samplesBefore,
      steps: stepsBefore,
    } = this.#origin ?? { time: Number.NaN, samples: 0, steps: 0 };
    const seconds = this.#now() - time;
    const left = epochs * steps - stepsDone(update);
    return {
      ...state,
      unit: this.#unit,
      samplesPerSecond: (samples - samplesBefore) / seconds, // not finite, so not shown, where there is no pace yet
      eta: left > 0 ? (seconds / (stepsDone(update) - stepsBefore)) * left : undefined,
    };
  }
}

const stepsDone = ({ epoch, step, steps = 0 }: ProgressUpdate) => (epoch - 1) * steps + step;
