// Sentences and their translations: Multi30k's captions, Tatoeba's English and Chinese.
import { FormatError } from "../graph/format-error.ts";
import type { DataFile, DataOptions } from "./data-file.ts";
import { type EncodedPairs, type Pair, SequencePairs } from "./sequence-pairs.ts";
import { checkSplit } from "./split.ts";
import { Vocabulary } from "./text.ts";
import { readLines } from "./text-file.ts";

export interface TranslationOptions<Language extends string> extends DataOptions {
  /** The language to translate from, and the one to translate to. */
  from?: Language;
  to?: Language;
  /** Words that come less often among the training pairs are unknown: 2 unless set. */
  least?: number;
  /** Pairs with more tokens on either side are left out. */
  longest?: number;
  /** Gives the source backwards (Sutskever, Vinyals & Le, 2014). */
  reversed?: boolean;
  /** The vocabularies to number words by, e.g. those of a run; by default those of the training pairs. */
  vocabularies?: EncodedPairs["vocabularies"];
}

type TranslationSplit = "train" | "valid" | "test";

/**
 * Captions of photographs in English and German (Elliott et al., 2016), lower-cased words: 29,000 pairs to train, 1,014 to validate,
 * 1,000 to test, the Flickr test of 2016, or of 2017. From German to English unless said otherwise. The text is for research only.
 * Throws as openDataFile does, and FormatError where the files do not have as many lines, or an empty one.
 */
export function multi30k(
  split: TranslationSplit | "test2017",
  { from = "de", to = "en", ...options }: TranslationOptions<"de" | "en"> = {},
): SequencePairs {
  checkSplit("multi30k", split, Object.keys(multi30kParts));
  checkLanguages("multi30k", { from, to }, ["de", "en"]);
  const linesOf = (part: string, language: string): ReturnType<typeof readLines> =>
    readLines(multi30kFile(`${part}.${language}`), ["multi30k", ""], options);
  const read = async (which: TranslationSplit | "test2017"): Promise<Pair[]> => {
    const [part] = multi30kParts[which];
    const [source, target] = await Promise.all([from, to].map((language) => linesOf(part, language)));
    if (source.lines.length !== target.lines.length)
      throw new FormatError(
        `has ${target.lines.length} lines for ${source.lines.length} of ${source.path}; take both files from one place`,
        { file: target.path },
      );
    return source.lines.map((line, i) => ({
      source: tokensOf(splitWords, line, { line: i + 1, file: source.path }),
      target: tokensOf(splitWords, target.lines[i], { line: i + 1, file: target.path }),
    }));
  };
  return translation<typeof split>(split, read, { name: "multi30k", length: multi30kParts[split][1] }, options);
}

/**
 * Short sentences in English and Chinese (Tatoeba, by manythings.org, 2021): lower-cased words and single characters. There is no
 * published split: of each 20 different English sentences, in the order of the file, which is that of their lengths, the last but
 * one is to validate and the last to test, with all their translations. From English to Chinese unless said otherwise. Throws as
 * openDataFile does, and FormatError for a line that is no pair.
 */
export function cmnEng(
  split: TranslationSplit,
  { from = "en", to = "zh", ...options }: TranslationOptions<"en" | "zh"> = {},
): SequencePairs {
  checkSplit("cmn-eng", split, ["train", "valid", "test"]);
  checkLanguages("cmn-eng", { from, to }, ["en", "zh"]);
  const read = async (which: TranslationSplit): Promise<Pair[]> => {
    const { lines, path } = await readLines(cmnFile, ["cmn-eng", ""], options);
    const different = new Map<string, number>();
    const pairs: Pair[] = [];
    for (const [i, line] of lines.entries()) {
      const [english, chinese = ""] = line.split("\t");
      if (!different.has(english)) different.set(english, different.size);
      const place = different.get(english)! % 20;
      if (which !== (place === 18 ? "valid" : place === 19 ? "test" : "train")) continue;
      const at = { line: i + 1, file: path };
      const sides = { en: tokensOf(splitWords, english, at), zh: tokensOf(splitCharacters, chinese, at) };
      pairs.push({ source: sides[from], target: sides[to] });
    }
    return pairs;
  };
  const length = { train: 23_736, valid: 1335, test: 1317 }[split];
  return translation<typeof split>(split, read, { name: "cmn-eng", length }, options);
}

