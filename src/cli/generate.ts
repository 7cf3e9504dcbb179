// hebb generate: a text that a run's language model goes on with from a prompt, written as it is made; or what a translator says for it.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Vocabulary, type VocabularyJson } from "../data/index.ts";
import { seed as seedStream } from "../graph/index.ts";
import { beamSearch, generate, isStepped, type SteppedModel, stepped } from "../zoo/index.ts";
import { type Command, type Io, report, UsageError } from "./command.ts";
import { findData } from "./data-sets.ts";
import { generateTranslation } from "./generate-translation.ts";
import { findEntry } from "./names.ts";
import { flagName } from "./options.ts";
import { commandLine } from "./program.ts";
import { chooseDevice, openRun, readRun, readVocabulary, type TrainedModel, vocabularyFile } from "./setup.ts";

/** Tokens of a text as people read them, and back. */
interface Writing {
  encode(text: string): number[];
  /** What the token adds to the text. */
  piece(token: number, first: boolean): string;
}

export const generateText: Command = {
  summary: "writes a text with a run's language model, or translates one",
  positionals: "RUN",
  flags: ["prompt", "length", "temperature", "topK", "topP", "beams", "seed", "device", "threads", "best", "json"],
  helps: { seed: "seed of what is drawn: the same one gives the same text" },
  run: async (positionals, options, io) => {
    if (positionals.length !== 1)
      throw new UsageError(
        `generate needs one run folder, e.g. ${commandLine(io, "generate", "runs/charlstm-tiny-shakespeare-20260101-120000")}`,
      );
    const [run] = positionals;
    const device = chooseDevice(options);
    const { model: name } = await readRun(run);
    if (findEntry(name).task === "translate") return generateTranslation({ run, device }, options, io);
    const opened = await openRun(run, options, io);
    if (opened.entry.task !== "language")
      throw new UsageError(`${run} is a run of ${opened.config.model}, which is no language model`);
    const drawing = (["temperature", "topK", "topP", "seed"] as const).filter((flag) => options[flag] !== undefined);
    if (options.beams !== undefined && drawing.length > 0)
      throw new UsageError(
        `--beams looks for the likeliest text and draws none; leave ${drawing.map(flagName).join(", ")} out`,
      );
    const { prompt = "\n", length = 500, temperature, topK, topP, beams, seed = 1 } = options;
    const writing = await writingOf(run, opened);
    const start = writing.encode(prompt);
    const model = steppedOf(opened);
    seedStream(seed);
    const signal = io.interruption();
    const started = performance.now();
    const tokens =
      beams === undefined
        ? await generate(model, start, {
            length,
            temperature,
            topK,
            topP,
            signal,
            onToken: options.json ? undefined : written(writing, prompt, io),
          })
        : [...(await beamSearch(model, start, { beams, length }))[0].tokens];
    const seconds = (performance.now() - started) / 1000;
    const text =
      prompt.trimStart() + tokens.map((token, i) => writing.piece(token, i === 0 && prompt.trim() === "")).join("");
    if (beams === undefined && !options.json) io.stdout.write("\n");
    io.stderr.write(`${tokens.length} tokens, ${Math.round(tokens.length / seconds)} a second\n`);
    report(io, options, beams === undefined ? "" : text, {
      command: "generate",
      run,
      device,
      prompt,
      text,
      tokens: tokens.length,
      seconds,
    });
    return signal.aborted ? 130 : 0;
  },
};

/** Writes the prompt, and then each token as it is made. */
function written(writing: Writing, prompt: string, io: Io): (token: number) => void {
  io.stdout.write(prompt.trimStart());
  let first = prompt.trim() === "";
  return (token) => {
    io.stdout.write(writing.piece(token, first));
    first = false;
  };
}

/** A model with a state as it is; another is asked over the last tokens, as many as it was trained on. */
const steppedOf = ({ model, entry }: TrainedModel): SteppedModel =>
  isStepped(model) ? model : stepped(model, entry.input[0]);

/** How a run's tokens are written, from the vocabulary that it keeps, else that of its data. */
async function writingOf(run: string, { config, entry }: TrainedModel): Promise<Writing> {
  const file = join(run, vocabularyFile);
  const kept = await readFile(file, "utf8").catch(() => undefined);
  const vocabulary =
    kept === undefined
      ? await findData(entry, config.data, "train", config).vocabulary()
      : readVocabulary(file, kept, (json) => Vocabulary.from(json as VocabularyJson));
  const byCharacters = vocabulary.words.every((word) => [...word].length <= 1);
  return {
    encode: (text) => {
      const parts = byCharacters ? [...text] : text.split(/\s+/).filter((word) => word !== "");
      try {
        return [...vocabulary.encode(parts.length > 0 ? parts : [byCharacters ? "\n" : "<eos>"])];
      } catch {
        throw new UsageError(`--prompt: ${unknownOf(parts, vocabulary)}`);
      }
    },
    piece: (token, first) => {
      const word = vocabulary.words[token];
      return byCharacters ? word : word === "<eos>" ? "\n" : `${first ? "" : " "}${word}`;
    },
  };
}

/** What of a prompt a vocabulary has not, and what it has. */
function unknownOf(parts: readonly string[], { words }: Vocabulary): string {
  const unknown = parts.find((part) => !words.includes(part));
  const known = words.length > 100 ? `${words.length} words` : `these: ${words.join("").replaceAll("\n", "\\n")}`;
  return `the run does not know ${JSON.stringify(unknown)}; it knows ${known}`;
}
