// Ctrl-C and kill -9 against a training in a process of its own: it always goes on from where it was, bit for bit.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const program = new URL("../../dist/cli/main.js", import.meta.url).pathname;
const built = existsSync(program);
if (!built) console.log("signals: skipped, dist/ is not built (npm run build)");

let folder: string;
let whole: string;
const training = ["train", "lenet5", "--data", "glyphs", "--samples", "64", "--batch", "16", "--epochs", "12"];
const files = [
  "metrics.jsonl",
  "checkpoints/step-000048/model.safetensors",
  "checkpoints/step-000048/optimizer.safetensors",
];

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

function start(args: readonly string[]): {
  child: ChildProcess;
  ended: Promise<Ended>;
  saw: (text: string) => Promise<void>;
} {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  const watchers: (() => void)[] = [];
  child.stderr!.on("data", (chunk) => {
    stderr += chunk;
    for (const look of watchers) look();
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, stderr }));
  });
  const saw = (text: string): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (stderr.includes(text)) resolve();
      };
      watchers.push(look);
      look();
      void ended.then(() => resolve());
    });
  return { child, ended, saw };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function expectWhole(run: string): void {
  for (const file of files)
    expect(readFileSync(join(run, file)).equals(readFileSync(join(whole, file))), file).toBe(true);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hebb-signals-"));
  whole = join(folder, "whole");
  if (built) expect(await start([...training, "--out", whole]).ended).toMatchObject({ code: 0 });
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.skipIf(!built)(
  "Ctrl-C finishes the step, saves, says how to go on and exits 130",
  async () => {
    const run = join(folder, "interrupted");
    const { child, ended, saw } = start([...training, "--out", run]);
    await saw("epoch 3/12");
    child.kill("SIGINT");
    const { code, stderr } = await ended;
    expect(code).toBe(130);
    const step = Number(
      /stopped after step (\d+), all saved; continue with: node .*main\.js train --resume .*\n$/.exec(stderr)?.[1],
    );
    expect(step).toBeGreaterThanOrEqual(12);
    expect(step).toBeLessThan(48);
    expect(readFileSync(join(run, "last"), "utf8")).toBe(`step-${String(step).padStart(6, "0")}\n`);
    expect(await start(["train", "--resume", run]).ended).toMatchObject({ code: 0 });
    expectWhole(run);
  },
  60_000,
);

test.skipIf(!built)(
  "standard output that takes nothing ends in one line, a closed pipe in none, and two trainings of one run in one",
  async () => {
    const shell = (command: string) =>
      spawnSync("bash", ["-c", command, process.execPath, program], { encoding: "utf8", timeout: 20_000 });
    if (existsSync("/dev/full")) {
      const { status, stderr } = shell('"$0" "$1" info mlp > /dev/full');
      expect([status, stderr]).toEqual([
        1,
        expect.stringMatching(/^hebb: cannot write to standard output \(ENOSPC.*\)\n$/),
      ]);
    }
    const closed = shell('"$0" "$1" info mlp | true; echo "$PIPESTATUS"');
    expect([closed.stdout, closed.stderr]).toEqual(["1\n", ""]);
    const run = join(folder, "shared");
    const { child, ended, saw } = start([...training, "--epochs", "100000", "--out", run]);
    await saw("epoch 1/");
    const { code, stderr } = await start(["train", "--resume", run]).ended;
    expect(code).toBe(1);
    expect(stderr.trim().split("\n").at(-1)).toBe(
      `hebb: ${run} is being trained by process ${child.pid}; wait for it or stop it`,
    );
    child.kill("SIGKILL");
    await ended;
    expect(existsSync(join(run, "lock"))).toBe(true);
    expect((await start(["train", "--resume", run, "--epochs", "1"]).ended).code).toBe(0);
    expect(existsSync(join(run, "lock"))).toBe(false);
  },
  60_000,
);

test.skipIf(!built)(
  "a second Ctrl-C stops at once",
  async () => {
    const { child, ended, saw } = start([...training, "--epochs", "100000", "--out", join(folder, "twice")]);
    await saw("epoch 1/");
    const stopped = performance.now();
    const again = setInterval(() => child.kill("SIGINT"), 1);
    const { code } = await ended;
    clearInterval(again);
    expect(code).toBe(130);
    expect(performance.now() - stopped).toBeLessThan(2000);
  },
  60_000,
);

test.skipIf(!built)(
  "killed again and again at random moments, it ends as if it never had been",
  async () => {
    const run = join(folder, "killed");
    let kills = 0;
    for (let round = 0; round < 40; round++) {
      if (!existsSync(join(run, "config.json"))) rmSync(run, { recursive: true, force: true });
      const args = existsSync(run) ? ["train", "--resume", run] : [...training, "--out", run];
      const { child, ended, saw } = start(args);
      if (kills < 4) {
        await saw("device");
        await sleep(Math.random() * 400);
        child.kill("SIGKILL");
        kills++;
      }
      const { code, signal, stderr } = await ended;
      if (signal === "SIGKILL") continue;
      expect(code, stderr).toBe(0);
      break;
    }
    expect(existsSync(join(run, "result.json"))).toBe(true);
    expectWhole(run);
  },
  90_000,
);