/** Words in lower case, each punctuation mark a token; apostrophes and hyphens within words stay. For any language with spaces. */
export const splitWords = (sentence: string): string[] =>
  sentence.toLowerCase().match(/[\p{L}\p{M}\p{N}]+(?:['’-][\p{L}\p{M}\p{N}]+)*|\S/gu) ?? [];

/** Characters, without spaces; words and numbers in Latin letters stay whole, in lower case. For Chinese. */
export const splitCharacters = (sentence: string): string[] =>
  sentence.toLowerCase().match(/[\p{Script=Latin}0-9]+|\S/gu) ?? [];

const special = ["<pad>", "<unknown>", "<start>", "<end>"];

function translation<S extends string>(
  split: S | "train",
  read: (split: S | "train") => Promise<Pair[]>,
  { name, length }: { name: string; length: number },
  { least = 2, longest, reversed = false, vocabularies, verify = true }: TranslationOptions<string>,
): SequencePairs {
  for (const [option, value] of Object.entries({ least, longest }))
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1))
      throw new RangeError(`${name}: ${option} is a whole number of at least 1, got ${value}`);
  const load = async (): Promise<EncodedPairs> => {
    const all = await read(split);
    const training = split === "train" || vocabularies !== undefined ? all : await read("train");
    const vocabularyOf = (side: keyof Pair): Vocabulary =>
      Vocabulary.of(
        training.map((pair) => pair[side]),
        { special, least },
      );
    const known = vocabularies ?? { source: vocabularyOf("source"), target: vocabularyOf("target") };
    const most = longest ?? Number.POSITIVE_INFINITY;
    const pairs = all.filter(({ source, target }) => source.length <= most && target.length <= most);
    const source = pairs.map((pair) => known.source.encode(reversed ? pair.source.toReversed() : pair.source));
    return { pairs, source, target: pairs.map((pair) => known.target.encode(pair.target)), vocabularies: known };
  };
  return new SequencePairs(load, { name, ...(verify && longest === undefined && { length }) });
}

/** A sentence's tokens; every one has some. */
function tokensOf(
  tokenize: (sentence: string) => string[],
  sentence: string,
  { line, file }: { line: number; file: string },
): string[] {
  const tokens = tokenize(sentence);
  if (tokens.length === 0)
    throw new FormatError(`expected a sentence and its translation, found none in line ${line}; remove the line`, {
      file,
    });
  return tokens;
}

function checkLanguages(set: string, { from, to }: { from: string; to: string }, known: readonly string[]): void {
  if (known.includes(from) && known.includes(to) && from !== to) return;
  throw new RangeError(
    `${set}: from and to are ${known.map((each) => `"${each}"`).join(" and ")}, got "${from}" and "${to}"`,
  );
}

/** By split, the files' name and how many pairs they have. */
const multi30kParts = {
  train: ["train", 29_000],
  valid: ["val", 1014],
  test: ["test_2016_flickr", 1000],
  test2017: ["test_2017_flickr", 1000],
} as const;

/** Bytes, SHA-256, and that of the inflated file. */
const multi30kFacts: Readonly<Record<string, readonly [number, string, string]>> = {
  "train.de": [
    637_044,
    "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
  ],
  "train.en": [
    568_929,
    "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
  ],
  "val.de": [
    24_681,
    "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
  ],
  "val.en": [
    21_650,
    "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
  ],
  "test_2016_flickr.de": [
    22_890,
    "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
  ],
  "test_2016_flickr.en": [
    21_077,
    "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
  ],
  "test_2017_flickr.de": [
    21_471,
    "a2c89666db00c495cd8513b9d708d5a3acc205d7de312ef2bf5fb7ebc1540aee",
    "c3078bc3b36808bf9d20eb2347ed6137016179ef59ec0d2b9b8ecc3fb2880081",
  ],
  "test_2017_flickr.en": [
    19_138,
    "76a444ee25172e72695cddb13ae4a3bda59430617be88e0bb46b60504f054074",
    "ce1450ddc5ab0834502579d77a170849952e15a2938b34cc503bdc25ebb4fb98",
  ],
};

function multi30kFile(part: string): DataFile {
  const [bytes, sha256, plainSha256] = multi30kFacts[part];
  const name = `${part}.gz`;
  const urls = [`https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/${name}`];
  return { name, bytes, sha256, plainSha256, urls };
}

const cmnFile: DataFile = {
  name: "cmn.txt",
  bytes: 3_765_470,
  sha256: "af1099fbf65a5c7041ff4e960306b13138793887335b53b4d9f698faefa6593a",
  urls: ["https://raw.githubusercontent.com/vivounicorn/attention-seq2seq/master/cmn-eng/cmn.txt"],
};
