// Made-up tasks on sequences, whose right answers are known: what recurrent networks and memories are tried on.
import { Dataset } from "./dataset.ts";
import { below, type RandomStream, randomStream, uniform } from "./random.ts";
import type { SampleInfo } from "./samples.ts";
import { Vocabulary } from "./text.ts";

/** How many samples, and which: another seed gives others, e.g. to test with. */
export interface TaskOptions {
  count?: number;
  seed?: number;
}

/** The length of a sequence, and how many kinds of symbols it is of. */
export interface SymbolOptions extends TaskOptions {
  length?: number;
  symbols?: number;
}

type Make<X, Y> = (x: X, y: Y, next: RandomStream) => void;

/**
 * The adding problem (Hochreiter & Schmidhuber, 1997, in Le, Jaitly & Hinton's form, 2015): x f32 [B, length, 2], numbers uniform in
 * [0, 1) and marks, 1 at one place of each half, else 0; y f32 [B, 1], the sum of the two marked numbers. Answering 1 has a mean
 * squared error of 1/6.
 */
export function addingProblem({ length = 100, ...options }: TaskOptions & { length?: number } = {}): Dataset {
  check("addingProblem", { length }, 2);
  const make: Make<Float32Array, Float32Array> = (x, y, next) => {
    for (let t = 0; t < length; t++) x[2 * t] = uniform(next);
    const half = length >> 1;
    for (const place of [below(next, half), half + below(next, length - half)]) {
      x[2 * place + 1] = 1;
      y[0] += x[2 * place];
    }
  };
  return task(make, { name: "addingProblem", shape: [length, 2], targetShape: [1] }, options, Float32Array);
}

/**
 * The copying problem (Hochreiter & Schmidhuber, 1997, in Arjovsky, Shah & Bengio's form, 2016): x i32 [B, 2·length + delay], `length`
 * symbols 1 … `symbols`, then blanks, 0, but for the sign `symbols` + 1 after which to answer, `length` + 1 places before the end;
 * y i32 of its shape, blanks, then the symbols. Without memory the mean cross-entropy is length · ln symbols / (2·length + delay).
 */
export function copyTask({
  length = 10,
  symbols = 8,
  delay = 20,
  ...options
}: SymbolOptions & { delay?: number } = {}): Dataset {
  check("copyTask", { length, symbols, delay });
  const total = 2 * length + delay;
  const make: Make<Int32Array, Int32Array> = (x, y, next) => {
    for (let t = 0; t < length; t++) x[t] = y[total - length + t] = 1 + below(next, symbols);
    x[total - length - 1] = symbols + 1;
  };
  return task(make, { name: "copyTask", shape: [total], targetShape: [total], tokens: symbols + 2 }, options);
}

/** Sequences backwards: x i32 [B, length], symbols 1 … `symbols`, y i32 [B, length]. */
export const reverseTask = (options: SymbolOptions = {}): Dataset =>
  rearranged("reverseTask", options, (x) => x.toReversed());

/** Sequences in ascending order: x i32 [B, length], symbols 1 … `symbols`, y i32 [B, length]. */
export const sortTask = (options: SymbolOptions = {}): Dataset => rearranged("sortTask", options, (x) => x.toSorted());

/**
 * Merging (Andrychowicz & Kurach, arXiv:1602.03218): x i32 [B, length] of symbols 1 … `symbols`, its two halves each in ascending
 * order; y i32 [B, length], the whole in that order. Throws for an odd length.
 */
export function mergeTask(options: SymbolOptions = {}): Dataset {
  const { length = 16 } = options;
  if (length % 2 !== 0) throw new RangeError(`mergeTask: length must be even, for two halves, got ${length}`);
  return rearranged("mergeTask", options, (x) => {
    x.subarray(0, length / 2).sort();
    x.subarray(length / 2).sort();
    return x.toSorted();
  });
}

/**
 * Looking up (Andrychowicz & Kurach, 2016): x i32 [B, 2·length + 1], `length` pairs of a key and a value in ascending order of the
 * keys, all different, then one of the keys; y i32 [B], its value. Keys and values are 1 … `symbols`. Throws where there are fewer
 * symbols than keys.
 */
export function searchTask({ length = 16, symbols = 64, ...options }: SymbolOptions = {}): Dataset {
  check("searchTask", { length, symbols });
  if (symbols < length)
    throw new RangeError(`searchTask: ${length} different keys need as many symbols, got ${symbols}; raise symbols`);
  const make: Make<Int32Array, Int32Array> = (x, y, next) => {
    const keys = new Set<number>();
    while (keys.size < length) keys.add(1 + below(next, symbols));
    for (const [i, key] of [...keys].sort((a, b) => a - b).entries()) {
      x[2 * i] = key;
      x[2 * i + 1] = 1 + below(next, symbols);
    }
    const asked = below(next, length);
    x[2 * length] = x[2 * asked];
    y[0] = x[2 * asked + 1];
  };
  return task(make, { name: "searchTask", shape: [2 * length + 1], tokens: symbols + 1 }, options);
}

