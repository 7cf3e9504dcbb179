// The flags of the command line: what each takes, read from the arguments or from a --config file.
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { deviceNames, mostThreads } from "../run/index.ts";
import { type Command, UsageError } from "./command.ts";
import { dataNames } from "./data-sets.ts";
import { optimizerNames } from "./optimizers.ts";
import { scheduleNames } from "./rates.ts";
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
  decayFrom?: number;
  schedule?: string;
  momentum?: number;
  weightDecay?: number;
  clip?: number;
  shift?: number;
  crop?: number;
  flip?: number;
  init?: string;
  freeze?: string;
  lrScale?: string;
  seed?: number;
  prompt?: string;
  length?: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  beams?: number;
  steps?: number;
  device?: string;
  threads?: number;
  out?: string;
  resume?: string;
  dataDir?: string;
  download?: boolean;
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
  /** What holds where the flag is not given, unless a command says otherwise. */
  readonly initially?: string;
  /** The value, or what the flag takes where it is not that. */
  read(value: unknown): { value: string | number | boolean } | string;
}

const text = (value: string, help: string, initially?: string): Kind => ({
  value,
  help,
  initially,
  read: (given) => (typeof given === "string" && given !== "" ? { value: given } : `a ${value.toLowerCase()}`),
});

const oneOf = (value: string, names: readonly string[], help: string): Kind => ({
  value,
  help,
  read: (given) => (names.includes(given as string) ? { value: given as string } : `one of ${names.join(", ")}`),
});

const number =
  (value: string, what: string, fits: (n: number) => boolean) =>
  (help: string, initially?: string): Kind => ({
    value,
    help,
    initially,
    read: (given) => {
      const n = typeof given === "string" && given.trim() !== "" ? Number(given) : given;
      return typeof n === "number" && fits(n) ? { value: n } : what;
    },
  });

const whole = (least: number, most: number): ((help: string, initially?: string) => Kind) =>
  number("N", `a whole number from ${least} to ${most}`, (n) => Number.isInteger(n) && n >= least && n <= most);
const rate = number("RATE", "a number above 0", (n) => n > 0 && n < Number.POSITIVE_INFINITY);
const factor = number("FACTOR", "a number above 0, at most 1", (n) => n > 0 && n <= 1);

const toggle = (help: string, initially?: string): Kind => ({
  help,
  initially,
  read: (given) => (typeof given === "boolean" ? { value: given } : "no value"),
});

const kinds: Readonly<Record<Flag, Kind>> = {
  data: text(
    "SET",
    `data set: ${dataNames.join(", ")}; or a folder of images, ./PATH, with a folder for each class; or, for vectors of words, a text, ./FILE`,
  ),
  samples: whole(1, 1_000_000)("use only the first so many samples of each part", "all"),
  epochs: whole(1, 1_000_000)("passes over the training set"),
  maxSteps: whole(1, 1_000_000_000)(
    "stop after so many steps in all; not kept, so say it again with --resume",
    "at the end of the epochs",
  ),
  batch: whole(1, 65_536)("samples in a batch"),
  optimizer: text("NAME", `optimizer: ${optimizerNames.join(", ")}`),
  lr: rate("learning rate of the first epoch"),
  decay: factor("factor on the learning rate after each epoch"),
  decayFrom: whole(0, 1_000_000)("keep the rate for so many epochs, and let --decay begin then"),
  momentum: number("SHARE", "a number from 0 on, below 1", (n) => n >= 0 && n < 1)("momentum of sgd"),
  clip: rate("shorten gradients that are longer than this"),
  schedule: oneOf(
    "NAME",
    scheduleNames,
    "how the rate goes: decay a factor an epoch; steps a tenth from the half on and again from three quarters; linear to a ten-thousandth; cosine to 0; onecycle; plateau a tenth where the test loss stays",
  ),
  weightDecay: number(
    "RATE",
    "a number from 0 on",
    (n) => n >= 0 && n < Number.POSITIVE_INFINITY,
  )("factor of the weights that is added to their gradients"),
  shift: whole(0, 1024)("move training images at random by up to so many pixels, repeating the edge"),
  crop: whole(0, 1024)("move them so over a border of so many zeros"),
  flip: number("SHARE", "a number from 0 to 1", (n) => n >= 0 && n <= 1)("mirror this share of the training images"),
  init: text("FILE", "begin with the weights that fit in a safetensors file, or in another run"),
  freeze: text("PATTERN", "leave parameters with such names as they are, e.g. '^(?!fc)'"),
  lrScale: text("PATTERN=FACTOR", "rates of their own for parameters with such names, with commas between several"),
  seed: whole(0, 2 ** 31 - 1)("seed of weights, data order and dropout", "1"),
  prompt: {
    ...text("TEXT", "what the text begins with", "a new line"),
    read: (given) => (typeof given === "string" ? { value: given } : "a text"),
  },
  length: whole(1, 1_000_000)("tokens to write", "500"),
  temperature: number(
    "T",
    "a number from 0 on",
    (n) => n >= 0 && n < Number.POSITIVE_INFINITY,
  )("below 1 surer, above 1 bolder, 0 always the likeliest", "1"),
  topK: whole(1, 1_000_000_000)("only the so many likeliest tokens", "all"),
  topP: factor("only the likeliest tokens whose probabilities add up to this", "1"),
  beams: whole(1, 1000)("the likeliest text that a search finds which follows so many, instead of drawing one"),
  steps: whole(1, 1_000_000)("rounds of Gibbs sampling that a Boltzmann machine draws by"),
  device: text("NAME", `where to compute: ${deviceNames.join(", ")}`, "HEBB_DEVICE, else auto"),
  threads: whole(1, mostThreads)("threads to compute with", `one a core, here ${availableParallelism()}`),
  out: text("PATH", "run folder to make", "runs/MODEL-DATA-TIME"),
  resume: text("RUN", "continue this run from its newest checkpoint"),
  dataDir: text("FOLDER", "where the data sets lie", "HEBB_DATA, else hebb in the user's cache folder"),
  download: toggle(
    "fetch missing data, also into a folder named by --data-dir or HEBB_DATA",
    "only into the cache folder",
  ),
  config: text("FILE", "JSON file with any of these flags, such as a run's config.json"),
  best: toggle("take the best checkpoint", "the newest"),
  json: toggle("end with one line of JSON on standard output, after a failure too"),
  help: toggle("show this"),
};

