// Runs the command line in this process and keeps what it writes.
import { main } from "../../src/cli/cli.ts";

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `hebb …args`, stopped as by Ctrl-C where `signal` is aborted. */
export async function hebb(
  args: readonly string[],
  signal: AbortSignal = new AbortController().signal,
): Promise<Outcome> {
  let stdout = "";
  let stderr = "";
  const status = await main(args, {
    program: "hebb",
    stdout: { write: (text) => void (stdout += text) },
    stderr: { write: (text) => void (stderr += text) },
    interruption: () => signal,
  });
  return { status, stdout, stderr };
}

/** The object on the last line of standard output. */
// biome-ignore lint/suspicious/noExplicitAny: the tests say what is in it
export const lastJson = ({ stdout }: Outcome): Record<string, any> => JSON.parse(stdout.trimEnd().split("\n").at(-1)!);

/** A training that takes a second: 8 steps of LeNet-5. */
export const small: readonly string[] = [
  "train",
  "lenet5",
  "--data",
  "glyphs",
  "--samples",
  "64",
  "--batch",
  "16",
  "--epochs",
  "2",
];
