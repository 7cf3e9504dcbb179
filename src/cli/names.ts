// The models that the command line calls by name.
import { type TranslatorEntry, translators, type WordsEntry, wordModels, type ZooEntry, zoo } from "../zoo/index.ts";
import { UsageError } from "./command.ts";
import { find } from "./find.ts";

export type Entry = ZooEntry | TranslatorEntry | WordsEntry;

const all: readonly Entry[] = [...zoo, ...translators, ...wordModels];
const models = Object.fromEntries(all.map((entry) => [entry.name, entry]));

export const findEntry = (name: string): Entry => find("model", name, models);

/** A model of samples. Throws a UsageError for one of pairs of sequences and one of words too. */
export function findModel(name: string): ZooEntry {
  const entry = findEntry(name);
  if ("input" in entry) return entry;
  throw new UsageError(
    entry.task === "words"
      ? `${name} learns vectors of words; its runs are for hebb eval and vectors`
      : `${name} learns which sequence to say for another; its runs are for hebb eval, generate and inspect`,
  );
}

/** The models for a command's help, a line each: their papers, or whatever is asked for. */
export function describeModels(more: (entry: Entry) => string = ({ paper }) => paper): string[] {
  const width = Math.max(...all.map(({ name }) => name.length));
  return all.map((entry) => `  ${entry.name.padEnd(width)}  ${more(entry)}`);
}
