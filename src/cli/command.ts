// What a command of the command line is, what it may use of the outside, and the error for arguments it cannot use.
import type { Flag, Options } from "./options.ts";

/** Where text goes; process.stdout and process.stderr are such. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Io {
  /** What the user types for `hebb`. */
  readonly program: string;
  readonly stdout: Output;
  readonly stderr: Output;
  /** From the call on, the first Ctrl-C aborts the signal and a second one ends the process. */
  interruption(): AbortSignal;
}

export interface Command {
  readonly summary: string;
  /** What follows the command's name, e.g. "MODEL". */
  readonly positionals: string;
  readonly flags: readonly Flag[];
  /** What holds where a flag is not given, for the help, as far as it is not the same for all commands. */
  readonly defaults?: Partial<Readonly<Record<Flag, string>>>;
  /** What a flag means here, where that is not what it means to other commands. */
  readonly helps?: Partial<Readonly<Record<Flag, string>>>;
  /** More for the help, below the flags. */
  readonly notes?: () => string;
  /** Gives the exit status. */
  run(positionals: readonly string[], options: Options, io: Io): Promise<number>;
}

/** Arguments that cannot be used: exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Ends a command: with --json one line of figures is the last on standard output, and the text goes to standard error. */
export function report(io: Io, { json }: Options, text: string, figures: object): void {
  if (text !== "") (json ? io.stderr : io.stdout).write(`${text}\n`);
  if (json) io.stdout.write(`${JSON.stringify(figures)}\n`);
}
