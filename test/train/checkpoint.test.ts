// Checkpoints and run folders: killed, flipped, out of disk: an earlier checkpoint is always there, whole.
import { execFileSync, spawn } from "node:child_process";
import fs, { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { writeAtomic } from "../../src/io/atomic.ts";
import { FormatError, type RawTensor } from "../../src/io/index.ts";
import {
  type Checkpoint,
  loadCheckpoint,
  newestValid,
  pointedCheckpoint,
  saveCheckpoint,
} from "../../src/train/checkpoint.ts";
import { MetricsLog, readMetrics } from "../../src/train/log.ts";
import { checkRunFolder, createRun, resumeRun } from "../../src/train/run-folder.ts";

let root: string;
let run: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "hebb-checkpoint-"));
});
afterAll(() => rm(root, { recursive: true }));
let runs = 0;
beforeEach(async () => {
  run = join(root, `run-${runs++}`);
  await mkdir(run);
});

const tensor = (value: number): RawTensor => ({ dtype: "f32", shape: [2, 3], data: new Float32Array(6).fill(value) });
const at = (step: number): Checkpoint => ({
  step,
  model: new Map([["net.0.weight", tensor(step)]]),
  optimizer: new Map([["net.0.weight.momentum", tensor(-step)]]),
  state: { epoch: 1, position: step * 64, seed: [1, 2], best: null },
});
const folders = async () => (await readdir(join(run, "checkpoints"))).sort();
const pointer = (name: string) => readFile(join(run, name), "utf8");

describe("saving", () => {
  test("gives back what was saved, and sha256sum agrees", async () => {
    const folder = await saveCheckpoint(run, at(500));
    expect(folder).toBe(join(run, "checkpoints", "step-000500"));
    expect(await loadCheckpoint(folder)).toEqual(at(500));
    expect((await readdir(folder)).sort()).toEqual([
      "DONE",
      "model.safetensors",
      "optimizer.safetensors",
      "state.json",
    ]);
    if (process.platform === "linux") execFileSync("sha256sum", ["--check", "--strict", "DONE"], { cwd: folder });
  });

  test("keeps the newest and the best, and points to both", async () => {
    for (let step = 100; step <= 600; step += 100) await saveCheckpoint(run, at(step), { keep: 2, best: step === 200 });
    expect(await folders()).toEqual(["step-000200", "step-000500", "step-000600"]);
    expect(await pointer("last")).toBe("step-000600\n");
    expect(await pointer("best")).toBe("step-000200\n");
    expect(await loadCheckpoint(await pointedCheckpoint(run, "best"))).toEqual(at(200));
    expect((await newestValid(run)).checkpoint).toEqual(at(600));
  });

  test("a step above a million sorts as a number", async () => {
    for (const step of [999_999, 1_000_000, 12_345_678]) await saveCheckpoint(run, at(step));
    expect((await newestValid(run)).checkpoint!.step).toBe(12_345_678);
  });

  test("the same step again replaces it, also where it was damaged", async () => {
    const folder = await saveCheckpoint(run, at(7));
    await saveCheckpoint(run, { ...at(7), state: { epoch: 2 } });
    expect((await loadCheckpoint(folder)).state).toEqual({ epoch: 2 });
    await appendFile(join(folder, "model.safetensors"), "x");
    await saveCheckpoint(run, { ...at(7), state: { epoch: 2 } });
    expect((await loadCheckpoint(folder)).state).toEqual({ epoch: 2 });
    expect(await folders()).toEqual(["step-000007"]);
  });

  test("state that JSON would change is refused by name", async () => {
    const save = (state: Record<string, unknown>) => saveCheckpoint(run, { ...at(1), state });
    await expect(save({ a: { best: Number.NaN } })).rejects.toThrow("state.a.best is NaN, which JSON cannot hold");
    await expect(save({ order: new Uint32Array(2) })).rejects.toThrow("state.order is a Uint32Array");
    await expect(save({ list: [1, undefined] })).rejects.toThrow("state.list.1 is undefined");
    await expect(save({ seen: new Map() })).rejects.toThrow("state.seen is a Map");
    expect(existsSync(join(run, "checkpoints"))).toBe(false);
  });

  test("no run, no checkpoint", async () => {
    expect(await newestValid(run)).toEqual({ skipped: [] });
    await expect(pointedCheckpoint(run, "best")).rejects.toThrow("no epoch of the run has ended yet");
  });
});

