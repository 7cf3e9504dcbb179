// The folder of a run, through which the commands meet: configuration, environment, metrics, checkpoints, result.
import { access, mkdir, readdir, readFile } from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { syncFolder, writeAtomic } from "../io/atomic.ts";
import { type Checkpoint, newestValid, type Skipped, saveCheckpoint, settleCheckpoints } from "./checkpoint.ts";
import { figuresToJson, MetricsLog } from "./log.ts";

/** A run that is being written. */
export class RunFolder {
  readonly path: string;
  readonly log: MetricsLog;

  constructor(path: string, log: MetricsLog) {
    this.path = path;
    this.log = log;
  }

  /**
   * Saves a checkpoint (see saveCheckpoint) that remembers how far the log had come: a run resumed from it continues the
   * log right there. So log an event of this step before saving it.
   */
  async save(checkpoint: Checkpoint, options: { keep?: number; best?: boolean } = {}): Promise<string> {
    this.log.sync();
    return saveCheckpoint(this.path, { ...checkpoint, logged: this.log.position }, options);
  }

  /** Writes result.json, the figures the run ended with, and closes the log. */
  async finish(result: object): Promise<void> {
    this.log.sync();
    await writeJson(join(this.path, "result.json"), result);
    this.close();
  }

  close(): void {
    this.log.close();
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
  const path = folder === undefined ? await freshFolder(root, name) : await emptyFolder(folder);
  await syncFolder(dirname(path));
  await writeJson(join(path, "environment.json"), { ...describeMachine(), ...environment });
  await writeJson(join(path, "config.json"), config);
  return new RunFolder(path, new MetricsLog(join(path, "metrics.jsonl")));
}

/**
 * Opens a run to continue it from its newest checkpoint that verifies, the log cut to that moment. Throws where the folder
 * is no run, or where it has checkpoints but none verifies; nothing is changed then.
 */
export async function resumeRun(path: string): Promise<ResumedRun> {
  const config = await readConfig(path);
  const { checkpoint, folder, skipped } = await newestValid(path);
  if (!checkpoint && skipped.length > 0)
    throw new Error(
      `${path} cannot be resumed: none of its checkpoints verifies (${skipped[0].reason}); start a new run`,
    );
  await settleCheckpoints(path, folder);
  const log = new MetricsLog(join(path, "metrics.jsonl"), { until: checkpoint ? checkpoint.logged : 0 });
  return { run: new RunFolder(path, log), config, checkpoint, skipped };
}

/** A run's config.json. Throws where the folder is no run. */
export async function readConfig(path: string): Promise<Record<string, unknown>> {
  const text = await readFile(join(path, "config.json"), "utf8").catch(() => {
    throw new Error(`${path} is not a run (it has no config.json); give the folder that a training run made`);
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${join(path, "config.json")} is not JSON (${(error as Error).message}); mend it by hand`, {
      cause: error,
    });
  }
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

async function freshFolder(root: string, name: string): Promise<string> {
  if (!/^[\w][\w.-]*$/.test(name))
    throw new Error(`a run cannot be called "${name}": use letters, digits, ".", "-" and "_"`);
  await makeFolder(root);
  const stamp = new Date().toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
  for (let copy = 1; ; copy++) {
    const path = join(root, `${name}-${stamp}${copy > 1 ? `-${copy}` : ""}`);
    try {
      await mkdir(path);
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`cannot make the folder ${path} (${code}); choose another place with --out`);
  }
}

async function emptyFolder(path: string): Promise<string> {
  await makeFolder(path);
  if ((await readdir(path)).length === 0) return path;
  const isRun = await access(join(path, "config.json")).then(
    () => true,
    () => false,
  );
  throw new Error(
    isRun
      ? `${path} already holds a run; add --resume ${path} to continue it, or choose another --out`
      : `${path} is not empty; choose another --out`,
  );
}

const writeJson = (path: string, figures: object) => writeAtomic(path, `${figuresToJson(figures, 2)}\n`);
