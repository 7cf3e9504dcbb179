// Reads chosen members out of a tar archive, plain or gzip, with a limit on each member's size.

import { FormatError } from "../graph/format-error.ts";
import { ByteReader } from "./byte-reader.ts";

const blockBytes = 512;

/**
 * Walks a tar archive and yields the regular files that `want` accepts by name, in the archive's order.
 * Throws FormatError for a damaged header or a wanted member above the limit. Nothing is written anywhere.
 */
export async function* tarMembers(
  archive: Uint8Array,
  want: (name: string) => boolean,
  { file, limit }: { file: string; limit: number },
): AsyncGenerator<{ name: string; bytes: Uint8Array<ArrayBuffer> }> {
  const reader = new ByteReader(archive, file);
  const skipped = new Uint8Array(2 ** 16);
  try {
    for (;;) {
      const at = reader.offset;
      const header = new Uint8Array(blockBytes);
      if ((await reader.read(header)) < blockBytes)
        throw new FormatError("the archive ends without its end mark; download it again", { file, offset: at });
      if (header.every((byte) => byte === 0)) return;
      const { name, size, regular } = parseHeader(header, file, at);
      const padding = (blockBytes - (size % blockBytes)) % blockBytes;
      const wanted = regular && want(name);
      if (wanted && size > limit)
        throw new FormatError(`member ${name} has ${size} bytes, expected at most ${limit}; this is another archive`, {
          file,
          offset: at,
        });
      if (wanted) {
        const bytes = new Uint8Array(size);
        await expectAll(reader, bytes);
        yield { name, bytes };
      }
      for (let left = wanted ? padding : size + padding; left > 0; left -= Math.min(left, skipped.length))
        await expectAll(reader, skipped.subarray(0, left));
    }
  } finally {
    await reader.close();
  }
}

async function expectAll(reader: ByteReader, target: Uint8Array): Promise<void> {
  if ((await reader.read(target)) < target.length)
    throw new FormatError("the archive ends inside a member; download it again", {
      file: reader.file,
      offset: reader.offset,
    });
}

function parseHeader(
  header: Uint8Array,
  file: string,
  offset: number,
): { name: string; size: number; regular: boolean } {
  const text = (from: number, to: number) =>
    String.fromCharCode(...header.subarray(from, to)).replace(/\0[\s\S]*$/, "");
  const octal = (from: number, to: number) => Number.parseInt(text(from, to).trim() || "0", 8);
  let sum = 0;
  for (let i = 0; i < blockBytes; i++) sum += i >= 148 && i < 156 ? 32 : header[i];
  const size = octal(124, 136);
  if (octal(148, 156) !== sum || !(size >= 0))
    throw new FormatError("the tar header's checksum is wrong; download the archive again", { file, offset });
  return { name: text(0, 100), size, regular: header[156] === 0 || header[156] === 0x30 };
}
