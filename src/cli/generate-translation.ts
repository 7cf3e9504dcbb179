// hebb generate for a model that says one sequence for another: what it says for the prompt.
import type { Vocabulary } from "../data/index.ts";
import { type Io, report, UsageError } from "./command.ts";
import { flagName, type Options } from "./options.ts";
import { pairSets } from "./pair-sets.ts";
import { commandLine } from "./program.ts";
import { openTranslator, translated } from "./translators.ts";

const ofTexts = ["length", "temperature", "topK", "topP", "seed"] as const;

export async function generateTranslation(
  { run, device }: { run: string; device: string },
  options: Options,
  io: Io,
): Promise<number> {
  const { config, entry, model, vocabularies, checkpoint } = await openTranslator(run, options, io);
  const { prompt = "", beams } = options;
  for (const flag of ofTexts)
    if (options[flag] !== undefined)
      throw new UsageError(
        `${flagName(flag)} is of language models; ${config.model} says what is likeliest, and --beams widens its search`,
      );
  const { split, join } = pairSets[config.data];
  const words = split(prompt);
  if (words.length === 0) {
    const some = vocabularies.source.words.filter((word) => !word.startsWith("<")).slice(0, 3);
    const command = commandLine(io, "generate", run, "--prompt", some.join(" "));
    throw new UsageError(`${config.model} needs words to read, e.g. ${command}`);
  }
  const unknown = words.filter((word) => !vocabularies.source.words.includes(word));
  const source = encode(vocabularies.source, entry.reversed ? words.toReversed() : words);
  if (unknown.length > 0) io.stderr.write(`not among the words of ${run}, so read as unknown: ${unknown.join(" ")}\n`);
  const started = performance.now();
  const signal = io.interruption();
  const said = await translated(model, [source], vocabularies, { beams, signal });
  if (said === undefined) return 130;
  const text = join(said[0]);
  const seconds = (performance.now() - started) / 1000;
  const figures = { run, model: config.model, device, step: checkpoint.step, prompt, text };
  report(io, options, text, { command: "generate", ...figures, tokens: said[0].length, unknown, seconds });
  return 0;
}

/** The numbers of words. Throws a UsageError for one that is not known where none stands for such. */
function encode(vocabulary: Vocabulary, words: readonly string[]): Int32Array {
  try {
    return vocabulary.encode(words);
  } catch (error) {
    throw new UsageError(`--prompt: ${(error as Error).message}`);
  }
}
