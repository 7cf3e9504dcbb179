// Finds what the user calls by name, or says what there is.
import { UsageError } from "./command.ts";
import { noSuch } from "./suggest.ts";

/** The entry of that name. Throws a UsageError with the names that there are. */
export const find = <T>(kind: string, name: string, table: Readonly<Record<string, T>>): T => {
  if (!Object.hasOwn(table, name)) throw new UsageError(noSuch(kind, name, Object.keys(table)));
  return table[name];
};