describe("damage", () => {
  const files = ["DONE", "state.json", "model.safetensors", "optimizer.safetensors"];

  test("a flip of any bit is seen", async () => {
    const folder = await saveCheckpoint(run, at(3));
    let flips = 0;
    for (const name of files) {
      const path = join(folder, name);
      const whole = readFileSync(path);
      const stride = name === "DONE" ? 5 : 11; // odd, so that all eight bits of a byte have their turn
      for (let bit = 0; bit < whole.length * 8; bit += stride, flips++) {
        const bytes = Buffer.from(whole);
        bytes[bit >> 3] ^= 1 << (bit & 7);
        writeFileSync(path, bytes);
        await expect(loadCheckpoint(folder), `${name} bit ${bit}`).rejects.toThrow(FormatError);
      }
      writeFileSync(path, whole);
    }
    expect(flips).toBeGreaterThan(500);
    expect(await loadCheckpoint(folder)).toEqual(at(3));
  });

  test("a file cut short, emptied or gone is seen, and the one before is taken", async () => {
    await saveCheckpoint(run, at(1));
    const folder = await saveCheckpoint(run, at(2));
    for (const name of files) {
      const path = join(folder, name);
      const whole = readFileSync(path);
      for (const bytes of [whole.subarray(0, -1), whole.subarray(0, 8), whole.subarray(0, 0), undefined]) {
        if (bytes) writeFileSync(path, bytes);
        else await rm(path);
        const { checkpoint, skipped } = await newestValid(run);
        expect(checkpoint).toEqual(at(1));
        expect(skipped).toHaveLength(1);
        expect(skipped[0].name).toBe("step-000002");
        expect(skipped[0].reason).toMatch(/^\S+step-000002\S*: [^\n]+$/);
      }
      writeFileSync(path, whole);
    }
  });

  test("a renamed checkpoint is no other step's", async () => {
    await cp(await saveCheckpoint(run, at(2)), join(run, "checkpoints", "step-000009"), { recursive: true });
    const { checkpoint, skipped } = await newestValid(run);
    expect(checkpoint!.step).toBe(2);
    expect(skipped[0].reason).toContain("this is the checkpoint of step 2, renamed");
  });
});

/** Runs `work` with the n-th call that changes or syncs a file failing with `code`; says whether there was such a call. */
async function withFailing(
  n: number,
  code: string,
  work: () => Promise<unknown>,
): Promise<{ failed: boolean; error?: Error }> {
  const promises = fs.promises as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  const originals = { open: promises.open, mkdir: promises.mkdir, rename: promises.rename, rm: promises.rm };
  let calls = 0;
  const failing = async (name: string, call: () => Promise<unknown>) => {
    if (calls++ === n) throw Object.assign(new Error(`${code}: planted, ${name}`), { code });
    return call();
  };
  for (const [name, original] of Object.entries(originals))
    promises[name] = (...args) =>
      failing(name, async () => {
        const result = (await original(...args)) as fs.promises.FileHandle;
        if (name !== "open") return result;
        const [write, sync] = [result.write.bind(result), result.sync.bind(result)] as ((
          ...a: unknown[]
        ) => Promise<never>)[];
        result.write = ((bytes: Uint8Array, from: number, length: number) =>
          failing("write", () => write(bytes, from, Math.ceil(length / 2)))) as never; // every write is short
        result.sync = () => failing("sync", sync) as Promise<never>;
        return result;
      });
  syncBuiltinESMExports();
  try {
    await work();
    return { failed: calls > n };
  } catch (error) {
    return { failed: true, error: error as Error };
  } finally {
    Object.assign(promises, originals);
    syncBuiltinESMExports();
  }
}

test("damaged checkpoints of later steps never push out the good ones", async () => {
  for (const step of [1, 8, 9]) await saveCheckpoint(run, at(step));
  for (const name of ["step-000008", "step-000009"]) await writeFile(join(run, "checkpoints", name, "DONE"), "");
  for (const step of [2, 3]) {
    await saveCheckpoint(run, at(step), { keep: 1 });
    expect((await newestValid(run)).checkpoint).toEqual(at(step));
  }
  expect(await folders()).toEqual(["step-000003", "step-000008", "step-000009"]);
});

