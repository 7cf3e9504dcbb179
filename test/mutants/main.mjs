// Breaks the derivative rules, the simplifications and the compiler in one place at a time, and asks whether the tests notice.

import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { accepted, byHand, files } from "./list.mjs";
import { changesOf } from "./operators.mjs";

const root = new URL("../..", import.meta.url).pathname;
const usage = `npm run mutants -- [options]
  --only REGEX    mutants whose line in the list matches
  --sample N      N of them, drawn by --seed S (1)
  --list          print them and run nothing
  --workers N     copies of the tree that run at once (2)
  --timeout S     seconds after which a mutant counts as noticed (60)
  --json          print results as JSON`;

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    sample: { type: "string" },
    seed: { type: "string", default: "1" },
    workers: { type: "string", default: "2" },
    timeout: { type: "string", default: "60" },
    list: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log(usage);
  process.exit(0);
}

const trouble = (message) => {
  console.error(`mutants: ${message}`);
  process.exit(2);
};
const sources = Object.fromEntries(Object.keys(files).map((f) => [f, readFileSync(join(root, f), "utf8")]));

const lineAt = (text, at) => text.slice(text.lastIndexOf("\n", at - 1) + 1, text.indexOf("\n", at)).trim();

function mutant(file, from, to, by, name) {
  const text = sources[file];
  const mutated = text.slice(0, from) + by + text.slice(to);
  const shown = (s) => s.replace(/\s+/g, " ").trim() || "nothing";
  return {
    file,
    line: lineAt(text, from),
    number: text.slice(0, from).split("\n").length,
    change: `${shown(text.slice(from, to))} → ${shown(by)}`,
    name,
    mutated,
  };
}

