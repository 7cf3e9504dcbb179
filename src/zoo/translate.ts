// What a sequence to sequence network says of sources: the likeliest by beam search, or the likeliest token at each step for many at a time.
import { pad } from "../data/index.ts";
import { evaluating, type Tensor, tensor } from "../graph/index.ts";
import type { State } from "../nn/index.ts";
import { compile } from "../run/index.ts";
import { type Beam, checkCounts, followBeams, stepOf } from "./generate.ts";
import type { Seq2Seq, SourceBatch } from "./seq2seq.ts";

export interface DecodeOptions {
  /** Tokens to say at most, 100 unless set. */
  length?: number;
  /** The token that the decoder starts from: 2, the "<start>" of translations' vocabularies, unless set. */
  start?: number;
  /** The token after which nothing more is said; 3, their "<end>", unless set. */
  end?: number;
}

export interface TranslateOptions extends DecodeOptions {
  /** Translations that are followed at a time; with 1 the likeliest token is taken at each step. */
  beams?: number;
  /** α of `beamSearch`'s length normalisation. */
  lengthPenalty?: number;
}

/**
 * For each source the likeliest translations that a beam search finds, the best first; their tokens end with `end` where that came
 * within the length. Throws a RangeError for a source without tokens, and for options that are none.
 */
export async function translate(
  model: Seq2Seq,
  sources: readonly ArrayLike<number>[],
  { beams = 5, length = 100, start = 2, end = 3, lengthPenalty = 0 }: TranslateOptions = {},
): Promise<Beam[][]> {
  checkCounts("translate", { beams, length });
  const [encode, step] = [encoderOf(model), stepOf(model)];
  const translations: Beam[][] = [];
  for (const [i, source] of sources.entries()) {
    if (source.length === 0) throw new RangeError(`translate: source ${i} is empty; give at least one token`);
    const { data, length: steps } = pad(new Array(beams).fill(source), { multiple: 8 }); // so that few lengths are compiled
    const state = await encode({ source: tensor(data, [beams, steps]), sourceLengths: whole(beams, source.length) });
    const first = await step(whole(beams, start).unsqueeze(1), state);
    translations.push(await followBeams(step, first, { beams, length, stop: end, lengthPenalty }));
  }
  return translations;
}

/**
 * For each source of a batch the tokens of which each is the likeliest after those before it, with `end` as the last where that came
 * within the length. Throws a RangeError for a length that is none.
 */
export async function decode(
  model: Seq2Seq,
  { source, sourceLengths }: SourceBatch,
  { length = 100, start = 2, end = 3 }: DecodeOptions = {},
): Promise<number[][]> {
  checkCounts("decode", { length });
  const [encode, step] = [encoderOf(model), likeliestOf(model)];
  const rows = source.shape[0];
  const said: number[][] = Array.from({ length: rows }, () => []);
  let state = await encode({ source, ...(sourceLengths !== undefined && { sourceLengths }) });
  let token = whole(rows, start).unsqueeze(1);
  for (let n = 0; n < length && said.some((tokens) => tokens.at(-1) !== end); n++) {
    ({ token, state } = await step({ token, state }));
    const next = await token.data();
    for (const [row, tokens] of said.entries()) if (tokens.at(-1) !== end) tokens.push(Number(next[row]));
  }
  return said;
}

const whole = (rows: number, value: number): Tensor => tensor(new Int32Array(rows).fill(value), [rows]);

const encoderOf = (model: Seq2Seq): ((batch: SourceBatch) => Promise<State>) =>
  compile((batch: { source: Tensor; sourceLengths?: Tensor }) => evaluating(() => model.encode(batch)));

/** From a token i32 [B, 1] and the state before to the likeliest one after it, i32 [B, 1]. */
const likeliestOf = (model: Seq2Seq): ((at: Steady) => Promise<Steady>) =>
  compile(({ token, state }: Steady) =>
    evaluating(() => {
      const { logits, state: after } = model.run(token, state);
      return { token: logits.argmax(-1), state: after };
    }),
  );

interface Steady {
  token: Tensor;
  state: State;
}
