// The command line: finds the command, runs it, and turns whatever goes wrong into one line and an exit status.
import { readFile } from "node:fs/promises";
import { type Command, type Io, UsageError } from "./command.ts";
import { devices } from "./devices.ts";
import { evaluate } from "./eval.ts";
import { generateText } from "./generate.ts";
import { info } from "./info.ts";
import { inspect } from "./inspect.ts";
import { describeFlags, parseOptions, withConfigFile } from "./options.ts";
import { predict } from "./predict.ts";
import { sample } from "./sample.ts";
import { noSuch } from "./suggest.ts";
import { train } from "./train.ts";
import { vectors } from "./vectors.ts";

export const commands: Readonly<Record<string, Command>> = {
  train,
  eval: evaluate,
  predict,
  generate: generateText,
  sample,
  vectors,
  inspect,
  info,
  devices,
};

/**
 * Runs `hebb …args` and gives its exit status: 0 done, 1 the run failed, 2 unusable arguments, 130 stopped by Ctrl-C. With
 * --json the last line on standard output is one object also after a failure: `{"error": "…", "status": 1}`.
 */
export async function main(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  let json: boolean | undefined = args.includes("--json");
  try {
    if (name === "--version" || name === "-v") return say(io, await version());
    if (name === "--help" || name === "-h" || name === "help") return say(io, overview(io));
    const names = Object.keys(commands);
    if (name === undefined || name === "--json")
      throw new UsageError(`a command is missing; one of ${names.join(", ")} (${io.program} --help tells more)`);
    if (!Object.hasOwn(commands, name)) throw new UsageError(noSuch("command", name, names));
    const command = commands[name];
    const given = parseOptions(rest, [...command.flags, "help"]);
    if (given.options.help) return say(io, helpOf(io, name, command));
    const { positionals, options } = await withConfigFile(given, command.flags);
    json = options.json;
    return await command.run(positionals, options, io);
  } catch (error) {
    return fail(io, error, json);
  }
}

function fail(io: Io, error: unknown, json: boolean | undefined): number {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const line = message.trim().replace(/\s*\n\s*/g, " ");
  const status = error instanceof UsageError ? 2 : 1;
  io.stderr.write(`hebb: ${line}\n`);
  if (process.env.HEBB_DEBUG) io.stderr.write(`${stack}\n`);
  if (json) io.stdout.write(`${JSON.stringify({ error: line, status })}\n`);
  return status;
}

function say(io: Io, text: string): number {
  io.stdout.write(`${text}\n`);
  return 0;
}

async function version(): Promise<string> {
  return JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")).version;
}

const usage = ({ program }: Io, name: string, { positionals }: Command): string =>
  `${program} ${name}${positionals && ` ${positionals}`}`;

function overview(io: Io): string {
  const heads = Object.entries(commands).map(([name, command]) => `  ${usage(io, name, command)}`);
  const width = Math.max(...heads.map((head) => head.length));
  const lines = Object.values(commands).map(({ summary }, i) => `${heads[i].padEnd(width)}  ${summary}`);
  const more = `${io.program} COMMAND --help lists a command's flags, their defaults and the names they take.`;
  return ["hebb trains neural networks.", "", ...lines, "", more].join("\n");
}

function helpOf(io: Io, name: string, command: Command): string {
  const flags = describeFlags([...command.flags, "help"], command);
  const notes = command.notes === undefined ? [] : ["", command.notes()];
  return [`${usage(io, name, command)} [flags]`, command.summary, "", flags, ...notes].join("\n");
}
