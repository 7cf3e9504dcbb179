// How this program was called, so that the commands it tells its user to type work as they stand.
import { basename, relative } from "node:path";
import type { Io } from "./command.ts";

/**
 * What to type for `hebb`, from the path of the script that runs: `hebb` where that is a command on the path, `npx hebb`
 * where it lies in a project's node_modules, else `node dist/cli/main.js`, as seen from the folder.
 */
export function programName(script: string, folder: string = process.cwd()): string {
  if (/[\\/]node_modules[\\/](\.bin[\\/]hebb|hebb[\\/])/.test(script)) return "npx hebb";
  if (/^hebb(\.\w+)?$/.test(basename(script))) return "hebb";
  const near = relative(folder, script);
  return `node ${quoted(near.length < script.length ? near : script)}`;
}

/** A command for the user to type, each word quoted where a shell needs it. */
export const commandLine = ({ program }: Pick<Io, "program">, ...words: readonly string[]): string =>
  [program, ...words.map(quoted)].join(" ");

const quoted = (word: string): string =>
  /^[\w@%+=:,./~\\-]+$/.test(word)
    ? word
    : process.platform === "win32"
      ? `"${word}"`
      : `'${word.replaceAll("'", "'\\''")}'`;
