// Texts to learn words' vectors from: the beginning of text8, and files of one's own.
import type { FileSource } from "../io/source.ts";
import { type CountedText, type CountOptions, countWords } from "./counted-text.ts";
import type { DataFile, DataOptions } from "./data-file.ts";
import { readOwnText, readText } from "./text-file.ts";

/** How much of a text is taken, and which of its words. */
export interface WordTextOptions extends CountOptions {
  /** Only the first so many words. */
  take?: number;
}

/** Words of a sentence of a text that has none; as in the word2vec program. */
const sentenceLength = 1000;

/**
 * The first 1,107,369 words of text8, English Wikipedia of 2006 in letters a to z (Mahoney, 2006), in sentences of 1000 words; by
 * default the words that come 5 times. Throws as openDataFile and countWords.
 */
export async function text8({
  take,
  least,
  size,
  ...options
}: WordTextOptions & DataOptions = {}): Promise<CountedText> {
  const { text } = await readText(text8File, ["text8-prefix", "text8", ""], options);
  return counted(text, { take, least, size });
}

/**
 * A text of one's own, plain or gzip, in lower case: its words are letters and digits, with apostrophes and hyphens between them, its
 * sentences 1000 words long. Throws one line for what is no text, and as countWords.
 */
export async function textFile(file: FileSource, options: WordTextOptions = {}): Promise<CountedText> {
  const { text } = await readOwnText(file);
  return counted(text, options);
}

const wordPattern = /[\p{L}\p{M}\p{N}]+(?:['’-][\p{L}\p{M}\p{N}]+)*/gu;

function counted(text: string, { take = Number.POSITIVE_INFINITY, ...options }: WordTextOptions): CountedText {
  const sentences: string[][] = [];
  let words = 0;
  for (const [word] of text.toLowerCase().matchAll(wordPattern)) {
    if (words === take) break;
    if (words++ % sentenceLength === 0) sentences.push([]);
    sentences[sentences.length - 1].push(word);
  }
  return countWords(sentences, options);
}

const text8File: DataFile = {
  name: "text8-first-6500000.gz",
  bytes: 2_171_684,
  sha256: "780159d3d0fa50699949511e640cfea8854b59f1232f61dd76470401bc852cb8",
  plainSha256: "2107575cbff3045be459c441a55a5ad16302d4f79d4027673ed5280f498cacc4",
  urls: [],
  made: "the first 6,500,000 bytes of text8 (http://mattmahoney.net/dc/text8.zip), plain without .gz or by gzip -9n,",
};
