// Image files as a model's input: decoded, turned grey where the model is, bright strokes on dark, resized.
import { readFile } from "node:fs/promises";
import { readFailure } from "../io/read-failure.ts";

/** Planes of values in [0, 1]: [channels, height, width], channels 1 (grey) or 3 (red, green, blue). */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly planes: readonly Float32Array[];
}

/**
 * Reads a PNG, or with the optional package sharp a JPEG, WebP and others. Transparent parts are laid on white, or on black
 * where what is visible is bright. Throws one line naming a file that cannot be read or decoded.
 */
export async function readImage(path: string): Promise<Image> {
  const bytes = await readFile(path).catch((error) => {
    throw readFailure(path, error);
  });
  const isPng = [137, 80, 78, 71, 13, 10, 26, 10].every((byte, i) => bytes[i] === byte);
  return isPng ? decodePng(bytes, path) : decodeOther(bytes, path);
}

/** Decodes a PNG held in memory. Throws one line naming `path` where it is damaged. */
export async function decodePng(bytes: Uint8Array, path: string): Promise<Image> {
  const { decode } = await import("fast-png");
  try {
    const { width, height, data, channels, depth, palette, transparency } = decode(bytes);
    if (depth < 8 && palette === undefined)
      return opaque(width, height, (place) => [unpack(data, place, width, depth) / (2 ** depth - 1)]);
    const colours = palette as number[][] | undefined;
    if (colours === undefined) {
      const most = 2 ** depth - 1;
      return fromPixels(width, height, (place) =>
        Array.from({ length: channels }, (_, c) => data[place * channels + c] / most),
      );
    }
    return fromPixels(width, height, (place) => {
      const index = depth < 8 ? unpack(data, place, width, depth) : data[place];
      const [red, green, blue, alpha = transparency?.[index] ?? 255] = colours[index];
      return [red / 255, green / 255, blue / 255, alpha / 255];
    });
  } catch (error) {
    const why = isWhole(bytes) ? (error as Error).message.replace(/:\s*$/, "") : "it is cut short";
    throw new Error(`${path} is a damaged PNG (${why})`, { cause: error });
  }
}

/** Whether a PNG's chunks (length, name, content, checksum) reach the last one, IEND. */
function isWhole(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 8;
  while (at + 12 <= bytes.length) {
    if (view.getUint32(at + 4) === 0x49454e44) return true;
    at += 12 + view.getUint32(at);
  }
  return false;
}

/** The value of a pixel of fewer than 8 bits; rows begin at bytes. */
function unpack(data: ArrayLike<number>, place: number, width: number, depth: number): number {
  const perByte = 8 / depth;
  const column = place % width;
  const byte = data[Math.floor(place / width) * Math.ceil(width / perByte) + Math.floor(column / perByte)];
  return (byte >> (8 - depth * ((column % perByte) + 1))) & (2 ** depth - 1);
}

async function decodeOther(bytes: Uint8Array, path: string): Promise<Image> {
  const sharp = await import("sharp").catch(() => {
    throw new Error(`${path} is not a PNG; other images need the package sharp (npm install sharp)`);
  });
  try {
    const { data, info } = await sharp
      .default(bytes)
      .rotate()
      .toColourspace("srgb")
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return fromPixels(width, height, (place) =>
      Array.from({ length: channels }, (_, c) => data[place * channels + c] / 255),
    );
  } catch (error) {
    throw new Error(`${path} is not an image that can be decoded (${(error as Error).message})`, { cause: error });
  }
}

type Pixel = (place: number) => readonly number[];

