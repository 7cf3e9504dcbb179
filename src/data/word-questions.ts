// What vectors of words are judged by: questions of analogy, and how alike people find pairs of words.
import { FormatError } from "../graph/format-error.ts";
import type { DataFile, DataOptions } from "./data-file.ts";
import { readText } from "./text-file.ts";

/** a is to b as c is to d. */
export interface Analogy {
  readonly section: string;
  readonly words: readonly [string, string, string, string];
}

/** Two words, and how alike people find them. */
export interface Similarity {
  readonly words: readonly [string, string];
  readonly score: number;
}

/** The questions of questions-words.txt: a line ": section", then lines of four words. Throws a FormatError that names the line. */
export function readAnalogies(text: string, { file = "analogies" }: { file?: string } = {}): Analogy[] {
  let section = "";
  return text.split(/\r?\n/).flatMap((line, i) => {
    const words = line.trim().split(/\s+/);
    if (words[0] === "") return [];
    if (words[0] === ":") {
      section = words.slice(1).join(" ");
      return [];
    }
    if (words.length !== 4)
      throw new FormatError(`line ${i + 1}: expected four words or ": section", found ${words.length} words`, { file });
    return [{ section, words: words as [string, string, string, string] }];
  });
}

/** The pairs of WordSim-353's files: a line of headings, then "word,word,score" and more columns or none. Throws a FormatError that names the line. */
export function readSimilarities(text: string, { file = "similarities" }: { file?: string } = {}): Similarity[] {
  return text.split(/\r?\n/).flatMap((line, i) => {
    if (i === 0 || line.trim() === "") return [];
    const [a, b, score = ""] = line.split(",");
    if (score.trim() === "" || !Number.isFinite(Number(score)))
      throw new FormatError(`line ${i + 1}: expected "word,word,score", found ${JSON.stringify(line)}`, { file });
    return [{ words: [a, b], score: Number(score) }];
  });
}

/**
 * The 19,544 questions of Mikolov et al. (2013a) in 14 sections, of which those of "gram…" are of grammar. Throws as openDataFile and
 * readAnalogies.
 */
export async function wordAnalogies(options: DataOptions = {}): Promise<Analogy[]> {
  const { text, path } = await readText(analogyFile, ["word2vec-analogy", ""], options);
  return readAnalogies(text, { file: path });
}

/** WordSim-353: 353 pairs, scored from 0 to 10 (Finkelstein et al., 2002). Throws as openDataFile and readSimilarities. */
export async function wordSim353(options: DataOptions = {}): Promise<Similarity[]> {
  const { text, path } = await readText(similarityFile, ["wordsim353", ""], options);
  return readSimilarities(text, { file: path });
}

const analogyFile: DataFile = {
  name: "questions-words.txt",
  bytes: 603_955,
  sha256: "8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36",
  urls: ["https://raw.githubusercontent.com/tmikolov/word2vec/master/questions-words.txt"],
};

const similarityFile: DataFile = {
  name: "combined.csv",
  bytes: 7433,
  sha256: "49ff6433ae68abe716fb66433fd870483e289a7a8c74531f59eca847d103fff3",
  urls: ["https://raw.githubusercontent.com/fanglanting/skip-gram-pytorch/master/wordsim353/combined.csv"],
};
