// The data sets of pairs of sequences that the command line calls by name, and how their texts are written.
import {
  cmnEng,
  type EncodedPairs,
  multi30k,
  type PairTask,
  pairTask,
  type SequencePairs,
  splitWords,
} from "../data/index.ts";

export type PairSplit = "train" | "valid" | "test";

export interface PairOptions {
  readonly dir?: string;
  readonly download?: boolean;
  /** Of those that are made up. */
  readonly seed?: number;
  readonly reversed?: boolean;
  readonly vocabularies?: EncodedPairs["vocabularies"];
}

export interface PairSet {
  open(split: PairSplit, options: PairOptions): SequencePairs;
  /** The words of a source, and a target of such. */
  split(source: string): string[];
  join(target: readonly string[]): string;
  /** Whether there is one right answer to each source. */
  readonly isMadeUp?: boolean;
}

const together = (words: readonly string[]): string => words.join("");

const madeUp = (task: PairTask): PairSet => ({
  open: (split, { dir: _, download: __, ...options }) => pairTask(task, split, options),
  split: (source) => [...source.replace(/\s/g, "")],
  join: together,
  isMadeUp: true,
});

export const pairSets: Readonly<Record<string, PairSet>> = {
  multi30k: {
    open: (split, { seed: _, ...options }) => multi30k(split, options),
    split: splitWords,
    join: (words) => words.join(" "),
  },
  "cmn-eng": { open: (split, { seed: _, ...options }) => cmnEng(split, options), split: splitWords, join: together },
  addition: madeUp("addition"),
  copy: madeUp("copy"),
  reverse: madeUp("reverse"),
  sort: madeUp("sort"),
};
