// The folder of a run, through which the commands meet: configuration, environment, metrics, checkpoints, result.
import { existsSync } from "node:fs";
import { access, readdir, readFile, rm } from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { syncFolder, temporaryBeside, writeAtomic } from "../io/atomic.ts";
import { isFolder, makeFolder, unmake } from "../io/folder.ts";
import { type Checkpoint, newestValid, type Skipped, saveCheckpoint, settleCheckpoints } from "./checkpoint.ts";
import { lockRun } from "./lock.ts";
import { figuresToJson, MetricsLog } from "./log.ts";

/** A run that is being written, by this process alone until it is closed. */
export class RunFolder {
  readonly path: string;
  readonly log: MetricsLog;
  readonly #unlock: () => void;

  constructor(path: string, log: MetricsLog, unlock: () => void) {
    this.path = path;
    this.log = log;
    this.#unlock = unlock;
  }

  /** Whether the run has come to an end, with a result.json. */
  get finished(): boolean {
    return existsSync(join(this.path, "result.json"));
  }

  /**
   * Saves a checkpoint (see saveCheckpoint) that remembers how far the log had come: a run resumed from it continues the
   * log right there. So log an event of this step before saving it.
   */
  async save(checkpoint: Checkpoint, options: { keep?: number; best?: boolean } = {}): Promise<string> {
    this.log.sync();
    return saveCheckpoint(this.path, { ...checkpoint, logged: this.log.position }, options);
  }

  /** Takes away the result.json of a run that goes further. */
  async unfinish(): Promise<void> {
    await rm(join(this.path, "result.json"), { force: true });
  }

  /** Writes result.json, the figures the run ended with, and closes the log. */
  async finish(result: object): Promise<void> {
    this.log.sync();
    await writeJson(join(this.path, "result.json"), result);
    this.close();
  }

  close(): void {
    this.log.close();
    this.#unlock();
  }
}

export interface ResumedRun {
  readonly run: RunFolder;
  readonly config: Record<string, unknown>;
  /** What to continue from; absent where the run was stopped before its first checkpoint, so that it starts afresh. */
  readonly checkpoint?: Checkpoint;
  readonly skipped: readonly Skipped[];
}

/**
 * Creates a run's folder, `folder` or runs/NAME-TIMESTAMP (UTC), with config.json, environment.json and an empty
 * metrics.jsonl. Throws where `folder` holds anything: a run is never written over.
 */
export async function createRun(
  name: string,
  {
    folder,
    root = "runs",
    config,
    environment,
  }: { folder?: string; root?: string; config: object; environment?: object },
): Promise<RunFolder> {
  const { path, made } = folder === undefined ? await freshFolder(root, name) : await emptyFolder(folder);
  const unlock = await lockOrUnmake(path, made);
  const files = ["environment.json", "config.json", "metrics.jsonl"].map((file) => join(path, file));
  try {
    await syncFolder(dirname(path));
    await writeJson(files[0], { ...describeMachine(), ...environment });
    await writeJson(files[1], config);
    return new RunFolder(path, new MetricsLog(files[2]), unlock);
  } catch (error) {
    for (const file of files) await rm(file, { force: true }).catch(() => {}); // the first error is the one to tell
    unlock();
    await unmake(made);
    throw error;
  }
}

async function lockOrUnmake(path: string, made: readonly string[]): Promise<() => void> {
  try {
    return lockRun(path);
  } catch (error) {
    await unmake(made);
    throw error;
  }
}

/**
 * Throws where createRun could not make the folder, by default one in runs/, or not write in it. Leaves nothing behind but
 * runs/, which others may be about to use.
 */
export async function checkRunFolder(folder?: string): Promise<void> {
  const { path, made } = await emptyFolder(folder ?? temporaryBeside(join("runs", "run")));
  try {
    await unmake(await makeFolder(temporaryBeside(join(path, "probe"))));
  } catch (error) {
    throw new Error(`cannot write in ${path} (${(error as NodeJS.ErrnoException).code}); choose another out folder`);
  } finally {
    await unmake(folder === undefined ? [path] : made);
  }
}

/**
 * Opens a run to continue it from its newest checkpoint that verifies, the log cut to that moment. Throws where the folder
 * is no run, where another process is training it, or where it has saved checkpoints but none verifies; nothing is changed
 * then.
 */
export async function resumeRun(path: string): Promise<ResumedRun> {
  const config = await readConfig(path);
  const unlock = lockRun(path);
  try {
    const { checkpoint, folder, skipped } = await newestValid(path);
    if (!checkpoint && skipped.length > 0)
      throw new Error(
        `${path} cannot be resumed: none of its checkpoints verifies (${skipped[0].reason}); start a new run`,
      );
    await settleCheckpoints(path, folder);
    const log = new MetricsLog(join(path, "metrics.jsonl"), { until: checkpoint ? checkpoint.logged : 0 });
    return { run: new RunFolder(path, log, unlock), config, checkpoint, skipped };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** A folder that is no run, or whose config.json was spoilt. */
export class NoRunError extends Error {
  override readonly name = "NoRunError";
}

/** A run's config.json. Throws a NoRunError where there is none, or it holds no JSON object. */
export async function readConfig(path: string): Promise<Record<string, unknown>> {
  const text = await readFile(join(path, "config.json"), "utf8").catch(async () => {
    const why = (await isFolder(path)) ? "it has no config.json" : "there is no such folder";
    throw new NoRunError(`${path} is not a run (${why}); give the folder that a training run made`);
  });
  const spoilt = (how: string) => new NoRunError(`${join(path, "config.json")} ${how}; mend it by hand`);
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (error) {
    throw spoilt(`is not JSON (${(error as Error).message})`);
  }
  if (typeof config !== "object" || config === null || Array.isArray(config)) throw spoilt("holds no JSON object");
  return config as Record<string, unknown>;
}

/** Replaces a run's config.json, e.g. where it is resumed for more epochs. */
export const writeConfig = (path: string, config: object): Promise<void> =>
  writeJson(join(path, "config.json"), config);

/** What may explain a difference between two runs: versions, machine, arguments, the moment. */
export function describeMachine(): Record<string, unknown> {
  return {
    node: process.versions.node,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1e9),
    arguments: process.argv.slice(2),
    started: new Date().toISOString(),
  };
}

/** A folder for a run, and those of the folders on the way to it that were made, outermost first. */
interface Made {
  readonly path: string;
  readonly made: readonly string[];
}

async function freshFolder(root: string, name: string): Promise<Made> {
  if (!/^[\w][\w.-]*$/.test(name))
    throw new Error(`a run cannot be called "${name}": use letters, digits, ".", "-" and "_"`);
  const stamp = new Date().toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
  for (let copy = 1; ; copy++) {
    const path = join(root, `${name}-${stamp}${copy > 1 ? `-${copy}` : ""}`);
    const made = await tryFolder(path);
    if (made.includes(path)) return { path, made }; // else another run has the name
  }
}

const tryFolder = (path: string): Promise<string[]> =>
  makeFolder(path).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`cannot make the folder ${path} (${cause.code}); choose another out folder`, { cause });
  });

async function emptyFolder(path: string): Promise<Made> {
  const made = await tryFolder(path);
  if ((await readdir(path)).length === 0) return { path, made };
  const isRun = await access(join(path, "config.json")).then(
    () => true,
    () => false,
  );
  throw new Error(
    isRun
      ? `${path} already holds a run; resume it, or choose another out folder`
      : `${path} is not empty; choose another out folder`,
  );
}

const writeJson = (path: string, figures: object) => writeAtomic(path, `${figuresToJson(figures, 2)}\n`);
