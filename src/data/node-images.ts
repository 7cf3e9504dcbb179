// Image files in Node: PNG by fast-png, others by the optional package sharp, and the folders they lie in. Empty in a bundle for browsers.
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Pixels } from "./decode-image.ts";

/** Decodes a PNG, or what sharp can. Throws one line naming `file` where it is damaged or no image. */
export function decodeBytes(bytes: Uint8Array, file: string): Promise<Pixels> {
  const isPng = [137, 80, 78, 71, 13, 10, 26, 10].every((byte, i) => bytes[i] === byte);
  return isPng ? decodePng(bytes, file) : decodeOther(bytes, file);
}

/** Decodes a PNG held in memory. Throws one line naming `file` where it is damaged. */
export async function decodePng(bytes: Uint8Array, file: string): Promise<Pixels> {
  const { decode } = await import("fast-png");
  try {
    const { width, height, data, channels, depth, palette, transparency } = decode(bytes);
    const size = width * height;
    const values = depth < 8 ? Uint8Array.from({ length: size }, (_, i) => unpack(data, i, width, depth)) : data;
    if (palette === undefined) return { width, height, channels, data: values, most: 2 ** depth - 1 };
    const colours = new Uint8Array(4 * size);
    for (let i = 0; i < size; i++) {
      const [red, green, blue, alpha = transparency?.[values[i]] ?? 255] = palette[values[i]] as number[];
      colours.set([red, green, blue, alpha], 4 * i);
    }
    return { width, height, channels: 4, data: colours, most: 255 };
  } catch (error) {
    const why = isWhole(bytes) ? (error as Error).message.replace(/:\s*$/, "") : "it is cut short";
    throw new Error(`${file} is a damaged PNG (${why})`, { cause: error });
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

async function decodeOther(bytes: Uint8Array, file: string): Promise<Pixels> {
  const sharp = await import("sharp").catch(() => {
    throw new Error(`${file} is not a PNG; other images need the package sharp (npm install sharp)`);
  });
  try {
    const image = sharp.default(bytes).rotate().toColourspace("srgb").raw();
    const { data, info } = await image.toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return { width, height, channels, data, most: 255 };
  } catch (error) {
    const why = (error as Error).message.trim().replace(/\s*\n\s*/g, "; ");
    throw new Error(`${file} is not an image that can be decoded (${why})`, { cause: error });
  }
}

/**
 * The paths of the image files in a folder and in those within it, links followed, a folder's files before its folders', each by
 * name. Names that begin with a dot, files of other kinds and links back to a folder on the way are passed over.
 */
export async function imageFiles(folder: string, above: readonly string[] = []): Promise<string[]> {
  const real = await realpath(folder);
  if (above.includes(real)) return [];
  const names = (await readdir(folder)).filter((name) => !name.startsWith(".")).sort();
  const files: string[] = [];
  const folders: string[] = [];
  for (const name of names) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined); // a link to nothing
    if (found?.isDirectory()) folders.push(path);
    else if (found?.isFile() && /\.(png|jpe?g|webp|gif|tiff?|avif)$/i.test(name)) files.push(path);
  }
  for (const each of folders) files.push(...(await imageFiles(each, [...above, real])));
  return files;
}
