// Vectors of words and what they are judged by: neighbours, analogies, agreement with people on similarity.
import type { Analogy, Similarity } from "../data/index.ts";
import { tensor } from "../graph/index.ts";
import type { WordVectorTable } from "../io/index.ts";

export interface Neighbour {
  readonly word: string;
  readonly cosine: number;
}

export interface SectionScore {
  readonly section: string;
  readonly correct: number;
  /** Questions whose four words are in the vocabulary. */
  readonly asked: number;
}

export interface AnalogyScore {
  readonly sections: readonly SectionScore[];
  readonly correct: number;
  readonly asked: number;
  /** correct / asked; NaN where nothing was asked. */
  readonly accuracy: number;
}

/** Questions that are answered in one product. */
const questionsAtOnce = 256;

/** A vector for each word. What the vocabulary lacks is looked up in lower case. */
export class WordVectors implements WordVectorTable {
  readonly words: readonly string[];
  /** Row by row, words × features. */
  readonly values: Float32Array;
  readonly features: number;
  /** The rows at length 1; a row of zeros stays. */
  readonly #units: Float32Array;
  readonly #numbers: ReadonlyMap<string, number>;

  /** Throws a RangeError where the values are not words × features, or a word comes twice. */
  constructor(words: readonly string[], values: Float32Array, features: number) {
    if (values.length !== words.length * features)
      throw new RangeError(`WordVectors: ${words.length} words of ${features} values, got ${values.length} values`);
    this.words = words;
    this.values = values;
    this.features = features;
    this.#numbers = new Map(words.map((word, i) => [word, i]));
    if (this.#numbers.size < words.length) throw new RangeError("WordVectors: a word comes twice");
    this.#units = values.slice();
    for (let i = 0; i < words.length; i++) toUnit(this.#units.subarray(i * features, (i + 1) * features));
  }

  /** The vector of a word. Throws a RangeError where it has none. */
  vector(word: string): Float32Array {
    return rowOf(this.values, this.#known(word), this.features);
  }

  /** cos of the angle between two words' vectors. Throws as vector. */
  cosine(a: string, b: string): number {
    return dot(this.#unit(this.#known(a)), this.#unit(this.#known(b)));
  }

  /** The words nearest to a word, or to a vector, by cosine, the nearest first; the word itself is left out. Throws as vector. */
  nearest(to: string | Float32Array, count = 10): Neighbour[] {
    const own = typeof to === "string" ? this.#known(to) : -1;
    const at = typeof to === "string" ? this.#unit(own) : toUnit(Float32Array.from(to));
    if (at.length !== this.features)
      throw new RangeError(`nearest: a vector has ${this.features} values, got ${at.length}`);
    const all = this.words.map((word, i) => ({ word, cosine: dot(this.#unit(i), at) }));
    return all
      .filter((_, i) => i !== own)
      .sort((a, b) => b.cosine - a.cosine)
      .slice(0, count);
  }

  /**
   * Answers a : b = c : ? with the word whose vector is nearest to b − a + c (each at length 1) and is none of the three, as
   * Mikolov et al. (2013a) do. Questions with a word that is not in the vocabulary are left out.
   */
  async analogies(questions: readonly Analogy[]): Promise<AnalogyScore> {
    const sections = new Map<string, { section: string; correct: number; asked: number }>();
    for (const { section } of questions) sections.set(section, { section, correct: 0, asked: 0 });
    const asked = questions.flatMap(({ section, words }) => {
      const numbers = words.flatMap((word) => this.#number(word) ?? []);
      return numbers.length === 4 ? [{ section, numbers }] : [];
    });
    const table = tensor(this.#units, [this.words.length, this.features]).transpose();
    for (let from = 0; from < asked.length; from += questionsAtOnce) {
      const part = asked.slice(from, from + questionsAtOnce);
      const targets = new Float32Array(part.length * this.features);
      part.forEach(({ numbers: [a, b, c] }, q) => {
        const [x, y, z] = [this.#unit(a), this.#unit(b), this.#unit(c)];
        for (let j = 0; j < this.features; j++) targets[q * this.features + j] = y[j] - x[j] + z[j];
      });
      const scores = (await tensor(targets, [part.length, this.features]).matmul(table).data()) as Float32Array;
      part.forEach(({ section, numbers }, q) => {
        const score = sections.get(section)!;
        score.asked++;
        if (best(rowOf(scores, q, this.words.length), numbers.slice(0, 3)) === numbers[3]) score.correct++;
      });
    }
    const all = [...sections.values()];
    const [correct, count] = [all.reduce((n, s) => n + s.correct, 0), asked.length];
    return { sections: all, correct, asked: count, accuracy: correct / count };
  }

  /**
   * Spearman's ρ between people's scores and cosines, over the pairs whose words are in the vocabulary; `pairs` says how many those
   * are. NaN where one side has fewer than two values.
   */
  similarity(list: readonly Similarity[]): { rho: number; pairs: number } {
    const known = list.filter(({ words }) => words.every((word) => this.#number(word) !== undefined));
    const cosines = known.map(({ words: [a, b] }) => this.cosine(a, b));
    const rho = correlation(ranks(known.map(({ score }) => score)), ranks(cosines));
    return { rho, pairs: known.length };
  }

  #unit(i: number): Float32Array {
    return rowOf(this.#units, i, this.features);
  }

  #number(word: string): number | undefined {
    return this.#numbers.get(word) ?? this.#numbers.get(word.toLowerCase());
  }

  #known(word: string): number {
    const number = this.#number(word);
    if (number === undefined)
      throw new RangeError(`WordVectors: ${JSON.stringify(word)} is not one of its ${this.words.length} words`);
    return number;
  }
}

const rowOf = (table: Float32Array, i: number, width: number): Float32Array =>
  table.subarray(i * width, (i + 1) * width);

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function toUnit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(dot(vector, vector));
  if (length > 0) for (let i = 0; i < vector.length; i++) vector[i] /= length;
  return vector;
}

/** Where the greatest score is that is none of those left out. */
function best(scores: Float32Array, out: readonly number[]): number {
  let at = -1;
  for (let i = 0; i < scores.length; i++) if ((at < 0 || scores[i] > scores[at]) && !out.includes(i)) at = i;
  return at;
}

/** Ranks from 1 on; equal values share the mean of theirs. */
function ranks(values: readonly number[]): number[] {
  const order = [...values.keys()].sort((i, j) => values[i] - values[j]);
  const rank = new Array<number>(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to < order.length && values[order[to]] === values[order[from]]) to++;
    for (let i = from; i < to; i++) rank[order[i]] = (from + to + 1) / 2;
    from = to;
  }
  return rank;
}

/** Pearson's correlation. */
function correlation(x: readonly number[], y: readonly number[]): number {
  const mean = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0) / v.length;
  const [mx, my] = [mean(x), mean(y)];
  let [xy, xx, yy] = [0, 0, 0];
  x.forEach((value, i) => {
    xy += (value - mx) * (y[i] - my);
    xx += (value - mx) ** 2;
    yy += (y[i] - my) ** 2;
  });
  return xy / Math.sqrt(xx * yy);
}
