// Texts from a language model: sampled token by token, or the likeliest found by beam search.
import { randomStream } from "../data/index.ts";
import {
  concat,
  evaluating,
  iota,
  randomState,
  restoreRandom,
  type Tensor,
  tensor,
  where,
  zeros,
} from "../graph/index.ts";
import { hostMath } from "../graph/internal.ts";
import { type Layer, logSoftmax, type State } from "../nn/index.ts";
import { compile } from "../run/index.ts";
import { breather } from "../train/evaluate.ts";
import type { SteppedModel } from "./language-model.ts";

export interface SampleOptions {
  /** T of p ∝ e^{logit / T}: below 1 surer, above 1 bolder; 0 always takes the likeliest. */
  temperature?: number;
  /** Only the so many likeliest tokens can come. */
  topK?: number;
  /** Only the likeliest tokens whose probabilities add up to this can come: the nucleus (Holtzman et al., 2020). */
  topP?: number;
}

export interface GenerateOptions extends SampleOptions {
  /** Tokens to make at most. */
  length?: number;
  /** The token after which nothing more is made; it is the last one given. */
  stop?: number;
  /** Told each token as it is made; awaited. */
  onToken?: (token: number) => void | Promise<void>;
  signal?: AbortSignal;
}

/**
 * Tokens that go on from the prompt, each drawn from what the model holds likely after all before it. They follow from the seeded
 * stream. Throws a RangeError for an empty prompt and for options that are none.
 */
export async function generate(
  model: SteppedModel,
  prompt: readonly number[],
  { length = 200, stop, onToken, signal, ...options }: GenerateOptions = {},
): Promise<number[]> {
  checkPrompt("generate", prompt);
  checkCounts("generate", { length });
  checkSample(options);
  const next = drawStream();
  const step = stepOf(model);
  let { logits, state } = await step(tensor(Int32Array.from(prompt), [1, prompt.length]), undefined);
  const breathe = breather(); // signals are heard
  const made: number[] = [];
  while (made.length < length && !signal?.aborted) {
    const token = sampleToken((await logits.data()) as Float32Array, options, next);
    made.push(token);
    await onToken?.(token);
    await breathe();
    if (token === stop || made.length === length) break;
    ({ logits, state } = await step(tensor(Int32Array.of(token), [1, 1]), state));
  }
  return made;
}

/** Uniform numbers in [0, 1) under a key of their own from the seeded stream. */
function drawStream(): () => number {
  const { seed, counter } = randomState();
  restoreRandom({ seed, counter: counter + 1 });
  const next = randomStream(seed, counter);
  return () => next() / 2 ** 32;
}

/** One step of a model, compiled. */
export type Step = (x: Tensor, state: State | undefined) => Promise<{ logits: Tensor; state: State }>;

/** The model as a compiled step: x [B, T] and the state before → logits [B, tokens] after the last place, and the state there. */
export function stepOf(model: SteppedModel): Step {
  const run = (x: Tensor, state?: State): { logits: Tensor; state: State } =>
    evaluating(() => {
      const { logits, state: after } = model.run(x, state);
      return { logits: logits.at(-1, 1), state: after };
    });
  const first = compile(({ x }: { x: Tensor }) => run(x));
  const further = compile(({ x, state }: { x: Tensor; state: State }) => run(x, state));
  return (x, state) => (state === undefined ? first({ x }) : further({ x, state }));
}

/** A token drawn from logits [tokens], `next` uniform in [0, 1). */
export function sampleToken(
  logits: ArrayLike<number>,
  { temperature = 1, topK = logits.length, topP = 1 }: SampleOptions,
  next: () => number,
): number {
  const order = Array.from({ length: logits.length }, (_, i) => i).sort((a, b) => logits[b] - logits[a] || a - b);
  if (Number.isNaN(logits[order[0]])) throw new Error("generate: the model gives NaN; is it trained?");
  if (temperature === 0) return order[0];
  const kept = order.slice(0, topK);
  const weights = kept.map((i) => hostMath.exp((logits[i] - logits[order[0]]) / temperature));
  const total = weights.reduce((sum, w) => sum + w, 0);
  let count = 0;
  let mass = 0;
  while (count < kept.length && (count === 0 || mass < topP * total)) mass += weights[count++];
  let left = next() * mass;
  for (let i = 0; i < count; i++) {
    left -= weights[i];
    if (left < 0) return kept[i];
  }
  return kept[count - 1];
}

export interface BeamOptions {
  /** Texts that are followed at a time. */
  beams?: number;
  /** Tokens to make at most. */
  length?: number;
  /** The token that ends a text. */
  stop?: number;
  /** α of the length normalisation ((5 + n) / 6)^α that log-probabilities are divided by; 0 for none (Wu et al., 2016). */
  lengthPenalty?: number;
}

export interface Beam {
  readonly tokens: readonly number[];
  /** Σ ln p of the tokens. */
  readonly logProbability: number;
  /** What beams are ranked by: logProbability / ((5 + n) / 6)^α. */
  readonly score: number;
}

/**
 * The likeliest continuations of the prompt that a search finds which follows so many at a time, the best first. Throws a RangeError
 * for an empty prompt and for options that are none.
 */
