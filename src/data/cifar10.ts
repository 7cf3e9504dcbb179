// CIFAR-10: 32×32 colour images in 10 classes, in the binary version's files of 10,000 records.

import { FormatError } from "../graph/format-error.ts";
import { type FileSource, readSource } from "../io/source.ts";
import { checksumError } from "./checksum.ts";
import { type DataOptions, nameAnother } from "./data-file.ts";
import { Dataset } from "./dataset.ts";
import { fetchBytes, type Remote } from "./download.ts";
import type { Split } from "./mnist.ts";
import { availableFiles, keepDataFile, openDataFile } from "./open-data.ts";
import type { Samples } from "./samples.ts";
import { tarMembers } from "./tar.ts";

const imageBytes = 3 * 32 * 32;
const recordBytes = 1 + imageBytes;
const fileBytes = 10_000 * recordBytes;

/** Which of the training files data_batch_1 to 5 to read. Default: those that are there, which is said when it is not all. */
export interface CifarOptions extends DataOptions {
  batches?: readonly number[];
}

/**
 * CIFAR-10 (Krizhevsky, 2009): x f32 [B, 3, 32, 32] in [0, 1], planes red, green, blue; y i32 [B].
 * 50,000 training and 10,000 test images; normalize() uses the training set's mean and deviation of each channel.
 * The length of the training split is known once loaded.
 * Throws as openDataFile does, and FormatError for a bad record.
 */
export function cifar10(split: Split, options: CifarOptions = {}): Dataset {
  if (split !== "train" && split !== "test")
    throw new RangeError(`cifar10: split must be "train" or "test", not ${JSON.stringify(split)}`);
  const { batches } = options;
  if (batches && (batches.length === 0 || batches.some((batch) => ![1, 2, 3, 4, 5].includes(batch))))
    throw new RangeError(`cifar10: batches must be some of 1 to 5, not [${batches}]`);
  return new Dataset(() => load(split, options), {
    name: "cifar10",
    shape: [3, 32, 32],
    length: split === "test" ? 10_000 : batches && batches.length * 10_000,
    classes: ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    mean: [0.4914, 0.4822, 0.4465],
    std: [0.247, 0.2435, 0.2616],
  });
}

/** Splits the records of one binary file into pixels and labels. Throws FormatError when the size or a label is wrong. */
export function decodeCifar(bytes: Uint8Array, file = "CIFAR-10 data"): { x: Uint8Array; y: Uint8Array } {
  if (bytes.length === 0 || bytes.length % recordBytes !== 0)
    throw new FormatError(
      `expected records of ${recordBytes} bytes, found ${bytes.length} bytes in all; download the file again`,
      {
        file,
        offset: bytes.length - (bytes.length % recordBytes),
      },
    );
  const count = bytes.length / recordBytes;
  const x = new Uint8Array(count * imageBytes);
  const y = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const at = i * recordBytes;
    y[i] = bytes[at];
    if (y[i] > 9)
      throw new FormatError(`expected a label 0 to 9, found ${y[i]}; this is not CIFAR-10`, { file, offset: at });
    x.set(bytes.subarray(at + 1, at + recordBytes), i * imageBytes);
  }
  return { x, y };
}

/** Reads one binary file from a path (an address in a browser) or a Blob. Throws as decodeCifar, and where it cannot be read. */
export async function readCifar(source: FileSource): Promise<{ x: Uint8Array; y: Uint8Array }> {
  const { bytes, file } = await readSource(source);
  return decodeCifar(bytes, file);
}

const folders = ["cifar10/cifar-10-batches-bin", "cifar10", "cifar-10-batches-bin", ""];

const archive: Remote = {
  name: "cifar-10-binary.tar.gz",
  bytes: 170_052_171,
  sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
  urls: ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"],
};

const checksums: Record<string, string> = {
  "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
  "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
  "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
  "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
  "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
  "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
};

async function load(split: Split, options: CifarOptions): Promise<Samples> {
  const names =
    split === "test"
      ? ["test_batch.bin"]
      : (options.batches ?? [1, 2, 3, 4, 5]).map((batch) => `data_batch_${batch}.bin`);
  const parts: { x: Uint8Array; y: Uint8Array }[] = [];
  let members: Promise<Map<string, Uint8Array>> | undefined; // one download for all files that are wanted
  for (const name of await availableFiles(names, folders, options, {
    set: "cifar10",
    all: options.batches !== undefined,
  })) {
    const file = { name, bytes: fileBytes, sha256: checksums[name], urls: [] };
    const { bytes, path } = await openDataFile(file, folders, options, async (target) => {
      members ??= fetchArchive(options, target);
      return (await members).get(name)!;
    });
    parts.push(decodeCifar(bytes, path));
  }
  return { x: concatenate(parts.map((part) => part.x)), y: concatenate(parts.map((part) => part.y)) };
}

/** All files of the archive by name; they are kept where the one that is asked for goes, `target` (Node only). */
async function fetchArchive(options: CifarOptions, target: string): Promise<Map<string, Uint8Array>> {
  const folder = target.replace(/.cifar-10-batches-bin.[^/\\]*$/, "");
  const byHand = target === "" ? nameAnother : `unpack it into ${folder}, or ${nameAnother}`;
  const bytes = await fetchBytes(archive, { ...options, verify: true }, byHand);
  const base = (name: string) => name.slice(name.lastIndexOf("/") + 1);
  const members = new Map<string, Uint8Array>();
  for await (const member of tarMembers(bytes, (name) => base(name) in checksums, {
    file: archive.name,
    limit: fileBytes,
  })) {
    const name = base(member.name);
    const wrong = await checksumError(member.bytes, checksums[name], {
      file: `${archive.name}: ${member.name}`,
      remedy: "try again later",
    });
    if (wrong) throw wrong;
    members.set(name, member.bytes);
    await keepDataFile(name, folders, options, member.bytes);
  }
  return members;
}

function concatenate(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
