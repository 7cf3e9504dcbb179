// A text as windows for language modelling: tokens, and the same one place further.
import { Dataset } from "./dataset.ts";
import type { Samples } from "./samples.ts";
import type { Vocabulary } from "./text.ts";

/** A text's tokens by their numbers in a vocabulary. */
export interface TokenText {
  readonly numbers: Int32Array;
  readonly vocabulary: Vocabulary;
}

export interface WindowOptions {
  /** Tokens of a window. */
  length: number;
  /** What errors call the text. */
  name?: string;
  /** Size of the vocabulary and how many tokens the text has, where that is known before it is loaded. */
  size?: number;
  count?: number;
}

/**
 * A text, or what loads it, as windows one after the other: x i32 [B, length], y i32 [B, length], y[t] the token after x[t].
 * What does not fill a window is left out: of n tokens there are ⌊(n − 1) / length⌋ windows. `shuffle` visits them in any order,
 * `streams` side by side in that of the text. Throws a RangeError where the length is none, and once loaded where the text has no
 * window or a number that is not in the vocabulary.
 */
export function windows(
  text: TokenText | (() => Promise<TokenText>),
  { length, name = "text", size, count }: WindowOptions,
): Dataset {
  if (!(Number.isSafeInteger(length) && length >= 1))
    throw new RangeError(`${name}: length is a whole number of at least 1, got ${length}`);
  let loading: Promise<TokenText> | undefined;
  const load = (): Promise<TokenText> => {
    loading ??= Promise.resolve(typeof text === "function" ? text() : text).catch((error) => {
      loading = undefined; // another call tries again
      throw error;
    });
    return loading;
  };
  return new Dataset(async () => cut(await load(), length, name), {
    name,
    shape: [length],
    targetShape: [length],
    ...(size !== undefined && { tokens: size }),
    ...(count !== undefined && { length: windowsOf(count, length) }),
    vocabulary: async () => (await load()).vocabulary,
  });
}

const windowsOf = (count: number, length: number): number => Math.max(0, Math.floor((count - 1) / length));

function cut({ numbers, vocabulary }: TokenText, length: number, name: string): Samples {
  const used = windowsOf(numbers.length, length) * length;
  if (used === 0)
    throw new RangeError(
      `${name}: ${numbers.length} tokens have no window of ${length} and the one after; shorten length`,
    );
  const wrong = numbers.findIndex((number) => !(number >= 0 && number < vocabulary.size));
  if (wrong >= 0)
    throw new RangeError(
      `${name}: token ${wrong} is ${numbers[wrong]}, but the vocabulary has ${vocabulary.size} words; take the text's own`,
    );
  return { x: numbers.subarray(0, used), y: numbers.subarray(1, used + 1) };
}
