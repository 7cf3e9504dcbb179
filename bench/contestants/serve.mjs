// The JavaScript contestants' side of the benchmark: one request a line on standard input, one answer a line on standard output.
import { createInterface } from "node:readline";

export { labels, noise } from "./noise.mjs";

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
const now = () => performance.now();

/**
 * Serves the cases that `load` imports: { version, cases }, each case an async function that builds it and returns its step.
 * With `--first CASE --from import|step` it times that case's first step instead, and ends.
 */
export async function serve(load) {
  const option = (name) => process.argv[process.argv.indexOf(name) + 1];
  if (process.argv.includes("--first"))
    return say(await first(load, option("--first"), option("--from")).catch(failure));
  const { version, cases } = await load();
  say({ ready: version });
  let current;
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    try {
      if (current?.name !== request.name) current = { name: request.name, step: await build(cases, request.name) };
      say(request.steps ? await residence(current.step, request.steps) : { times: await sample(current, request) });
    } catch (error) {
      current = undefined;
      say(failure(error));
    }
  }
  process.exit(); // worker threads may still sleep
}

const failure = (error) => ({ error: String(error?.message ?? error).split("\n")[0] });

function build(cases, name) {
  if (cases[name] === undefined) throw new Error("not written for this library");
  return cases[name]();
}

async function first(load, name, from) {
  const imported = now();
  const { cases } = await load({ patient: false });
  const step = await build(cases, name);
  const start = from === "import" ? imported : now();
  await step();
  const times = [now() - start];
  return { times };
}

/** Milliseconds of one step, several times; short steps are timed many at once. */
async function sample(current, { seconds, warmup }) {
  const { step } = current;
  const run = async (count) => {
    const start = now();
    for (let i = 0; i < count; i++) await step();
    return now() - start;
  };
  if (current.count === undefined) {
    let [spent, steps] = [0, 0];
    while (spent < 1000 * warmup || steps < 2) [spent, steps] = [spent + (await run(1)), steps + 1];
    current.count = Math.max(1, Math.round((2 * steps) / spent)); // about two milliseconds
  }
  const times = [];
  const end = now() + 1000 * seconds;
  do {
    times.push((await run(current.count)) / current.count);
    await new Promise(setImmediate); // finalizers run between samples
  } while (now() < end);
  return times;
}

/** Resident bytes at a hundred points over the steps, or at each. */
async function residence(step, steps) {
  const resident = [];
  const every = Math.max(1, steps / 100);
  for (let i = 1; i <= steps; i++) {
    await step();
    if (i % every === 0) resident.push(process.memoryUsage.rss());
  }
  return { resident };
}
