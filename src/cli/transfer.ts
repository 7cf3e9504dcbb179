// Transfer learning: a model that begins with the weights of a file or a run, parts of which stay or move at rates of their own.

import { isFolder } from "../io/folder.ts";
import { readSafetensors } from "../io/index.ts";
import { type LoadableTensor, load, namedParameters, namedTensors } from "../nn/index.ts";
import type { ParameterGroup, Schedule } from "../optim/index.ts";
import { type Io, UsageError } from "./command.ts";
import { newestSound } from "./setup.ts";

/**
 * Gives a model the tensors of a safetensors file, or of a run's newest checkpoint, that have its names and shapes. The others, such as
 * the head of a network for other classes, stay as drawn, and a line on standard error names them. Throws one line where the file
 * cannot be read or nothing in it fits.
 */
export async function initialize(model: object, path: string, io: Io): Promise<void> {
  const tensors = await weightsOf(path, io);
  const own = namedTensors(model);
  const fits = (name: string): boolean => `${tensors.get(name)?.shape}` === `${own.get(name)!.shape}`;
  const names = [...own.keys()];
  const fitting = new Map(names.filter(fits).map((name) => [name, tensors.get(name)!]));
  if (fitting.size === 0)
    throw new UsageError(
      `--init ${path}: none of its ${tensors.size} tensors (${some([...tensors.keys()])}) is one of the model's (${some(names)})`,
    );
  await load(model, fitting, { strict: false });
  const others = names.filter((name) => !fits(name));
  const left = others.map((name) => {
    const there = tensors.get(name);
    return `${name} [${own.get(name)!.shape.join(", ")}]${there ? `, there [${there.shape.join(", ")}]` : ""}`;
  });
  const rest = left.length === 0 ? "" : `; these begin anew: ${some(left, "; ")}`;
  io.stderr.write(`${fitting.size} of ${names.length} tensors from ${path}${rest}\n`);
}

async function weightsOf(path: string, io: Io): Promise<ReadonlyMap<string, LoadableTensor>> {
  if (!(await isFolder(path))) return (await readSafetensors(path)).tensors;
  const { checkpoint } = await newestSound(path, io);
  if (checkpoint === undefined) throw new UsageError(`--init ${path}: the run has saved no checkpoint yet`);
  return checkpoint.model as ReadonlyMap<string, LoadableTensor>;
}

const some = (names: readonly string[], between = ", "): string =>
  `${names.slice(0, 4).join(between)}${names.length > 4 ? ` and ${names.length - 4} more` : ""}`;

/** A pattern of names, as `--freeze` takes it. Throws a UsageError for one that cannot be read. */
function patternOf(flag: string, text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new UsageError(
      `${flag} takes a pattern of parameter names, such as ^features, not ${text} (${(error as Error).message})`,
    );
  }
}

/** The pattern. Throws a UsageError too where no name has it. */
function matching(names: readonly string[], flag: string, text: string): RegExp {
  const pattern = patternOf(flag, text);
  if (names.some((name) => name.search(pattern) >= 0)) return pattern;
  throw new UsageError(`${flag} ${text} is in no parameter's name; there are ${some(names)}`);
}

/**
 * The groups of parameters that `--freeze PATTERN` and `--lr-scale PATTERN=FACTOR,…` make: frozen ones first. Throws a UsageError
 * where a pattern or a factor cannot be read.
 */
export function transferGroups(
  model: object,
  { freeze, lrScale }: { readonly freeze?: string; readonly lrScale?: string },
  lr: number | Schedule,
): ParameterGroup[] {
  const names = [...namedParameters(model).keys()];
  const frozen = freeze === undefined ? [] : [{ match: matching(names, "--freeze", freeze), frozen: true }];
  if (frozen.length > 0 && names.every((name) => name.search(frozen[0].match) >= 0))
    throw new UsageError(
      `--freeze ${freeze} takes all parameters, so nothing is left to train; there are ${some(names)}`,
    );
  const scaled = (lrScale === undefined ? [] : lrScale.split(",")).map((part) => {
    const at = part.lastIndexOf("=");
    const factor = Number(part.slice(at + 1));
    if (at < 1 || part.length === at + 1 || !(factor >= 0 && factor < Number.POSITIVE_INFINITY))
      throw new UsageError(
        `--lr-scale takes PATTERN=FACTOR, such as ^features=0.1, with commas between several, not ${part}`,
      );
    const rate = typeof lr === "number" ? lr * factor : (step: number): number => lr(step) * factor;
    return { match: matching(names, "--lr-scale", part.slice(0, at)), lr: rate };
  });
  return [...frozen, ...scaled];
}
