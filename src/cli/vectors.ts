// hebb vectors: the words nearest to some words by a run's vectors, and all of them as a file of the word2vec program.
import { writeAtomic } from "../io/atomic.ts";
import { serializeWordVectors } from "../io/index.ts";
import type { Neighbour, WordVectors } from "../zoo/index.ts";
import { type Command, report, UsageError } from "./command.ts";
import { commandLine } from "./program.ts";
import { refuseOthers } from "./replaceable.ts";
import { openWords } from "./words.ts";

const usualLength = 10;

export const vectors: Command = {
  summary: "tells the words nearest to some, and writes a run's vectors of words to a file",
  positionals: "RUN WORD…",
  flags: ["length", "out", "best", "json"],
  defaults: { length: `${usualLength}`, out: "none is written" },
  helps: {
    length: "neighbours of each word",
    out: "file of all vectors in the format of word2vec, FILE.bin binary, others text; one that is there is replaced only if it is such a file",
  },
  run: async (positionals, options, io) => {
    const [run, ...words] = positionals;
    const { out, length = usualLength } = options;
    if (run === undefined || (words.length === 0 && out === undefined))
      throw new UsageError(
        `vectors needs a run folder and words, or --out, e.g. ${commandLine(io, "vectors", "runs/skipgram-text8-20260101-120000", "king")}`,
      );
    const { config, vectors: table, checkpoint } = await openWords(run, options, io);
    const neighbours = words.map((word) => ({ word, nearest: neighboursOf(run, table, word, length) }));
    if (out !== undefined) {
      await refuseOthers(out, "hebb vectors", (content) => /^\d+ \d+\n/.test(content.toString("latin1", 0, 40)));
      await writeAtomic(out, serializeWordVectors(table, out.endsWith(".bin") ? "binary" : "text"));
    }
    const lines = neighbours.map(
      ({ word, nearest }) => `${word}: ${nearest.map((near) => `${near.word} ${near.cosine.toFixed(3)}`).join(", ")}`,
    );
    if (out !== undefined) lines.push(`${table.words.length} vectors of ${table.features} written to ${out}`);
    report(io, options, lines.join("\n"), {
      command: "vectors",
      run,
      model: config.model,
      data: config.data,
      step: checkpoint.step,
      words: table.words.length,
      features: table.features,
      neighbours,
      ...(out !== undefined && { file: out }),
    });
    return 0;
  },
};

/** The nearest words. Throws a UsageError for a word that has no vector. */
function neighboursOf(run: string, table: WordVectors, word: string, length: number): Neighbour[] {
  try {
    return table.nearest(word, length);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(
      `${run} has no vector of ${JSON.stringify(word)}, which is not one of the ${table.words.length} words that come five times in its text`,
    );
  }
}
