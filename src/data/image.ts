// Pictures as samples: decoded and scaled to a shape.
import { decodeImage, type ImageSource } from "./decode-image.ts";
import { type Fit, fitImage } from "./fit-image.ts";

/**
 * The pixels of a picture in the shape [channels, height, width]: bytes, a plane a channel, as a Dataset takes them. 3 channels
 * are red, green, blue; 1 is grey, 0.299 R + 0.587 G + 0.114 B (BT.601). Throws as decodeImage, and a RangeError for another shape.
 */
export async function readImage(
  source: ImageSource,
  shape: readonly number[],
  { fit = "stretch" }: { fit?: Fit } = {},
): Promise<Uint8Array> {
  const [channels, height, width] = shape;
  if (shape.length !== 3 || ![1, 3].includes(channels) || !(height >= 1) || !(width >= 1))
    throw new RangeError(`readImage: shape is [1 or 3, height, width], not [${shape}]`);
  return fitImage(await decodeImage(source), shape, fit);
}
