// Cutting tensors up, repeating, turning and picking their parts: views, and what is composed of them.
import { concat, iota, where } from "./creators.ts";
import { checkTensors, make } from "./operands.ts";
import { axesOf, axisOf, fail, show } from "./shape.ts";
import type { Axes, Tensor } from "./tensor.ts";

/** A whole number from `least` on, or a RangeError that names the operation and the argument. */
export function checkCount(op: string, name: string, value: number, least: number): void {
  if (typeof value !== "number") throw new TypeError(`${op}: ${name} must be a number, got ${typeof value}`);
  if (!Number.isInteger(value) || value < least) {
    const kind = least === Number.NEGATIVE_INFINITY ? "a whole number" : `a whole number ≥ ${least}`;
    throw new RangeError(`${op}: ${name} must be ${kind}, got ${value}`);
  }
}

/** Elements start, start + step, … before stop along an axis; see `Tensor.slice`. */
export function slice(x: Tensor, axis: number, start: number, stop: number | undefined, step: number): Tensor {
  const a = axisOf("slice", axis, x.rank);
  const n = x.shape[a];
  if (!Number.isInteger(step) || step === 0) fail("slice", `the step must be a whole number other than 0, got ${step}`);
  for (const p of [start, stop ?? 0]) {
    if (Number.isNaN(p) || (Number.isFinite(p) && !Number.isInteger(p)))
      fail("slice", `positions must be whole numbers, got ${start} to ${stop}`);
  }
  const place = (p: number, least: number): number => Math.max(least, Math.min(n + least, p < 0 ? p + n : p));
  if (step < 0) {
    const [from, to] = [place(start, -1), stop === undefined ? -1 : place(stop, -1)];
    const count = Math.max(0, Math.ceil((from - to) / -step));
    const least = count === 0 ? 0 : from + (count - 1) * step;
    return x.slice(a, least, count === 0 ? 0 : from + 1, -step).flip(a);
  }
  const [from, to] = [place(start, 0), stop === undefined ? n : place(stop, 0)];
  const pick = (value: number, rest: readonly number[]): number[] => rest.map((r, i) => (i === a ? value : r));
  const zeros = x.shape.map(() => 0);
  return make("slice", [x], {
    start: pick(from, zeros),
    stop: pick(Math.max(from, to), x.shape),
    step: pick(
      step,
      zeros.map(() => 1),
    ),
  });
}

/** Element i along an axis, which vanishes. */
export function at(x: Tensor, index: number, axis: number): Tensor {
  const a = axisOf("at", axis, x.rank);
  const i = index < 0 ? index + x.shape[a] : index;
  if (!Number.isInteger(i) || i < 0 || i >= x.shape[a])
    fail("at", `index ${index} is outside axis ${axis} of ${show(x.shape)}`);
  return x.slice(a, i, i + 1).squeeze(a);
}

/** Pieces along an axis: of the given sizes, which must fill it, or of one size, the last smaller where that does not divide. */
export function split(x: Tensor, sizes: number | readonly number[], axis: number): Tensor[] {
  const a = axisOf("split", axis, x.rank);
  const n = x.shape[a];
  if (typeof sizes === "number") {
    checkCount("split", "size", sizes, 1);
    return Array.from({ length: Math.max(1, Math.ceil(n / sizes)) }, (_, i) => x.slice(a, i * sizes, (i + 1) * sizes));
  }
  for (const size of sizes) checkCount("split", "sizes", size, 0);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total !== n) fail("split", `sizes ${show(sizes)} add up to ${total}, axis ${axis} of ${show(x.shape)} has ${n}`);
  let start = 0;
  return sizes.map((size) => x.slice(a, start, (start += size)));
}

/** At most n pieces of ⌈size / n⌉, the last smaller where that does not divide. */
export function chunk(x: Tensor, n: number, axis: number): Tensor[] {
  checkCount("chunk", "n", n, 1);
  return split(x, Math.max(1, Math.ceil(x.shape[axisOf("chunk", axis, x.rank)] / n)), axis);
}

/** The whole tensor repeated so many times along each axis; missing leading axes are 1. */
export function tile(x: Tensor, times: readonly number[]): Tensor {
  for (const t of times) checkCount("tile", "times", t, 0);
  const rank = Math.max(x.rank, times.length);
  const shape = [...new Array<number>(rank - x.rank).fill(1), ...x.shape];
  const by = [...new Array<number>(rank - times.length).fill(1), ...times];
  return x
    .reshape(shape.flatMap((d) => [1, d]))
    .expand(shape.flatMap((d, i) => [by[i], d]))
    .reshape(shape.map((d, i) => d * by[i]));
}

/** Each element n times in a row along an axis. */
export function repeatInterleave(x: Tensor, n: number, axis: number): Tensor {
  checkCount("repeatInterleave", "n", n, 0);
  const a = axisOf("repeatInterleave", axis, x.rank);
  const repeated = [...x.shape.slice(0, a + 1), n, ...x.shape.slice(a + 1)];
  return x
    .unsqueeze(a + 1)
    .expand(repeated)
    .reshape(x.shape.with(a, x.shape[a] * n));
}

