// The flags of the command line: what each takes, read from the arguments or from a --config file.
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { UsageError } from "./command.ts";
import { noSuch } from "./suggest.ts";

/** Values of flags; undefined where a flag was not given. */
export interface Options {
  data?: string;
  samples?: number;
  epochs?: number;
  maxSteps?: number;
  batch?: number;
  optimizer?: string;
  lr?: number;
  decay?: number;
  shift?: number;
  seed?: number;
  device?: string;
  threads?: number;
  out?: string;
  resume?: string;
  dataDir?: string;
  config?: string;
  best?: boolean;
  json?: boolean;
  help?: boolean;
}

export type Flag = keyof Options;

interface Kind {
  /** The value's name in the help; none for a switch. */
  readonly value?: string;
  readonly help: string;
  /** The value, or what the flag takes where it is not that. */
  read(value: unknown): { value: string | number | boolean } | string;
}

const text = (value: string, help: string): Kind => ({
  value,
  help,
  read: (given) => (typeof given === "string" && given !== "" ? { value: given } : `a ${value.toLowerCase()}`),
});

const number =
  (value: string, what: string, fits: (n: number) => boolean) =>
  (help: string): Kind => ({
    value,
    help,
    read: (given) => {
      const n = typeof given === "string" && given.trim() !== "" ? Number(given) : given;
      return typeof n === "number" && fits(n) ? { value: n } : what;
    },
  });

const count = number("N", "a whole number of at least 1", (n) => Number.isSafeInteger(n) && n >= 1);
const rate = number("RATE", "a number above 0", (n) => n > 0 && n < Number.POSITIVE_INFINITY);
const word = number("N", "a whole number from 0 to 2147483647", (n) => Number.isInteger(n) && n >= 0 && n < 2 ** 31);

const toggle = (help: string): Kind => ({
  help,
  read: (given) => (typeof given === "boolean" ? { value: given } : "no value"),
});

const kinds: Readonly<Record<Flag, Kind>> = {
  data: text("SET", "data set"),
  samples: count("use only the first so many samples of each part"),
  epochs: count("passes over the training set"),
  maxSteps: count("stop after so many steps"),
  batch: count("samples in a batch"),
  optimizer: text("NAME", "sgd, adam or adamw"),
  lr: rate("learning rate of the first epoch"),
  decay: rate("factor on the learning rate after each epoch"),
  shift: word("move training images at random by up to so many pixels"),
  seed: word("seed of weights, data order and dropout"),
  device: text("NAME", "where to compute (see hebb devices; else HEBB_DEVICE)"),
  threads: count("threads to compute with"),
  out: text("FOLDER", "run folder to make (else runs/MODEL-DATA-TIME)"),
  resume: text("RUN", "continue this run from its newest checkpoint"),
  dataDir: text("FOLDER", "where the data sets lie (else HEBB_DATA, else the cache folder)"),
  config: text("FILE", "JSON file with any of these flags"),
  best: toggle("take the best checkpoint instead of the last"),
  json: toggle("end with one line of JSON on standard output"),
  help: toggle("show this"),
};

/** dataDir → data-dir. */
const kebab = (flag: string): string => flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const camel = (flag: string): string => flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Reads a command's arguments. Throws a UsageError naming the flag and what it takes. */
export function parseOptions(
  args: readonly string[],
  allowed: readonly Flag[],
): { positionals: string[]; options: Options } {
  const types = Object.fromEntries(
    allowed.map((flag) => [kebab(flag), { type: kinds[flag].value ? "string" : "boolean" } as const]),
  );
  const { positionals, tokens } = parseArgs({
    args: [...args],
    options: types,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const options: Record<string, unknown> = {};
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const flag = allowed.find((name) => kebab(name) === token.name);
    if (flag === undefined) throw new UsageError(noSuch("flag", token.rawName, allowed.map(flagName)));
    options[flag] = read(`--${token.name}`, flag, token.value ?? (kinds[flag].value ? undefined : true));
  }
  return { positionals, options: options as Options };
}

/** Reads the flags in a JSON file, with those given as arguments taking precedence. Throws a UsageError naming file and key. */
export async function withConfigFile(
  options: Options,
  allowed: readonly string[],
): Promise<Options & { model?: string }> {
  const { config: path } = options;
  if (path === undefined) return options;
  const content = await readFile(path, "utf8").catch((error: Error) => {
    throw new UsageError(`--config ${path} cannot be read (${error.message})`);
  });
  let values: unknown;
  try {
    values = JSON.parse(content);
  } catch (error) {
    throw new UsageError(`--config ${path} is not JSON (${(error as Error).message})`);
  }
  if (typeof values !== "object" || values === null || Array.isArray(values))
    throw new UsageError(`--config ${path} holds no JSON object; write { "epochs": 5, … }`);
  const found: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(values)) {
    const name = camel(key);
    if (!allowed.includes(name)) throw new UsageError(`--config ${path}: ${noSuch("flag", key, allowed)}`);
    found[name] = name === "model" ? value : read(`--config ${path}: "${key}"`, name as Flag, value);
  }
  return { ...found, ...options };
}

function read(place: string, flag: Flag, given: unknown): string | number | boolean {
  const result = kinds[flag].read(given);
  if (typeof result !== "string") return result.value;
  throw new UsageError(`${place} takes ${result}${given === undefined ? "" : `, not ${JSON.stringify(given)}`}`);
}

/** The lines of a command's help about its flags. */
export function describeFlags(flags: readonly Flag[]): string {
  const heads = flags.map((flag) => `  --${kebab(flag)}${kinds[flag].value ? ` ${kinds[flag].value}` : ""}`);
  const width = Math.max(...heads.map((head) => head.length));
  return flags.map((flag, i) => `${heads[i].padEnd(width)}  ${kinds[flag].help}`).join("\n");
}

/** `--max-steps`, as the user writes it. */
export const flagName = (flag: Flag): string => `--${kebab(flag)}`;
