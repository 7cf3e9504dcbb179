// Batches of sequences that differ in length, padded at their ends.
import { iota, Tensor, tensor, where } from "../graph/index.ts";
import { checkTensors, fail, failKind, kindOf, show } from "../graph/internal.ts";

/**
 * How many steps of each sequence of a batch are its own: a whole number from 1 on for each, as i32 [B] or as an array. An
 * array is checked and becomes part of a compiled step; a tensor is an input of it, and its values are not looked at.
 */
export type Lengths = Tensor | readonly number[];

/**
 * Whether step t of sequence b is its own, t < lengths[b]: bool [B, steps]. Throws where a length in an array is not within
 * 1 … steps, and where a tensor is not i32 [B].
 */
export function sequenceMask(lengths: Lengths, steps: number): Tensor {
  const each = lengthsOf("sequenceMask", lengths, steps);
  return iota([each.size, steps], 1).lt(each.unsqueeze(1));
}

/**
 * Each sequence of x [B, T, …] from its end to its start: y[b, t] = x[b, lengths[b] − 1 − t] for t < lengths[b]; the padding
 * after it stays where it is. Throws as `sequenceMask` does, and where there are not B lengths.
 */
export function reverseSequences(x: Tensor, lengths: Lengths): Tensor {
  checkTensors("reverseSequences", [x]);
  if (x.rank < 2) fail("reverseSequences", `needs [B, T, …], got ${show(x.shape)}`);
  const [batch, steps, ...rest] = x.shape;
  const each = lengthsOf("reverseSequences", lengths, steps, batch).unsqueeze(1);
  const t = iota([batch, steps], 1);
  const from = where(t.lt(each), each.sub(t).sub(1), t);
  const rows = iota([batch, steps], 0).mul(steps).add(from);
  return x.reshape(batch * steps, ...rest).gather(rows);
}

/** Lengths as i32 [B]. */
export function lengthsOf(op: string, lengths: Lengths, steps: number, batch?: number): Tensor {
  if (!(lengths instanceof Tensor || Array.isArray(lengths)))
    failKind(op, `lengths are an array of numbers or an i32 tensor, got ${kindOf(lengths)}`);
  const each = lengths instanceof Tensor ? lengths : checked(op, lengths, steps);
  if (each.rank !== 1 || each.dtype !== "i32")
    fail(op, `lengths must be i32 [B], got ${each.dtype} ${show(each.shape)}`);
  if (batch !== undefined && each.size !== batch)
    fail(op, `there must be a length for each of ${batch} sequences, got ${each.size}`);
  return each;
}

function checked(op: string, lengths: readonly number[], steps: number): Tensor {
  lengths.forEach((length, b) => {
    if (!Number.isInteger(length) || length < 1 || length > steps)
      fail(op, `lengths must be whole numbers within 1 … ${steps}, got ${length} for sequence ${b}`);
  });
  return tensor(lengths, [lengths.length], { dtype: "i32" });
}
