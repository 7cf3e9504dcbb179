// Pictures as planes of bytes: by fast-png and sharp in Node, by the browser in a page.
import { type FileSource, inNode, readSource } from "../io/source.ts";

/** A picture: a file's path or address, a Blob, or in a browser what a page shows. */
export type ImageSource = FileSource | ImageBitmapSource;

/** A picture of 1 plane (grey) or 3 (red, green, blue), each height · width bytes, row by row. */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly planes: readonly Uint8Array[];
}

/** Pixels as decoders give them: grey or red-green-blue, of 2 or 4 channels the last is alpha; values lie in 0 … most. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: ArrayLike<number>;
  readonly most: number;
}

/**
 * Decodes a picture. Node takes PNG, and with the optional package sharp JPEG, WebP and others, turned as a camera's note says;
 * a browser takes what it shows, always 3 planes. Transparent parts are laid on white, or on black where what is visible is
 * bright. Throws one line naming a file that cannot be read or decoded.
 */
export async function decodeImage(source: ImageSource): Promise<Image> {
  if (!inNode) return opaque(await decodeInBrowser(source));
  const { bytes, file } = await readSource(source as FileSource);
  const { decodeBytes } = await import("./node-images.ts");
  return opaque(await decodeBytes(bytes, file));
}

async function decodeInBrowser(source: ImageSource): Promise<Pixels> {
  if (globalThis.createImageBitmap === undefined || globalThis.OffscreenCanvas === undefined)
    throw new Error("decodeImage: this browser decodes no pictures for scripts; take one with OffscreenCanvas");
  const name = typeof source === "string" ? source : ((source as File).name ?? "picture");
  const image = typeof source === "string" ? new Blob([(await readSource(source)).bytes]) : source;
  const bitmap = await createImageBitmap(image).catch((error: Error) => {
    throw new Error(`${name} is no picture that this browser decodes (${error.message}); take a PNG or JPEG`);
  });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, channels: 4, data: context.getImageData(0, 0, width, height).data, most: 255 };
}

/** Splits pixels into planes, those with alpha laid on paper: p = α·v + (1 − α)·paper. */
export function opaque({ width, height, channels, data, most }: Pixels): Image {
  const size = width * height;
  const colours = channels - 1 + (channels % 2);
  const paper = colours === channels ? 0 : paperOf(data, size, channels, most);
  const planes = Array.from({ length: colours }, (_, c) => {
    const plane = new Uint8Array(size);
    if (colours === channels && most === 255)
      for (let i = 0, at = c; i < size; i++, at += channels) plane[i] = data[at];
    else
      for (let i = 0, at = c; i < size; i++, at += channels) {
        const alpha = colours === channels ? most : data[at - c + colours];
        plane[i] = (255 * (alpha * data[at] + (most - alpha) * paper)) / (most * most) + 0.5;
      }
    return plane;
  });
  return { width, height, planes };
}

/** Black, 0, below a picture whose visible part is brighter than half and leaves 1 % or more free, else white. */
function paperOf(data: ArrayLike<number>, size: number, channels: number, most: number): number {
  let visible = 0;
  let light = 0;
  for (let at = 0; at < size * channels; at += channels) {
    const alpha = data[at + channels - 1];
    let sum = 0;
    for (let c = 0; c < channels - 1; c++) sum += data[at + c];
    visible += alpha;
    light += (alpha * sum) / (channels - 1);
  }
  return visible < 0.99 * size * most && light > (visible * most) / 2 ? 0 : most;
}
