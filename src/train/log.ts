// metrics.jsonl: what happened in a run, one JSON object a line, appended. A line that a crash tore is cut off at the next opening.
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { FormatError } from "../graph/format-error.ts";
import { writeFailure } from "../io/atomic.ts";

/** One event; `kind` says which ("step", "epoch", "checkpoint" …). Non-finite numbers are written as "NaN", "Infinity", "-Infinity". */
export interface MetricsEvent {
  readonly kind: string;
  readonly step: number;
  readonly [figure: string]: unknown;
}

/** JSON of figures for people and charts: what JSON has no number for becomes its name. */
export const figuresToJson = (figures: object, indent?: number): string =>
  JSON.stringify(
    figures,
    (_, value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value),
    indent,
  );

/**
 * The writer of a metrics file. Opening cuts off a torn last line and whatever lies past byte `until`. Each event is in the
 * system's hands when `append` returns, so a killed process loses none; `sync` guards against a power cut too.
 */
export class MetricsLog {
  readonly path: string;
  #file: number;
  #position: number;

  constructor(path: string, { until = Number.POSITIVE_INFINITY }: { until?: number } = {}) {
    this.path = path;
    try {
      this.#file = openSync(path, "a+");
    } catch (error) {
      throw writeFailure(path, error);
    }
    const size = fstatSync(this.#file).size;
    this.#position = size === 0 ? 0 : wholeLines(readFileSync(path).subarray(0, until));
    if (this.#position !== size) ftruncateSync(this.#file, this.#position);
  }

  /** Bytes written so far: as `until`, it brings the file back to this moment. */
  get position(): number {
    return this.#position;
  }

  /** Appends one line, whole or not at all. Throws one line naming the file where the disk is full. */
  append(event: MetricsEvent): void {
    const line = new TextEncoder().encode(`${figuresToJson(event)}\n`);
    let done = 0;
    try {
      while (done < line.length) done += writeSync(this.#file, line, done);
    } catch (error) {
      if (done > 0) ftruncateSync(this.#file, this.#position);
      throw writeFailure(this.path, error);
    }
    this.#position += line.length;
  }

  sync(): void {
    fsyncSync(this.#file);
  }

  close(): void {
    if (this.#file < 0) return;
    closeSync(this.#file);
    this.#file = -1;
  }
}

/** The events of a metrics file, without a torn last line. Throws a FormatError with the byte of a line that is no JSON object. */
export async function readMetrics(path: string): Promise<MetricsEvent[]> {
  const bytes = await readFile(path);
  const end = wholeLines(bytes);
  const events: MetricsEvent[] = [];
  for (let start = 0; start < end; ) {
    const stop = bytes.indexOf(10, start);
    const event = parseLine(bytes.subarray(start, stop));
    if (!event) throw new FormatError("this line is not a JSON object; delete it", { file: path, offset: start });
    events.push(event);
    start = stop + 1;
  }
  return events;
}

/** Length of the lines that are whole: up to the last newline, less what a power cut can leave before it (zeros, half lines). */
function wholeLines(bytes: Uint8Array): number {
  let end = bytes.lastIndexOf(10) + 1;
  while (end > 0) {
    const start = end < 2 ? 0 : bytes.lastIndexOf(10, end - 2) + 1;
    if (parseLine(bytes.subarray(start, end - 1))) break;
    end = start;
  }
  return end;
}

function parseLine(line: Uint8Array): MetricsEvent | undefined {
  try {
    const event = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
    return typeof event === "object" && event !== null && !Array.isArray(event) ? event : undefined;
  } catch {
    return undefined;
  }
}
