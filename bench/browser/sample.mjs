// Times a step, in a page or in Node.

/** Milliseconds of one step, several times; short steps are timed many at once, as a page's clock is coarse. */
export async function sample(step, { seconds, warmup }) {
  const run = async (count) => {
    const start = performance.now();
    for (let i = 0; i < count; i++) await step();
    return performance.now() - start;
  };
  let [spent, steps] = [0, 0];
  while (spent < 1000 * warmup || steps < 3) [spent, steps] = [spent + (await run(1)), steps + 1];
  const count = Math.max(1, Math.round((10 * steps) / spent)); // about ten milliseconds
  const times = [];
  const end = performance.now() + 1000 * seconds;
  do {
    times.push((await run(count)) / count);
    await new Promise((resolve) => setTimeout(resolve)); // finalizers run between samples
  } while (performance.now() < end);
  return times;
}
