// The models that the command line calls by name.
import { type ZooEntry, zoo } from "../zoo/index.ts";
import { find } from "./find.ts";

const models = Object.fromEntries(zoo.map((entry) => [entry.name, entry]));

export const findModel = (name: string): ZooEntry => find("model", name, models);

/** The models for a command's help, a line each: their papers, or whatever is asked for. */
export function describeModels(more: (entry: ZooEntry) => string = ({ paper }) => paper): string[] {
  const width = Math.max(...zoo.map(({ name }) => name.length));
  return zoo.map((entry) => `  ${entry.name.padEnd(width)}  ${more(entry)}`);
}