export async function beamSearch(
  model: SteppedModel,
  prompt: readonly number[],
  { beams = 5, ...options }: BeamOptions = {},
): Promise<Beam[]> {
  checkPrompt("beamSearch", prompt);
  checkCounts("beamSearch", { beams, length: options.length ?? 1 });
  const repeated = Int32Array.from({ length: beams * prompt.length }, (_, i) => prompt[i % prompt.length]);
  const step = stepOf(model);
  const first = await step(tensor(repeated, [beams, prompt.length]), undefined);
  return followBeams(step, first, { beams, ...options });
}

/** The best continuations, the best first, of what a first step has given for `beams` equal rows. */
export async function followBeams(
  step: Step,
  { logits, state }: { logits: Tensor; state: State },
  { beams = 5, length = 100, stop, lengthPenalty = 0 }: BeamOptions,
): Promise<Beam[]> {
  const beam = (tokens: readonly number[], logProbability: number): Beam => ({
    tokens,
    logProbability,
    score: logProbability / hostMath.exp(lengthPenalty * hostMath.log((5 + tokens.length) / 6)),
  });
  let alive: Beam[] = [beam([], 0)];
  const done: Beam[] = [];
  for (let n = 0; n < length; n++) {
    const values = await logSoftmax(logits).data();
    const tokens = values.length / beams;
    const candidates = alive.flatMap(({ tokens: before, logProbability }, row) =>
      bestOf(values.subarray(row * tokens, (row + 1) * tokens) as Float32Array, beams + 1).map((token) => ({
        row,
        ...beam([...before, token], logProbability + values[row * tokens + token]),
      })),
    );
    candidates.sort((a, b) => b.score - a.score);
    const ends = ({ tokens: own }: Beam): boolean => own[own.length - 1] === stop;
    done.push(...candidates.slice(0, beams).filter(ends));
    const next = candidates.filter((candidate) => !ends(candidate)).slice(0, beams);
    alive = next;
    const bound =
      done.length < beams ? Number.NEGATIVE_INFINITY : done.map(({ score }) => score).sort((a, b) => b - a)[beams - 1];
    if (next.length === 0 || n + 1 === length || bound >= next[0].score) break;
    const rows = Array.from({ length: beams }, (_, i) => next[Math.min(i, next.length - 1)]);
    const order = tensor(Int32Array.from(rows, ({ row }) => row));
    const last = Int32Array.from(rows, ({ tokens: own }) => own[own.length - 1]);
    ({ logits, state } = await step(
      tensor(last, [beams, 1]),
      state.map((t) => t.transpose(0, 1).gather(order).transpose(0, 1)),
    ));
  }
  const all = [...done, ...alive].sort((a, b) => b.score - a.score);
  return all.slice(0, beams).map(({ tokens, logProbability, score }) => ({ tokens, logProbability, score }));
}

/** The places of the largest values. */
const bestOf = (values: Float32Array, most: number): number[] =>
  Array.from(values.keys())
    .sort((a, b) => values[b] - values[a] || a - b)
    .slice(0, most);

/**
 * A model without a state, x i32 [B, T] → logits [B, T, tokens], to be asked step by step: its state is the last `context` tokens and
 * how many there are, and each step computes anew over all of them.
 */
export const stepped = (model: Layer, context: number): SteppedModel => ({
  run(x, before) {
    const [batch, steps] = x.shape;
    let [held, count] = before ?? [zeros([1, batch, context], "i32"), zeros([1, batch, 1], "i32")];
    for (let t = 0; t < steps; t++) {
      const token = x.slice(1, t, t + 1).unsqueeze(0); // [1, B, 1]
      const full = count.ge(context);
      const moved = concat([held.slice(2, 1, context), token], -1);
      const put = where(iota([1, batch, context], 2).eq(count), token, held);
      held = where(full, moved, put);
      count = count.add(1).minimum(context);
    }
    const logits = model.forward(held.reshape(batch, context)); // [B, context, tokens]
    const rows = iota([batch], 0).mul(context).add(count.reshape(batch)).sub(1);
    return {
      logits: logits
        .reshape(batch * context, -1)
        .gather(rows)
        .unsqueeze(1),
      state: [held, count],
    };
  },
});

function checkPrompt(caller: string, prompt: readonly number[]): void {
  if (prompt.length === 0) throw new RangeError(`${caller}: the prompt is empty; give at least one token`);
}

/** Throws a RangeError, in the caller's name, unless each is a whole number of at least 1. */
export function checkCounts(caller: string, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts))
    if (!(Number.isSafeInteger(count) && count >= 1))
      throw new RangeError(`${caller}: ${name} is a whole number of at least 1, got ${count}`);
}

function checkSample({ temperature = 1, topK = 1, topP = 1 }: SampleOptions): void {
  if (!(temperature >= 0 && temperature < Number.POSITIVE_INFINITY))
    throw new RangeError(`generate: temperature is a number of at least 0, got ${temperature}`);
  if (!(Number.isSafeInteger(topK) && topK >= 1))
    throw new RangeError(`generate: topK is a whole number of at least 1, got ${topK}`);
  if (!(topP > 0 && topP <= 1)) throw new RangeError(`generate: topP is a number above 0, at most 1, got ${topP}`);
}