/** Whether a sequence has an odd number of ones: x i32 [B, length] of 0 and 1, y i32 [B]. */
export function parityTask({ length = 16, ...options }: TaskOptions & { length?: number } = {}): Dataset {
  check("parityTask", { length });
  const make: Make<Int32Array, Int32Array> = (x, y, next) => {
    for (let t = 0; t < length; t++) y[0] ^= x[t] = below(next, 2);
  };
  return task(make, { name: "parityTask", shape: [length], tokens: 2, classes: ["even", "odd"] }, options);
}

/**
 * Adding in binary (Andrychowicz & Kurach, 2016): x i32 [B, 2·length], two numbers of `length` bits one after the other, the lowest
 * bit first; y i32 [B, length + 1], their sum alike.
 */
export function binaryAddition({ length = 8, ...options }: TaskOptions & { length?: number } = {}): Dataset {
  check("binaryAddition", { length });
  const make: Make<Int32Array, Int32Array> = (x, y, next) => {
    for (let t = 0; t < 2 * length; t++) x[t] = below(next, 2);
    let carry = 0;
    for (let t = 0; t < length; t++) {
      const sum = x[t] + x[length + t] + carry;
      y[t] = sum & 1;
      carry = sum >> 1;
    }
    y[length] = carry;
  };
  return task(make, { name: "binaryAddition", shape: [2 * length], targetShape: [length + 1], tokens: 2 }, options);
}

/**
 * Sums as text, "12+34" and "46", filled up with spaces on the right (Zaremba & Sutskever, arXiv:1410.4615; Keras's addition_rnn):
 * x i32 [B, 2·digits + 1], y i32 [B, digits + 1], of the characters "0123456789+ ". Numbers have 1 to `digits` digits; no sum comes
 * twice, also not in the other order, so that parts of the set share none. `reversed` gives the question backwards. Throws where
 * there are not twice as many sums as are asked for.
 */
export function additionTask({
  digits = 3,
  reversed = false,
  count = 10_000,
  seed = 0,
}: TaskOptions & { digits?: number; reversed?: boolean } = {}): Dataset {
  check("additionTask", { digits });
  const most = 10 ** digits;
  if (digits > 6 || count > (most * (most + 1)) / 4)
    throw new RangeError(
      `additionTask: ${count} sums of ${digits} digits are too many; digits are 1 to 6, 2 allow 2,525 sums`,
    );
  const characters = new Vocabulary([..."0123456789+ "], { special: [] });
  const seen = new Set<number>();
  const number = (next: RandomStream): number => below(next, 10 ** (1 + below(next, digits)));
  const make: Make<Int32Array, Int32Array> = (x, y, next) => {
    let [a, b] = [number(next), number(next)];
    for (; seen.has(Math.min(a, b) * most + Math.max(a, b)); [a, b] = [number(next), number(next)]);
    seen.add(Math.min(a, b) * most + Math.max(a, b));
    const question = characters.encode(`${a}+${b}`.padEnd(x.length));
    x.set(reversed ? question.reverse() : question);
    y.set(characters.encode(`${a + b}`.padEnd(y.length)));
  };
  const info: SampleInfo & { name: string } = {
    name: "additionTask",
    shape: [2 * digits + 1],
    targetShape: [digits + 1],
    tokens: characters.size,
    vocabulary: async () => characters,
  };
  return task(make, info, { count, seed });
}

function rearranged(
  name: string,
  { length = 16, symbols = 8, ...options }: SymbolOptions,
  answer: (x: Int32Array) => Int32Array,
): Dataset {
  check(name, { length, symbols });
  const make: Make<Int32Array, Int32Array> = (x, y, next) => {
    for (let t = 0; t < length; t++) x[t] = 1 + below(next, symbols);
    y.set(answer(x));
  };
  return task(make, { name, shape: [length], targetShape: [length], tokens: symbols + 1 }, options);
}

/** The samples that `make` writes one by one, from a stream of random numbers that belongs to (seed, index). */
function task<X extends Int32Array | Float32Array>(
  make: Make<X, X>,
  info: SampleInfo & { name: string },
  { count = 10_000, seed = 0 }: TaskOptions,
  kind: new (length: number) => X = Int32Array as unknown as new (
    length: number,
  ) => X,
): Dataset {
  check(info.name, { count }, 0);
  const [size, targets] = [info.shape, info.targetShape ?? []].map((shape) => shape.reduce((a, b) => a * b, 1));
  const load = (): { x: X; y: X } => {
    const [x, y] = [new kind(count * size), new kind(count * targets)];
    for (let i = 0; i < count; i++)
      make(
        x.subarray(i * size, (i + 1) * size) as X,
        y.subarray(i * targets, (i + 1) * targets) as X,
        randomStream(seed, taskKey, i),
      );
    return { x, y };
  };
  return new Dataset(load, { ...info, length: count });
}

const taskKey = 5; // keeps this stream apart from a Dataset's of the same seed

function check(name: string, options: Readonly<Record<string, number>>, least = 1): void {
  for (const [option, value] of Object.entries(options))
    if (!(Number.isSafeInteger(value) && value >= least))
      throw new RangeError(`${name}: ${option} is a whole number of at least ${least}, got ${value}`);
}