/** No flag, but a key of the files that flags are read from. */
const modelName = text("NAME", "model of the zoo");

/** dataDir → data-dir. */
const kebab = (flag: string): string => flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const camel = (flag: string): string => flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** What a command is given. */
export interface Arguments {
  readonly positionals: readonly string[];
  readonly options: Options;
}

/** Reads a command's arguments. Throws a UsageError naming the flag and what it takes. */
export function parseOptions(args: readonly string[], allowed: readonly Flag[]): Arguments {
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
    const given = token.value ?? (kinds[flag].value ? undefined : true);
    const isFlag = token.inlineValue === false && token.value.startsWith("--"); // a folder of that name is --out=--json
    options[flag] = read(`--${token.name}`, kinds[flag], given, !isFlag);
  }
  return { positionals, options: options as Options };
}

/**
 * Adds the flags, and the model, in the JSON file that --config names; what was given as arguments takes precedence. Throws
 * a UsageError naming file and key.
 */
export async function withConfigFile({ positionals, options }: Arguments, flags: readonly Flag[]): Promise<Arguments> {
  const { config: path } = options;
  if (path === undefined) return { positionals, options };
  const allowed = ["model", ...flags];
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
    found[name] = readKey(`--config ${path}`, key, value);
  }
  const { model, ...rest } = found;
  return {
    positionals: positionals.length > 0 || model === undefined ? positionals : [model as string],
    options: { ...rest, ...options },
  };
}

/** The value of a flag, or of "model", in a JSON file. Throws a UsageError naming file and key. */
export function readKey(file: string, key: string, given: unknown): string | number | boolean {
  const name = camel(key);
  return read(`${file}: "${key}"`, name === "model" ? modelName : kinds[name as Flag], given);
}

function read(place: string, kind: Kind, given: unknown, fits = true): string | number | boolean {
  const result = kind.read(fits ? given : undefined);
  if (typeof result !== "string") return result.value;
  throw new UsageError(`${place} takes ${result}${given === undefined ? "" : `, not ${JSON.stringify(given)}`}`);
}

/** The lines of a command's help about its flags, with what holds where one is not given. */
export function describeFlags(
  flags: readonly Flag[],
  { defaults = {}, helps = {} }: Pick<Command, "defaults" | "helps"> = {},
): string {
  const heads = flags.map((flag) => `  --${kebab(flag)}${kinds[flag].value ? ` ${kinds[flag].value}` : ""}`);
  const width = Math.max(...heads.map((head) => head.length));
  return flags
    .map((flag, i) => {
      const { help, initially = "" } = { ...kinds[flag], ...(flag in defaults && { initially: defaults[flag] }) };
      return `${heads[i].padEnd(width)}  ${helps[flag] ?? help}${initially && ` (default: ${initially})`}`;
    })
    .join("\n");
}

/** `--max-steps`, as the user writes it. */
export const flagName = (flag: Flag): string => `--${kebab(flag)}`;
