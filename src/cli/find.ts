// Finds what the user calls by name, or says what there is.
import { UsageError } from "./command.ts";
import { noSuch } from "./suggest.ts";

/** The entry of that name. Throws a UsageError with the names that there are, which may be of other tables too. */
export const find = <T>(
  kind: string,
  name: string,
  table: Readonly<Record<string, T>>,
  names: readonly string[] = Object.keys(table),
): T => {
  if (!Object.hasOwn(table, name)) throw new UsageError(noSuch(kind, name, names));
  return table[name];
};
