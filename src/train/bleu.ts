// BLEU: how alike translations are to those of people.
import { kindOf } from "../graph/internal.ts";

/** A corpus's BLEU and what it is made of. */
export interface Bleu {
  /** 0 … 100. */
  readonly score: number;
  /** The share of the candidates' runs of 1, 2, 3, 4 words that a reference has. */
  readonly precisions: readonly number[];
  readonly brevityPenalty: number;
  /** Words of the candidates, and of the references closest to them in length. */
  readonly length: number;
  readonly referenceLength: number;
}

type Words = readonly string[];

const longest = 4;

/**
 * BLEU of translations, each a list of words, against one or more references each (Papineni et al., 2002), over the whole corpus:
 * 100 · BP · (p₁ p₂ p₃ p₄)^¼. pₙ is the share of the candidates' n-grams that a reference has too, each counted as often as in the
 * reference that has it most; BP = exp(1 − r / c) where the candidates' c words are no more than r, those of the references closest
 * in length. 0 where no run of four words is right: there is no smoothing. Equal to multi-bleu, and to sacrebleu without
 * smoothing, on the same tokens. Throws a RangeError unless there is at least one reference for each candidate.
 */
export function bleu(candidates: readonly Words[], references: readonly (readonly Words[])[]): Bleu {
  if (candidates.length === 0 || candidates.length !== references.length)
    throw new RangeError(
      `bleu: takes a list of references for each candidate, got ${candidates.length} candidates and ${references.length} lists`,
    );
  const [right, total] = [new Array<number>(longest).fill(0), new Array<number>(longest).fill(0)];
  let [length, referenceLength] = [0, 0];
  for (const [i, candidate] of candidates.entries()) {
    if (!Array.isArray(candidate))
      throw new RangeError(`bleu: candidate ${i} is a list of words, e.g. ["the", "cat"], got ${kindOf(candidate)}`);
    if (!(references[i].length > 0) || typeof references[i][0] === "string")
      throw new RangeError(`bleu: candidate ${i} takes a list of references, each a list of words, e.g. [words]`);
    length += candidate.length;
    referenceLength += closestLength(candidate.length, references[i]);
    for (let n = 1; n <= longest; n++) {
      right[n - 1] += matches(candidate, references[i], n);
      total[n - 1] += Math.max(0, candidate.length - n + 1);
    }
  }
  const precisions = right.map((each, n) => (total[n] === 0 ? 0 : each / total[n]));
  const brevityPenalty = length > referenceLength ? 1 : length === 0 ? 0 : Math.exp(1 - referenceLength / length);
  const mean = Math.exp(precisions.reduce((sum, p) => sum + Math.log(p), 0) / longest); // of a precision 0: exp(−∞) = 0
  return { score: 100 * brevityPenalty * mean, precisions, brevityPenalty, length, referenceLength };
}

/** The candidate's n-grams that a reference has, each at most as often as in one reference. */
function matches(candidate: Words, references: readonly Words[], n: number): number {
  const counted = references.map((reference) => gramsOf(reference, n));
  let found = 0;
  for (const [gram, count] of gramsOf(candidate, n))
    found += Math.min(count, Math.max(...counted.map((grams) => grams.get(gram) ?? 0)));
  return found;
}

function gramsOf(words: Words, n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= words.length; i++) {
    const gram = words.slice(i, i + n).join("\n"); // no word holds a line's end
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
}

/** The length of the reference closest to that of the candidate, of equally close ones the shorter. */
const closestLength = (length: number, references: readonly Words[]): number =>
  references
    .map((reference) => reference.length)
    .reduce((best, each) => {
      const [a, b] = [Math.abs(each - length), Math.abs(best - length)];
      return a < b || (a === b && each < best) ? each : best;
    });
