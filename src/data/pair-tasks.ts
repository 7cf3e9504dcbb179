// Made-up pairs of sequences, whose right answers are known: sums, and letters copied, backwards or in order.
import { below, randomStream } from "./random.ts";
import { type EncodedPairs, type Pair, SequencePairs } from "./sequence-pairs.ts";
import { checkSplit } from "./split.ts";
import { additionTask } from "./tasks.ts";
import { Vocabulary } from "./text.ts";

export type PairTask = "addition" | "copy" | "reverse" | "sort";

export interface PairTaskOptions {
  /** Pairs to train on, 20,000 unless set. */
  count?: number;
  /** Another seed gives other pairs. */
  seed?: number;
  /** Gives the source backwards (Sutskever, Vinyals & Le, 2014). */
  reversed?: boolean;
  /** The vocabularies to number words by; by default all characters of the task. */
  vocabularies?: EncodedPairs["vocabularies"];
}

/** Pairs to validate, and as many to test. */
const held = 1000;
const [letters, longest] = ["abcdefgh", 10];

/**
 * Pairs as words of one character: "addition" of numbers of up to three digits, "12+34" and "46" (Zaremba & Sutskever,
 * arXiv:1410.4615), or 1 to 10 letters a … h, which "copy" gives as they are, "reverse" backwards and "sort" in order. 20,000 to
 * train, 1,000 to validate, 1,000 to test; no source comes twice. Throws a RangeError for another task or split.
 */
export function pairTask(
  task: PairTask,
  split: "train" | "valid" | "test",
  { count = 20_000, seed = 0, reversed = false, vocabularies }: PairTaskOptions = {},
): SequencePairs {
  if (!Object.hasOwn(makers, task))
    throw new RangeError(`pairTask: there is no task "${task}"; there are ${Object.keys(makers).join(", ")}`);
  checkSplit(task, split, ["train", "valid", "test"]);
  if (!(Number.isSafeInteger(count) && count >= 1))
    throw new RangeError(`pairTask: count is a whole number of at least 1, got ${count}`);
  const [from, to] = { train: [0, count], valid: [count, count + held], test: [count + held, count + 2 * held] }[split];
  const load = async (): Promise<EncodedPairs> => {
    const pairs = (await makers[task](count + 2 * held, seed)).slice(from, to);
    const words = new Vocabulary([...(task === "addition" ? "0123456789+" : letters)], {
      special: ["<pad>", "<start>", "<end>"],
    });
    const known = vocabularies ?? { source: words, target: words };
    const source = pairs.map((pair) => known.source.encode(reversed ? pair.source.toReversed() : pair.source));
    return { pairs, source, target: pairs.map(({ target }) => known.target.encode(target)), vocabularies: known };
  };
  return new SequencePairs(load, { name: task, length: to - from });
}

type Maker = (count: number, seed: number) => Promise<Pair[]>;

const rearranged =
  (answer: (source: string[]) => string[]): Maker =>
  async (count, seed) => {
    const next = randomStream(seed, pairKey);
    const seen = new Set<string>();
    while (seen.size < count)
      seen.add(Array.from({ length: 1 + below(next, longest) }, () => letters[below(next, letters.length)]).join(""));
    return Array.from(seen, (source) => ({ source: [...source], target: answer([...source]) }));
  };

const makers: Readonly<Record<PairTask, Maker>> = {
  addition: async (count, seed) => {
    const sums = additionTask({ count, seed });
    const [{ x, y }, characters] = [await sums.samples(), await sums.vocabulary()];
    const textOf = (numbers: ArrayLike<number>): string[] => characters.decode(numbers).filter((each) => each !== " ");
    const [question, answer] = [x.length / count, y.length / count];
    return Array.from({ length: count }, (_, i) => ({
      source: textOf(x.slice(i * question, (i + 1) * question)),
      target: textOf(y.slice(i * answer, (i + 1) * answer)),
    }));
  },
  copy: rearranged((source) => source),
  reverse: rearranged((source) => source.toReversed()),
  sort: rearranged((source) => source.toSorted()),
};

const pairKey = 6; // keeps this stream apart from others of the same seed
