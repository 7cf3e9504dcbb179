// Images in another size: one product with a small matrix, or one choice of rows, per axis.
import { isFloat } from "./dtype.ts";
import { take } from "./indexing.ts";
import { tensor } from "./leaves.ts";
import { checkCount } from "./pieces.ts";
import { fail, show } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

export interface InterpolateOptions {
  /** The new size of each spatial axis, or of all. */
  size?: number | readonly number[];
  /** Instead: so many times the old size, rounded down. Places are then computed from it, as in PyTorch, not from the sizes. */
  scale?: number | readonly number[];
  /** "linear" is bilinear for images; "cubic" is Keys' kernel with a = −¾ (1981), bicubic for images. */
  mode?: "nearest" | "linear" | "bilinear" | "cubic" | "bicubic";
  /** Whether the centres of the corner elements stay where they are, rather than the corners themselves. */
  alignCorners?: boolean;
}

/** Keys' cubic convolution kernel. */
function cubic(distance: number): number {
  const [x, a] = [Math.abs(distance), -0.75];
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? a * (((x - 5) * x + 8) * x - 4) : 0;
}

/** The weights [to, from] of old elements in new ones along one axis; past the edge stands the edge element. */
function weights(
  from: number,
  to: number,
  step: number,
  kind: "linear" | "cubic",
  alignCorners: boolean,
): Float64Array {
  const matrix = new Float64Array(to * from);
  for (let i = 0; i < to; i++) {
    const at = alignCorners ? i * step : (i + 0.5) * step - 0.5;
    const place = kind === "linear" ? Math.max(0, at) : at;
    const left = Math.floor(place);
    const reach = kind === "linear" ? [0, 1] : [-1, 0, 1, 2];
    for (const k of reach) {
      const weight = kind === "linear" ? 1 - Math.abs(place - left - k) : cubic(place - left - k);
      matrix[i * from + Math.max(0, Math.min(from - 1, left + k))] += weight;
    }
  }
  return matrix;
}

/**
 * Images x [N, C, …] in another size → [N, C, …size], by the nearest element, linearly or cubically along each axis; as PyTorch's
 * `interpolate` without antialiasing. In linear and cubic modes NaN or ∞ spoils its whole row and column. Float images, of any dtype for "nearest". Throws where both or neither of size and scale are
 * given (TypeError), a size is no whole number ≥ 1 or a scale not > 0 (RangeError).
 */
export function interpolate(
  x: Tensor,
  { size, scale, mode = "nearest", alignCorners = false }: InterpolateOptions = {},
): Tensor {
  if ((size === undefined) === (scale === undefined))
    throw new TypeError(`interpolate: takes either size or scale, got ${size === undefined ? "neither" : "both"}`);
  if (x.rank < 3) fail("interpolate", `needs images [N, C, …], got ${show(x.shape)}`);
  const kinds = { nearest: "nearest", linear: "linear", bilinear: "linear", cubic: "cubic", bicubic: "cubic" } as const;
  if (!Object.hasOwn(kinds, mode))
    throw new RangeError(`interpolate: mode must be nearest, linear, bilinear, cubic or bicubic, got ${mode}`);
  const kind = kinds[mode];
  if (kind === "nearest" && alignCorners)
    throw new TypeError("interpolate: alignCorners is for linear and cubic modes");
  if (kind !== "nearest" && !isFloat(x.dtype)) fail("interpolate", `${mode} needs float images, got ${x.dtype}`);
  const spatial = x.shape.slice(2);
  if (spatial.includes(0)) fail("interpolate", `of no elements, ${show(x.shape)}`);
  const given = size ?? scale!;
  const each = typeof given === "number" ? spatial.map(() => given) : given;
  if (each.length !== spatial.length)
    fail("interpolate", `takes one number or one per spatial axis of ${show(x.shape)}, got ${show(each)}`);
  return spatial.reduce((y, from, i) => {
    if (scale !== undefined && !(each[i] > 0 && Number.isFinite(each[i])))
      throw new RangeError(`interpolate: scale must be a number > 0, got ${each[i]}`);
    const to = size === undefined ? Math.floor(from * each[i]) : each[i];
    checkCount("interpolate", "size", to, 1);
    const step = size === undefined ? 1 / each[i] : from / to;
    if (kind === "nearest") {
      const rows = Int32Array.from({ length: to }, (_, j) => Math.min(from - 1, Math.floor(j * step)));
      return take(y, tensor(rows), i + 2);
    }
    const stride = !alignCorners ? step : to > 1 ? (from - 1) / (to - 1) : 0;
    const matrix = tensor(weights(from, to, stride, kind, alignCorners), [to, from]).cast(x.dtype);
    return y
      .transpose(i + 2, -1)
      .matmul(matrix.transpose())
      .transpose(i + 2, -1);
  }, x);
}
