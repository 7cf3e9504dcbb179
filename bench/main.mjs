// The benchmark's driver: runs the contestants in turn, round by round, and writes their times side by side.
//   node bench/main.mjs [--quick | --full] [--only matmul,lenet] [--contestants hebb1,torch1] [--rounds N] [--out FILE]
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Contestant, contestants } from "./process.mjs";
import { median, rowLine, tables } from "./report.mjs";
import { rows } from "./rows.mjs";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    only: { type: "string" },
    contestants: { type: "string" },
    rounds: { type: "string" },
    out: { type: "string" },
  },
});
const rounds = Number(options.rounds ?? (options.quick ? 3 : 7));
/** Seconds: of measuring in a round, of warming up, and until a contestant is given up on. */
const pace = options.quick ? { seconds: 0.08, warmup: 0.1, limit: 4 } : { seconds: 0.4, warmup: 0.5, limit: 120 };

const [load] = loadavg();

const list = (text) => text?.split(",").map((part) => part.trim().toLowerCase());
const chosenRows = rows.filter(({ name, memory }) => {
  if (memory && !options.full) return false;
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
    const fresh = new Contestant(name);
    const { resident, error } = await fresh.ask({ name: row.memory, steps: row.steps }, 3600);
    fresh.stop();
    return { value: resident, error };
  }
  if (row.first) {
    const fresh = new Contestant(name, ["--first", row.first, "--from", row.from]);
    const { times, error } = await fresh.start(Math.max(10, pace.limit));
    fresh.stop();
    return { value: times?.[0], error };
  }
  const { times, error } = await field.get(name).contestant.ask({ name: row.name, ...pace }, pace.limit);
  return { value: times && median(times), error };
}

/** The figures of one row, by contestant: one value a round, or an error, which ends that contestant's row. */
async function run(row) {
  const figures = new Map([...field.keys()].map((name) => [name, { values: [] }]));
  const rowRounds = row.memory ? 1 : row.first && options.quick ? 1 : rounds;
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
});
console.log(report);
const everything = options.only === undefined && options.contestants === undefined;
const out = options.out ?? (everything ? fileURLToPath(new URL("results.md", import.meta.url)) : undefined);
if (out !== undefined) writeFileSync(out, report);
