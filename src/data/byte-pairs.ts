// Byte-pair encoding: tokens that are learned by joining the most frequent neighbours, starting from bytes.
import { FormatError } from "../graph/format-error.ts";
import { learnMerges } from "./byte-pair-merges.ts";
import { Heap } from "./heap.ts";

/** Two tokens that become one; the first merge makes the number after the bytes' 256. */
export type Merge = readonly [left: number, right: number];

/** An encoding as it lies in a JSON file. */
export interface BytePairsJson {
  readonly merges: readonly Merge[];
  /** The bytes of the numbers 0 … 255, where they are not in their order. */
  readonly bytes?: readonly number[];
}

const maximumKept = 100_000; // words whose tokens are kept

/** GPT-2's cut of a text into words: merges stay within one. A word takes the space before it along. */
const wordPattern = /'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

const wordsOf = (text: string): readonly string[] => text.match(wordPattern) ?? [];

/**
 * Byte-pair encoding (Sennrich, Haddow & Birch, arXiv:1508.07909) of UTF-8 bytes within words (Radford et al., 2019): every text has
 * tokens, and decode(encode(text)) is the text, unpaired surrogates excepted, which no UTF-8 has.
 */
export class BytePairs {
  readonly merges: readonly Merge[];
  readonly #bytes: readonly number[];
  readonly #numbers: Uint16Array; // by byte
  readonly #ranks = new Map<number, number>(); // left · size + right → the number of the joined token
  readonly #spelling: readonly Uint8Array[];
  readonly #kept = new Map<string, Int32Array>();