/** Lays pixels of 1 to 4 channels (grey or red-green-blue, the even ones with alpha) on white or black. */
function fromPixels(width: number, height: number, pixel: Pixel): Image {
  const channels = width * height === 0 ? 1 : pixel(0).length;
  if (channels % 2 === 1) return opaque(width, height, pixel);
  let visible = 0;
  let light = 0;
  for (let i = 0; i < width * height; i++) {
    const values = pixel(i);
    const alpha = values[channels - 1];
    visible += alpha;
    light += (alpha * values.slice(0, -1).reduce((sum, v) => sum + v, 0)) / (channels - 1);
  }
  const paper = visible < 0.99 * width * height && light > visible / 2 ? 0 : 1;
  return opaque(width, height, (place) => {
    const values = pixel(place);
    const alpha = values[channels - 1];
    return values.slice(0, -1).map((value) => alpha * value + (1 - alpha) * paper);
  });
}

function opaque(width: number, height: number, pixel: Pixel): Image {
  const channels = width * height === 0 ? 1 : pixel(0).length;
  const planes = Array.from({ length: channels }, () => new Float32Array(width * height));
  for (let i = 0; i < width * height; i++) {
    const values = pixel(i);
    planes.forEach((plane, c) => {
      plane[i] = values[c];
    });
  }
  return { width, height, planes };
}

/**
 * The image as a model's input of shape [channels, height, width]: as large as fits, centred on its background. Grey input
 * takes the luminance, and where the border is bright the image is inverted, as digits are trained as light on dark.
 */
export function fitImage(
  { width, height, planes }: Image,
  shape: readonly number[],
): { pixels: Float32Array; inverted: boolean } {
  const [channels, rows, columns] = shape;
  if (width * height === 0) throw new Error("the image is empty");
  const grey = (i: number): number =>
    planes.length === 1 ? planes[0][i] : 0.299 * planes[0][i] + 0.587 * planes[1][i] + 0.114 * planes[2][i];
  const chosen =
    channels === 1
      ? [Float32Array.from({ length: width * height }, (_, i) => grey(i))]
      : Array.from({ length: channels }, (_, c) => planes[c % planes.length]);
  const inverted = channels === 1 && border(chosen[0], width, height) > 0.5;
  const scale = Math.min(columns / width, rows / height);
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const [left, top] = [Math.floor((columns - w) / 2), Math.floor((rows - h) / 2)];
  const pixels = new Float32Array(channels * rows * columns);
  chosen.forEach((plane, c) => {
    const upright = inverted ? plane.map((v) => 1 - v) : plane;
    const small = resize(upright, [width, height], [w, h]);
    const target = pixels.subarray(c * rows * columns, (c + 1) * rows * columns).fill(border(upright, width, height));
    for (let y = 0; y < h; y++) target.set(small.subarray(y * w, (y + 1) * w), (top + y) * columns + left);
  });
  return { pixels, inverted };
}

/** The mean along the image's edge. */
function border(plane: Float32Array, width: number, height: number): number {
  let sum = 0;
  let count = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x += y === 0 || y === height - 1 ? 1 : Math.max(1, width - 1)) {
      sum += plane[y * width + x];
      count++;
    }
  return sum / count;
}

type Size = readonly [width: number, height: number];

/** Each new pixel is the mean of the area it covers. */
function resize(plane: Float32Array, [width, height]: Size, [w, h]: Size): Float32Array {
  if (width === w && height === h) return plane;
  const [across, down] = [coverage(width, w), coverage(height, h)];
  const result = new Float32Array(w * h);
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++)
      for (const [row, share] of down[y])
        for (const [column, part] of across[x]) result[y * w + x] += share * part * plane[row * width + column];
  return result;
}

/** For each of `to` equal stretches, the shares of it that each of `from` equal stretches has. */
function coverage(from: number, to: number): [place: number, share: number][][] {
  const step = from / to;
  return Array.from({ length: to }, (_, i) => {
    const [start, end] = [i * step, (i + 1) * step];
    const first = Math.floor(start);
    const count = Math.max(1, Math.ceil(end - 1e-9) - first);
    return Array.from({ length: count }, (_, k) => {
      const place = first + k;
      return [Math.min(place, from - 1), (Math.min(end, place + 1) - Math.max(start, place)) / step];
    });
  });
}