describe("a disk that fails", () => {
  test("at any call of an atomic write leaves the old file or the new one", async () => {
    const path = join(run, "file");
    let n = 0;
    for (; ; n++) {
      await writeFile(path, "old");
      const { failed, error } = await withFailing(n, "ENOSPC", () => writeAtomic(path, "brand new"));
      if (!failed) break;
      expect(error!.message).toBe(
        `disk is full while writing ${path}, nothing that was there is lost; free some space`,
      );
      expect(["old", "brand new"]).toContain(readFileSync(path, "utf8"));
      expect(await readdir(run)).toEqual(["file"]);
    }
    expect(readFileSync(path, "utf8")).toBe("brand new");
    expect(n).toBeGreaterThan(6);
  });

  test("at any call of a save leaves the checkpoint before, or the new one", async () => {
    let n = 0;
    for (; ; n++) {
      await rm(run, { recursive: true });
      await mkdir(run);
      await saveCheckpoint(run, at(1));
      await saveCheckpoint(run, at(2));
      // The same step again is the hard case: two renames.
      const again = { ...at(2), state: { again: true } };
      const { failed, error } = await withFailing(n, n % 2 ? "EIO" : "ENOSPC", () =>
        saveCheckpoint(run, again, { keep: 1, best: true }),
      );
      if (!failed) break;
      if (error)
        expect(error.message).toMatch(
          /^(disk is full while writing|cannot write) [^\n]+, nothing that was there is lost; [^\n]+$|planted/,
        );
      const { checkpoint } = await newestValid(run);
      expect([at(2), again]).toContainEqual(checkpoint);
      await saveCheckpoint(run, again, { keep: 1 });
      expect((await newestValid(run)).checkpoint).toEqual(again);
    }
    expect(n).toBeGreaterThan(25);
  });
});

describe("kill -9", () => {
  test("20 times at random: the newest checkpoint is whole, and the log equals an uninterrupted one", async () => {
    const modules = join(root, "modules");
    const tsc = new URL("../../node_modules/typescript/bin/tsc", import.meta.url).pathname;
    const source = new URL("../../src", import.meta.url).pathname;
    const types = new URL("../../node_modules/@types", import.meta.url).pathname;
    const flags = "--ignoreConfig --noCheck --skipLibCheck --module nodenext --target es2023 --types node";
    const options = [...flags.split(" "), "--rewriteRelativeImportExtensions", "--typeRoots", types];
    const folders = ["--rootDir", source, "--outDir", modules];
    execFileSync(process.execPath, [tsc, ...options, ...folders, `${source}/train/run-folder.ts`]);
    await writeFile(join(modules, "package.json"), '{ "type": "module" }');
    const script = new URL("./fixtures/save-in-a-loop.mjs", import.meta.url).pathname;
    const path = join(root, "killed");
    let saved = 0;
    for (let kill = 0; kill < 20; kill++) {
      const child = spawn(process.execPath, [script, modules, path], { stdio: ["ignore", "pipe", "pipe"] });
      let complaint = "";
      child.stderr.on("data", (text) => (complaint += text));
      let first: (() => void) | undefined;
      const started = new Promise<void>((resolve) => (first = resolve));
      child.stdout.on("data", (text) => {
        for (const line of String(text).split("\n")) if (line) saved = Math.max(saved, Number(line));
        first!();
      });
      const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
      await Promise.race([started, ended]);
      await sleep(Math.random() * 60);
      child.kill("SIGKILL");
      await ended;
      expect(complaint).toBe("");
      const { checkpoint, skipped } = await newestValid(path);
      expect(skipped).toEqual([]);
      expect(checkpoint!.step).toBeGreaterThanOrEqual(saved);
      const { step } = checkpoint!;
      const value = (tensors: unknown, name: string) =>
        new Set((tensors as Map<string, RawTensor>).get(name)!.data as Float32Array);
      expect(value(checkpoint!.model, "w")).toEqual(new Set([step]));
      expect(value(checkpoint!.optimizer, "m")).toEqual(new Set([-step]));
      expect(checkpoint!.state).toEqual({ next: step + 1 });
    }
    const { run: resumed, checkpoint } = await resumeRun(path);
    resumed.close();
    const events = await readMetrics(join(path, "metrics.jsonl"));
    expect(events).toEqual(
      Array.from({ length: checkpoint!.step }, (_, i) => ({ kind: "step", step: i + 1, loss: 1 / (i + 1) })),
    );
    expect(
      (await readdir(path)).concat(await readdir(join(path, "checkpoints"))).filter((name) => /tmp|old/.test(name)),
    ).toEqual([]);
    expect(await readFile(join(path, "last"), "utf8")).toBe(`step-${String(checkpoint!.step).padStart(6, "0")}\n`);
  });
});

