// Pictures at another size: the mean of the area that a new pixel covers, or linear between the old ones.

/** A rectangle of a plane, in whole pixels. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * A region of planes, whose rows have `stride` values, scaled to height × width. Along an axis that shrinks, a new pixel is the
 * mean of the stretch it covers; along one that grows, it is interpolated linearly between the centres of the old ones. Nothing
 * outside of the region is read.
 */
export function resample(
  planes: readonly ArrayLike<number>[],
  stride: number,
  region: Region,
  [height, width]: readonly [height: number, width: number],
): Float32Array[] {
  const [across, down] = [taps(region.width, width), taps(region.height, height)];
  const rows = new Float32Array(region.height * width);
  return planes.map((plane) => {
    scaleRows(plane, stride, region, { rows, width, across });
    const result = new Float32Array(height * width);
    for (let y = 0; y < height; y++)
      for (let k = down.offsets[y]; k < down.offsets[y + 1]; k++) {
        const weight = down.weights[k];
        const line = (down.starts[y] + k - down.offsets[y]) * width;
        for (let x = 0, to = y * width; x < width; x++) result[to++] += weight * rows[line + x];
      }
    return result;
  });
}

/** Scales each row of the region to the width, into `rows`. */
function scaleRows(
  plane: ArrayLike<number>,
  stride: number,
  { left, top, height }: Region,
  { rows, width, across: { starts, offsets, weights } }: { rows: Float32Array; width: number; across: Taps },
): void {
  for (let y = 0, to = 0; y < height; y++)
    for (let x = 0, line = (top + y) * stride + left; x < width; x++) {
      let sum = 0;
      for (let k = offsets[x], at = line + starts[x]; k < offsets[x + 1]; k++) sum += weights[k] * plane[at++];
      rows[to++] = sum;
    }
}

/** For each of `to` places, where among `from` its weights begin; those of place i stand from offsets[i] to offsets[i + 1]. */
interface Taps {
  readonly starts: Int32Array;
  readonly offsets: Int32Array;
  readonly weights: Float64Array;
}

function taps(from: number, to: number): Taps {
  const scale = from / to;
  const weigh = scale > 1 ? covered : between;
  const starts = new Int32Array(to);
  const offsets = new Int32Array(to + 1);
  const weights: number[] = [];
  for (let i = 0; i < to; i++) {
    const { start, shares } = weigh(i, scale, from);
    starts[i] = start;
    weights.push(...shares);
    offsets[i + 1] = weights.length;
  }
  return { starts, offsets, weights: Float64Array.from(weights) };
}

type Weigh = (place: number, scale: number, from: number) => { start: number; shares: number[] };

/** The share that each old pixel has of the stretch that a new one covers. */
const covered: Weigh = (place, scale, from) => {
  const [begin, end] = [place * scale, (place + 1) * scale];
  const start = Math.floor(begin);
  const last = Math.min(from, Math.ceil(end - 1e-9));
  const share = (_: unknown, k: number): number => (Math.min(end, start + k + 1) - Math.max(begin, start + k)) / scale;
  return { start, shares: Array.from({ length: last - start }, share) };
};

/** The two old pixels between whose centres a new one's centre lies; at the edges the outermost alone. */
const between: Weigh = (place, scale, from) => {
  const centre = Math.min(from - 1, Math.max(0, (place + 0.5) * scale - 0.5));
  const start = Math.floor(centre);
  const share = centre - start;
  return { start, shares: share === 0 ? [1] : [1 - share, share] };
};
