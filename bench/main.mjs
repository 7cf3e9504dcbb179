// The benchmark's driver: runs the contestants in turn, round by round, and writes their times side by side.
//   node bench/main.mjs [--quick | --full] [--large] [--only matmul,lenet] [--contestants hebb1,torch1] [--rounds N] [--out FILE]
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Contestant, contestants } from "./process.mjs";
import { median, rowLine, tables } from "./report.mjs";
import { measureLimits } from "./roofline.mjs";
import { rows } from "./rows.mjs";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    large: { type: "boolean", default: false },
    only: { type: "string" },
    contestants: { type: "string" },
    rounds: { type: "string" },
    out: { type: "string" },
  },
});
const rounds = Number(options.rounds ?? (options.quick ? 2 : 7));
/** Seconds: of measuring in a round, of warming up, and until a contestant is given up on; at the first call, native code compiles. */
const pace = options.quick
  ? { seconds: 0.08, warmup: 0.1, limit: 3, compile: 30 }
  : { seconds: 0.4, warmup: 0.5, limit: 120, compile: 120 };

const [load] = loadavg();

const list = (text) => text?.split(",").map((part) => part.trim().toLowerCase());
const chosenRows = rows.filter(({ name, memory, large }) => {
  if (large ? !options.full && !options.large : memory && !options.full) return false;
  return list(options.only)?.some((prefix) => name.toLowerCase().startsWith(prefix)) ?? true;
});
const chosenNames = list(options.contestants) ?? Object.keys(contestants);
const unknown = chosenNames.filter((name) => contestants[name] === undefined);
if (unknown.length > 0 || chosenRows.length === 0) {
  const known = (what) => what.join(", ");
  console.error(
    `bench: contestants are ${known(Object.keys(contestants))}; rows are ${known(rows.map((r) => r.name))}`,
  );
  process.exit(2);
}

const limits = measureLimits();
const field = new Map(); // name → { contestant, version }
for (const name of chosenNames) {
  const contestant = new Contestant(name);
  const { ready, error } = await contestant.start();
  if (error === undefined) field.set(name, { contestant, version: ready });
  else console.log(`left out: ${contestants[name].title} (${error})`);
}

/** One contestant's figure in one round: its median time in ms, or its memory; or why there is none. */
async function measure(name, row) {
  if (row.memory) {
    if (contestants[name].limit === undefined) return { error: "not asked: its steps are too slow" };
    const fresh = new Contestant(name);
    const { resident, error } = await fresh.ask({ name: row.memory, steps: row.steps }, 600);
    fresh.stop();
    return { value: resident, error };
  }
  if (row.first) {
    const fresh = new Contestant(name, ["--first", row.first, "--from", row.from]);
    const cache = row.emptyCache ? mkdtempSync(join(tmpdir(), "hebb-bench-")) : undefined;
    const { times, error } = await fresh.start(Math.max(10, pace.limit), cache && { XDG_CACHE_HOME: cache });
    fresh.stop();
    if (cache) rmSync(cache, { recursive: true, force: true });
    return { value: times?.[0], error };
  }
  const limit = contestants[name].limit ? pace.compile : pace.limit;
  const { times, error } = await field.get(name).contestant.ask({ name: row.name, ...pace }, limit);
  return { value: times && median(times), error };
}

/** The figures of one row, by contestant: one value a round, or an error, which ends that contestant's row. */
async function run(row) {
  const figures = new Map([...field.keys()].map((name) => [name, { values: [] }]));
  const rowRounds = row.memory ? 1 : row.first && options.quick ? 1 : row.large ? Math.min(3, rounds) : rounds;
  for (let round = 0; round < rowRounds; round++) {
    for (const [name, figure] of figures) {
      if (figure.error !== undefined) continue;
      const { value, error } = await measure(name, row);
      if (error === undefined) figure.values.push(value);
      else figure.error = error;
    }
  }
  return { row, figures };
}

process.on("SIGINT", () => {
  for (const { contestant } of field.values()) contestant.stop();
  process.exit(130);
});

const results = [];
for (const row of chosenRows) {
  const result = await run(row);
  results.push(result);
  console.error(rowLine(result));
}
for (const { contestant } of field.values()) contestant.stop();

const command = `bench/main.mjs ${process.argv.slice(2).join(" ")}`.trim();
const report = tables(results, new Map([...field].map(([name, { version }]) => [name, version])), {
  rounds,
  command,
  load,
  limits,
});
console.log(report);
const everything = options.only === undefined && options.contestants === undefined;
const out = options.out ?? (everything ? fileURLToPath(new URL("results.md", import.meta.url)) : undefined);
if (out !== undefined) {
  writeFileSync(`${out}.new`, report);
  renameSync(`${out}.new`, out);
}
