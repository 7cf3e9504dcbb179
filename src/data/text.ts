// Sentences as numbers: tokens, vocabularies, padding.
import { FormatError } from "../graph/format-error.ts";

/** Characters of a sentence that `tokenize` takes at most; what is longer is no sentence but a damaged file. */
const longestSentence = 100_000;

/**
 * The tokens of an English sentence as Kim (2014) takes them: letters, digits and ( ) , ! ? ' ` remain, in lower case unless `keepCase`;
 * punctuation and the endings 's 've n't 're 'd 'll are tokens of their own. Throws for more than 100,000 characters.
 */
export function tokenize(sentence: string, { keepCase = false }: { keepCase?: boolean } = {}): string[] {
  if (sentence.length > longestSentence)
    throw new RangeError(`tokenize: a sentence has at most ${longestSentence} characters, got ${sentence.length}`);
  const spaced = sentence
    .replace(/[^A-Za-z0-9(),!?'`]/g, " ")
    .replace(/n't|'(?:s|ve|re|d|ll)/g, " $&")
    .replace(/[,!()?]/g, " $& ");
  return (keepCase ? spaced : spaced.toLowerCase()).split(" ").filter((token) => token !== "");
}

/** A vocabulary as it lies in a JSON file: all words by number, of which the first `special` are no words of a text. */
export interface VocabularyJson {
  readonly words: readonly string[];
  readonly special: number;
  readonly unknown: string;
}

export interface VocabularyOptions {
  /** Words that come first and are none of a text's: by default "<pad>", 0, and "<unknown>", 1. */
  special?: readonly string[];
  /** The word that stands for those that are not known, by default "<unknown>"; without it they are an error. */
  unknown?: string;
}

/** Words and their numbers: by default 0 is padding, 1 any word that is not known, then the most frequent word first. */
export class Vocabulary {
  /** By number, the special ones first. */
  readonly words: readonly string[];
  readonly #special: number;
  readonly #unknown: string;
  readonly #numbers: ReadonlyMap<string, number>;

  /** From the words in their order, the special ones left out. Throws where one comes twice. */
  constructor(
    words: readonly string[],
    { special = ["<pad>", "<unknown>"], unknown = "<unknown>" }: VocabularyOptions = {},
  ) {
    this.words = [...special, ...words];
    this.#special = special.length;
    this.#unknown = unknown;
    this.#numbers = new Map(this.words.map((word, i) => [word, i]));
    if (this.#numbers.size < this.words.length) {
      const twice = this.words.find((word, i) => this.#numbers.get(word) !== i);
      throw new Error(`Vocabulary: the word ${JSON.stringify(twice)} comes twice`);
    }
  }

  /**
   * The words that come at least `least` times, the most frequent first, of equal ones the earlier in the text; so many that the
   * vocabulary's size is at most `size`. Words written as a special one do not count.
   */
  static of(
    sentences: Iterable<readonly string[]>,
    {
      size = Number.POSITIVE_INFINITY,
      least = 1,
      ...options
    }: VocabularyOptions & { size?: number; least?: number } = {},
  ): Vocabulary {
    const { special = ["<pad>", "<unknown>"] } = options;
    if (!(size >= special.length)) {
      const needed = options.special === undefined ? "padding and unknown" : special.join(" ");
      throw new RangeError(`Vocabulary: size must be at least ${special.length}, for ${needed}, got ${size}`);
    }
    const counts = new Map<string, number>();
    for (const sentence of sentences) for (const word of sentence) counts.set(word, (counts.get(word) ?? 0) + 1);
    for (const word of special) counts.delete(word);
    const frequent = [...counts].filter(([, count]) => count >= least).sort(([, a], [, b]) => b - a);
    return new Vocabulary(
      frequent.slice(0, size - special.length).map(([word]) => word),
      options,
    );
  }

  /** The vocabulary that toJSON gave, e.g. of a run folder. Throws a FormatError, which names `file`, where it is none. */
  static from(json: VocabularyJson, { file }: { file?: string } = {}): Vocabulary {
    const { words, special, unknown } = (json ?? {}) as Partial<VocabularyJson>;
    if (
      !Array.isArray(words) ||
      !words.every((word) => typeof word === "string") ||
      typeof unknown !== "string" ||
      !(Number.isInteger(special) && special! >= 0 && special! <= words.length)
    )
      throw new FormatError("expected a vocabulary { words, special, unknown }, as Vocabulary.toJSON gives it", {
        file,
      });
    return new Vocabulary(words.slice(special), { special: words.slice(0, special), unknown });
  }

  /** What JSON.stringify writes and Vocabulary.from reads. */
  toJSON(): VocabularyJson {
    return { words: this.words, special: this.#special, unknown: this.#unknown };
  }

  get size(): number {
    return this.words.length;
  }

  /** The number of a word, special ones included. Throws where the vocabulary has no such word. */
  number(word: string): number {
    const number = this.#numbers.get(word);
    if (number === undefined) throw this.#missing(word);
    return number;
  }

  /** The numbers of words; a special one, in a text, is not known. Throws for a word not known where no word stands for those. */
  encode(words: Iterable<string>): Int32Array {
    const unknown = this.#numbers.get(this.#unknown);
    return Int32Array.from(words, (word) => {
      const number = this.#numbers.get(word);
      if (number !== undefined && number >= this.#special) return number;
      if (unknown === undefined) throw this.#missing(word);
      return unknown;
    });
  }

  /** The words of numbers, without the padding at the end. Throws for a number that no word has. */
  decode(numbers: ArrayLike<number>): string[] {
    let end = numbers.length;
    if (this.words[0] === "<pad>") while (end > 0 && numbers[end - 1] === 0) end--;
    return Array.from({ length: end }, (_, i) => {
      const word = this.words[numbers[i]];
      if (word === undefined)
        throw new RangeError(`Vocabulary: ${numbers[i]} is none of the numbers 0 … ${this.size - 1}`);
      return word;
    });
  }

  /** The words of a sequence up to "<end>" or padding (0, or a label below 0), without "<start>". Throws as decode. */
  sentence(numbers: ArrayLike<number>): string[] {
    const end = Array.from(numbers).findIndex(
      (number) => number < 0 || ["<end>", "<pad>"].includes(this.words[number]),
    );
    return this.decode(Array.from(numbers).slice(0, end < 0 ? undefined : end)).filter((word) => word !== "<start>");
  }

  #missing(word: string): RangeError {
    return new RangeError(
      `Vocabulary: ${JSON.stringify(word)} is not one of its ${this.size} words; take the vocabulary of the same text`,
    );
  }
}

/**
 * Sequences one after the other, [N, length], cut or filled up with `value`, 0; `length` is by default that of the longest, or the
 * next multiple of `multiple`.
 */
export function pad(
  sequences: readonly ArrayLike<number>[],
  { multiple = 1, value = 0, ...options }: { length?: number; multiple?: number; value?: number } = {},
): { data: Int32Array; length: number } {
  if (!(Number.isSafeInteger(multiple) && multiple >= 1))
    throw new RangeError(`pad: multiple must be a whole number ≥ 1, got ${multiple}`);
  const longest = sequences.reduce((most, each) => Math.max(most, each.length), 0);
  const { length = Math.ceil(longest / multiple) * multiple } = options;
  if (!(Number.isSafeInteger(length) && length >= 0))
    throw new RangeError(`pad: length must be a whole number ≥ 0, got ${length}`);
  const data = new Int32Array(sequences.length * length).fill(value);
  sequences.forEach((sequence, row) => {
    const end = Math.min(length, sequence.length);
    for (let i = 0; i < end; i++) data[row * length + i] = sequence[i];
  });
  return { data, length };
}

/** The 70 characters of Zhang, Zhao & LeCun (2015), the first numbered 1. */
const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-,;.!?:'\"/\\|_@#$%^&*~`+=<>()[]{}\n ";

/** The characters by their numbers; 0 stands for all others. */
export const characterVocabulary = (): Vocabulary =>
  new Vocabulary([...alphabet], { special: ["<other>"], unknown: "<other>" });

/**
 * The numbers 1 … 70 of a text's characters in lower case, 0 for all others, cut or filled up with 0 to the length: the rows of a
 * character-level network (Zhang, Zhao & LeCun, 2015). The paper lists a hyphen twice; the second is the space here.
 */
export function encodeCharacters(text: string, { length = 1014 }: { length?: number } = {}): Int32Array {
  const numbers = Array.from(text.slice(0, length).toLowerCase(), (character) => alphabet.indexOf(character) + 1);
  return pad([numbers], { length }).data;
}
