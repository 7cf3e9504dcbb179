// MNIST and Fashion-MNIST: 28×28 grey images in 10 classes, four IDX files each.

import { FormatError } from "../graph/format-error.ts";
import type { DataFile, DataOptions, OpenedFile } from "./data-file.ts";
import { Dataset } from "./dataset.ts";
import { decodeIdx, type Idx } from "./idx.ts";
import { openDataFile } from "./open-data.ts";
import type { Samples } from "./samples.ts";

/** Which part of a data set. */
export type Split = "train" | "test";

interface ImageSet {
  folder: string;
  classes: readonly string[];
  mean: number;
  std: number;
  files: Record<Split, { images: DataFile; labels: DataFile }>;
}

const lengths: Record<Split, number> = { train: 60_000, test: 10_000 };

/**
 * MNIST handwritten digits (LeCun, Bottou, Bengio, Haffner, 1998): x f32 [B, 1, 28, 28] in [0, 1], y i32 [B].
 * 60,000 training and 10,000 test images; normalize() uses the training set's mean 0.1307 and deviation 0.3081.
 * Nothing is read before the first use. Throws then, as openDataFile and decodeIdx do.
 */
export const mnist = (split: Split, options: DataOptions = {}): Dataset => dataset(mnistSet(), split, options);

/**
 * Fashion-MNIST clothes (Xiao, Rasul, Vollgraf, arXiv:1708.07747): shapes, sizes and errors as mnist.
 * normalize() uses the training set's mean 0.2860 and deviation 0.3530.
 */
export const fashionMnist = (split: Split, options: DataOptions = {}): Dataset => dataset(fashionSet(), split, options);

function dataset(set: ImageSet, split: Split, options: DataOptions): Dataset {
  if (!(split in lengths))
    throw new RangeError(`${set.folder}: split must be "train" or "test", not ${JSON.stringify(split)}`);
  return new Dataset(() => load(set, split, options), {
    name: set.folder,
    shape: [1, 28, 28],
    length: lengths[split],
    classes: set.classes,
    mean: [set.mean],
    std: [set.std],
  });
}

async function load(set: ImageSet, split: Split, options: DataOptions): Promise<Samples> {
  const read = async (file: DataFile, shape: number[]): Promise<{ idx: Idx; opened: OpenedFile }> => {
    const opened = await openDataFile(file, [set.folder, ""], options);
    const idx = await decodeIdx(opened.bytes, { file: opened.path });
    if (
      !(idx.data instanceof Uint8Array) ||
      `${idx.shape.slice(1)}` !== `${shape}` ||
      idx.shape.length !== 1 + shape.length
    )
      throw new FormatError(
        `expected bytes of shape [N${shape.map((size) => `, ${size}`).join("")}], found [${idx.shape}]; it is another data set's file`,
        {
          file: opened.path,
          offset: 4,
        },
      );
    return { idx, opened };
  };
  const { images, labels } = set.files[split];
  const x = await read(images, [28, 28]);
  const y = await read(labels, []);
  if (x.idx.shape[0] !== y.idx.shape[0])
    throw new FormatError(`has ${y.idx.shape[0]} labels for ${x.idx.shape[0]} images; take both files from one place`, {
      file: y.opened.path,
      offset: 4,
    });
  const wrong = (y.idx.data as Uint8Array).findIndex((label) => label > 9);
  if (wrong >= 0)
    throw new FormatError(`expected labels 0 to 9, found ${y.idx.data[wrong]}; download the file again`, {
      file: y.opened.path,
      offset: 8 + wrong,
    });
  return { x: x.idx.data as Uint8Array, y: y.idx.data as Uint8Array };
}

type Facts = [name: string, bytes: number, sha256: string, plainSha256: string];

const files = (bases: readonly string[], [train, trainLabels, test, testLabels]: Facts[]): ImageSet["files"] => {
  const file = ([name, bytes, sha256, plainSha256]: Facts): DataFile => ({
    name,
    bytes,
    sha256,
    plainSha256,
    urls: bases.map((base) => base + name),
  });
  return {
    train: { images: file(train), labels: file(trainLabels) },
    test: { images: file(test), labels: file(testLabels) },
  };
};

const mnistSet = (): ImageSet => ({
  folder: "mnist",
  classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  mean: 0.1307,
  std: 0.3081,
  files: files(
    ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"],
    [
      [
        "train-images-idx3-ubyte.gz",
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
      ],
      [
        "train-labels-idx1-ubyte.gz",
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
      ],
      [
        "t10k-images-idx3-ubyte.gz",
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
      ],
      [
        "t10k-labels-idx1-ubyte.gz",
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
      ],
    ],
  ),
});

const fashionSet = (): ImageSet => ({
  folder: "fashion-mnist",
  classes: ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
  mean: 0.286,
  std: 0.353,
  files: files(
    [
      "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
      "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ],
    [
      [
        "train-images-idx3-ubyte.gz",
        26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
      ],
      [
        "train-labels-idx1-ubyte.gz",
        29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
      ],
      [
        "t10k-images-idx3-ubyte.gz",
        4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
      ],
      [
        "t10k-labels-idx1-ubyte.gz",
        5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
      ],
    ],
  ),
});