/** Moves elements along axes by so many places; those pushed over the end come back at the start. Without axes, of the flat tensor. */
export function roll(x: Tensor, shifts: number | readonly number[], axes: Axes | undefined): Tensor {
  const by = typeof shifts === "number" ? [shifts] : shifts;
  for (const s of by) checkCount("roll", "shifts", s, Number.NEGATIVE_INFINITY);
  if (axes === undefined) {
    if (by.length !== 1) fail("roll", `takes one shift without axes, got ${show(by)}`);
    return roll(x.reshape(-1), by, 0).reshape(x.shape);
  }
  const list = typeof axes === "number" ? [axes] : axes;
  if (list.length !== by.length) fail("roll", `takes one shift per axis, got ${show(by)} for ${show(list)}`);
  return list.reduce((y, axis, i) => {
    const a = axisOf("roll", axis, x.rank);
    const n = x.shape[a];
    const cut = n === 0 ? 0 : ((-by[i] % n) + n) % n;
    return cut === 0 ? y : concat([y.slice(a, cut), y.slice(a, 0, cut)], a);
  }, x);
}

/** Matrices with zeros above ("lower") or below ("upper") the k-th diagonal. */
export function triangle(x: Tensor, part: "lower" | "upper", k: number): Tensor {
  const op = part === "lower" ? "tril" : "triu";
  checkCount(op, "k", k, Number.NEGATIVE_INFINITY);
  if (x.rank < 2) fail(op, `needs matrices, got ${show(x.shape)}`);
  const size = x.shape.slice(-2);
  const [row, column] = [iota(size, 0), iota(size, 1)];
  return where(part === "lower" ? column.le(row.add(k)) : column.ge(row.add(k)), x, 0).cast(x.dtype);
}

/** The k-th diagonal of the planes of two axes, which are replaced by one at the end. */
export function diagonal(x: Tensor, k: number, axis1: number, axis2: number): Tensor {
  checkCount("diagonal", "k", k, Number.NEGATIVE_INFINITY);
  const [a, b] = [axisOf("diagonal", axis1, x.rank), axisOf("diagonal", axis2, x.rank)];
  if (a === b) fail("diagonal", `needs two axes, got ${axis1} and ${axis2}`);
  const rest = x.shape.map((_, i) => i).filter((i) => i !== a && i !== b);
  const lead = rest.map((i) => x.shape[i]);
  const [top, left] = [Math.max(0, -k), Math.max(0, k)];
  const n = Math.max(0, Math.min(x.shape[a] - top, x.shape[b] - left));
  if (n === 0)
    return x
      .reshape(-1)
      .slice(0, 0, 0)
      .reshape(...lead, 0);
  const square = x
    .permute([...rest, a, b])
    .slice(-2, top, top + n)
    .slice(-1, left, left + n);
  // a row more than n apart: every (n + 1)th element of the flat matrix
  return square.reshape(...lead, n * n).slice(-1, 0, undefined, n + 1);
}

/** Moves axes to other places; the others keep their order. */
export function moveAxis(x: Tensor, from: Axes, to: Axes): Tensor {
  const list = (axes: Axes): number[] =>
    (typeof axes === "number" ? [axes] : axes).map((a) => axisOf("moveAxis", a, x.rank));
  const [source, target] = [list(from), list(to)];
  if (source.length !== target.length)
    fail("moveAxis", `takes as many places as axes, got ${show(source)} to ${show(target)}`);
  axesOf("moveAxis", source, x.rank);
  axesOf("moveAxis", target, x.rank);
  const rest = x.shape.map((_, i) => i).filter((i) => !source.includes(i));
  const order = x.shape.map((_, i) => (target.includes(i) ? source[target.indexOf(i)] : rest.shift()!));
  return x.permute(order);
}

/** How border elements are continued: a constant, mirrored about the edge element, the edge element, or from the other side. */
export type PadMode = "constant" | "reflect" | "replicate" | "circular";

/** Surrounds each axis with elements of the tensor: widths [before, after] per axis. */
export function padWith(x: Tensor, widths: readonly (readonly [number, number])[], mode: PadMode): Tensor {
  checkTensors("pad", [x]);
  if (!["reflect", "replicate", "circular"].includes(mode))
    throw new RangeError(`pad: mode must be constant, reflect, replicate or circular, got ${mode}`);
  if (widths.length !== x.rank) fail("pad", `needs widths for each axis of ${show(x.shape)}, got ${widths.length}`);
  return widths.reduce((y, [before, after], a) => {
    if (before === 0 && after === 0) return y;
    checkCount("pad", "widths", before, 0);
    checkCount("pad", "widths", after, 0);
    const n = x.shape[a];
    const most = mode === "replicate" ? (n > 0 ? Number.POSITIVE_INFINITY : 0) : mode === "reflect" ? n - 1 : n;
    if (before > most || after > most)
      fail("pad", `widths [${before}, ${after}] are more than ${mode} takes from axis ${a} of ${show(x.shape)}`);
    const edge = (at: number, k: number): Tensor => y.slice(a, at, at + 1).expand(y.shape.with(a, k));
    const pieces = {
      reflect: () => [y.slice(a, 1, before + 1).flip(a), y.slice(a, n - 1 - after, n - 1).flip(a)],
      replicate: () => [edge(0, before), edge(n - 1, after)],
      circular: () => [y.slice(a, n - before, n), y.slice(a, 0, after)],
    }[mode as "reflect" | "replicate" | "circular"]();
    return concat(
      [pieces[0], y, pieces[1]].filter((p) => p.shape[a] > 0),
      a,
    );
  }, x);
}

/** See Tensor.transpose. */
export function transpose(x: Tensor, a: number, b: number): Tensor {
  const order = Array.from({ length: x.rank }, (_, i) => i);
  const [i, j] = [axisOf("transpose", a, x.rank), axisOf("transpose", b, x.rank)];
  [order[i], order[j]] = [order[j], order[i]];
  return x.permute(order);
}