  /** From merges in the order in which they were learned. Throws a RangeError for one of tokens that do not exist yet. */
  constructor(merges: readonly Merge[], { bytes = ascending }: { bytes?: readonly number[] } = {}) {
    if (bytes.length !== 256 || new Set(bytes).size !== 256 || bytes.some((byte) => !(byte >= 0 && byte < 256)))
      throw new RangeError("BytePairs: bytes are the numbers 0 … 255 in some order, each once");
    this.merges = merges;
    this.#bytes = bytes;
    this.#numbers = new Uint16Array(256);
    for (const [number, byte] of bytes.entries()) this.#numbers[byte] = number;
    const spelling = bytes.map((byte) => Uint8Array.of(byte));
    for (const [rank, [left, right]] of merges.entries()) {
      if (spelling[left] === undefined || spelling[right] === undefined)
        throw new RangeError(
          `BytePairs: merge ${rank} joins ${left} and ${right}, but there are ${spelling.length} tokens`,
        );
      const key = left * (256 + merges.length) + right;
      if (!this.#ranks.has(key)) this.#ranks.set(key, spelling.length);
      spelling.push(joined(spelling[left], spelling[right]));
    }
    this.#spelling = spelling;
  }

  /**
   * Learns so many merges that the vocabulary has `size` tokens, or fewer where no pair of neighbours comes `least` times: each joins
   * the most frequent pair, of equal ones the one of the smaller numbers. Throws a RangeError for a size below 256.
   */
  static learn(texts: Iterable<string>, { size, least = 2 }: { size: number; least?: number }): BytePairs {
    if (!(Number.isSafeInteger(size) && size >= 256))
      throw new RangeError(`BytePairs: size is a whole number of at least 256, for the bytes, got ${size}`);
    const counts = new Map<string, number>();
    for (const text of typeof texts === "string" ? [texts] : texts)
      for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
    const encoder = new TextEncoder();
    const words = Array.from(counts, ([word, count]) => ({ tokens: Array.from(encoder.encode(word)), count }));
    return new BytePairs(learnMerges(words, { merges: size - 256, least }));
  }

  /**
   * From GPT-2's files: merges.txt, lines of two tokens, and vocab.json, each token's number; there bytes are written as printable
   * characters. Special tokens, as "<|endoftext|>", are left out. Throws a FormatError where the files do not fit together.
   */
  static fromGpt2({ vocabulary, merges }: { vocabulary: Readonly<Record<string, number>>; merges: string }): BytePairs {
    const printed = printable();
    const bytes: number[] = [];
    for (const [byte, character] of printed.entries()) bytes[vocabulary[character]] = byte;
    if (bytes.length !== 256 || new Set(bytes).size !== 256)
      throw new FormatError("expected the 256 bytes as the numbers 0 … 255; take GPT-2's vocab.json", {
        file: "vocabulary",
      });
    const lines = merges.split("\n").filter((line) => line !== "" && !line.startsWith("#version"));
    const pairs = lines.map((line, rank): Merge => {
      const [left, right, ...more] = line.split(" ");
      const [a, b] = [vocabulary[left], vocabulary[right]];
      if (a === undefined || b === undefined || more.length > 0 || vocabulary[left + right] !== 256 + rank)
        throw new FormatError(
          `expected two tokens that the vocabulary joins as ${256 + rank}, found ${JSON.stringify(line)}; take both files of one model`,
          { file: "merges" },
        );
      return [a, b];
    });
    return new BytePairs(pairs, { bytes });
  }

  /** The encoding that toJSON gave. Throws a FormatError where it is none. */
  static from(json: BytePairsJson, { file }: { file?: string } = {}): BytePairs {
    const { merges, bytes } = (json ?? {}) as Partial<BytePairsJson>;
    if (!Array.isArray(merges) || !merges.every((merge) => Array.isArray(merge) && merge.length === 2))
      throw new FormatError("expected an encoding { merges: [[left, right], …] }, as BytePairs.toJSON gives it", {
        file,
      });
    return new BytePairs(merges, { bytes });
  }

  /** What JSON.stringify writes and BytePairs.from reads. */
  toJSON(): BytePairsJson {
    return { merges: this.merges, ...(this.#bytes !== ascending && { bytes: this.#bytes }) };
  }

  /** Tokens that there are: numbers are below it. */
  get size(): number {
    return this.#spelling.length;
  }

  /** The numbers of a text's tokens. */
  encode(text: string): Int32Array {
    const parts = wordsOf(text).map((word) => this.#word(word));
    const numbers = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      numbers.set(part, at);
      at += part.length;
    }
    return numbers;
  }

  /** The text of tokens; bytes that are no UTF-8, as of a text cut within a character, become U+FFFD. Throws for a number that no token has. */
  decode(numbers: ArrayLike<number>): string {
    const parts = Array.from(numbers, (number) => {
      const bytes = this.#spelling[number];
      if (bytes === undefined) throw new RangeError(`BytePairs: ${number} is none of the numbers 0 … ${this.size - 1}`);
      return bytes;
    });
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  }

  #word(word: string): Int32Array {
    const kept = this.#kept.get(word);
    if (kept !== undefined) return kept;
    const tokens = this.#merge(Int32Array.from(new TextEncoder().encode(word), (byte) => this.#numbers[byte]));
    if (this.#kept.size >= maximumKept) this.#kept.clear();
    this.#kept.set(word, tokens);
    return tokens;
  }

  /** Joins neighbours, the earliest learned pair first, of equal ones the leftmost. n tokens take O(n log n). */
  #merge(tokens: Int32Array): Int32Array {
    const next = tokens.map((_, i) => i + 1); // the place of the neighbour on the right; joined tokens leave gaps
    const previous = tokens.map((_, i) => i - 1);
    const heap = new Heap<{ made: number; at: number; left: number; right: number }>(
      (a, b) => a.made < b.made || (a.made === b.made && a.at < b.at),
    );
    const offer = (at: number): void => {
      if (at < 0 || next[at] >= tokens.length) return;
      const [left, right] = [tokens[at], tokens[next[at]]];
      const made = this.#ranks.get(left * this.size + right);
      if (made !== undefined) heap.push({ made, at, left, right });
    };
    for (let at = 0; at < tokens.length; at++) offer(at);
    for (let best = heap.pop(); best !== undefined; best = heap.pop()) {
      const { at, made } = best;
      const gone = next[at];
      if (tokens[at] !== best.left || gone >= tokens.length || tokens[gone] !== best.right) continue; // joined otherwise since
      tokens[at] = made;
      tokens[gone] = -1;
      next[at] = next[gone];
      if (next[gone] < tokens.length) previous[next[gone]] = at;
      offer(previous[at]);
      offer(at);
    }
    return tokens.filter((token) => token >= 0);
  }
}

const ascending: readonly number[] = Array.from({ length: 256 }, (_, byte) => byte);

function joined(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(left.length + right.length);
  bytes.set(left);
  bytes.set(right, left.length);
  return bytes;
}

/** The character that GPT-2's files write for each byte: itself where it is printable, else one from U+0100 on. */
function printable(): readonly string[] {
  let others = 0;
  return ascending.map((byte) => {
    const shown = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173);
    return String.fromCharCode(shown ? byte : 256 + others++);
  });
}
