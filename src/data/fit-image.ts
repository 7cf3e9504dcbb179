// Pictures of any size and colours as samples of one shape.
import type { Image } from "./decode-image.ts";
import { type Region, resample } from "./resample.ts";

/**
 * How a picture of another form comes into a shape: "crop" takes the largest middle part of that form, "stretch" distorts the
 * whole, "pad" shows the whole undistorted between black bars.
 */
export type Fit = "crop" | "stretch" | "pad";

/** The luminance of a picture, 0.299 R + 0.587 G + 0.114 B (BT.601). */
export function greyOf({ planes }: Image): ArrayLike<number> {
  const [red, green, blue] = planes;
  if (green === undefined) return red;
  return Float32Array.from(red, (value, i) => 0.299 * value + 0.587 * green[i] + 0.114 * blue[i]);
}

/** A picture as bytes [channels, height, width], 1 or 3 channels; a grey one has three equal ones. */
export function fitImage(image: Image, shape: readonly number[], fit: Fit): Uint8Array {
  const [channels, height, width] = shape;
  const [region, target] = places(image, height, width, fit);
  const pixels = new Uint8Array(channels * height * width);
  const planes = channels === 1 ? [greyOf(image)] : image.planes;
  resample(planes, image.width, region, [target.height, target.width]).forEach((scaled, channel) => {
    const base = channel * height * width;
    for (let y = 0, i = 0; y < target.height; y++)
      for (let x = 0, at = base + (target.top + y) * width + target.left; x < target.width; x++)
        pixels[at++] = scaled[i++] + 0.5;
  });
  for (let channel = planes.length; channel < channels; channel++)
    pixels.copyWithin(channel * height * width, 0, height * width);
  return pixels;
}

/** Which part of the picture is shown, and where. */
function places(image: Image, height: number, width: number, fit: Fit): [from: Region, to: Region] {
  const whole: Region = { left: 0, top: 0, width: image.width, height: image.height };
  const all: Region = { left: 0, top: 0, width, height };
  if (fit === "crop") return [middle(whole, Math.min(image.width / width, image.height / height), all), all];
  if (fit === "pad") return [whole, middle(all, Math.min(width / image.width, height / image.height), whole)];
  return [whole, all];
}

/** The middle part of `outer` that has the form of `inner`, `scale` times its size. */
function middle(outer: Region, scale: number, inner: Region): Region {
  const width = Math.min(outer.width, Math.max(1, Math.round(scale * inner.width)));
  const height = Math.min(outer.height, Math.max(1, Math.round(scale * inner.height)));
  return { left: (outer.width - width) >> 1, top: (outer.height - height) >> 1, width, height };
}
