// The samples that a page shows: which ones, and how they look.
import type { Batch, Dataset } from "../../data/index.ts";
import { escaped } from "./html.ts";
import { address, ofSample } from "./picture.ts";

/** At most so many samples of a set, evenly drawn, always the same ones for a seed. */
export async function choose(data: Dataset, most: number, seed = 0): Promise<Dataset> {
  const { length } = await data.load();
  return length > most ? data.split(most, { seed })[0] : data;
}

/** The first `count` samples as one batch. Throws where the set is empty. */
export async function firstBatch(data: Dataset, count: number): Promise<Batch> {
  for await (const batch of data.batch(count).iterate({ epoch: 0 })) return batch;
  throw new Error(`inspect: the test set of ${data.info.name} is empty`);
}

/** A function that gives samples of a set as HTML: pictures, sentences, else their first numbers. */
export async function displayOf(data: Dataset): Promise<(sample: number) => string> {
  const { shape } = data.info;
  const words = data.info.vocabulary === undefined ? undefined : (await data.vocabulary()).words;
  const size = shape.reduce((product, d) => product * d, 1);
  const values: ArrayLike<number>[] = [];
  for await (const { x } of data.batch(250).raw({ epoch: 0 }))
    for (let start = 0; start < x.length; start += size) values.push(x.subarray(start, start + size));
  const isPicture = shape.length === 2 || (shape.length === 3 && [1, 3].includes(shape[0]));
  return (sample) => {
    if (isPicture) {
      const [height, width] = shape.slice(-2);
      const source = address(ofSample(values[sample], shape));
      return `<img src="${source}" width="84" height="${Math.round((84 * height) / width)}" alt="sample ${sample}">`;
    }
    const numbers = Array.from(values[sample]);
    const text = data.info.tokens === undefined ? numbers.slice(0, 12).join(" ") : sentence(numbers, words);
    return `<p class="sentence">${escaped(text)}</p>`;
  };
}

/** Words, or numbers where there are none, without the padding of zeros. */
const sentence = (numbers: readonly number[], words?: readonly string[]): string =>
  numbers
    .filter((number) => number !== 0)
    .map((number) => words?.[number] ?? `${number}`)
    .join(" ");
