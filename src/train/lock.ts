// The lock of a run folder: one process writes to it at a time, and one that was killed keeps nobody out.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { temporaryBeside, writeFailure } from "../io/atomic.ts";

/** Who holds a run; `start` tells a process from a later one that got the same number, where the system says. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly start: string;
}

/**
 * Takes RUN/lock for this process and gives the function that lets go of it; the end of the process does so too. Throws one
 * line where another process is training the run; a lock whose process is gone is taken over.
 */
export function lockRun(run: string): () => void {
  const path = join(run, "lock");
  if (!create(path)) {
    const text = readFileSync(path, "utf8");
    const holder = parse(text);
    if (holder === undefined || isAlive(holder)) throw new Error(heldBy(run, holder));
    takeAway(path, text);
    if (!create(path)) throw new Error(heldBy(run, parse(readFileSync(path, "utf8"))));
  }
  let held = true;
  const release = (): void => {
    if (held) rmSync(path, { force: true });
    held = false;
    process.off("exit", release);
  };
  process.on("exit", release);
  return release;
}

/** Makes the lock unless there is one. */
function create(path: string): boolean {
  const holder: Holder = { pid: process.pid, host: hostname(), start: startOf(process.pid) };
  let file = -1;
  try {
    file = openSync(path, "wx");
    writeSync(file, `${JSON.stringify(holder)}\n`);
    fsyncSync(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    if (file >= 0) rmSync(path, { force: true });
    throw writeFailure(path, error);
  } finally {
    if (file >= 0) closeSync(file);
  }
}

/** Removes the lock with that text. One that another process has put in its place meanwhile goes back. */
function takeAway(path: string, stale: string): void {
  const aside = temporaryBeside(path);
  renameSync(path, aside);
  if (readFileSync(aside, "utf8") === stale) rmSync(aside);
  else renameSync(aside, path);
}

function parse(text: string): Holder | undefined {
  try {
    const { pid, host, start } = JSON.parse(text);
    return Number.isInteger(pid) && pid > 0 ? { pid, host, start } : undefined;
  } catch {
    return undefined;
  }
}

/** Of another machine nobody can tell, so it counts as alive. */
function isAlive({ pid, host, start }: Holder): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  return startOf(pid) === start;
}

/** When a process started, in the system's ticks; empty where there is no /proc. */
function startOf(pid: number): string {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1");
    return fields.slice(fields.lastIndexOf(")") + 2).split(" ")[19]; // field 22; the second one, a name, may hold spaces
  } catch {
    return "";
  }
}

function heldBy(run: string, holder: Holder | undefined): string {
  const path = join(run, "lock");
  if (holder === undefined) return `${path} cannot be read; delete it if no process is training ${run}`;
  const { pid, host } = holder;
  if (host === hostname()) return `${run} is being trained by process ${pid}; wait for it or stop it`;
  return `${run} is being trained by process ${pid} on ${host}; wait for it or stop it, or delete ${path} if it is gone`;
}
