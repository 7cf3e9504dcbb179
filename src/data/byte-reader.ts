// Reads a plain or gzip buffer front to back in asked-for amounts, so that no file can make a reader inflate more than it wants.
import { FormatError } from "../graph/format-error.ts";

// Deflate expands at most 1032-fold: an engine that inflates a piece whole, before it is asked for, spends 17 MB. Node does not.
const pieceBytes = 16_384;

/** Sequential bytes of a buffer, inflated when it begins with the gzip magic. */
export class ByteReader {
  readonly file: string;
  readonly compressed: boolean;
  /** Length of the content: of the buffer, or what the gzip trailer states (modulo 2³²; checked at the end). */
  readonly size: number;
  /** Bytes of content read so far. */
  offset = 0;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(bytes: Uint8Array, file: string) {
    this.file = file;
    this.compressed = bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
    this.size = this.compressed ? trailerSize(bytes, file) : bytes.length;
    this.#chunks = this.compressed ? inflate(bytes, file) : once(bytes);
  }

  /** Fills the target and returns how many bytes there were: fewer than its length only at the end of the content. */
  async read(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      if (this.#rest.length === 0) {
        const { value, done } = await this.#chunks.next();
        if (done) break;
        this.#rest = value;
      }
      const part = this.#rest.subarray(0, target.length - filled);
      target.set(part, filled);
      this.#rest = this.#rest.subarray(part.length);
      filled += part.length;
    }
    this.offset += filled;
    return filled;
  }

  /** Throws a FormatError unless the content ends here; reaching the end also checks gzip's CRC. */
  async expectEnd(): Promise<void> {
    const end = this.offset;
    if ((await this.read(new Uint8Array(1))) > 0)
      throw new FormatError("expected the end of the data, found more bytes; remove them or download the file again", {
        file: this.file,
        offset: end,
      });
  }

  /** Stops inflating; a reader that has not come to its end must be closed. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

function trailerSize(bytes: Uint8Array, file: string): number {
  const end = bytes.length;
  if (end < 18)
    throw new FormatError(`expected a gzip file of at least 18 bytes, found ${end}; download the file again`, {
      file,
      offset: end,
    });
  return ((bytes[end - 4] | (bytes[end - 3] << 8) | (bytes[end - 2] << 16)) + bytes[end - 1] * 2 ** 24) >>> 0;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* inflate(bytes: Uint8Array, file: string): AsyncGenerator<Uint8Array> {
  let fed = 0;
  let inflated = 0;
  const pieces = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (fed >= bytes.length) return controller.close();
        controller.enqueue(new Uint8Array(bytes.subarray(fed, (fed += pieceBytes)))); // a Buffer's own slice is no copy
      },
    },
    { highWaterMark: 0 },
  );
  const gunzip = new DecompressionStream("gzip") as unknown as TransformStream<Uint8Array, Uint8Array>;
  const reader = pieces.pipeThrough(gunzip).getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      inflated += value.length;
      yield value;
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FormatError(`the gzip stream is damaged or cut short (${reason}); download the file again`, {
      file,
      offset: Math.min(fed, bytes.length),
    });
  } finally {
    await reader.cancel().catch(() => {});
  }
  const size = trailerSize(bytes, file);
  if (inflated % 2 ** 32 !== size)
    throw new FormatError(
      `the gzip stream inflates to ${inflated} bytes but ends with another size; remove what follows the stream`,
      { file, offset: bytes.length - 4 },
    );
}
