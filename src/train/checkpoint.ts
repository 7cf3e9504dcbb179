// Checkpoints of a run: a folder a step, complete and verifiable or not there, whenever the process is killed.
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { FormatError } from "../graph/format-error.ts";
import {
  chunksOf,
  type FileContent,
  isTemporary,
  syncFolder,
  temporaryBeside,
  writeAtomic,
  writeFailure,
  writeSynced,
} from "../io/atomic.ts";
import { makeFolder } from "../io/folder.ts";
import { type NamedTensors, readSafetensors, safetensorsChunks } from "../io/safetensors.ts";

export interface Checkpoint {
  readonly step: number;
  readonly model: NamedTensors;
  readonly optimizer: NamedTensors;
  /** The trainer's own: epoch, position in the data, random counters, best value so far … Finite numbers, text, arrays, objects. */
  readonly state: Readonly<Record<string, unknown>>;
  /** Bytes of metrics.jsonl written up to this step. */
  readonly logged?: number;
}

export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

const files = ["model.safetensors", "optimizer.safetensors", "state.json"] as const;

/** DONE, in the format of sha256sum, so that `sha256sum -c DONE` checks a checkpoint by hand. */
const donePattern = new RegExp(`^${files.map((name) => `([0-9a-f]{64})  ${name.replace(".", "\\.")}\n`).join("")}$`);

const checkpointsOf = (run: string) => join(run, "checkpoints");
const nameOf = (step: number) => `step-${String(step).padStart(6, "0")}`;

/**
 * Saves a checkpoint under `run`/checkpoints/step-000500, points `last` (and, if `best`, `best`) to it, and removes all but
 * the newest `keep` and the best. A process killed at any instant leaves every earlier checkpoint as it was. The tensors
 * must not change until the promise resolves, to the folder. Throws one line where the disk fails or the state is no JSON.
 */
export async function saveCheckpoint(
  run: string,
  checkpoint: Checkpoint,
  { keep = 3, best = false }: { keep?: number; best?: boolean } = {},
): Promise<string> {
  const { step, model, optimizer, state, logged } = checkpoint;
  if (!Number.isSafeInteger(step) || step < 0)
    throw new RangeError(`saveCheckpoint: step is a whole number ≥ 0, not ${step}`);
  if (!(keep >= 1)) throw new RangeError(`saveCheckpoint: keep is at least 1, not ${keep}`);
  checkJson(state, "state");
  const folder = join(checkpointsOf(run), nameOf(step));
  const contents: FileContent[] = [
    safetensorsChunks(model),
    safetensorsChunks(optimizer),
    `${JSON.stringify({ step, logged, state })}\n`,
  ];
  const done = files.map((name, i) => `${sha256(contents[i])}  ${name}\n`).join("");
  await makeFolder(checkpointsOf(run)).catch((error) => {
    throw writeFailure(checkpointsOf(run), error);
  });
  if ((await readFile(join(folder, "DONE"), "utf8").catch(() => "")) !== done || (await damage(folder)) !== undefined)
    await placeFolder(folder, [...files.map((name, i) => [name, contents[i]] as const), ["DONE", done]]);
  await point(run, "last", step);
  if (best) await point(run, "best", step);
  await prune(run, step, keep);
  return folder;
}

/** Writes the files into a temporary folder, syncs them and renames it; a folder already there stays until the new one is. */
async function placeFolder(folder: string, contents: readonly (readonly [string, FileContent])[]): Promise<void> {
  const temporary = temporaryBeside(folder);
  const replaced = `${folder}.old`;
  try {
    await mkdir(temporary);
    for (const [name, content] of contents) await writeSynced(join(temporary, name), content);
    await syncFolder(temporary);
    await rm(replaced, { recursive: true, force: true });
    await rename(folder, replaced).catch(ignoreMissing);
    await rename(temporary, folder);
    await syncFolder(join(folder, ".."));
  } catch (error) {
    // The first error is the one to tell. The second line fails, harmlessly, where nothing was moved away or the new one is there.
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    await rename(replaced, folder).catch(() => {});
    throw writeFailure(folder, error);
  }
  await rm(replaced, { recursive: true, force: true });
}

/** Reads one checkpoint. Throws a FormatError naming the file where anything differs from what was saved, be it one bit. */
export async function loadCheckpoint(folder: string): Promise<Checkpoint> {
  const wrong = await damage(folder);
  if (wrong) throw wrong;
  const { step, logged, state } = JSON.parse(await readFile(join(folder, "state.json"), "utf8"));
  const { tensors: model } = await readSafetensors(join(folder, "model.safetensors"));
  const { tensors: optimizer } = await readSafetensors(join(folder, "optimizer.safetensors"));
  return { step, model, optimizer, state, logged };
}

/** What is wrong with a checkpoint's files, as far as DONE's hashes tell. */
async function damage(folder: string): Promise<FormatError | undefined> {
  const done = await readFile(join(folder, "DONE"), "latin1").catch(() => undefined);
  if (done === undefined)
    return new FormatError("there is no readable DONE, so the checkpoint is not complete", { file: folder });
  const hashes = donePattern.exec(done)?.slice(1);
  if (!hashes)
    return new FormatError("this is not the list of SHA-256 that was written", { file: join(folder, "DONE") });
  for (const [i, name] of files.entries()) {
    const file = join(folder, name);
    const hash: Hash = createHash("sha256");
    try {
      await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
    } catch (error) {
      return new FormatError(`the file cannot be read (${(error as Error).message})`, { file });
    }
    if (hash.digest("hex") !== hashes[i])
      return new FormatError("the bytes are not those that were saved (SHA-256 differs)", { file });
  }
  return undefined;
}

