// Pictures for the page: numbers as colours, several in one sheet, as PNG in a data: address.
import { encode } from "fast-png";

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, opacity; row after row. */
  readonly rgba: Uint8ClampedArray;
}

function painted(width: number, height: number, colour: (place: number) => readonly number[]): Picture {
  const rgba = new Uint8ClampedArray(4 * width * height);
  for (let place = 0; place < width * height; place++) rgba.set(colour(place), 4 * place);
  return { width, height, rgba };
}

/** Black for `low`, white for `high`. */
export function grey(values: ArrayLike<number>, [height, width]: readonly number[], low = 0, high = 1): Picture {
  const scale = high > low ? 255 / (high - low) : 0;
  return painted(width, height, (place) => {
    const level = (values[place] - low) * scale;
    return [level, level, level, 255];
  });
}

/** Planes of red, green, blue from `low` to `high`. */
export function coloured(values: ArrayLike<number>, [height, width]: readonly number[], low = 0, high = 1): Picture {
  const size = height * width;
  const scale = high > low ? 255 / (high - low) : 0;
  const level = (place: number): number => (values[place] - low) * scale;
  return painted(width, height, (place) => [level(place), level(place + size), level(place + 2 * size), 255]);
}

/** Orange above 0, blue below, the fainter the nearer to 0; `most` is full colour. What lies behind shows through. */
export function signed(values: ArrayLike<number>, [height, width]: readonly number[], most: number): Picture {
  return painted(width, height, (place) => {
    const strength = most > 0 ? (255 * Math.abs(values[place])) / most : 0;
    return values[place] > 0 ? [234, 106, 18, strength] : [37, 110, 235, strength];
  });
}

/** A sample [channels, height, width] or [height, width] of values in [0, 1]. */
export function ofSample(values: ArrayLike<number>, shape: readonly number[]): Picture {
  const size = shape.slice(-2);
  return shape.length === 3 && shape[0] === 3 ? coloured(values, size) : grey(values, size);
}

/** Pictures of one size in rows of `columns`, a clear pixel apart. */
export function sheet(pictures: readonly Picture[], columns: number): Picture {
  const [{ width, height }] = pictures;
  const across = Math.min(columns, pictures.length);
  const whole = across * (width + 1) - 1;
  const rgba = new Uint8ClampedArray(4 * whole * (Math.ceil(pictures.length / across) * (height + 1) - 1));
  pictures.forEach((picture, i) => {
    const corner = Math.floor(i / across) * (height + 1) * whole + (i % across) * (width + 1);
    for (let y = 0; y < height; y++)
      rgba.set(picture.rgba.subarray(4 * y * width, 4 * (y + 1) * width), 4 * (corner + y * whole));
  });
  return { width: whole, height: rgba.length / (4 * whole), rgba };
}

/**
 * Samples in rows of `columns`, each row with what belongs to it right below: all of `kinds` hold as many samples, such as originals
 * and reconstructions, one after the other.
 */
export function besideEachOther(
  kinds: readonly ArrayLike<number>[],
  shape: readonly number[],
  columns: number,
): Picture {
  const size = shape.reduce((product, d) => product * d, 1);
  const count = kinds[0].length / size;
  const across = Math.min(columns, count);
  const values = kinds.map((kind) => Array.from(kind));
  const pictures: Picture[] = [];
  for (let row = 0; row < count; row += across)
    for (const kind of values)
      for (let i = row; i < row + across; i++) {
        const picture = ofSample(i < count ? kind.slice(i * size, (i + 1) * size) : new Float32Array(size), shape);
        pictures.push(i < count ? picture : { ...picture, rgba: picture.rgba.map(() => 0) });
      }
  return sheet(pictures, across);
}

/** The picture as a PNG file, with texts by their keywords. */
export const pngOf = ({ width, height, rgba }: Picture, text: Readonly<Record<string, string>> = {}): Uint8Array =>
  encode({ width, height, data: new Uint8Array(rgba.buffer), channels: 4, depth: 8, text: { ...text } });

/** The picture as an address that holds it. */
export const address = (picture: Picture): string =>
  `data:image/png;base64,${Buffer.from(pngOf(picture)).toString("base64")}`;