describe("a run folder", () => {
  test("holds what the design says, and is never written over", async () => {
    const folder = join(run, "out");
    const created = await createRun("lenet5", { folder, config: { lr: 0.1 }, environment: { device: "wasm" } });
    created.log.append({ kind: "step", step: 1, loss: Number.NaN });
    await created.save(at(1), { best: true });
    await created.finish({ accuracy: 0.99 });
    expect((await readdir(folder)).sort()).toEqual(
      ["best", "checkpoints", "config.json", "environment.json", "last", "metrics.jsonl", "result.json"].sort(),
    );
    expect(JSON.parse(readFileSync(join(folder, "environment.json"), "utf8"))).toMatchObject({
      device: "wasm",
      node: process.versions.node,
    });
    expect(await readMetrics(join(folder, "metrics.jsonl"))).toEqual([{ kind: "step", step: 1, loss: "NaN" }]);
    await expect(createRun("lenet5", { folder, config: {} })).rejects.toThrow(
      `${folder} already holds a run; resume it, or choose another out folder`,
    );
    await expect(createRun("lenet5", { folder: join(folder, "checkpoints"), config: {} })).rejects.toThrow(
      "is not empty",
    );
    await expect(resumeRun(join(folder, "checkpoints"))).rejects.toThrow("is not a run (it has no config.json)");
  });

  test("gets a name of its own, twice in one second too", async () => {
    const paths: string[] = [];
    for (let i = 0; i < 3; i++) {
      const created = await createRun("mlp", { root: run, config: {} });
      created.close();
      paths.push(created.path);
    }
    expect(new Set(paths).size).toBe(3);
    expect(paths[0].slice(run.length)).toMatch(/^\/mlp-\d{8}-\d{6}$/);
    await expect(createRun("../up", { root: run, config: {} })).rejects.toThrow('a run cannot be called "../up"');
  });

  test("is made beside others that are checked and made at the same time", async () => {
    const before = process.cwd();
    process.chdir(run);
    try {
      for (let i = 0; i < 20; i++) {
        const make = () => createRun("mlp", { config: {} });
        const [, ...created] = await Promise.all([checkRunFolder(), checkRunFolder().then(make), make()]);
        for (const one of created) one.close();
        expect((await readdir("runs")).length).toBe(2);
        await rm("runs", { recursive: true });
      }
    } finally {
      process.chdir(before);
    }
  });

  test("resumes at the checkpoint that verifies: log cut, pointers set, the rest said", async () => {
    const folder = join(run, "out");
    const first = await createRun("x", { folder, config: { lr: 0.5 } });
    for (let step = 1; step <= 4; step++) {
      first.log.append({ kind: "step", step });
      first.log.append({ kind: "validation", step, accuracy: step / 10 });
      await first.save(at(step), { best: step !== 3 });
      first.log.append({ kind: "checkpoint", step });
    }
    first.close();
    await appendFile(join(folder, "metrics.jsonl"), '{"kind":"st'); // torn
    await appendFile(join(folder, "checkpoints", "step-000004", "state.json"), " ");
    await mkdir(join(folder, "checkpoints", ".step-000005-0a1b2c3d.tmp"));
    const { run: resumed, config, checkpoint, skipped } = await resumeRun(folder);
    expect(config).toEqual({ lr: 0.5 });
    expect(checkpoint).toMatchObject(at(3));
    expect(skipped.map(({ name }) => name)).toEqual(["step-000004"]);
    expect(existsSync(join(folder, "best"))).toBe(false); // it named step 4, which is to come again
    expect(await readFile(join(folder, "last"), "utf8")).toBe("step-000003\n");
    resumed.log.append({ kind: "step", step: 4 });
    await resumed.save(at(4));
    resumed.close();
    const events = await readMetrics(join(folder, "metrics.jsonl"));
    expect(events.slice(-3)).toEqual([
      { kind: "step", step: 3 },
      { kind: "validation", step: 3, accuracy: 0.3 },
      { kind: "step", step: 4 },
    ]);
    expect(await readdir(join(folder, "checkpoints"))).toEqual(["step-000002", "step-000003", "step-000004"]);
    expect((await newestValid(folder)).skipped).toEqual([]);
  });

  test("stopped between the two renames of a replacement, takes the replaced one", async () => {
    const created = await createRun("x", { folder: join(run, "out"), config: {} });
    const folder = await created.save(at(2));
    created.close();
    fs.renameSync(folder, `${folder}.old`);
    const { run: resumed, checkpoint } = await resumeRun(created.path);
    resumed.close();
    expect(checkpoint).toMatchObject(at(2));
    expect(await readdir(join(created.path, "checkpoints"))).toEqual(["step-000002"]);
  });

  test("without a checkpoint starts afresh; with none that verifies changes nothing", async () => {
    const created = await createRun("x", { folder: join(run, "out"), config: {} });
    created.log.append({ kind: "step", step: 1 });
    created.close();
    const { run: resumed, checkpoint } = await resumeRun(created.path);
    expect([checkpoint, resumed.log.position]).toEqual([undefined, 0]);
    resumed.log.append({ kind: "step", step: 1 });
    await writeFile(join(await resumed.save(at(1)), "DONE"), "");
    resumed.close();
    await expect(resumeRun(created.path)).rejects.toThrow(
      /cannot be resumed: none of its checkpoints verifies \(.*DONE.*\); start a new run/,
    );
    expect(await readMetrics(join(created.path, "metrics.jsonl"))).toHaveLength(1);
  });
});

