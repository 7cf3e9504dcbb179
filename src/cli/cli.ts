// The command line: finds the command, runs it, and turns whatever goes wrong into one line and an exit status.
import { readFile } from "node:fs/promises";
import { type Command, type Io, UsageError } from "./command.ts";
import { devices } from "./devices.ts";
import { evaluate } from "./eval.ts";
import { info } from "./info.ts";
import { describeFlags, parseOptions } from "./options.ts";
import { predict } from "./predict.ts";
import { noSuch } from "./suggest.ts";
import { train } from "./train.ts";

const commands: Readonly<Record<string, Command>> = { train, eval: evaluate, predict, info, devices };

/** Runs `hebb …args` and gives its exit status: 0 done, 1 the run failed, 2 unusable arguments, 130 stopped by Ctrl-C. */
export async function main(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  try {
    if (name === "--version" || name === "-v") return say(io, await version());
    if (name === "--help" || name === "-h" || name === "help") return say(io, overview());
    if (name === undefined)
      throw new UsageError(`a command is missing; one of ${Object.keys(commands).join(", ")} (hebb --help tells more)`);
    if (!Object.hasOwn(commands, name)) throw new UsageError(noSuch("command", name, Object.keys(commands)));
    const command = commands[name];
    const { positionals, options } = parseOptions(rest, [...command.flags, "help"]);
    if (options.help) return say(io, helpOf(name, command));
    return await command.run(positionals, options, io);
  } catch (error) {
    return fail(io, error);
  }
}

function fail(io: Io, error: unknown): number {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  io.stderr.write(`hebb: ${message.trim().replace(/\s*\n\s*/g, " ")}\n`);
  if (process.env.HEBB_DEBUG) io.stderr.write(`${stack}\n`);
  return error instanceof UsageError ? 2 : 1;
}

function say(io: Io, text: string): number {
  io.stdout.write(`${text}\n`);
  return 0;
}

async function version(): Promise<string> {
  return JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")).version;
}

const usage = (name: string, { positionals }: Command): string => `hebb ${name}${positionals && ` ${positionals}`}`;

function overview(): string {
  const lines = Object.entries(commands).map(
    ([name, command]) => `  ${usage(name, command).padEnd(28)} ${command.summary}`,
  );
  return ["hebb trains neural networks.", "", ...lines, "", "hebb COMMAND --help lists a command's flags."].join("\n");
}

const helpOf = (name: string, command: Command): string =>
  [`${usage(name, command)} [flags]`, command.summary, "", describeFlags([...command.flags, "help"])].join("\n");
