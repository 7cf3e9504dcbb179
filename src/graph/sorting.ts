// Sorting: ranks by counting within blocks, then merges by binary search, so that no kernel branches and a large n takes few kernels.
import { full, iota, where } from "./creators.ts";
import { isFloat } from "./dtype.ts";
import { takeAlong } from "./indexing.ts";
import { as, make } from "./operands.ts";
import { checkCount } from "./pieces.ts";
import { axisOf, fail, sizeOf } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** Elements of a row whose ranks are counted by comparing all with all. */
const block = 128;

/** Whether a stands before b by value alone; NaN after all numbers. */
function before(a: Tensor, b: Tensor, descending: boolean): Tensor {
  const less = descending ? b.lt(a) : a.lt(b);
  return isFloat(a.dtype) ? less.or(a.eq(a).and(b.ne(b))) : less;
}

/** Rows of keys [rows, n] put in order, equal ones as they stood: the position of each place's element, i32 [rows, n]. */
function orderOf(keys: Tensor, descending: boolean): Tensor {
  const [rows, n] = keys.shape;
  let run = n;
  let levels = 0;
  for (; run > block; levels++) run = Math.ceil(run / 2);
  const width = run * 2 ** levels;
  // what fills the last block goes to the end
  const last = isFloat(keys.dtype) ? Number.NaN : descending ? -(2 ** 31) : 2 ** 31 - 1;
  const padded =
    width === n
      ? keys
      : keys.pad(
          [
            [0, 0],
            [0, width - n],
          ],
          last,
        ); // prettier-ignore
  const first = iota([rows * width], 0);
  let order = put(first, placesInBlocks(padded.reshape(-1, run), descending));
  for (; run < width; run *= 2) order = put(order, placesInMerged(padded.reshape(-1).gather(order), run, descending));
  return order
    .reshape(rows, width)
    .slice(1, 0, n)
    .sub(iota([rows, n], 0).mul(width));
}

/** The elements, each at its own place. */
const put = (elements: Tensor, places: Tensor): Tensor =>
  make("scatterAdd", [elements, places.reshape(-1)], { size: elements.size });

/** Where each element of the blocks [blocks, run] stands when each is in order: its rank, found by comparing all pairs. */
function placesInBlocks(keys: Tensor, descending: boolean): Tensor {
  const [blocks, run] = keys.shape;
  const shape = [blocks, run, run];
  const [own, other] = [keys.unsqueeze(2).expand(shape), keys.unsqueeze(1).expand(shape)];
  const earlier = iota(shape, 2).lt(iota(shape, 1));
  const ahead = before(other, own, descending).or(earlier.and(before(own, other, descending).not()));
  const rank = as("i32", ahead).sum(2);
  return rank.add(iota([blocks, run], 0).mul(run));
}

/** Where each element stands when neighbouring runs, each in order, are merged: its place in its run, and what goes ahead in the other. */
function placesInMerged(sorted: Tensor, run: number, descending: boolean): Tensor {
  const flat = iota([sorted.size], 0);
  const shape = [sorted.size / (2 * run), 2, run];
  const spreadOut = (axis: number): Tensor => iota(shape, axis).reshape(-1);
  const [pair, side, place] = [spreadOut(0), spreadOut(1), spreadOut(2)];
  const second = side.eq(1);
  const other = pair.mul(2 * run).add(as("i32", second.not()).mul(run)); // where the other run starts
  let count = flat.full(0); // so many of the other run go ahead, at least
  for (let step = 2 ** Math.floor(Math.log2(run)); step >= 1; step /= 2) {
    const probe = count.add(step - 1);
    const value = sorted.gather(other.add(probe.minimum(run - 1)));
    // of equal ones those of the first run go ahead
    const ahead = where(second, before(sorted, value, descending).not(), before(value, sorted, descending));
    count = count.add(as("i32", probe.lt(run).and(ahead)).mul(step));
  }
  return pair
    .mul(2 * run)
    .add(place)
    .add(count);
}

/** The indices that put an axis in order, i32 of the tensor's shape. */
export function argsort(op: string, x: Tensor, axis: number, descending: boolean): Tensor {
  const a = axisOf(op, axis, x.rank);
  const n = x.shape[a];
  if (x.size === 0) return full(x.shape, 0, "i32");
  const keys = x.detach().transpose(a, -1);
  const rows = x.size / n;
  if (rows * n * 2 > 2 ** 31 - 1) fail(op, `takes at most 2³⁰ elements, got ${sizeOf(x.shape)}`);
  const order = orderOf((x.dtype === "bool" ? keys.cast("i32") : keys).reshape(rows, n), descending);
  return order.reshape(keys.shape).transpose(a, -1);
}

export function sort(x: Tensor, axis: number, descending: boolean): { values: Tensor; indices: Tensor } {
  const indices = argsort("sort", x, axis, descending);
  return { values: takeAlong(x, indices, axis), indices };
}

/** The first k of the sorted axis. */
export function topk(x: Tensor, k: number, axis: number, smallest: boolean): { values: Tensor; indices: Tensor } {
  const a = axisOf("topk", axis, x.rank);
  checkCount("topk", "k", k, 0);
  if (k > x.shape[a]) throw new RangeError(`topk: k must be at most ${x.shape[a]}, the size of axis ${axis}, got ${k}`);
  const indices = argsort("topk", x, a, !smallest).slice(a, 0, k);
  return { values: takeAlong(x, indices, a), indices };
}
