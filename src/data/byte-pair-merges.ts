// Which pairs of neighbouring tokens to join: the learning half of byte-pair encoding.
import type { Merge } from "./byte-pairs.ts";
import { Heap } from "./heap.ts";

/** A word of the text as tokens, and how often it comes. */
export interface CountedWord {
  tokens: number[];
  readonly count: number;
}

interface Pair {
  readonly left: number;
  readonly right: number;
  /** How often they are neighbours. */
  count: number;
  /** The words in which they were seen, by their places; they may have been joined otherwise since. */
  readonly words: Set<number>;
}

const span = 2 ** 25; // above all token numbers: a pair's key is one exact integer

/**
 * The merges, each of the most frequent pair (Sennrich, Haddow & Birch, 2016, algorithm 1). A merge touches only the words that hold
 * its pair; the most frequent one is the first of a heap, in which entries of an old count are passed over. Changes the words.
 */
export function learnMerges(
  words: readonly CountedWord[],
  { merges: wanted, least }: { merges: number; least: number },
): Merge[] {
  const pairs = new Map<number, Pair>();
  const heap = new Heap<{ count: number; pair: Pair }>(before);
  const touched = new Set<Pair>();
  const count = (word: number, sign: 1 | -1): void => {
    const { tokens, count: times } = words[word];
    for (let i = 1; i < tokens.length; i++) {
      const [left, right] = [tokens[i - 1], tokens[i]];
      const key = left * span + right;
      const pair = pairs.get(key) ?? { left, right, count: 0, words: new Set() };
      pairs.set(key, pair);
      pair.count += sign * times;
      pair.words.add(word);
      touched.add(pair);
    }
  };
  const offer = (): void => {
    for (const pair of touched) if (pair.count >= least && pair.count > 0) heap.push({ count: pair.count, pair });
    touched.clear();
  };
  for (let word = 0; word < words.length; word++) count(word, 1);
  offer();
  const merges: Merge[] = [];
  while (merges.length < wanted) {
    const best = heap.pop();
    if (best === undefined) break;
    const { pair } = best;
    if (best.count !== pair.count) continue;
    const made = 256 + merges.length;
    merges.push([pair.left, pair.right]);
    for (const word of pair.words) {
      const tokens = join(words[word].tokens, pair, made);
      if (tokens.length === words[word].tokens.length) continue;
      count(word, -1);
      words[word].tokens = tokens;
      count(word, 1);
    }
    pair.words.clear();
    offer();
  }
  return merges;
}

const before = (a: { count: number; pair: Pair }, b: { count: number; pair: Pair }): boolean =>
  a.count !== b.count
    ? a.count > b.count
    : a.pair.left !== b.pair.left
      ? a.pair.left < b.pair.left
      : a.pair.right < b.pair.right;

/** The tokens with each occurrence of the pair, from the left, joined. */
function join(tokens: readonly number[], { left, right }: Pair, made: number): number[] {
  const joined: number[] = [];
  for (let i = 0; i < tokens.length; i++)
    if (tokens[i] === left && tokens[i + 1] === right) {
      joined.push(made);
      i++;
    } else joined.push(tokens[i]);
  return joined;
}