/**
 * The newest checkpoint of a run that verifies, if any, its folder, and the newer ones that do not, with the reason: also
 * the one that `last` names where that is gone.
 */
export async function newestValid(
  run: string,
): Promise<{ checkpoint?: Checkpoint; folder?: string; skipped: Skipped[] }> {
  const skipped: Skipped[] = [];
  const listed = await listCheckpoints(run);
  const last = await pointedStep(run, "last");
  if (last !== undefined && !listed.some(({ step }) => step >= last))
    skipped.push({ name: nameOf(last), reason: `${join(checkpointsOf(run), nameOf(last))} is gone` });
  for (const { name, step } of listed) {
    const folder = join(checkpointsOf(run), name);
    try {
      const checkpoint = await loadCheckpoint(folder);
      if (checkpoint.step === step) return { checkpoint, folder, skipped };
      skipped.push({ name, reason: `${folder}: this is the checkpoint of step ${checkpoint.step}, renamed` });
    } catch (error) {
      skipped.push({ name, reason: (error as Error).message });
    }
  }
  return { skipped };
}

/** The checkpoint folder that `last` or `best` names. Throws where the run has none. */
export async function pointedCheckpoint(run: string, pointer: "last" | "best"): Promise<string> {
  const step = await pointedStep(run, pointer);
  if (step === undefined) {
    const why = pointer === "best" ? "no epoch of the run has ended yet" : "the run has saved none yet";
    throw new Error(`${join(run, pointer)} names no checkpoint: ${why}`);
  }
  return join(checkpointsOf(run), nameOf(step));
}

/**
 * Clears what a killed process left: temporary folders, a replaced checkpoint, pointers past the one that the run continues
 * from (`folder`, undefined where it starts afresh).
 */
export async function settleCheckpoints(run: string, folder: string | undefined): Promise<void> {
  for (const place of [run, checkpointsOf(run)])
    for (const name of await namesIn(place))
      if (isTemporary(name)) await rm(join(place, name), { recursive: true, force: true });
  if (folder?.endsWith(".old")) {
    const plain = folder.slice(0, -4);
    await rm(plain, { recursive: true, force: true });
    await rename(folder, plain);
    await syncFolder(checkpointsOf(run));
  }
  for (const { name } of await listCheckpoints(run))
    if (name.endsWith(".old")) await rm(join(checkpointsOf(run), name), { recursive: true, force: true });
  const current = folder === undefined ? -1 : stepOf(basename(folder))!;
  if (current >= 0) await point(run, "last", current);
  if (((await pointedStep(run, "best")) ?? -1) > current) await rm(join(run, "best"));
}

async function point(run: string, pointer: "last" | "best", step: number): Promise<void> {
  const text = `${nameOf(step)}\n`;
  if ((await readFile(join(run, pointer), "utf8").catch(() => "")) !== text)
    await writeAtomic(join(run, pointer), text);
}

async function pointedStep(run: string, pointer: "last" | "best"): Promise<number | undefined> {
  return stepOf((await readFile(join(run, pointer), "utf8").catch(() => "")).trim());
}

/**
 * Removes all but the best and the newest `keep` up to step `current`: later ones are damaged and were skipped when the run
 * was resumed, so they must not count. Each vanishes from the list at once, by a rename, before its files go.
 */
async function prune(run: string, current: number, keep: number): Promise<void> {
  const best = await pointedStep(run, "best");
  const past = (await listCheckpoints(run)).filter(({ step }) => step <= current);
  for (const { name, step } of past.slice(keep)) {
    if (step === best) continue;
    const temporary = temporaryBeside(join(checkpointsOf(run), name));
    await rename(join(checkpointsOf(run), name), temporary);
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Newest first; of one step, the replaced folder after the one that replaced it. */
async function listCheckpoints(run: string): Promise<{ name: string; step: number }[]> {
  return (await namesIn(checkpointsOf(run)))
    .flatMap((name) => {
      const step = stepOf(name);
      return step === undefined ? [] : [{ name, step }];
    })
    .sort((a, b) => b.step - a.step || a.name.length - b.name.length);
}

const stepOf = (name: string): number | undefined => {
  const match = /^step-(\d{6,})(?:\.old)?$/.exec(name);
  return match ? Number(match[1]) : undefined;
};

const namesIn = (folder: string): Promise<string[]> =>
  readdir(folder).catch((error) => {
    ignoreMissing(error);
    return [];
  });

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}

function sha256(content: FileContent): string {
  const hash = createHash("sha256");
  for (const chunk of chunksOf(content))
    for (let i = 0; i < chunk.length; i += 1 << 30) hash.update(chunk.subarray(i, i + (1 << 30))); // one update takes < 2³¹ bytes
  return hash.digest("hex");
}

/** Throws where JSON would silently change a value: NaN to null, a typed array to an object, a Map to {}. */
function checkJson(value: unknown, place: string): void {
  if (value === null || typeof value === "boolean" || typeof value === "string" || Number.isFinite(value)) return;
  const isRecord = typeof value === "object" && [Object.prototype, null].includes(Object.getPrototypeOf(value));
  if (!Array.isArray(value) && !isRecord)
    throw new TypeError(
      `saveCheckpoint: ${place} is ${kindOf(value)}, which JSON cannot hold; leave it out or write it otherwise`,
    );
  for (const [key, inner] of Object.entries(value as object)) {
    if (inner !== undefined || Array.isArray(value)) checkJson(inner, `${place}.${key}`);
  }
}

const kindOf = (value: unknown) => {
  if (typeof value === "object") return `a ${value?.constructor?.name ?? "strange object"}`;
  return typeof value === "function" ? "a function" : String(value);
};