function allMutants() {
  const generated = Object.keys(files).flatMap((file) =>
    changesOf(sources[file]).map(({ from, to, by, name }) => mutant(file, from, to, by, name)),
  );
  const made = byHand.map(([file, from, by]) => {
    const at = sources[file].indexOf(from);
    if (at < 0 || sources[file].indexOf(from, at + 1) >= 0)
      trouble(`"${from}" does not occur exactly once in ${file}: bring the list up to date`);
    return mutant(file, at, at + from.length, by, "by hand");
  });
  // changes that read the same within a line are numbered
  const seen = new Map();
  return [...made, ...generated].map((m) => {
    const key = `${m.file}:${m.number} ${m.change}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
    return seen.get(key) === 1 ? m : { ...m, change: `${m.change} (${seen.get(key)})` };
  });
}

/** Leaves out what is known to be right; an entry that fits nothing any more is an error. */
function withoutAccepted(mutants) {
  const left = new Set(mutants);
  for (const { file, line, changes } of accepted) {
    const fitting = mutants.filter((m) => m.file === file && m.line === line);
    for (const change of changes ?? [undefined]) {
      const found = fitting.filter((m) => change === undefined || m.change === change);
      if (found.length === 0)
        trouble(`accepted, but not there: ${file}: ${line} (${change}): bring the list up to date`);
      for (const m of found) left.delete(m);
    }
  }
  return [...left];
}

const title = (m) => `${m.file}:${m.number} [${m.name}] ${m.change}  in  ${m.line}`;

function sampled(mutants) {
  if (options.sample === undefined) return mutants;
  let seed = Number(options.seed) >>> 0;
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
  return mutants
    .map((m) => ({ m, key: random() }))
    .sort((a, b) => a.key - b.key)
    .slice(0, Number(options.sample))
    .map(({ m }) => m);
}

const config = `// Runs the tests of one mutant in the order given, in one process.
import { BaseSequencer } from "vitest/node";
import config from "./vitest.config.ts";
const order = process.env.MUTANT_TESTS.split(" ");
class InOrder extends BaseSequencer {
  async sort(files) {
    const rank = (f) => order.findIndex((name) => f.moduleId.endsWith(name));
    return [...files].sort((a, b) => rank(a) - rank(b));
  }
}
export default {
  ...config,
  test: { ...config.test, maxWorkers: 1, isolate: false, bail: 1, sequence: { sequencer: InOrder } },
};
`;

/** A copy of the tree in which a mutant can run; installed packages are links. */
function makeCopy(home, k) {
  const copy = join(home, `copy-${k}`);
  mkdirSync(join(copy, "node_modules"), { recursive: true });
  for (const name of ["src", "test", "package.json", "tsconfig.json", "vitest.config.ts"])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules")))
    if (name !== ".vite") symlinkSync(join(root, "node_modules", name), join(copy, "node_modules", name));
  writeFileSync(join(copy, "mutants.config.ts"), config);
  return copy;
}

const running = new Set();
const endAll = () => {
  for (const child of running) process.kill(-child.pid, "SIGKILL");
};

/** Runs tests in a copy: whether they pass, and which does not. */
function runTests(copy, tests) {
  const environment = {
    ...process.env,
    NO_COLOR: "1",
    CI: "1", // snapshots are compared, never written
    MUTANT_TESTS: tests.join(" "),
    NUM_RUNS: process.env.NUM_RUNS ?? "120",
    CASES: process.env.CASES ?? "6",
    SHRINK: "no",
    NODE_OPTIONS: "--max-old-space-size=1500",
  };
  const child = spawn(
    process.execPath,
    ["node_modules/vitest/vitest.mjs", "run", "--config", "mutants.config.ts", ...tests],
    { cwd: copy, env: environment, detached: true, stdio: ["ignore", "pipe", "pipe"] },
  );
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      output += data;
    });
  }
  return new Promise((resolve) => {
    let late = false;
    const clock = setTimeout(() => {
      late = true;
      process.kill(-child.pid, "SIGKILL");
    }, 1000 * Number(options.timeout));
    child.on("close", (status) => {
      clearTimeout(clock);
      running.delete(child);
      const by = output.match(/ FAIL {2}(\S+)/)?.[1];
      resolve({ outcome: late ? "time-out" : status === 0 ? "survived" : "killed", by, output });
    });
  });
}

async function runMutant(copy, m) {
  const path = join(copy, m.file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, m.mutated);
  const begun = Date.now();
  const { outcome, by } = await runTests(copy, files[m.file]);
  writeFileSync(path, sources[m.file]);
  const { file, number, line, change, name } = m;
  return { file, number, line, change, name, outcome, by, seconds: (Date.now() - begun) / 1000 };
}

async function runAll(mutants, home) {
  const count = Math.min(Number(options.workers), Math.max(1, mutants.length));
  const copies = Array.from({ length: count }, (_, k) => makeCopy(home, k));
  const sound = await runTests(copies[0], [...new Set(mutants.flatMap((m) => files[m.file]))]);
  if (sound.outcome !== "survived") trouble(`the tests fail without any mutant:\n${sound.output.slice(-3000)}`);
  const results = [];
  const begun = Date.now();
  let next = 0;
  const work = async (copy) => {
    while (next < mutants.length) {
      const m = mutants[next++];
      const result = await runMutant(copy, m);
      results.push(result);
      const minutes = (((Date.now() - begun) / results.length) * (mutants.length - results.length)) / 60_000;
      console.error(
        `${results.length}/${mutants.length}, ${minutes.toFixed(1)} min left: ${result.outcome}${result.by ? ` by ${result.by}` : ""} in ${result.seconds.toFixed(1)} s: ${title(m)}`,
      );
    }
  };
  await Promise.all(copies.map(work));
  return results;
}

async function measure(mutants) {
  const home = mkdtempSync(join(tmpdir(), "hebb-mutants-"));
  process.on("exit", () => {
    endAll();
    rmSync(home, { recursive: true, force: true });
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
  const results = await runAll(mutants, home);
  const survivors = results.filter((r) => r.outcome === "survived");
  const late = results.filter((r) => r.outcome === "time-out").length;
  if (options.json) console.log(JSON.stringify(results, null, 1));
  else {
    for (const s of survivors) console.log(`survived: ${title(s)}`);
    console.log(`killed ${results.length - survivors.length} of ${results.length} (${late} time-outs)`);
  }
  process.exitCode = survivors.length > 0 ? 1 : 0;
}

const wanted = new RegExp(options.only);
const mutants = sampled(withoutAccepted(allMutants()).filter((m) => wanted.test(title(m))));
if (mutants.length === 0) trouble("no mutant matches");
if (options.list) for (const m of mutants) console.log(title(m));
else await measure(mutants);
