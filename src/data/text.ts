// Sentences as numbers: tokens, vocabularies, padding.

/** Characters of a sentence that `tokenize` takes at most; what is longer is no sentence but a damaged file. */
const longestSentence = 100_000;

/**
 * The tokens of an English sentence as Kim (2014) takes them: letters, digits and ( ) , ! ? ' ` remain, in lower case;
 * punctuation and the endings 's 've n't 're 'd 'll are tokens of their own. Throws for more than 100,000 characters.
 */
export function tokenize(sentence: string): string[] {
  if (sentence.length > longestSentence)
    throw new RangeError(`tokenize: a sentence has at most ${longestSentence} characters, got ${sentence.length}`);
  return sentence
    .replace(/[^A-Za-z0-9(),!?'`]/g, " ")
    .replace(/n't|'(?:s|ve|re|d|ll)/g, " $&")
    .replace(/[,!()?]/g, " $& ")
    .toLowerCase()
    .split(" ")
    .filter((token) => token !== "");
}

/** Words and their numbers: 0 is padding, 1 any word that is not known, then the most frequent word first. */
export class Vocabulary {
  /** By number; the first two are "<pad>" and "<unknown>". */
  readonly words: readonly string[];
  readonly #numbers: ReadonlyMap<string, number>;

  /** From the words in their order, the two special ones left out. Throws where one comes twice. */
  constructor(words: readonly string[]) {
    this.words = ["<pad>", "<unknown>", ...words];
    this.#numbers = new Map(words.map((word, i) => [word, i + 2]));
    if (this.#numbers.size < words.length) {
      const twice = words.find((word, i) => this.#numbers.get(word) !== i + 2);
      throw new Error(`Vocabulary: the word ${JSON.stringify(twice)} comes twice`);
    }
  }

  /**
   * The words that come at least `least` times, the most frequent first, of equal ones the earlier in the text; so many that the
   * vocabulary's size is at most `size`.
   */
  static of(
    sentences: Iterable<readonly string[]>,
    { size = Number.POSITIVE_INFINITY, least = 1 }: { size?: number; least?: number } = {},
  ): Vocabulary {
    if (!(size >= 2)) throw new RangeError(`Vocabulary: size must be at least 2, for padding and unknown, got ${size}`);
    const counts = new Map<string, number>();
    for (const sentence of sentences) for (const word of sentence) counts.set(word, (counts.get(word) ?? 0) + 1);
    const frequent = [...counts].filter(([, count]) => count >= least).sort(([, a], [, b]) => b - a);
    return new Vocabulary(frequent.slice(0, size - 2).map(([word]) => word));
  }

  get size(): number {
    return this.words.length;
  }

  /** The numbers of words. */
  encode(words: readonly string[]): Int32Array {
    return Int32Array.from(words, (word) => this.#numbers.get(word) ?? 1);
  }

  /** The words of numbers, without the padding at the end. Throws for a number that no word has. */
  decode(numbers: ArrayLike<number>): string[] {
    let end = numbers.length;
    while (end > 0 && numbers[end - 1] === 0) end--;
    return Array.from({ length: end }, (_, i) => {
      const word = this.words[numbers[i]];
      if (word === undefined)
        throw new RangeError(`Vocabulary: ${numbers[i]} is none of the numbers 0 … ${this.size - 1}`);
      return word;
    });
  }
}

/** Sequences one after the other, [N, length], cut or filled up with 0; `length` is by default that of the longest. */
export function pad(
  sequences: readonly ArrayLike<number>[],
  { length = sequences.reduce((longest, each) => Math.max(longest, each.length), 0) }: { length?: number } = {},
): { data: Int32Array; length: number } {
  if (!(Number.isSafeInteger(length) && length >= 0))
    throw new RangeError(`pad: length must be a whole number ≥ 0, got ${length}`);
  const data = new Int32Array(sequences.length * length);
  sequences.forEach((sequence, row) => {
    const end = Math.min(length, sequence.length);
    for (let i = 0; i < end; i++) data[row * length + i] = sequence[i];
  });
  return { data, length };
}

/** The 70 characters of Zhang, Zhao & LeCun (2015), the first numbered 1. */
const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-,;.!?:'\"/\\|_@#$%^&*~`+=<>()[]{}\n ";

/** The characters by their numbers; 0 stands for all others. */
export const characters: readonly string[] = ["", ...alphabet];

/**
 * The numbers 1 … 70 of a text's characters in lower case, 0 for all others, cut or filled up with 0 to the length: the rows of a
 * character-level network (Zhang, Zhao & LeCun, 2015). The paper lists a hyphen twice; the second is the space here.
 */
export function encodeCharacters(text: string, { length = 1014 }: { length?: number } = {}): Int32Array {
  const numbers = Array.from(text.slice(0, length).toLowerCase(), (character) => alphabet.indexOf(character) + 1);
  return pad([numbers], { length }).data;
}
