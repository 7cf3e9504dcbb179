// Pictures as samples, decoded and scaled by the browser.
import { type FileSource, readSource } from "../io/source.ts";

/** A picture: a file's address or Blob, or what a page shows. */
export type ImageSource = FileSource | ImageBitmapSource;

/**
 * The pixels of a picture, PNG, JPEG or whatever else the browser decodes, scaled to the shape [channels, height, width]: bytes, a
 * plane a channel, as a Dataset takes them. 3 channels are red, green, blue; 1 is grey, 0.299 R + 0.587 G + 0.114 B (BT.601).
 * Transparent pixels are seen on white. Browser only: throws elsewhere, and for what is no picture.
 */
export async function readImage(source: ImageSource, shape: readonly number[]): Promise<Uint8Array> {
  const [channels, height, width] = shape;
  if (shape.length !== 3 || ![1, 3].includes(channels) || !(height >= 1) || !(width >= 1))
    throw new RangeError(`readImage: shape is [1 or 3, height, width], not [${shape}]`);
  if (globalThis.createImageBitmap === undefined || globalThis.OffscreenCanvas === undefined)
    throw new Error(
      "readImage: there is no browser to decode pictures here; in Node take the package fast-png or sharp",
    );
  const name = typeof source === "string" ? source : ((source as File).name ?? "picture");
  const image = typeof source === "string" ? new Blob([(await readSource(source)).bytes]) : source;
  const bitmap = await createImageBitmap(image).catch((error: Error) => {
    throw new Error(`${name} is no picture that this browser decodes (${error.message}); take a PNG or JPEG`);
  });
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return planesOf(context.getImageData(0, 0, width, height).data, channels);
}

/** Interleaved RGBA as planes. */
function planesOf(rgba: Uint8ClampedArray, channels: number): Uint8Array {
  const size = rgba.length / 4;
  const planes = new Uint8Array(channels * size);
  for (let i = 0; i < size; i++) {
    const [red, green, blue] = rgba.subarray(4 * i, 4 * i + 3);
    if (channels === 1) planes[i] = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
    else
      [red, green, blue].forEach((value, channel) => {
        planes[channel * size + i] = value;
      });
  }
  return planes;
}
