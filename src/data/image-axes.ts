// What all augmentations ask first: whether a sample is an image.

/** The axes of an image [C, H, W]. Throws an Error naming the augmentation for samples that are none. */
export function imageAxes(name: string, shape: readonly number[]): readonly number[] {
  if (shape.length !== 3)
    throw new Error(`${name}: takes images [channels, height, width], got samples [${shape.join(", ")}]`);
  return shape;
}
