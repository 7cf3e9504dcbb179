// A text by its words: a vocabulary of those that are frequent enough, how often each comes, the sentences as numbers.
import { Vocabulary } from "./text.ts";

export interface CountedText {
  /** The most frequent word first; no special ones. */
  readonly vocabulary: Vocabulary;
  /** How often each word comes. */
  readonly counts: Int32Array;
  /** The sentences, words outside the vocabulary left out, one after the other. */
  readonly sentences: readonly Int32Array[];
  /** Words in all sentences, those left out not counted. */
  readonly words: number;
}

export interface CountOptions {
  /** How often a word must come. */
  least?: number;
  /** Words that the vocabulary has at most. */
  size?: number;
}

/** Counts the words of sentences. Throws a RangeError where no word comes `least` times. */
export function countWords(
  sentences: readonly (readonly string[])[],
  { least = 5, size = Number.POSITIVE_INFINITY }: CountOptions = {},
): CountedText {
  const vocabulary = Vocabulary.of(sentences, { special: [], least, size });
  if (vocabulary.size === 0) throw new RangeError(`countWords: no word comes ${least} times; lower least`);
  const numbers = new Map(vocabulary.words.map((word, i) => [word, i]));
  const counts = new Int32Array(vocabulary.size);
  const encoded = sentences.map((sentence) => {
    const known = sentence.flatMap((word) => numbers.get(word) ?? []);
    for (const word of known) counts[word]++;
    return Int32Array.from(known);
  });
  return { vocabulary, counts, sentences: encoded, words: counts.reduce((a, b) => a + b, 0) };
}