describe("the metrics log", () => {
  test("a torn end, zeros and half lines are cut off at the next opening", async () => {
    const path = join(run, "metrics.jsonl");
    const whole = '{"kind":"a","step":1}\n{"kind":"é","step":2}\n';
    for (const end of ["", "{", '{"kind":"b"', "\0\0\0\0", "\0\0\n", "half}\n", '{"kind":\n\n"x"', "\n", "[1]\n"]) {
      await writeFile(path, whole + end);
      const log = new MetricsLog(path);
      log.append({ kind: "b", step: 3 });
      log.close();
      expect(readFileSync(path, "utf8"), JSON.stringify(end)).toBe(`${whole}{"kind":"b","step":3}\n`);
    }
  });

  test("of any length is cut to whole lines", async () => {
    const path = join(run, "metrics.jsonl");
    const whole = Buffer.from('{"kind":"a","step":1}\n{"kind":"é","step":2}\n');
    for (let length = 0; length <= whole.length; length++) {
      await writeFile(path, whole.subarray(0, length));
      const log = new MetricsLog(path);
      expect(log.position).toBe(length < 22 ? 0 : length < whole.length ? 22 : whole.length);
      log.close();
    }
  });

  test("a bad line in the middle is an error with its place", async () => {
    await writeFile(join(run, "m.jsonl"), '{"kind":"a","step":1}\nnonsense\n{"kind":"a","step":2}\n');
    await expect(readMetrics(join(run, "m.jsonl"))).rejects.toThrow(
      "m.jsonl at byte 22: this line is not a JSON object; delete it",
    );
  });

  test.skipIf(!existsSync("/dev/full"))("a full disk is one line", () => {
    symlinkSync("/dev/full", join(run, "m.jsonl"));
    const log = new MetricsLog(join(run, "m.jsonl"));
    expect(() => log.append({ kind: "a", step: 1 })).toThrow(
      /^disk is full while writing \S+m\.jsonl, nothing that was there is lost; free some space$/,
    );
    log.close();
  });
});
