// A folder of image files as a data set: one sub-folder a class.

import { readFailure } from "../io/read-failure.ts";
import { inNode } from "../io/source.ts";
import { Dataset } from "./dataset.ts";
import { decodeImage } from "./decode-image.ts";
import { type Fit, fitImage } from "./fit-image.ts";
import type { Split } from "./mnist.ts";
import type { Samples } from "./samples.ts";

export interface ImageFolderOptions {
  /** Height and width of the samples, or both in one number. */
  size: number | readonly [height: number, width: number];
  /**
   * Which part to read, of a folder that has train/ and test/ (or val/). Default: "train" where there is a train/ with
   * folders in it, else the folder itself, which is also what "train" is then.
   */
  split?: Split;
  /** What happens to pictures of another form. Default: "crop". */
  fit?: Fit;
  /** 3, red, green, blue, or 1, grey. Pictures of the other kind are turned into these. */
  channels?: 1 | 3;
  /** How many bytes the decoded pictures may take. Default: 4·10⁹. */
  memory?: number;
}

/** How many files are read and decoded at a time: sharp has four threads unless told otherwise. */
const atOnce = 4;

/**
 * The image files below PATH/CLASS/, in the manner of torchvision's ImageFolder: x f32 [B, channels, height, width] in [0, 1],
 * y i32 [B], the class's place among the folders' names in order. Node only. Files of other kinds, and names that begin with a
 * dot, are passed over; links are followed. PNG needs nothing, JPEG, WebP and others the optional package sharp.
 *
 * Each picture is decoded once, when it is first in a batch (or two batches ahead, see `map`), and kept as bytes. The length is
 * known once loaded, which lists the files. normalize() uses ImageNet's mean and deviation, for all splits and with nothing to
 * measure (0.449 and 0.226 for grey).
 *
 * Throws a RangeError for options that are none and an Error where there are no such folders; when it is loaded, an Error for a
 * class without images or for more than fits in `memory`; and, when it comes to it, for a file that cannot be decoded.
 */
export function imageFolder(path: string, options: ImageFolderOptions): Dataset {
  const { size, split, fit = "crop", channels = 3, memory = 4e9 } = options ?? {};
  const shape = [channels, ...(typeof size === "number" ? [size, size] : (size ?? []))];
  if (shape.length !== 3 || !shape.every((axis) => Number.isSafeInteger(axis) && axis >= 1))
    throw new RangeError(`imageFolder: size must be a whole number, or [height, width], e.g. 32, not ${size}`);
  if (channels !== 1 && channels !== 3) throw new RangeError(`imageFolder: channels must be 1 or 3, not ${channels}`);
  if (!["crop", "stretch", "pad"].includes(fit))
    throw new RangeError(`imageFolder: fit must be "crop", "stretch" or "pad", not ${JSON.stringify(fit)}`);
  if (split !== undefined && split !== "train" && split !== "test")
    throw new RangeError(`imageFolder: split must be "train" or "test", not ${JSON.stringify(split)}`);
  if (!inNode) throw new Error(`imageFolder: a browser has no folder ${path}; decode its pictures with readImage`);
  const { folder, classes } = findClasses(path, split);
  return new Dataset(() => load(folder, { classes, shape, fit, memory }), {
    name: "imagefolder",
    shape,
    classes,
    mean: channels === 3 ? [0.485, 0.456, 0.406] : [0.449],
    std: channels === 3 ? [0.229, 0.224, 0.225] : [0.226],
  });
}

/** The folder of a split, and the classes: those of the training split for all. */
function findClasses(path: string, split: Split | undefined): { folder: string; classes: string[] } {
  const training = foldersIn(path).includes("train") ? foldersIn(`${path}/train`) : [];
  const divided = training.length > 0;
  const classes = divided ? training : foldersIn(path);
  if (classes.length === 0)
    throw new Error(`imageFolder: ${path} has no folders; make one for each class, as ${path}/cat, with its images`);
  if (split !== "test") return { folder: divided ? `${path}/train` : path, classes };
  const name = divided ? ["test", "val"].find((each) => foldersIn(path).includes(each)) : undefined;
  if (name === undefined)
    throw new Error(
      `imageFolder: ${path} has no ${divided ? "test/ or val/" : "train/ and test/"}; make them, or split() the set`,
    );
  const other = foldersIn(`${path}/${name}`).find((each) => !classes.includes(each));
  if (other !== undefined)
    throw new Error(`imageFolder: ${path}/${name}/${other} is no class of ${path}/train; rename it, or make it there`);
  return { folder: `${path}/${name}`, classes };
}

/** Names of the folders in a folder, links to folders among them, in the order of their characters. */
function foldersIn(path: string): string[] {
  const { readdirSync, statSync } = globalThis.process.getBuiltinModule("node:fs");
  try {
    const names = readdirSync(path).filter((name) => !name.startsWith("."));
    return names.filter((name) => statSync(`${path}/${name}`, { throwIfNoEntry: false })?.isDirectory()).sort();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "ENOTDIR") throw new Error(`imageFolder: ${path} is a file; name the folder of the classes' folders`);
    if (code === "ENOENT") throw new Error(`imageFolder: there is no folder ${path}; name one with a folder a class`);
    throw readFailure(path, error);
  }
}

interface Wanted {
  readonly classes: readonly string[];
  readonly shape: readonly number[];
  readonly fit: Fit;
  readonly memory: number;
}

async function load(folder: string, { classes, shape, fit, memory }: Wanted): Promise<Samples> {
  const { imageFiles } = await import("./node-images.ts");
  const present = foldersIn(folder);
  const files: string[] = [];
  const labels: number[] = [];
  for (const [label, name] of classes.entries()) {
    if (!present.includes(name)) continue; // a class that the test split has no example of
    const found = await imageFiles(`${folder}/${name}`);
    if (found.length === 0)
      throw new Error(
        `imageFolder: ${folder}/${name} has no images (.png, .jpg, .jpeg, .webp, …); put some there, or remove it`,
      );
    for (const file of found) {
      files.push(file);
      labels.push(label);
    }
  }
  const bytes = shape.reduce((size, axis) => size * axis, 1);
  if (files.length * bytes > memory)
    throw new RangeError(
      `imageFolder: ${files.length} images of [${shape}] take ${files.length * bytes} bytes, more than memory allows (${memory}); take a smaller size, or raise memory`,
    );
  const x = new Uint8Array(files.length * bytes);
  const decode = async (index: number): Promise<void> => {
    const image = await decodeImage(files[index]).catch((error: Error) => {
      const fix = error.message.includes("npm install") ? "" : "; remove or replace it";
      throw new Error(`imageFolder: ${error.message}${fix}`, { cause: error });
    });
    x.set(fitImage(image, shape, fit), index * bytes);
  };
  return { x, y: classes.length > 256 ? Int32Array.from(labels) : Uint8Array.from(labels), ready: onceEach(decode) };
}

/** Does the task once for each index, as many at once as there are lanes; one that failed is done again when asked for again. */
function onceEach(task: (index: number) => Promise<void>): (indices: Uint32Array) => Promise<void> {
  const done = new Map<number, Promise<void>>();
  const lanes = Array.from({ length: atOnce }, () => Promise.resolve());
  const begin = (index: number): Promise<void> => {
    const lane = done.size % atOnce;
    const result = lanes[lane].then(() => task(index));
    lanes[lane] = result.catch(() => void done.delete(index));
    return result;
  };
  return async (indices) => {
    for (const index of indices) if (!done.has(index)) done.set(index, begin(index));
    await Promise.all(Array.from(indices, (index) => done.get(index)));
  };
}
